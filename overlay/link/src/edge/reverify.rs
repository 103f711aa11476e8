//! While an edge to a relay runs, the relay is verified again and again: its
//! evidence by the policy of the moment, and a live challenge on this link.
//! A wrong answer ends the edge at once. Silence ends it after a few tries,
//! and only when another parent has had time to take over.

mod schedule;

pub use schedule::ReverifyTimes;

use crate::node::{Node, NodeEvent};
use crate::trust::{self, Proof, RelayTrust, Verification};
use crate::{Error, Link, live};
use attest::Appraised;
use certs::Verified;
use schedule::{Answer, Schedule, Step, TRIES_MAX};
use std::sync::Arc;
use std::time::Duration;
use wire::message::control::{Admission, NodeRef};
use wire::statement::RunStatement;
use wire::{Reason, UnixMs};

/// The relay of one edge, and what is known of it.
struct Subject<'a> {
    node: &'a Node,
    link: &'a Link,
    other: &'a NodeRef,
    admission: &'a Admission,
    trust: &'a RelayTrust,
    run: Arc<Verified<RunStatement>>,
    /// When its release and the root were last in date.
    in_date: UnixMs,
    expired: bool,
}

/// Verifies a relay again and again; ends only when it failed. `child` says
/// whether this node is the child; without `proof` there is nothing to do.
pub(super) async fn reverify(
    node: &Node,
    link: &Link,
    other: &NodeRef,
    child: bool,
    proof: Option<&Proof>,
) -> Result<(), Error> {
    let times = node.controls.reverification.times();
    let (Some(times), Some(proof), Verification::Full(trust)) =
        (times, proof, &node.config.verification)
    else {
        return std::future::pending().await;
    };
    let (Some(admission), Some(run)) = (&other.admission, node.run()) else {
        return std::future::pending().await;
    };
    let mut subject = Subject {
        node,
        link,
        other,
        admission,
        trust,
        run,
        in_date: proof.at,
        expired: false,
    };
    let mut schedule = Schedule::new(times, proof.at_mono_ms);
    let mut due_ms = schedule.first_ms(random()?);
    loop {
        sleep_ms(due_ms.saturating_sub(node.clock.mono_ms())).await;
        schedule.begin(node.clock.mono_ms());
        let verified = subject.verify(times.answer_ms_max).await;
        let answer = match &verified {
            Ok(_) => Answer::Good,
            Err(e) if is_silence(e) => Answer::Missing,
            Err(_) => Answer::Wrong,
        };
        match schedule.answered(node.clock.mono_ms(), answer, random()?) {
            Step::Challenge { at_ms } => due_ms = at_ms,
            Step::Leave => return verified.map(drop),
            Step::Unresponsive => break,
        }
        if let Ok(proof) = verified {
            subject.tell(proof);
        }
    }
    let _ = node.events.send(NodeEvent::RelayUnresponsive {
        relay: other.clone(),
        child,
    });
    // The coordinator ends this edge when the next one delivers. If it finds
    // no other parent, the edge ends all the same.
    sleep_ms(times.handover_ms_max).await;
    Err(Error::Unanswered(TRIES_MAX.saturating_add(1)))
}

impl Subject<'_> {
    async fn verify(&mut self, answer_ms_max: u64) -> Result<Proof, Error> {
        let boot = self.appraise()?;
        let (me, clock) = (self.node.config.me, &self.node.clock);
        let policy = self.trust.policy();
        let answer = live::challenge(self.link, me, &boot, &policy, clock);
        let live = tokio::time::timeout(Duration::from_millis(answer_ms_max), answer)
            .await
            .map_err(|_| Error::Timeout("answer to the live challenge"))??;
        Ok(Proof::new(self.link, boot, live, clock))
    }

    /// Appraises the relay's evidence by now. If only the metadata's date has
    /// passed, the relay may stay for its lease: everything else must hold as
    /// it did when they were last in date.
    fn appraise(&mut self) -> Result<Appraised, Error> {
        let now = self.node.clock.unix();
        match self.appraise_at(now) {
            Ok(boot) => {
                self.in_date = now;
                Ok(boot)
            }
            Err(Error::Evidence(refusal)) if is_expiry(&refusal) => {
                let boot = self.appraise_at(self.in_date)?;
                if boot.parameters().lease_end <= now {
                    return Err(Error::Remote(Reason::LeaseEnded));
                }
                if !std::mem::replace(&mut self.expired, true) {
                    let _ = self.node.events.send(NodeEvent::RelayExpired {
                        relay: self.other.clone(),
                        reason: refusal.reason(),
                    });
                }
                Ok(boot)
            }
            Err(e) => Err(e),
        }
    }

    fn appraise_at(&self, at: UnixMs) -> Result<Appraised, Error> {
        let expectation = trust::admitted(self.admission, &self.run)?;
        self.trust
            .appraise(&self.link.certificate, &expectation, at)
    }

    /// What is out of date is not told as verified.
    fn tell(&self, proof: Proof) {
        if !self.expired {
            let _ = self.node.events.send(NodeEvent::RelayVerified {
                relay: self.other.clone(),
                proof: Arc::new(proof),
            });
        }
    }
}

/// Whether only the date of the release or of the root has passed.
fn is_expiry(refusal: &attest::Refusal) -> bool {
    matches!(
        refusal.error(),
        attest::Error::ReleaseExpired | attest::Error::RootExpired
    )
}

/// Whether there was no answer, rather than a wrong one. If the link itself
/// is gone, the edge ends for that.
fn is_silence(error: &Error) -> bool {
    match error {
        Error::Timeout(_) | Error::Connection(_) | Error::Write(_) | Error::Read(_) => true,
        Error::Evidence(refusal) => {
            matches!(refusal.error(), attest::Error::LiveTooOld { .. })
        }
        _ => false,
    }
}

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn random() -> Result<u64, Error> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(u64::from_le_bytes(bytes))
}
