//! How a membership goes on: by the station's renewals while it sends them,
//! by joining again if they stay away or the control link is lost.

use super::admission::{self, Back, Membership};
use super::control::{End, Session};
use super::line::Line;
use crate::Error;
use link::{Channel, Clock, Endpoint, Identity, Node, NodeEvent};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::limits::PERMIT_LIFE_MS_MAX;
use wire::message::control::{EdgeFailure, Up};
use wire::statement::RunStatement;
use wire::{PublicKey, Reason, Rendition, Scope, SpkiHash, UnixMs};

/// How long the station is called before it counts as gone: as long as permits
/// last at most, since nothing flows without them.
const REJOIN_MS_MAX: u64 = PERMIT_LIFE_MS_MAX;
/// The pause before the second try, in milliseconds, and up to as much again
/// at random: a hall whose station was away does not come back as one. It is
/// doubled with each try, up to [`PAUSE_MS_MAX`].
const REJOIN_PAUSE_MS: u64 = 500;
/// See [`REJOIN_PAUSE_MS`]: who waits for a station notices no difference.
const PAUSE_MS_MAX: u64 = 4_000;
/// How often it is looked whether the old parent's edge has ended.
const LEFT_LOOK_MS: u64 = 10;
/// Looks, before the place is asked for all the same.
const LEFT_LOOKS_MAX: u32 = 100;

/// A second admission on its way.
pub(super) type Rejoining = JoinHandle<Readmission>;
/// How it went.
pub(super) type Readmission = Result<(Membership, Channel, Back), Error>;

impl Membership {
    /// Takes the next certificate on.
    fn renew(&mut self, certificate: &[u8], now: UnixMs) -> Result<(), Error> {
        let me = self.identity.spki();
        let not_after = check_next(certificate, &self.run.ca_key, me, self.not_after, now)?;
        self.identity.certificate = certificate.to_vec();
        self.not_after = not_after;
        Ok(())
    }

    /// Whether no node lets this member in any more.
    fn has_ended(&self, now: UnixMs) -> bool {
        has_ended(self.not_after, now)
    }

    /// Whether the run goes on after this membership.
    fn is_renewable(&self) -> bool {
        self.not_after.0 / 1000 < self.run.end.0 / 1000
    }
}

/// When the next certificate ends, if it is the run's, for this member, and
/// lasts longer than the present one.
fn check_next(
    certificate: &[u8],
    ca_key: &PublicKey,
    me: SpkiHash,
    present_end: UnixMs,
    now: UnixMs,
) -> Result<UnixMs, Error> {
    let next = certs::x509::verify_member(certificate, ca_key, now)?;
    if next.spki != me {
        return Err(link::Error::SpkiNotAdmitted.into());
    }
    if next.not_after <= present_end {
        return Err(link::Error::OutOfTurn("a membership that ends no later").into());
    }
    Ok(next.not_after)
}

/// Certificates are good for all of the second that they name as their end.
const fn has_ended(not_after: UnixMs, now: UnixMs) -> bool {
    now.0 / 1000 > not_after.0 / 1000
}

impl Session {
    /// A renewal has come. One that cannot be taken on changes nothing: the
    /// present membership goes on to its end.
    pub(super) fn renewal(&mut self, certificate: &[u8]) {
        let now = self.clock.unix();
        let renewed = self.membership.renew(certificate, now).and_then(|()| {
            let adopted = self.endpoint.adopt(&self.membership.identity);
            Ok(adopted?)
        });
        match renewed {
            Ok(()) => {
                let ends_ms = self.membership.not_after.0;
                self.emit
                    .tell("membership_renewed", json!({"ends_ms": ends_ms}));
            }
            Err(e) => {
                let fields = json!({"reason": e.reason()});
                self.emit.tell("membership_not_renewed", fields);
                let text = format!("the membership was not renewed: {e}");
                self.notice(page::Level::Warning, text);
            }
        }
    }

    /// A membership that has ended without renewal, e.g. while this machine
    /// slept, ends the link to the station; then it is joined again.
    pub(super) fn watch_membership(&mut self, line: &mut Line) -> Option<End> {
        if !line.is_up() || !self.membership.has_ended(self.clock.unix()) {
            return None;
        }
        if !self.membership.is_renewable() {
            return Some(End::Refused(Reason::RunEnded));
        }
        self.emit.tell("membership_ended", json!({}));
        self.membership.link.close(Reason::Timeout);
        self.rejoin(line);
        None
    }

    /// Joins again with the invite, as the same member. What is played goes
    /// on meanwhile, for as long as the permits of its edges last.
    pub(super) fn rejoin(&mut self, line: &mut Line) {
        self.emit.tell("rejoining", json!({}));
        let text = "the station is away; joining again".to_owned();
        self.notice(page::Level::Warning, text);
        let mut scope = self.membership.run.scope.clone();
        scope.epoch = self.membership.secrets.epoch;
        let calling = Calling {
            endpoint: self.endpoint.clone(),
            identity: self.membership.identity.clone(),
            options: self.options.clone(),
            clock: self.clock.clone(),
            node: self.node.clone(),
            scope,
        };
        *line = Line::Again(tokio::spawn(calling.until_admitted(REJOIN_MS_MAX)));
    }

    /// The second admission, or why there is none.
    pub(super) async fn rejoined(
        &mut self,
        outcome: Readmission,
        events: &mut mpsc::UnboundedReceiver<NodeEvent>,
        line: &mut Line,
    ) -> Result<Option<End>, Error> {
        let (membership, channel, back) = match outcome {
            Ok(admitted) => admitted,
            Err(Error::Refused(reason)) => return Ok(Some(End::Refused(reason))),
            Err(Error::Link(e)) if !e.is_refusal() => {
                return Ok(Some(End::Refused(Reason::PeerGone)));
            }
            Err(e) => return Err(e),
        };
        if !same_run(&membership.run, &self.membership.run) {
            // What this viewer holds is of the run before.
            return Ok(Some(End::Refused(Reason::RunEnded)));
        }
        let secrets = &membership.secrets;
        self.openers
            .add(secrets.epoch, secrets.epoch_secret.clone());
        if !back.kept {
            self.node.raise_epoch(secrets.epoch);
        }
        self.membership = membership;
        if !back.kept {
            self.leave_parents().await;
        }
        while let Ok(event) = events.try_recv() {
            if let Some(end) = self.node_event(event)? {
                return Ok(Some(end));
            }
        }
        self.forget_old_place();
        self.measuring = link::Measuring::default();
        *line = Line::up(channel);
        self.emit.tell("rejoined", json!({"place_kept": back.kept}));
        line.send(&Up::Claim(self.claim())).await;
        if back.kept {
            self.go_on(&back.told);
        }
        Ok(None)
    }

    /// The place is the one of before: what still flows is counted from now on,
    /// and what has ended since it was told, the station has to hear.
    fn go_on(&mut self, told: &BTreeSet<SpkiHash>) {
        for (parent, stripes) in self.node.working() {
            for stripe in stripes.iter() {
                let rendition = self.rendition_of(parent);
                self.receipts.open(parent, rendition, stripe);
            }
        }
        for parent in told.iter().filter(|p| !self.node.has_edge(**p, true)) {
            let _ = self.up.send(Up::EdgeDown(EdgeFailure {
                other: *parent,
                child: true,
                // A run of several renditions is not taken up again.
                rendition: Rendition(0),
                reason: Reason::PeerGone,
            }));
        }
    }

    /// The places in the trees were given up with the old link: their edges
    /// have to be gone before the next are ordered, perhaps with the same
    /// parents.
    async fn leave_parents(&self) {
        let parents: BTreeSet<SpkiHash> = self.parents.values().map(|p| p.spki).collect();
        for parent in &parents {
            self.node.end_edge(*parent, true, Reason::Reparented);
        }
        for _ in 0..LEFT_LOOKS_MAX {
            if !parents.iter().any(|p| self.node.has_edge(*p, true)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(LEFT_LOOK_MS)).await;
        }
    }

    /// What was to be said of the old place would be taken for the new one's:
    /// only the sponsor's words still mean the same.
    fn forget_old_place(&mut self) {
        let mut kept = Vec::new();
        while let Ok(message) = self.outbox.try_recv() {
            if matches!(message, Up::Introduce(_) | Up::RedeemFailed(_)) {
                kept.push(message);
            }
        }
        for message in kept {
            let _ = self.up.send(message);
        }
        self.receipts.clear();
    }
}

fn same_run(one: &RunStatement, other: &RunStatement) -> bool {
    one.scope.run == other.scope.run
}

/// A member that calls its station again.
struct Calling {
    endpoint: Arc<Endpoint>,
    identity: Identity,
    options: super::Options,
    clock: Clock,
    node: Arc<Node>,
    scope: Scope,
}

impl Calling {
    /// Tries until it is let in, is refused for good, or has tried for so long.
    async fn until_admitted(self, patience_ms: u64) -> Readmission {
        let begun_ms = self.clock.mono_ms();
        for tries in 0u32.. {
            let held = (&*self.node, &self.scope);
            let identity = self.identity.clone();
            let (endpoint, options) = (&self.endpoint, &self.options);
            let outcome = admission::rejoin(endpoint, identity, options, &self.clock, held).await;
            let waited_ms = self.clock.mono_ms().saturating_sub(begun_ms);
            match outcome {
                Err(e) if waited_ms < patience_ms && may_pass(&e) => {}
                outcome => return outcome,
            }
            let mut dice = [0; 2];
            getrandom::fill(&mut dice).map_err(|_| Error::Random)?;
            let pause_ms = pause_ms(tries, u16::from_be_bytes(dice));
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        Err(Error::StationGone(Reason::PeerGone))
    }
}

/// The pause after so many tries before, by `dice`, which is random.
fn pause_ms(tries: u32, dice: u16) -> u64 {
    let doubled_ms = REJOIN_PAUSE_MS.saturating_mul(1 << tries.min(16));
    let base_ms = doubled_ms.min(PAUSE_MS_MAX);
    base_ms.saturating_add((base_ms.saturating_mul(u64::from(dice))) >> u16::BITS)
}

/// Whether another try may help.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Refused(reason) => *reason == Reason::RateLimited,
        Error::Link(e) => !e.is_refusal(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certs::SigningKey;
    use certs::x509::{MemberRequest, StreamCa, spki_of_public};

    const NOW: UnixMs = UnixMs(1_800_000_000_000);
    const LIFE_MS: u64 = 60_000;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn issued(ca: u8, member: u8, not_after: UnixMs) -> Vec<u8> {
        let begun = UnixMs(NOW.0 - 1_000);
        let ca = StreamCa::new(key(ca), [1; 16], begun, NOW.plus_ms(LIFE_MS * 10)).unwrap();
        let request = MemberRequest {
            key: key(member).public(),
            name: "member",
            serial: [2; 16],
            not_before: begun,
            not_after,
        };
        ca.issue(&request).unwrap()
    }

    /// What member 1 of CA 9 says to this certificate, when its present one
    /// ends after one life.
    fn check(certificate: &[u8], now: UnixMs) -> Result<UnixMs, String> {
        let me = spki_of_public(&key(1).public());
        let present_end = NOW.plus_ms(LIFE_MS);
        check_next(certificate, &key(9).public(), me, present_end, now).map_err(|e| e.reason())
    }

    #[test]
    fn a_renewal_is_taken_on_if_it_ends_later() {
        let later = NOW.plus_ms(LIFE_MS * 2);
        assert_eq!(check(&issued(9, 1, later), NOW), Ok(later));
    }

    #[test]
    fn a_renewal_that_ends_no_later_is_refused() {
        for end in [NOW.plus_ms(LIFE_MS), NOW.plus_ms(LIFE_MS / 2)] {
            assert_eq!(check(&issued(9, 1, end), NOW), Err("nonsense".into()));
        }
    }

    #[test]
    fn anothers_renewal_and_another_cas_are_refused_by_name() {
        let later = NOW.plus_ms(LIFE_MS * 2);
        let refused = |reason: &str| Err(reason.to_owned());
        assert_eq!(
            check(&issued(9, 2, later), NOW),
            refused("spki_not_admitted")
        );
        assert_eq!(
            check(&issued(8, 1, later), NOW),
            refused("certificate_signature_invalid")
        );
        assert_eq!(check(b"nonsense", NOW), refused("certificate_malformed"));
        let too_late = NOW.plus_ms(LIFE_MS * 3);
        assert_eq!(
            check(&issued(9, 1, later), too_late),
            refused("certificate_expired")
        );
    }

    #[test]
    fn a_membership_is_good_for_its_last_second_as_every_node_sees_it() {
        let end = NOW.plus_ms(LIFE_MS);
        let certificate = issued(9, 1, end);
        for (now, good) in [
            (end, true),
            (end.plus_ms(999), true),
            (end.plus_ms(1_000), false),
        ] {
            assert_eq!(!has_ended(end, now), good);
            let verdict = certs::x509::verify_member(&certificate, &key(9).public(), now);
            assert_eq!(verdict.is_ok(), good, "the others' check agrees");
        }
    }
}
