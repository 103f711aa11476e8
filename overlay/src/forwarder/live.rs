//! What a node that plays live does without.

use super::Forwarder;
use crate::NodeId;
use wire::codec::List;
use wire::message::edge::Resume;
use wire::{Reason, Rendition, Sequence, StripeSet};

impl<P: Clone, C: NodeId> Forwarder<P, C> {
    /// How long the newest chunk lasts, in microseconds of media.
    #[must_use]
    pub fn chunk_us(&self, rendition: Rendition) -> Option<u64> {
        let newest = self.tracks.get(&rendition)?.media.values().next_back()?;
        Some(newest.header.duration_us)
    }

    /// As [`Forwarder::resume`], and nothing before `live`. That is left out
    /// for good, so it is asked for all the same while a child wants any of it.
    pub fn resume_live(
        &mut self,
        rendition: Rendition,
        stripes: StripeSet,
        live: Option<Sequence>,
    ) -> Option<Resume> {
        let live = live.filter(|live| !self.is_wanted(rendition, stripes, *live));
        self.resume_all_live(rendition, stripes, live)
    }

    /// As [`Forwarder::resume`], and nothing before `live`, where all below play
    /// live, too: it is left out for them as well.
    pub fn resume_all_live(
        &mut self,
        rendition: Rendition,
        stripes: StripeSet,
        live: Option<Sequence>,
    ) -> Option<Resume> {
        let mut resume = self.resume(rendition, stripes)?;
        if let Some(live) = live.filter(|live| resume.next < *live) {
            let range = (resume.next, live);
            self.dropped(rendition, range, stripes, Reason::Timeout);
            resume.next = live;
            resume.have = List::default();
        }
        Some(resume)
    }

    /// Whether a child wants any of these stripes before this chunk.
    fn is_wanted(&self, rendition: Rendition, stripes: StripeSet, before: Sequence) -> bool {
        let Some(last) = before.0.checked_sub(1).map(Sequence) else {
            return false;
        };
        let mut children = self.children.values();
        children.any(|child| child.rendition == rendition && child.wants(last).intersects(stripes))
    }

    /// The first kept chunk at or after `from` at which playback can start.
    #[must_use]
    pub fn start_from(&self, rendition: Rendition, from: Sequence) -> Option<Sequence> {
        self.tracks.get(&rendition)?.oldest_key(from)
    }
}
