//! What a person is told before he says yes: in the terminal, on the page and
//! in the event that programs read, always the same.

use super::quote::Quote;
use serde_json::{Value, json};
use wire::UnixMs;
use wire::statement::Ask;

/// What happens with the money if it fails.
pub(crate) const ON_FAILURE: &str = "Until you are granted, nothing is spent. If no relay can be \
     started, the voucher is refunded. A relay that starts and is then refused, out of reach or \
     dead has cost the voucher; while it runs, your client tries again, and it serves your next \
     yes before another voucher is taken. If you stop it early, the rest of the paid time is \
     forfeited";
/// What the sponsor gets.
pub(crate) const GETS: &str = "a place right under your relay, its first priority, and your name \
     on the round if you like";
/// What an early stop costs, said when there is something to stop.
pub(crate) const STOP: &str = "Your relay serves the stream. `stop` ends it with 10 s of notice; \
     the rest of the paid time is forfeited";

/// Everything that a yes rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) quote: &'a Quote,
    /// Until when a relay is paid for that serves nobody: it would serve, and
    /// nothing is spent.
    pub(crate) paid_until: Option<UnixMs>,
    /// What the user must not forget about his trust.
    pub(crate) banner: Option<&'a str>,
    pub(crate) now: UnixMs,
}

impl Terms<'_> {
    /// In minor units of the quote's currency.
    pub(crate) fn price_minor(&self) -> u64 {
        if self.paid_until.is_some() {
            0
        } else {
            self.quote.price_minor
        }
    }

    /// When the round would end at the latest.
    pub(crate) fn ends(&self) -> UnixMs {
        let hours_ms = u64::from(self.quote.hours).saturating_mul(3_600_000);
        self.paid_until
            .unwrap_or_else(|| self.now.plus_ms(hours_ms))
    }

    /// What bounds the cost.
    pub(crate) fn cap(&self) -> String {
        if self.paid_until.is_some() {
            return "A relay that you have paid for already would serve: nothing more is spent."
                .to_owned();
        }
        format!(
            "It ends after {} h or {} GB, whichever is first; nothing more is charged.",
            self.quote.hours, self.quote.gigabytes
        )
    }

    /// What is missing, by the station's word.
    pub(crate) fn deficit(&self) -> String {
        format!(
            "short {:.1} Mbit/s for {} viewer(s), {} round(s) wanted, says the station",
            crate::station::as_mbps(self.ask.deficit_bps),
            self.ask.viewers_short,
            self.ask.rounds_wanted,
        )
    }

    /// The question in the terminal.
    pub(crate) fn text(&self) -> String {
        let price = if self.paid_until.is_some() {
            "nothing more".to_owned()
        } else {
            self.quote.price_text()
        };
        let banner = self.banner.map(|b| format!("{b}\n")).unwrap_or_default();
        format!(
            "{banner}Buy a round? The tree is {}. {} h of a relay {} for {price}, at most {} GB. {} \
             It ends at {} at the latest. {ON_FAILURE}. You get {GETS}. Answer accept {id} (with \
             `named` behind it your name is shown), decline {id} or never within {} s.",
            self.deficit(),
            self.quote.hours,
            self.quote.place_text(),
            self.quote.gigabytes,
            self.cap(),
            utc(self.ends()),
            self.ask.deadline_ms / 1000,
            id = self.ask.ask.0,
        )
    }

    /// The question for a program that answers on standard input.
    pub(crate) fn fields(&self) -> Value {
        let (ask, quote) = (self.ask, self.quote);
        json!({
            "ask": ask.ask.0, "cause": ask.cause.name(), "step": ask.step.name(),
            "deficit_bps": ask.deficit_bps, "viewers_short": ask.viewers_short,
            "rounds_wanted": ask.rounds_wanted, "deadline_ms": ask.deadline_ms,
            "price_minor": self.price_minor(), "currency": quote.currency,
            "class": quote.class.to_string(), "voucher": quote.voucher,
            "hours": quote.hours, "gigabytes": quote.gigabytes,
            "region": quote.class.region().as_str(), "region_rtt_ms": quote.rtt_ms(),
            "region_waiting_rtt_ms": quote.waiting_rtt_ms(),
            "paid_already": self.paid_until.is_some(),
            "ends_at_ms": self.ends().0, "cap": self.cap(),
            "on_failure": ON_FAILURE, "gets": GETS, "banner": self.banner,
        })
    }
}

/// The time of day, as everybody on earth has it.
pub(crate) fn utc(at: UnixMs) -> String {
    let minutes = at.0 / 60_000;
    format!("{:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wire::statement::{Cause, Scope, Step};
    use wire::{AskId, Epoch, RunId, SpkiHash, StreamId};

    fn ask() -> Ask {
        Ask {
            scope: Scope {
                stream: StreamId([1; 32]),
                run: RunId([2; 16]),
                epoch: Epoch(0),
            },
            ask: AskId(7),
            member: SpkiHash([3; 32]),
            cause: Cause::Join,
            step: Step::Leaves,
            deficit_bps: 14_000_000,
            viewers_short: 3,
            rounds_wanted: 2,
            deadline_ms: 20_000,
            issued: UnixMs(0),
            regions: wire::codec::List::default(),
        }
    }

    fn quote() -> Quote {
        Quote {
            class: "small.local.1h.45gb.2026q4".parse().unwrap(),
            price_minor: 410,
            currency: "USD".to_owned(),
            hours: 1,
            gigabytes: 45,
            voucher: true,
            rtts: [("local".parse().unwrap(), 23)].into(),
            waiting: [("local".parse().unwrap(), 31)].into(),
        }
    }

    #[test]
    fn the_question_says_what_it_costs_when_it_ends_and_what_is_lost() {
        let (ask, quote) = (ask(), quote());
        let terms = Terms {
            ask: &ask,
            quote: &quote,
            paid_until: None,
            banner: Some("DEVELOPMENT: relays prove nothing"),
            now: UnixMs(20 * 3_600_000 + 14 * 60_000),
        };
        let text = terms.text();
        for said in [
            "4.10 USD",
            "at most 45 GB",
            "in region local, 23 ms from here",
            "ends at 21:14 UTC",
            "2 round(s) wanted",
            "the voucher is refunded",
            "refused, out of reach or dead has cost the voucher",
            "rest of the paid time is forfeited",
            "accept 7 (with `named`",
            "DEVELOPMENT: relays prove nothing",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let fields = terms.fields();
        assert_eq!(fields["hours"], 1);
        assert_eq!(fields["gigabytes"], 45);
        assert_eq!(fields["region"], "local");
        assert_eq!(fields["region_rtt_ms"], 23);
        assert_eq!(fields["rounds_wanted"], 2);
        assert_eq!(fields["ends_at_ms"], 21 * 3_600_000 + 14 * 60_000);
        for said in ["cap", "on_failure", "gets", "banner"] {
            assert!(fields[said].is_string(), "{said}");
        }
    }

    #[test]
    fn a_relay_that_is_paid_for_costs_nothing_more() {
        let (ask, quote) = (ask(), quote());
        let terms = Terms {
            ask: &ask,
            quote: &quote,
            paid_until: Some(UnixMs(90 * 60_000)),
            banner: None,
            now: UnixMs(0),
        };
        assert_eq!(terms.price_minor(), 0);
        assert!(terms.text().contains("for nothing more"));
        assert!(terms.text().contains("01:30 UTC"));
        assert_eq!(terms.fields()["paid_already"], true);
    }
}
