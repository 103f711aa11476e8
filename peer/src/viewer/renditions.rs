//! Which rendition a viewer plays: it is moved by the station, and goes over at
//! a group's beginning, when it has one of the new rendition.

use super::control::Session;
use super::playout::Switched;
use crate::Error;
use serde_json::json;
use wire::message::control::{EdgeOrder, Move, MoveCause, Up};
use wire::statement::HeadBeacon;
use wire::{Rendition, SpkiHash, StripeSet};

/// The best rendition.
const BEST: Rendition = Rendition(0);

impl Session {
    /// The station gives this viewer another rendition from now on.
    pub(super) fn moved(&mut self, to: Move) {
        if self.playout.rendition() != Some(to.rendition) {
            // What is left of it from an earlier time is too old to begin with.
            self.node.forget_rendition(to.rendition);
        }
        self.playout.aim(to);
        self.went_over();
    }

    /// Tells that another rendition is played now, if it is.
    pub(super) fn went_over(&mut self) {
        let Some(Switched { from, to, cause }) = self.playout.take_switched() else {
            return;
        };
        if from.is_none() && to == BEST && cause.is_none() {
            // As it is where nobody is moved.
            return;
        }
        let _ = self.up.send(Up::Playing(to));
        let from = from.unwrap_or(BEST);
        if from == to {
            return;
        }
        let kind = if to > from { "degraded" } else { "upgraded" };
        self.tell_rendition(kind, (from, to), cause);
    }

    fn tell_rendition(
        &mut self,
        kind: &str,
        (from, to): (Rendition, Rendition),
        cause: Option<MoveCause>,
    ) {
        let why = match cause {
            Some(MoveCause::Full) => "there is no upload for the best picture",
            Some(MoveCause::MadeRoom) => "somebody who gives or pays needed the place",
            Some(MoveCause::Room) => "there is room for it",
            None => "it is what came first",
        };
        let bps = self.membership.renditions_bps.get(usize::from(to.0));
        let kbps = bps.map_or(0, |bps| bps / 1_000);
        let fields = json!({
            "from": from.0, "to": to.0, "cause": cause.map(MoveCause::name),
            "bps": bps.copied(),
        });
        self.emit.tell(kind, fields);
        let size = if to > from { "smaller" } else { "better" };
        let text = format!("a {size} picture from now on, of {kbps} kbit/s: {why}");
        self.emit.say(&text);
        self.notice(page::Level::Info, text);
    }

    /// The rendition that this parent's newest permit names.
    pub(super) fn rendition_of(&self, parent: SpkiHash) -> Rendition {
        self.node.rendition_from(parent).unwrap_or(BEST)
    }

    /// How far the stream is, in the rendition that is played.
    pub(super) fn head_is(&mut self, beacon: &HeadBeacon) {
        if beacon.rendition == self.playout.rendition().unwrap_or(BEST) {
            self.playout.report.published(beacon.head);
        }
    }

    /// A permit for an edge. What a parent gives of another rendition than
    /// before is receipted anew.
    pub(super) fn order_flow(&mut self, order: EdgeOrder) -> Result<(), Error> {
        let other = order.other.spki;
        let before = self.node.rendition_from(other);
        self.node.order_edge(order)?;
        let now = self.node.rendition_from(other);
        let stripes = self.node.stripes_from(other);
        if before.is_none() || before == now {
            // The stripes that moved elsewhere are judged by what they brought.
            self.keep_receipts(other, stripes);
            return Ok(());
        }
        self.keep_receipts(other, StripeSet::EMPTY);
        if let Some(now) = now {
            for stripe in stripes.iter() {
                self.receipts.open(other, now, stripe);
            }
        }
        Ok(())
    }
}
