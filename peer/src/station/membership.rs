//! Memberships are short and renewed: whoever is a member gets the next
//! certificate before the present one ends, whoever is out gets none.

use super::coordinator::Coordinator;
use super::keys::random;
use crate::Error;
use certs::limits::CLOCK_SKEW_MS_MAX;
use std::collections::BTreeMap;
use wire::message::control::{Certificate, Down};
use wire::{PublicKey, SpkiHash};

/// How long a membership lasts, in milliseconds: what a stolen or kept one is
/// good for at most. Three times a permit's life, so that a coordinator that
/// is away for a while costs nobody his membership.
pub const MEMBERSHIP_MS: u64 = 15 * 60 * 1000;
// The last third is spare: for clocks that are apart, and lost time.
const _: () = assert!(MEMBERSHIP_MS / 3 > 2 * CLOCK_SKEW_MS_MAX);
/// Certificates that one look at the deadlines signs at most: a hall that was
/// let in at once is renewed over several looks, and the planner waits for
/// none of them.
const RENEWALS_MAX: usize = 32;

/// Who is to be renewed, and when.
#[derive(Debug)]
pub(super) struct Renewals {
    life_ms: u64,
    due_ms: BTreeMap<SpkiHash, u64>,
}

impl Renewals {
    /// Renewals of memberships that last `life_ms`.
    pub(super) const fn new(life_ms: u64) -> Self {
        Self {
            life_ms,
            due_ms: BTreeMap::new(),
        }
    }

    /// A membership was issued at `now_ms`; `dice` is random.
    fn plan(&mut self, member: SpkiHash, now_ms: u64, dice: u16) {
        let due_ms = now_ms.saturating_add(renewal_after_ms(self.life_ms, dice));
        self.due_ms.insert(member, due_ms);
    }

    /// The next few whose time has come; they are planned no more.
    fn take_due(&mut self, now_ms: u64) -> Vec<SpkiHash> {
        let due = self.due_ms.iter().filter(|(_, due_ms)| **due_ms <= now_ms);
        let due: Vec<SpkiHash> = due.map(|(node, _)| *node).take(RENEWALS_MAX).collect();
        for node in &due {
            self.due_ms.remove(node);
        }
        due
    }
}

/// How long after its issue a membership or permit is renewed: between half and
/// two thirds of its life, by `dice`, so that those who came together are not
/// renewed together.
pub(super) fn renewal_after_ms(life_ms: u64, dice: u16) -> u64 {
    let jitter_ms = (life_ms / 6).saturating_mul(u64::from(dice)) >> u16::BITS;
    life_ms / 2 + jitter_ms
}

impl Coordinator {
    /// The next membership certificate of this key, and a place among the
    /// renewals if the run lasts for another one.
    pub(super) fn issue_membership(
        &mut self,
        member: SpkiHash,
        key: PublicKey,
        name: &str,
    ) -> Result<Certificate, Error> {
        let now = self.clock.unix();
        let life_ms = self.renewals.life_ms;
        let certificate = Certificate::new(self.keys.admit(key, name, now, life_ms)?)?;
        if now.plus_ms(life_ms) < self.keys.run.end {
            let dice = u16::from_be_bytes(random(&self.keys.rng)?);
            self.renewals.plan(member, self.clock.mono_ms(), dice);
        }
        Ok(certificate)
    }

    /// Renews what is due. Who was put out or has gone is no member, and
    /// drops out here.
    pub(super) fn renew_memberships(&mut self) {
        for node in self.renewals.take_due(self.clock.mono_ms()) {
            let Some(member) = self.members.get(&node) else {
                continue;
            };
            let (key, name) = (member.key, member.name.clone());
            match self.issue_membership(node, key, name.as_str()) {
                Ok(certificate) => self.say(node, Down::Membership(certificate)),
                // The member joins again when its membership has ended.
                Err(e) => tracing::warn!(%name, "a membership was not renewed: {e}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_lie_between_half_and_two_thirds_of_the_life() {
        for life_ms in [3_000, MEMBERSHIP_MS] {
            assert_eq!(renewal_after_ms(life_ms, 0), life_ms / 2);
            let last_ms = renewal_after_ms(life_ms, u16::MAX);
            assert!(last_ms < life_ms * 2 / 3 && last_ms > life_ms * 6 / 10);
        }
    }

    #[test]
    fn a_hall_that_came_together_is_not_renewed_together() {
        let mut renewals = Renewals::new(MEMBERSHIP_MS);
        for n in 0..1_000u16 {
            let [high, low] = n.to_be_bytes();
            let mut node = [0; 32];
            node[..2].copy_from_slice(&[high, low]);
            renewals.plan(SpkiHash(node), 0, n.wrapping_mul(40_503));
        }
        assert!(renewals.take_due(MEMBERSHIP_MS / 2 - 1).is_empty());
        let mut renewed = 0;
        for second in 0..=MEMBERSHIP_MS / 6_000 {
            let due = renewals.take_due(MEMBERSHIP_MS / 2 + second * 1_000);
            assert!(due.len() < RENEWALS_MAX, "{} in one second", due.len());
            renewed += due.len();
        }
        assert_eq!(renewed, 1_000, "all before two thirds are over");
    }

    #[test]
    fn one_look_signs_a_bounded_number_and_the_next_goes_on() {
        let mut renewals = Renewals::new(MEMBERSHIP_MS);
        for n in 0..40 {
            renewals.plan(SpkiHash([n; 32]), 0, 0);
        }
        assert_eq!(renewals.take_due(MEMBERSHIP_MS).len(), RENEWALS_MAX);
        assert_eq!(renewals.take_due(MEMBERSHIP_MS).len(), 40 - RENEWALS_MAX);
        assert!(renewals.take_due(MEMBERSHIP_MS).is_empty());
    }

    #[test]
    fn who_joins_again_is_planned_once() {
        let mut renewals = Renewals::new(MEMBERSHIP_MS);
        renewals.plan(SpkiHash([1; 32]), 0, 0);
        renewals.plan(SpkiHash([1; 32]), 1_000, 0);
        assert!(renewals.take_due(MEMBERSHIP_MS / 2).is_empty());
        assert_eq!(renewals.take_due(MEMBERSHIP_MS / 2 + 1_000).len(), 1);
    }
}
