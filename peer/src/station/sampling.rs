//! Receipts are sampled: as the audience grows, each member is told to speak
//! of fewer chunks, so that what reaches the station stays under a bound.

use super::coordinator::{Coordinator, PICTURE_MS};
use super::receipts::Proven;
use certs::receipt::{ReceiptKey, Samplings};
use overlay::sampling::{next_one_in, span, window_chunks};
use overlay::slots::Span;
use serde_json::json;
use tokio::sync::mpsc;
use wire::message::control::Down;
use wire::message::receipt::Sampling;
use wire::{Rendition, Sequence, Stripe};

/// Windows from a rule's making to its first chunk: it reaches every member
/// before the chunk does, and nobody's receipt is refused for having been
/// written by the old one.
const AHEAD_WINDOWS: u64 = 2;

impl Coordinator {
    /// Tells members when they are to receipt another share; once a second.
    pub(super) fn sample_receipts(&mut self) {
        self.proven.follow_window();
        let viewers = self.members.values().filter(|m| m.receipt_key.is_some());
        let viewers = u32::try_from(viewers.count()).unwrap_or(u32::MAX);
        let renditions: Vec<Rendition> = self.proven.heads.keys().copied().collect();
        for rendition in renditions {
            self.sample_rendition(rendition, viewers);
        }
    }

    fn sample_rendition(&mut self, rendition: Rendition, viewers: u32) {
        let Some(rule) = self.next_rule(rendition, viewers) else {
            return;
        };
        let rules = self.proven.samplings.entry(rendition).or_default();
        if !rules.learn(rule.clone()) {
            return;
        }
        let fields = json!({
            "viewers": viewers, "rendition": rendition.0, "one_in": rule.one_in, "from": rule.from.0,
            "window_chunks": rule.window_chunks,
        });
        self.emit.tell("receipts_sampled", fields);
        let viewers = self.members.values().filter(|m| m.receipt_key.is_some());
        for member in viewers {
            let _ = member.down.send(Down::Sampling(rule.clone()));
        }
    }

    fn next_rule(&self, rendition: Rendition, viewers: u32) -> Option<Sampling> {
        let head = self.proven.head(rendition)?;
        let rules = self.proven.samplings.get(&rendition);
        let newest = rules.and_then(Samplings::newest);
        let present = newest.map_or(1, |rule| rule.one_in);
        let one_in = next_one_in(present, viewers, self.settings.stripes);
        let window_chunks = window_chunks(self.proven.chunk_ms());
        let ahead = AHEAD_WINDOWS.saturating_mul(window_chunks.into());
        (one_in != present).then_some(Sampling {
            rendition,
            from: Sequence(head.0.saturating_add(ahead)),
            window_chunks,
            one_in,
        })
    }

    /// What a new member has to know.
    pub(super) fn tell_samplings(&self, down: &mpsc::UnboundedSender<Down>) {
        let rules = self.proven.samplings.values();
        for rule in rules.flat_map(Samplings::iter) {
            let _ = down.send(Down::Sampling(rule.clone()));
        }
    }
}

impl Proven {
    /// Receipts are added up over as long as the newest rule wants. What was
    /// forgotten of a shorter time does not come back: the window grows with
    /// the clock, and until then too little is proven and not too much.
    fn follow_window(&mut self) {
        let best = self.samplings.get(&Rendition(0));
        let wanted = span(best.and_then(Samplings::newest), self.chunk_ms());
        let grown_ms = self.capacity.span().window_ms.saturating_add(PICTURE_MS);
        self.capacity.add_up_over(Span {
            window_ms: wanted.window_ms.min(grown_ms),
            ..wanted
        });
    }

    /// What these receipted chunks stand for: the mean, since a receipt may
    /// speak of chunks on both sides of a change.
    pub(super) fn stand_for(
        &self,
        rendition: Rendition,
        chunks: impl Iterator<Item = Sequence>,
    ) -> u64 {
        let rules = self.samplings.get(&rendition);
        let (sum, count) = chunks.fold((0u64, 0u64), |(sum, count), chunk| {
            let one_in = rules.map_or(1, |rules| rules.one_in(chunk));
            (sum.saturating_add(one_in), count.saturating_add(1))
        });
        sum.checked_div(count).unwrap_or(1)
    }

    /// Whether a member was to receipt this.
    pub(super) fn asked(
        &self,
        key: &ReceiptKey,
        (rendition, stripe): (Rendition, Stripe),
        chunk: Sequence,
    ) -> bool {
        let rules = self.samplings.get(&rendition);
        rules.is_none_or(|rules| rules.has(key, stripe, chunk))
    }
}
