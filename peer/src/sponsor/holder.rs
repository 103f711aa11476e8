//! The holder of an order: redeems, verifies the relay against the order he
//! made, commands it with the holder key, introduces it, and holds it.
//!
//! What was paid for is not given up for a fault that may pass: until the
//! paid time ends the relay is tried again, more and more rarely.

use super::redeem::{Ordered, redeem};
use super::region::Rtts;
use super::{Report, Setting, Step, terms};
use crate::Error;
use crate::desk_client::jittered;
use crate::station::{VerifiedOn, verified_fields};
use attest::Expectation;
use link::{Again, Channel, Endpoint, Link, Patience, Proof, Reverified, open_channel};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use voucher::DeskUri;
use wire::codec::Text;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve, Status};
use wire::message::control::{Admission, Empty, Introduce};
use wire::statement::Introduction;
use wire::{AskId, Reason, SpkiHash, UnixMs};

/// How long a relay may take to obey.
const REPLY_MS_MAX: u64 = 5_000;
/// Tries to reach a relay that the desk says is running, and the pause between
/// them: its socket may be a moment behind the desk's word.
const DIAL_TRIES: u32 = 3;
const DIAL_PAUSE_MS: u64 = 300;
/// First and longest pause before the whole way is tried again, in ms, of
/// which jitter leaves half. Each try may cost a challenge, and three in 30 s
/// are the relay's limit.
const RETRY_MS_MIN: u64 = 12_000;
const RETRY_MS_MAX: u64 = 60_000;
/// From one question about what is left to the next, in ms.
const METER_MS: u64 = 5_000;

/// What a held relay is wanted for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Errand {
    /// A yes was granted: serve for this ask.
    Introduce(AskId),
    /// The coordinator has admitted it.
    Admitted,
    /// The coordinator has not admitted it.
    Refused(Reason),
    /// End.
    Stop,
}

/// What is left of a relay, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meter {
    pub(crate) children: u32,
    pub(crate) sent_bytes: u64,
    pub(crate) bytes_left: u64,
    pub(crate) lease_end: UnixMs,
}

impl From<Status> for Meter {
    fn from(status: Status) -> Self {
        Self {
            children: status.children,
            sent_bytes: status.sent_bytes,
            bytes_left: status.bytes_left,
            lease_end: status.lease_end,
        }
    }
}

/// A relay that was paid for and obeys this sponsor.
pub(crate) struct Held {
    pub(crate) relay: SpkiHash,
    pub(crate) lease_end: UnixMs,
    pub(crate) admitted: bool,
    pub(crate) meter: Option<Meter>,
    errands: mpsc::UnboundedSender<Errand>,
}

impl Held {
    pub(crate) fn run(&self, errand: Errand) {
        let _ = self.errands.send(errand);
    }

    /// Whether it is paid for and serves nobody.
    pub(crate) fn is_idle(&self, now: UnixMs) -> bool {
        !self.admitted && self.lease_end > now
    }
}

/// What the way from a grant to a paid relay needs.
pub(crate) struct Introducing {
    pub(crate) ask: AskId,
    pub(crate) desk: DeskUri,
    /// How far the desk's regions are, as the prompt went by it.
    pub(crate) rtts: Rtts,
    /// Paid for already; else a voucher is redeemed.
    pub(crate) paid: Option<Ordered>,
    pub(crate) setting: Setting,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
}

impl Introducing {
    pub(crate) async fn run(mut self) {
        let ordered = match self.paid.take() {
            Some(ordered) => ordered,
            None => match redeem(&self.desk, &self.setting.data, &self.rtts).await {
                Ok(ordered) => ordered,
                Err(e) => {
                    let _ = self.reports.send(Report::Step(Step::Failed(self.ask, e)));
                    return;
                }
            },
        };
        let fields = json!({
            "order": ordered.order_id.to_hex(), "ask": self.ask.0,
            "lease_end_ms": ordered.lease_end.0,
        });
        let (errands, wanted) = mpsc::unbounded_channel();
        let held = Held {
            relay: ordered.relay,
            lease_end: ordered.lease_end,
            admitted: false,
            meter: None,
            errands,
        };
        let _ = self.reports.send(Report::Held(held));
        let _ = self
            .reports
            .send(Report::Step(Step::Tell("redeemed", fields)));
        let holding = Holding {
            ask: self.ask,
            admitted: false,
            ordered,
            setting: self.setting,
            reports: self.reports,
            errands: wanted,
        };
        holding.run().await;
    }
}

/// How one attempt to hold a relay ended.
enum Outcome {
    /// The relay has ended, or was told to.
    Ended,
    /// It may be tried again.
    Failed(Error),
}

/// A relay that was paid for, until it ends.
struct Holding {
    /// The yes that it serves for.
    ask: AskId,
    admitted: bool,
    ordered: Ordered,
    setting: Setting,
    reports: mpsc::UnboundedSender<Report>,
    errands: mpsc::UnboundedReceiver<Errand>,
}

impl Holding {
    async fn run(mut self) {
        let mut pause_ms = RETRY_MS_MIN;
        while let Outcome::Failed(error) = self.attempt().await {
            if is_final(&error) {
                self.give_up(error);
                break;
            }
            if self.setting.clock.unix().plus_ms(pause_ms) >= self.ordered.lease_end {
                break;
            }
            self.tell_retry(&error, pause_ms);
            if !self.pause(pause_ms).await {
                break;
            }
            pause_ms = pause_ms.saturating_mul(2).min(RETRY_MS_MAX);
        }
        let _ = self.reports.send(Report::Ended(self.ordered.relay));
    }

    async fn attempt(&mut self) -> Outcome {
        let (endpoint, link, mut channel, proof) = match self.reach().await {
            Ok(reached) => reached,
            Err(e) => return Outcome::Failed(e),
        };
        let outcome = match self.introduce() {
            Ok(()) => self.hold(&link, &mut channel, &proof).await,
            Err(e) => Outcome::Failed(e),
        };
        let reason = match &outcome {
            Outcome::Failed(Error::Link(e)) => e.wire_reason(),
            _ => Reason::Done,
        };
        endpoint.close(reason).await;
        outcome
    }

    /// Dials, verifies, and gives the relay its stream.
    async fn reach(&self) -> Result<(Endpoint, Link, Channel, Proof), Error> {
        let ordered = &self.ordered;
        let identity = crate::viewer::self_signed(Arc::new(ordered.holder.clone()))?;
        let holder = identity.spki();
        let endpoint = Endpoint::bind(SocketAddr::new(self.setting.local_ip, 0), &identity)?;
        let link = dial(&endpoint, ordered).await?;
        let (trust, clock) = (&self.setting.trust, &self.setting.clock);
        let expectation = self.expectation();
        let proof = trust.verify(&link, &expectation, holder, clock).await?;
        self.tell_verified(&proof);
        let mut channel = open_channel(&link, StreamKind::Command).await?;
        let serve = Command::Serve(Serve {
            run: self.setting.signed_run.clone(),
            coordinator: self.setting.run.coordinator,
            rate_bps_max: proof.boot.parameters().rate_bps,
        });
        match command(&mut channel, &serve).await? {
            CommandReply::Done(Empty {}) => Ok((endpoint, link, channel, proof)),
            CommandReply::Refused(_) | CommandReply::Status(_) => Err(Error::Relay(
                "it refused to serve the stream; it serves one in its life",
            )),
        }
    }

    /// The order that this sponsor made: not the relay's or the desk's word
    /// (threat A7).
    fn expectation(&self) -> Expectation {
        Expectation::of_order(self.ordered.relay, &self.ordered.order)
    }

    fn introduce(&self) -> Result<(), Error> {
        let ordered = &self.ordered;
        let introduction = Introduction {
            scope: self.setting.run.scope.clone(),
            order: ordered.order_id,
            relay: ordered.relay,
            sponsor: self.setting.me,
            address: Text::new(ordered.address.to_string())?,
            issued: self.setting.clock.unix(),
        };
        let introduce = Introduce {
            ask: self.ask,
            admission: Admission {
                order: ordered.order.clone(),
                introduction: certs::sign(&ordered.holder, &introduction),
            },
        };
        self.step(Step::Introduce(Box::new(introduce)));
        Ok(())
    }

    /// Keeps the command channel until the relay ends, and verifies the relay
    /// again meanwhile.
    async fn hold(&mut self, link: &Link, channel: &mut Channel, proof: &Proof) -> Outcome {
        let setting = self.setting.clone();
        let subject = Reverified {
            link,
            me: certs::x509::spki_of_public(&self.ordered.holder.public()),
            expectation: self.expectation(),
            trust: &setting.trust,
            clock: &setting.clock,
        };
        let (found, mut again) = mpsc::unbounded_channel();
        let tell = move |what| {
            let _ = found.send(what);
        };
        let verified = link::reverify(subject, setting.reverification, proof, tell);
        tokio::pin!(verified);
        let mut meter = interval(Duration::from_millis(METER_MS));
        let mut introduce_at: Option<Instant> = None;
        loop {
            let done = tokio::select! {
                _ = link.connection.closed() => Some(self.closed(link)),
                outcome = &mut verified => Some(match outcome {
                    Ok(()) => Outcome::Ended,
                    Err(e) => Outcome::Failed(e.into()),
                }),
                Some(what) = again.recv() => self.found(&what),
                Some(errand) = self.errands.recv() => {
                    self.errand(errand, channel, &mut introduce_at).await
                }
                _ = meter.tick() => self.read_meter(channel).await,
                () = until(introduce_at) => {
                    introduce_at = None;
                    self.introduce().err().map(Outcome::Failed)
                }
            };
            if let Some(outcome) = done {
                return outcome;
            }
        }
    }

    /// A relay that has served ends when its link does; one that never served
    /// is looked for again.
    fn closed(&self, link: &Link) -> Outcome {
        let reason = link.close_reason();
        let over = matches!(
            reason,
            Reason::StoppedByHolder | Reason::LeaseEnded | Reason::ByteCapReached
        );
        if self.admitted || over {
            Outcome::Ended
        } else {
            Outcome::Failed(link::Error::Remote(reason).into())
        }
    }

    fn found(&self, what: &Again) -> Option<Outcome> {
        let relay = self.ordered.relay.short();
        match what {
            Again::Verified(proof) => self.tell_verified(proof),
            Again::Expired(reason) => self.step(Step::Say(format!(
                "your relay {relay} may go on to the end of its paid time, but: {reason}"
            ))),
            Again::Unresponsive => self.step(Step::Say(format!(
                "your relay {relay} no longer answers live challenges"
            ))),
        }
        None
    }

    async fn errand(
        &mut self,
        errand: Errand,
        channel: &mut Channel,
        introduce_at: &mut Option<Instant>,
    ) -> Option<Outcome> {
        match errand {
            Errand::Introduce(ask) => {
                self.ask = ask;
                *introduce_at = Some(Instant::now());
            }
            Errand::Admitted => self.admitted = true,
            Errand::Refused(reason) if may_pass(reason) && !self.admitted => {
                self.tell_retry(&link::Error::Remote(reason).into(), RETRY_MS_MIN);
                *introduce_at = Some(Instant::now() + jittered(RETRY_MS_MIN));
            }
            // What the coordinator has refused by a check stays refused.
            Errand::Refused(_) => {}
            Errand::Stop => {
                let outcome = command(channel, &Command::Stop(Empty {})).await;
                let done = matches!(outcome, Ok(CommandReply::Done(Empty {})));
                let fields = json!({"relay": self.ordered.relay.to_hex(), "obeyed": done});
                self.step(Step::Tell("relay_stop", fields));
                return Some(Outcome::Ended);
            }
        }
        None
    }

    async fn read_meter(&self, channel: &mut Channel) -> Option<Outcome> {
        match command(channel, &Command::Status(Empty {})).await {
            Ok(CommandReply::Status(status)) => {
                let metered = Report::Metered(self.ordered.relay, status.into());
                let _ = self.reports.send(metered);
                None
            }
            // The link itself says how it ends.
            Ok(_) | Err(_) => None,
        }
    }

    /// Waits for the next try; a yes brings it forward. False if the relay
    /// was told to end meanwhile: it cannot be told, and is let go.
    async fn pause(&mut self, pause_ms: u64) -> bool {
        let over = sleep(jittered(pause_ms));
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                errand = self.errands.recv() => match errand {
                    Some(Errand::Introduce(ask)) => {
                        self.ask = ask;
                        return true;
                    }
                    Some(Errand::Admitted) => self.admitted = true,
                    Some(Errand::Refused(_)) => {}
                    Some(Errand::Stop) | None => return false,
                },
            }
        }
    }

    fn give_up(&self, error: Error) {
        let step = if self.admitted {
            Step::Distrusted(self.ordered.relay, error)
        } else {
            Step::Failed(self.ask, error)
        };
        self.step(step);
    }

    fn tell_retry(&self, error: &Error, pause_ms: u64) {
        let fields = json!({
            "relay": self.ordered.relay.to_hex(), "order": self.ordered.order_id.to_hex(),
            "reason": error.reason(), "retry_ms": pause_ms,
        });
        self.step(Step::Tell("relay_retried", fields));
        self.step(Step::Say(format!(
            "your relay is paid for until {} and cannot be used yet ({error}); it is tried again \
             in {} s",
            terms::utc(self.ordered.lease_end),
            pause_ms / 1000
        )));
    }

    fn tell_verified(&self, proof: &Proof) {
        let banner = self.setting.banner.as_deref();
        let fields = verified_fields(self.ordered.relay, proof, VerifiedOn::Command, banner);
        self.step(Step::Tell("relay_verified", fields));
    }

    fn step(&self, step: Step) {
        let _ = self.reports.send(Report::Step(step));
    }
}

/// Whether another try cannot help: a check has failed, or the relay has said
/// no.
fn is_final(error: &Error) -> bool {
    error.exit_code() == 3 || matches!(error, Error::Relay(_) | Error::Attest(_))
}

/// Whether the coordinator may take the relay another time.
const fn may_pass(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Timeout | Reason::PeerGone | Reason::ChallengeRate | Reason::ChallengeUnanswered
    )
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn dial(endpoint: &Endpoint, ordered: &Ordered) -> Result<Link, Error> {
    let mut tries = 1;
    loop {
        let dialled = endpoint
            .dial(ordered.address, Some(ordered.relay), Patience::Control)
            .await;
        match dialled {
            Ok(link) => return Ok(link),
            Err(e) if tries >= DIAL_TRIES || e.is_refusal() => return Err(e.into()),
            Err(_) => tries += 1,
        }
        sleep(Duration::from_millis(DIAL_PAUSE_MS)).await;
    }
}

async fn command(channel: &mut Channel, command: &Command) -> Result<CommandReply, Error> {
    channel.send(command).await?;
    let patience = Duration::from_millis(REPLY_MS_MAX);
    let reply = timeout(patience, channel.expect("no reply to a command"))
        .await
        .map_err(|_| link::Error::Timeout("reply to a command"))??;
    Ok(reply)
}
