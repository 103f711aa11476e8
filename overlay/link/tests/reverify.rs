//! A relay that is verified again while its edge runs, on real sockets, with
//! the real planner for a coordinator.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use certs::seal::Publisher;
use link::{
    Clock, Controls, Endpoint, NodeEvent, Patience, RelayTrust, Reverification, ReverifyTimes,
    Verification, verify_relay,
};
use overlay::planner::{Action, Config, Peer, Planner, Relay};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::relay::{Cloud, Manner, TestRelay};
use support::{Running, Setup, Stream, loopback, media, now, order, soon, stranger};
use wire::message::control::NodeKind;
use wire::statement::Permit;
use wire::{Reason, SpkiHash, Stripe, UnixMs};

/// Short, so that nobody waits; the relay of these tests counts nothing.
const TIMES: ReverifyTimes = ReverifyTimes {
    period_ms: 300,
    period_jitter_ms: 50,
    retry_ms_min: 50,
    retry_ms_max: 100,
    answer_ms_max: 400,
    window_ms: 0,
    handover_ms_max: 6_000,
};
/// From one published chunk to the next.
const CHUNK: Duration = Duration::from_millis(40);
/// From a wrong answer to the end of the edge, at the latest: the promise, not
/// a measure of speed.
const LEFT_WITHIN: Duration = Duration::from_secs(2);

fn hour() -> UnixMs {
    now().plus_ms(3_600_000)
}

/// Station, relay and a child that verifies; the planner places them.
struct Evening {
    stream: Stream,
    planner: Planner<SpkiHash>,
    station: Running,
    relay: TestRelay,
    child: Running,
    publisher: Publisher,
    published: u64,
    /// When the edge to the relay was seen to end.
    left_at: Option<Instant>,
}

/// What happened to the child, in order.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Up(SpkiHash),
    Unresponsive(SpkiHash),
    Expired(&'static str),
    Down(SpkiHash, String),
}

/// A node that verifies relays, again and again.
fn verifying(trust: Arc<RelayTrust>, times: ReverifyTimes) -> Setup {
    Setup {
        verification: Verification::Full(trust),
        controls: Controls {
            reverification: Reverification::scheduled(times),
            ..Controls::default()
        },
        ..Setup::default()
    }
}

impl Evening {
    /// With the relay at the station's only slot, and the child under it.
    fn begin(cloud: &Cloud, times: ReverifyTimes) -> Self {
        Self::begin_with(cloud, cloud.trust(), times)
    }

    /// With a child that has this trust.
    fn begin_with(cloud: &Cloud, trust: Arc<RelayTrust>, times: ReverifyTimes) -> Self {
        Self::between(cloud, Setup::default(), verifying(trust, times))
    }

    /// With these two at the relay's ends.
    fn between(cloud: &Cloud, station: Setup, child: Setup) -> Self {
        let stream = Stream::begin();
        let station = Setup {
            kind: NodeKind::Station,
            ..station
        };
        let station = Running::start(&stream, &stream.station, station);
        let relay = TestRelay::start(&stream, cloud);
        let child = Running::start(&stream, &stream.member(), child);
        let mut planner = Planner::new(station.spki, 1, Config::default(), 1);
        let admitted = Relay {
            sponsor: SpkiHash([9; 32]),
            order: relay.order,
            edges: 4,
            lease_end_ms: 3_600_000,
        };
        let spki = relay.running.spki;
        planner.relay_admitted(0, spki, admitted).unwrap();
        planner.join(0, child.spki, Peer::default()).unwrap();
        planner.edge_up(spki, station.spki, Stripe(0));
        let (publisher, init) = stream.publisher();
        station.publish(init);
        let mut evening = Self {
            stream,
            planner,
            station,
            relay,
            child,
            publisher,
            published: 0,
            left_at: None,
        };
        evening.act();
        evening
    }

    fn node(&self, spki: SpkiHash) -> &Running {
        [&self.station, &self.relay.running, &self.child]
            .into_iter()
            .find(|n| n.spki == spki)
            .unwrap()
    }

    fn permit(&self, parent: SpkiHash, child: SpkiHash) -> Permit {
        let relay = self.relay.running.spki;
        let order = |end| (end == relay).then_some(self.relay.order);
        Permit {
            parent_order: order(parent),
            child_order: order(child),
            ..self.stream.permit(parent, child)
        }
    }

    /// Does what the planner wants, as the station's driver does.
    fn act(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Attach { child, parent, .. } => self.attach(parent, child),
                Action::Detach { child, parent, .. } => {
                    let reason = Reason::Reparented;
                    self.node(child).node.end_edge(parent, true, reason);
                    self.node(parent).node.end_edge(child, false, reason);
                }
                _ => {}
            }
        }
    }

    fn attach(&self, parent: SpkiHash, child: SpkiHash) {
        let permit = self.permit(parent, child);
        let permit = certs::permit::sign(&self.stream.permit_key, &permit);
        // Everybody dials a relay; else the child dials.
        let relay_below = child == self.relay.running.spki;
        for (at, other, dials) in [(child, parent, !relay_below), (parent, child, relay_below)] {
            let far = self.node(other);
            let address: Option<SocketAddr> = dials.then_some(far.address);
            let mut order = order(permit.clone(), other, far.kind, address);
            order.other.admission =
                (far.kind == NodeKind::Relay).then(|| self.relay.admission.clone());
            self.node(at).node.order_edge(order).unwrap();
        }
    }

    fn publish(&mut self) {
        let chunk = media(
            &mut self.publisher,
            30_000,
            self.published.is_multiple_of(5),
        );
        self.published += 1;
        self.station.publish(chunk);
    }

    /// Publishes on and on, and plays the coordinator, until `done` says so;
    /// what happened, and the media chunks that came.
    async fn until(&mut self, mut done: impl FnMut(&[Seen]) -> bool) -> (Vec<Seen>, Vec<u64>) {
        let (mut seen, mut chunks) = (Vec::new(), Vec::new());
        let mut tick = tokio::time::interval(CHUNK);
        soon("what the test waits for", async {
            while !done(&seen) {
                tokio::select! {
                    _ = tick.tick() => self.publish(),
                    event = self.child.events.recv() => match event.unwrap() {
                        NodeEvent::Chunk { key, .. } if !key.init => {
                            chunks.push(key.sequence.0);
                        }
                        event => seen.extend(self.hear(event)),
                    },
                }
            }
        })
        .await;
        (seen, chunks)
    }

    /// What the child's driver tells the coordinator.
    fn hear(&mut self, event: NodeEvent) -> Option<Seen> {
        let child = self.child.spki;
        let seen = match event {
            NodeEvent::EdgeUp { other, .. } => {
                self.planner.edge_up(child, other.spki, Stripe(0));
                Seen::Up(other.spki)
            }
            NodeEvent::RelayUnresponsive { relay, .. } => {
                self.planner.edge_doubted(1, child, relay.spki);
                Seen::Unresponsive(relay.spki)
            }
            NodeEvent::RelayExpired { reason, .. } => Seen::Expired(reason),
            NodeEvent::EdgeDown { other, name, .. } => {
                self.left_at = Some(Instant::now());
                Seen::Down(other, name)
            }
            _ => return None,
        };
        self.act();
        Some(seen)
    }

    /// The names of relay and station.
    fn names(&self) -> (SpkiHash, SpkiHash) {
        (self.relay.running.spki, self.station.spki)
    }

    /// Until the edge to the relay has ended, and a few chunks more.
    async fn until_relay_is_left(&mut self) -> (Vec<Seen>, Vec<u64>) {
        let (relay, _) = self.names();
        let left = |seen: &[Seen]| {
            seen.iter()
                .any(|s| matches!(s, Seen::Down(other, _) if *other == relay))
        };
        let (seen, mut chunks) = self.until(left).await;
        let last = self.published + 5;
        let mut tick = tokio::time::interval(CHUNK);
        while self.published < last {
            tick.tick().await;
            self.publish();
            while let Ok(event) = self.child.events.try_recv() {
                if let NodeEvent::Chunk { key, .. } = event
                    && !key.init
                {
                    chunks.push(key.sequence.0);
                }
            }
        }
        (seen, chunks)
    }
}

/// Each number once, and none left out.
fn without_gap(mut chunks: Vec<u64>) -> bool {
    chunks.sort_unstable();
    let chunks_len = chunks.len() as u64;
    let first = chunks.first().copied().unwrap_or(0);
    chunks.into_iter().eq(first..first + chunks_len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_of_a_silent_relay_has_its_next_parent_before_the_old_edge_ends() {
    let mut evening = Evening::begin(&Cloud::new(hour()), TIMES);
    let (relay, station) = evening.names();
    let (seen, before) = evening.until(|seen| !seen.is_empty()).await;
    assert_eq!(seen, [Seen::Up(relay)]);
    evening.relay.behave(Manner::Silent);
    evening.planner.claim(1, station, 2).unwrap();
    let (seen, after) = evening.until_relay_is_left().await;
    let expected = [
        Seen::Unresponsive(relay),
        Seen::Up(station),
        Seen::Down(relay, "reparented".into()),
    ];
    assert_eq!(seen, expected);
    let chunks = [before, after].concat();
    assert!(chunks.len() > 10, "{chunks:?}");
    assert!(without_gap(chunks.clone()), "{chunks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_relay_is_left_after_four_challenges_even_if_there_is_no_other_parent() {
    let times = ReverifyTimes {
        handover_ms_max: 1_000,
        ..TIMES
    };
    let mut evening = Evening::begin(&Cloud::new(hour()), times);
    let (relay, _) = evening.names();
    evening.until(|seen| !seen.is_empty()).await;
    let answered = evening.relay.behave(Manner::Silent);
    let (seen, chunks) = evening.until_relay_is_left().await;
    let expected = [
        Seen::Unresponsive(relay),
        Seen::Down(relay, "challenge_unanswered".into()),
    ];
    assert_eq!(seen, expected);
    assert!(without_gap(chunks), "it carried on until it was left");
    assert_eq!(evening.relay.challenges() - answered, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_answers_again_in_time_keeps_its_child() {
    let mut evening = Evening::begin(&Cloud::new(hour()), TIMES);
    evening.until(|seen| !seen.is_empty()).await;
    let answered = evening.relay.behave(Manner::Silent);
    while evening.relay.challenges() < answered + 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    evening.relay.behave(Manner::Answers);
    // Two good answers later, nothing was said of it.
    let enough = answered + 6;
    while evening.relay.challenges() < enough {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while let Ok(event) = evening.child.events.try_recv() {
        assert!(
            matches!(
                event,
                NodeEvent::RelayVerified { .. } | NodeEvent::Chunk { .. }
            ),
            "{event:?}"
        );
    }
    assert!(
        evening
            .child
            .node
            .has_edge(evening.relay.running.spki, true)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_with_a_wrong_answer_is_left_at_once_and_by_name() {
    let mut evening = Evening::begin(&Cloud::new(hour()), TIMES);
    let (relay, _) = evening.names();
    evening.until(|seen| !seen.is_empty()).await;
    let answered = evening.relay.behave(Manner::Wrong);
    let (seen, _) = evening.until_relay_is_left().await;
    assert_eq!(seen, [Seen::Down(relay, "live_binding_mismatch".into())]);
    assert_eq!(evening.relay.challenges() - answered, 1, "no second chance");
    let (wrong_at, left_at) = (evening.relay.wrong_at(), evening.left_at);
    assert!(left_at.unwrap() - wrong_at.unwrap() < LEFT_WITHIN);
}

/// The same where the relay is the child, and its parent the one who verifies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_ends_the_edge_of_a_relay_with_a_wrong_answer_in_time_and_by_name() {
    let cloud = Cloud::new(hour());
    let station = verifying(cloud.trust(), TIMES);
    let mut evening = Evening::between(&cloud, station, Setup::default());
    let (relay, _) = evening.names();
    evening.until(|seen| seen == [Seen::Up(relay)]).await;
    evening.relay.behave(Manner::Wrong);
    let left = soon("the station leaves the relay", async {
        loop {
            match evening.station.events.recv().await.unwrap() {
                NodeEvent::EdgeDown {
                    other, name, child, ..
                } => return (other, name, child),
                _ => evening.publish(),
            }
        }
    });
    let left = left.await;
    let elapsed = evening.relay.wrong_at().unwrap().elapsed();
    assert_eq!(left, (relay, "live_binding_mismatch".into(), false));
    assert!(elapsed < LEFT_WITHIN, "{elapsed:?}");
}

/// What the control is good for: the same relays, never verified again within
/// the evening, keep their child.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_re_verification_the_child_stays_with_such_relays() {
    for manner in [Manner::Silent, Manner::Wrong] {
        let times = ReverifyTimes {
            period_ms: u64::MAX,
            ..TIMES
        };
        let mut evening = Evening::begin(&Cloud::new(hour()), times);
        evening.until(|seen| !seen.is_empty()).await;
        evening.relay.behave(manner);
        let mut turns = 0;
        let (seen, chunks) = evening
            .until(|_| {
                turns += 1;
                turns > 80
            })
            .await;
        assert_eq!(seen, []);
        assert!(chunks.len() > 10 && without_gap(chunks));
        assert_eq!(evening.relay.challenges(), 1, "that before the first block");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_release_keeps_its_edge_is_told_once_and_gets_no_new_link() {
    let mut evening = Evening::begin(&Cloud::new(now().plus_ms(2_500)), TIMES);
    let (relay, _) = evening.names();
    let (seen, _) = evening.until(|seen| seen.len() >= 2).await;
    assert_eq!(seen, [Seen::Up(relay), Seen::Expired("release_expired")]);
    let challenged = evening.relay.challenges();
    let mut turns = 0;
    let (seen, chunks) = evening
        .until(|_| {
            turns += 1;
            turns > 80
        })
        .await;
    assert_eq!(seen, [], "it stays, and is not told again");
    assert!(chunks.len() > 10 && without_gap(chunks));
    assert!(
        evening.relay.challenges() > challenged,
        "it is challenged as before"
    );

    let child = evening.child.spki;
    evening.child.node.end_edge(relay, true, Reason::Done);
    let ended = evening.until(|seen| !seen.is_empty()).await.0;
    assert_eq!(ended, [Seen::Down(relay, "done".into())]);
    while evening.relay.running.node.has_edge(child, false) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    evening.attach(relay, child);
    let refused = evening.until(|seen| !seen.is_empty()).await.0;
    assert_eq!(refused, [Seen::Down(relay, "release_expired".into())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_relay_that_answers_wrongly_is_left_like_any_other() {
    let mut evening = Evening::begin(&Cloud::new(now().plus_ms(2_000)), TIMES);
    let (relay, _) = evening.names();
    evening.until(|seen| seen.len() >= 2).await;
    evening.relay.behave(Manner::Wrong);
    let (seen, _) = evening.until_relay_is_left().await;
    assert_eq!(seen, [Seen::Down(relay, "live_binding_mismatch".into())]);
}

/// Verifies a relay of another round, as a viewer does who gets an edge to it;
/// the name of the refusal, if it is one.
async fn meets(evening: &Evening, cloud: &Cloud, trust: &RelayTrust) -> Option<String> {
    let relay = TestRelay::start(&evening.stream, cloud);
    let viewer = stranger();
    let endpoint = Endpoint::bind(loopback(), &viewer).unwrap();
    let (address, spki) = (relay.running.address, relay.running.spki);
    let link = endpoint.dial(address, Some(spki), Patience::Edge);
    let link = soon("a link to the relay", link).await.unwrap();
    let (run, clock) = (&evening.stream.run, Clock::new());
    let proof = verify_relay(&link, &relay.admission, viewer.spki(), trust, run, &clock);
    let refused = soon("a verdict", proof).await.err();
    refused.map(|e| e.reason().to_owned())
}

/// A relay of an old release, which the child has accepted; then its viewer
/// sees a relay of the next release, which `change` makes of the old one.
async fn superseded(name: &str, change: impl FnOnce(&Cloud, &mut attest::release::Release)) {
    let old = Cloud::new(hour());
    let mut newer = old.clone();
    newer.releases(|release| change(&old, release));
    let trust = old.trust();
    let mut evening = Evening::begin_with(&old, trust.clone(), TIMES);
    let (relay, _) = evening.names();
    let (seen, _) = evening.until(|seen| !seen.is_empty()).await;
    assert_eq!(seen, [Seen::Up(relay)]);
    assert_eq!(meets(&evening, &old, &trust).await, None);
    assert_eq!(meets(&evening, &newer, &trust).await, None);
    // Nobody new is let in, and who is there already has to go.
    assert_eq!(meets(&evening, &old, &trust).await.as_deref(), Some(name));
    let (seen, _) = evening.until_relay_is_left().await;
    assert_eq!(seen, [Seen::Down(relay, name.into())]);
    // What the control is good for: without the newer release's word, the
    // old one is as good as ever.
    assert_eq!(meets(&evening, &old, &old.trust()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_under_the_floor_of_a_newer_release_is_left_and_not_taken_again() {
    superseded("release_rolled_back", |_, release| {
        (release.security_version, release.security_version_min) = (2, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_a_newer_release_revokes_is_left_and_not_taken_again() {
    superseded("release_denied", |old, release| {
        release.denied = vec![old.release_digest().into()];
    })
    .await;
}
