//! The control link to a relay: edges down, reports up, and the relay verified
//! again and again for as long as it lasts.

use super::coordinator::Event;
use super::rate::{MessageLimit, MessageRate};
use attest::Expectation;
use link::{Again, Clock, Error, Link, Node, Proof, RelayTrust, Reverification, Reverified};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::message::control::{Down, Up};
use wire::{Reason, SpkiHash};

/// How long a relay that leaves may take to end by itself.
const LEAVE_MS_MAX: u64 = 5_000;

/// A relay's control link, and what the relay is held against.
pub(super) struct RelayLine {
    pub(super) link: Link,
    pub(super) me: SpkiHash,
    pub(super) expectation: Expectation,
    /// How it was verified on this link at the beginning.
    pub(super) proof: Arc<Proof>,
    pub(super) trust: Arc<RelayTrust>,
    /// Whose uplink is charged for what the relay is told.
    pub(super) node: Arc<Node>,
    pub(super) clock: Clock,
    pub(super) reverification: Reverification,
    /// What this line finds out, which waits for nobody.
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// What the relay says, which waits with it.
    pub(super) messages: mpsc::Sender<Event>,
    pub(super) limit: MessageLimit,
}

/// How a control link ends.
enum End {
    /// One of the two has said so.
    Left,
    /// Without a word.
    Lost,
    /// The relay has failed a check, or answers none.
    Failed(Error),
}

impl RelayLine {
    /// Carries messages both ways until the link ends, and tells how.
    pub(super) async fn carry(self, channel: link::Channel, down: mpsc::UnboundedReceiver<Down>) {
        let relay = self.link.peer;
        let end = tokio::select! {
            end = self.messages(channel, down) => end,
            end = self.verified_again() => end,
        };
        if let End::Failed(e) = &end {
            let _ = self.events.send(Event::RelayDistrusted {
                relay,
                name: e.reason().to_owned(),
                refusal: e.is_refusal(),
            });
            return self.link.close(e.wire_reason());
        }
        let graceful = matches!(end, End::Left);
        let gone = Event::Gone {
            node: relay,
            graceful,
        };
        // Behind all that it has said.
        let _ = self.messages.send(gone).await;
        if graceful {
            // The relay ends by itself; what is planned around it goes on
            // until then.
            tokio::time::sleep(Duration::from_millis(LEAVE_MS_MAX)).await;
        }
        self.link.close(Reason::Done);
    }

    async fn verified_again(&self) -> End {
        let relay = self.link.peer;
        let subject = Reverified {
            link: &self.link,
            me: self.me,
            expectation: self.expectation,
            trust: &self.trust,
            clock: &self.clock,
        };
        let tell = |again: Again| {
            let _ = self.events.send(Event::RelayAgain { relay, again });
        };
        match link::reverify(subject, self.reverification, &self.proof, tell).await {
            Ok(()) => End::Lost,
            // The link is gone: that says nothing about the relay's evidence.
            Err(Error::Connection(_)) => End::Lost,
            Err(e) => End::Failed(e),
        }
    }

    async fn messages(
        &self,
        channel: link::Channel,
        mut down: mpsc::UnboundedReceiver<Down>,
    ) -> End {
        let from = self.link.peer;
        let mut rate = MessageRate::new(self.limit, self.clock.mono_ms());
        let (mut sender, mut receiver) = channel.split::<Up>();
        loop {
            tokio::select! {
                message = down.recv() => match message {
                    None | Some(Down::Refused(_)) => return End::Left,
                    Some(message) => match sender.send_counted(&message).await {
                        Ok(bytes) => self.node.charge(bytes),
                        Err(_) => return End::Lost,
                    },
                },
                message = receiver.recv() => match message {
                    Ok(Some(Up::Leave(_))) => return End::Left,
                    Ok(Some(_)) if !rate.admit(self.clock.mono_ms()) => {
                        self.link.close(Reason::RateLimited);
                        return End::Lost;
                    }
                    Ok(Some(message)) => {
                        let _ = self.messages.send(Event::Up { from, message }).await;
                    }
                    Ok(None) | Err(_) => return End::Lost,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::test_relay::{Cloud, Manner, TIMES, TestRelay};
    use link::{
        Channel, Endpoint, NodeConfig, Patience, ReverifyTimes, Verification, open_channel,
    };
    use wire::message::StreamKind;
    use wire::message::control::NodeKind;

    /// A coordinator on the line with a relay that it has verified.
    struct OnTheLine {
        relay: TestRelay,
        events: mpsc::UnboundedReceiver<Event>,
        _down: mpsc::UnboundedSender<Down>,
        _endpoint: Arc<Endpoint>,
    }

    async fn on_the_line(times: ReverifyTimes) -> OnTheLine {
        let cloud = Cloud::new();
        let relay = TestRelay::start(&cloud);
        let (endpoint, me) = cloud.member();
        let link = endpoint
            .dial(relay.address, Some(relay.spki), Patience::Edge)
            .await
            .unwrap();
        let (clock, trust) = (Clock::new(), cloud.trust());
        let expectation = Expectation::of_order(relay.spki, &relay.order);
        let proof = trust.verify(&link, &expectation, me, &clock).await;
        let channel: Channel = open_channel(&link, StreamKind::Control).await.unwrap();
        let endpoint = Arc::new(endpoint);
        let config = NodeConfig {
            me,
            kind: NodeKind::Station,
            upload_bps: 1_000_000,
            byte_cap: None,
            forwarder: overlay::forwarder::Config::default(),
            verification: Verification::PermitOnly,
            private_networks: true,
        };
        let (node, _) = Node::new(config, endpoint.clone(), clock.clone());
        let (tell, events) = mpsc::unbounded_channel();
        let (down, messages) = mpsc::unbounded_channel();
        let line = RelayLine {
            link,
            me,
            expectation,
            proof: Arc::new(proof.unwrap()),
            trust,
            node,
            clock,
            reverification: Reverification::scheduled(times),
            events: tell,
            messages: mpsc::channel(8).0,
            limit: MessageLimit::RELAY,
        };
        tokio::spawn(line.carry(channel, messages));
        OnTheLine {
            relay,
            events,
            _down: down,
            _endpoint: endpoint,
        }
    }

    /// What follows within a second and a half from a wrong answer on.
    async fn after_a_wrong_answer(times: ReverifyTimes) -> Option<(String, bool)> {
        let mut line = on_the_line(times).await;
        line.relay.behave(Manner::Wrong);
        let distrusted = async {
            loop {
                match line.events.recv().await {
                    Some(Event::RelayDistrusted {
                        relay,
                        name,
                        refusal,
                    }) => {
                        assert_eq!(relay, line.relay.spki);
                        return (name, refusal);
                    }
                    Some(_) => {}
                    None => panic!("the line ended without a word"),
                }
            }
        };
        tokio::time::timeout(Duration::from_millis(1_500), distrusted)
            .await
            .ok()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_relay_that_answers_wrongly_loses_its_control_link_by_that_name() {
        let seen = after_a_wrong_answer(TIMES).await;
        assert_eq!(seen, Some(("live_binding_mismatch".to_owned(), true)));
    }

    /// What the control is good for: the same relay, never verified again
    /// within the evening, keeps its link.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_re_verification_such_a_relay_keeps_its_control_link() {
        let never = ReverifyTimes {
            period_ms: u64::MAX,
            ..TIMES
        };
        assert_eq!(after_a_wrong_answer(never).await, None);
    }
}
