//! Whether the machine has a reason to stay on: a state machine over what its
//! supervisor hears, with time passed in.

/// How long the relay may take from its start to its first beat, in ms: the
/// desk's part of the boot protocol included.
const BOOT_MS_MAX: u64 = 60_000;
/// How long a relay that serves may be silent, in ms. Below this a busy event
/// loop is only late.
const SILENCE_MS_MAX: u64 = 20_000;
/// How long the relay may take to say good-bye once its desk has gone, in ms.
const GOODBYE_MS_MAX: u64 = 5_000;
/// How long after the paid time the machine may stay on, in ms: the relay ends
/// by itself before, after its notice to the tree.
const LEASE_GRACE_MS: u64 = 15_000;

/// What the supervisor hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The relay's event loop turns.
    Beat,
    /// The boot channel has ended.
    DeskGone,
    /// The relay's process has ended.
    RelayEnded(&'static str),
    /// The address is not ours any more.
    NetworkLost,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Vitals {
    /// When it last had a reason to go on, and how long that one holds.
    sign_ms: u64,
    patience_ms: u64,
    /// What it means if that time is over.
    fear: &'static str,
    desk_gone: bool,
    /// When nothing that is heard keeps it on any longer.
    lease_over_ms: u64,
    over: Option<&'static str>,
}

impl Vitals {
    /// A relay that was started now, with this much of its paid time left.
    pub(super) const fn new(now_ms: u64, lease_left_ms: u64) -> Self {
        Self {
            sign_ms: now_ms,
            patience_ms: BOOT_MS_MAX,
            fear: "relay_not_ready",
            desk_gone: false,
            lease_over_ms: now_ms
                .saturating_add(lease_left_ms)
                .saturating_add(LEASE_GRACE_MS),
            over: None,
        }
    }

    /// Takes an event.
    pub(super) fn hear(&mut self, event: Event, now_ms: u64) {
        match event {
            // Without a desk a beating relay has no reason to stay.
            Event::Beat if self.desk_gone => {}
            Event::Beat => self.trust(now_ms, SILENCE_MS_MAX, "relay_silent"),
            Event::DeskGone if self.desk_gone => {}
            Event::DeskGone => {
                self.desk_gone = true;
                self.trust(now_ms, GOODBYE_MS_MAX, "desk_gone");
            }
            Event::RelayEnded(_) if self.desk_gone => self.end("desk_gone"),
            Event::RelayEnded(reason) => self.end(reason),
            Event::NetworkLost => self.end("network_lost"),
        }
    }

    /// Why the machine has to be turned off now, if it has.
    pub(super) fn over(&self, now_ms: u64) -> Option<&'static str> {
        let late = now_ms.saturating_sub(self.sign_ms) > self.patience_ms;
        let unpaid = now_ms > self.lease_over_ms;
        self.over
            .or(unpaid.then_some("lease_over"))
            .or(late.then_some(self.fear))
    }

    const fn trust(&mut self, now_ms: u64, patience_ms: u64, fear: &'static str) {
        self.sign_ms = now_ms;
        self.patience_ms = patience_ms;
        self.fear = fear;
    }

    /// The first reason stays.
    fn end(&mut self, reason: &'static str) {
        self.over.get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn stays_on_while_the_relay_beats() {
        let mut vitals = Vitals::new(0, HOUR_MS);
        for now_ms in (0..600_000).step_by(1_000) {
            vitals.hear(Event::Beat, now_ms);
            assert_eq!(vitals.over(now_ms), None);
        }
        assert_eq!(vitals.over(600_000 + SILENCE_MS_MAX), Some("relay_silent"));
    }

    #[test]
    fn a_relay_that_never_serves_does_not_keep_it_on() {
        let vitals = Vitals::new(5, HOUR_MS);
        assert_eq!(vitals.over(5 + BOOT_MS_MAX), None);
        assert_eq!(vitals.over(6 + BOOT_MS_MAX), Some("relay_not_ready"));
    }

    #[test]
    fn a_beating_relay_does_not_outlive_its_desk() {
        let mut vitals = Vitals::new(0, HOUR_MS);
        vitals.hear(Event::Beat, 10);
        vitals.hear(Event::DeskGone, 100);
        for now_ms in 100..=100 + GOODBYE_MS_MAX {
            vitals.hear(Event::Beat, now_ms);
            vitals.hear(Event::DeskGone, now_ms);
            assert_eq!(vitals.over(now_ms), None);
        }
        assert_eq!(vitals.over(101 + GOODBYE_MS_MAX), Some("desk_gone"));
    }

    /// Such a relay is stuck, or somebody else's by now.
    #[test]
    fn a_beating_relay_does_not_outlive_its_lease() {
        let (started_ms, lease_ms) = (7, 60_000);
        let last_ms = started_ms + lease_ms + LEASE_GRACE_MS;
        let mut vitals = Vitals::new(started_ms, lease_ms);
        for now_ms in started_ms..=last_ms {
            vitals.hear(Event::Beat, now_ms);
            assert_eq!(vitals.over(now_ms), None);
        }
        vitals.hear(Event::Beat, last_ms + 1);
        assert_eq!(vitals.over(last_ms + 1), Some("lease_over"));
        assert_eq!(Vitals::new(0, u64::MAX).over(1), None);
    }

    #[test]
    fn names_the_first_reason() {
        let mut vitals = Vitals::new(0, HOUR_MS);
        vitals.hear(Event::NetworkLost, 1);
        vitals.hear(Event::RelayEnded("relay_ended"), 2);
        assert_eq!(vitals.over(2), Some("network_lost"));
        let mut vitals = Vitals::new(0, HOUR_MS);
        vitals.hear(Event::DeskGone, 1);
        vitals.hear(Event::RelayEnded("relay_ended"), 2);
        assert_eq!(vitals.over(2), Some("desk_gone"));
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Beat),
            Just(Event::DeskGone),
            Just(Event::RelayEnded("relay_failed")),
            Just(Event::NetworkLost),
        ]
    }

    proptest! {
        #[test]
        fn once_over_it_stays_over(events in prop::collection::vec(event(), 0..20)) {
            let mut vitals = Vitals::new(0, HOUR_MS);
            let mut over = false;
            for (now_ms, event) in (0u64..).zip(events) {
                vitals.hear(event, now_ms);
                let now_over = vitals.over(now_ms).is_some();
                prop_assert!(now_over || !over);
                over = now_over;
            }
            // Nothing more is heard: it never stays on for ever.
            prop_assert!(vitals.over(BOOT_MS_MAX + 21).is_some());
        }
    }
}
