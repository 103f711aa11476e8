//! A node that plays live does not ask for what it could not play in time.

use crate::node::{Node, lock};
use overlay::live::Live;
use std::sync::Mutex;
use wire::message::edge::Resume;
use wire::{Rendition, Sequence, StripeSet};

/// Whether a node plays live, and how far behind; all is wanted if not.
#[derive(Debug, Default)]
pub(crate) struct Playing(Mutex<Option<Live>>);

impl Node {
    /// From now on this node plays each chunk so long after it was published,
    /// in milliseconds, and does without what comes later.
    pub fn play_live(&self, delay_ms: u64) {
        *lock(&self.playing.0) = Some(Live::behind_ms(delay_ms));
    }

    /// The first chunk that can still be played; none if all are wanted.
    #[must_use]
    pub fn live_from(&self, rendition: Rendition) -> Option<Sequence> {
        let (live, head, chunk_us) = self.live_now(rendition)?;
        Some(live.plays_from(head, chunk_us))
    }

    /// Where to go on for who plays live and still lacks `next` when its time is
    /// over.
    #[must_use]
    pub fn late(&self, rendition: Rendition, next: Sequence) -> Option<Sequence> {
        let from = self.live_from(rendition).filter(|from| next < *from)?;
        lock(&self.forwarder).start_from(rendition, from)
    }

    /// What this node has, and wants still, for a parent of these stripes.
    pub(crate) fn resume_live(&self, rendition: Rendition, stripes: StripeSet) -> Option<Resume> {
        let live = self.live_now(rendition);
        let live = live.map(|(live, head, chunk_us)| live.resumes_from(head, chunk_us));
        lock(&self.forwarder).resume_live(rendition, stripes, live)
    }

    fn live_now(&self, rendition: Rendition) -> Option<(Live, Sequence, u64)> {
        let live = (*lock(&self.playing.0))?;
        let head = self.edges.beacons.head(rendition)?;
        let chunk_us = lock(&self.forwarder).chunk_us(rendition)?;
        Some((live, head, chunk_us))
    }
}
