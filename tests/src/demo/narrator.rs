//! Tells the evening as it happens, one line for each thing.

use super::report::Report;
use super::story::{Entry, Once, What};
use std::io::Write;

/// Where the story goes: standard output for people; standard error if
/// standard output is for the report.
#[derive(Debug)]
pub struct Narrator {
    to_stderr: bool,
    started_us: Option<u64>,
    told: Once,
}

impl Narrator {
    /// A narrator for people, or beside a JSON report.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self {
            to_stderr: json,
            started_us: None,
            told: Once::default(),
        }
    }

    /// From now on lines begin with the time since `started_us`.
    pub fn start(&mut self, started_us: u64) {
        self.started_us = Some(started_us);
    }

    /// A line of the play itself.
    pub fn say(&self, text: &str) {
        // Who closes the pipe does not want to hear the story.
        let _ = if self.to_stderr {
            writeln!(std::io::stderr().lock(), "{text}")
        } else {
            writeln!(std::io::stdout().lock(), "{text}")
        };
    }

    /// An entry of the evening, if it is the first of its matter.
    pub fn tell(&mut self, entry: &Entry) {
        if !self.told.first(entry) {
            return;
        }
        let started_us = self.started_us.unwrap_or(entry.mono_us);
        let since_us = entry.mono_us.saturating_sub(started_us);
        let tenths = since_us / 100_000;
        let sentence = sentence(entry);
        self.say(&format!("{:>5}.{} s  {sentence}", tenths / 10, tenths % 10));
    }

    /// The end: who saw what, and whether all is well.
    pub fn conclude(&self, report: &Report) {
        self.say("");
        for viewer in report.viewers.iter().filter(|viewer| viewer.chunks_due > 0) {
            let same = if viewer.media_identical {
                "byte for byte what was published"
            } else {
                "NOT what was published"
            };
            let path: Vec<&str> = viewer.path.iter().map(|hop| hop.name.as_str()).collect();
            self.say(&format!(
                "{}: {} of {} chunks, {same}; longest gap {} ms, delay {} ms (p99 {}); {} -> {}",
                viewer.name,
                viewer.chunks_verified,
                viewer.chunks_due,
                viewer.longest_gap_ms,
                viewer.delay_ms_p50,
                viewer.delay_ms_p99,
                viewer.name,
                path.join(" -> "),
            ));
        }
        for relay in &report.relays {
            self.say(&format!(
                "{}: {} ({} evidence, assurance {}), verified by {}, up to {} children",
                relay.relay,
                relay.release,
                relay.evidence,
                relay.assurance,
                relay.verified_by.join(", "),
                relay.children_max,
            ));
        }
        for problem in &report.problems {
            self.say(&format!("PROBLEM: {problem}"));
        }
        self.say(if report.ok {
            "Everything was as it has to be."
        } else {
            "Something was not as it has to be."
        });
    }
}

fn sentence(entry: &Entry) -> String {
    let who = &entry.who;
    match &entry.what {
        What::Joined => format!("{who} joins"),
        What::CapacityShort { deficit_bps } => {
            let kbps = deficit_bps / 1000;
            format!("there is not enough upload: {kbps} kbit/s are missing")
        }
        What::SponsorAsked(question) => {
            let price = match (&question.price_minor, &question.currency) {
                (Some(minor), Some(currency)) => {
                    format!(" for {}.{:02} {currency}", minor / 100, minor % 100)
                }
                _ => String::new(),
            };
            let (cause, step) = (&question.cause, &question.step);
            format!("{who} is asked whether to buy a round{price} ({cause}, {step})")
        }
        What::SponsorDeclined(_) => format!("{who} declines"),
        What::SponsorTimedOut(_) => format!("{who} lets the deadline pass"),
        What::SponsorAccepted(_) => format!("{who} accepts: this round is on {who}"),
        What::SponsorGranted(_) => format!("{who} may redeem a voucher now"),
        What::SponsorNotNeeded(_) => format!("{who} hears that it is no longer needed"),
        What::VoucherRedeemed { .. } => format!("{who}'s voucher is redeemed"),
        What::RelayStarted { relay, .. } => format!("{relay} is started"),
        What::RelayVerified {
            relay,
            evidence,
            assurance,
        } => {
            format!("{who} verified {relay} ({evidence} evidence, assurance {assurance})")
        }
        What::RelayAdmitted {
            relay,
            parent,
            slots,
        } => {
            format!("{relay} takes a place under {parent} and carries {slots}")
        }
        What::FirstChunk { from } => format!("{who} has a picture, from {from}"),
        What::RelayLost { relay } => format!("{relay} is gone"),
        What::Reparented {
            from, to, stripe, ..
        } => {
            let what = stripe.map_or_else(String::new, |n| format!(" stripe {n}"));
            format!("{who} moves{what} from {from} to {to}")
        }
        What::JoinRefusedNoCapacity => format!("{who} is refused: no capacity"),
        What::AttackRefused { attack, reason } if attack == "none" => {
            format!("{who} refuses the relay: {reason}")
        }
        What::AttackRefused { attack, reason } => format!("{who} refuses {attack}: {reason}"),
    }
}
