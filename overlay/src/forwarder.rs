//! What crosses the edges of one node: verified blocks come in, go out to the
//! children as soon as they are here (cut-through), and are kept for a while
//! for children that resume. Station, viewers and relays run the same one.
//!
//! Generic over the payload: `Bytes` in life, `()` in the simulation. Nothing
//! unverified can enter: headers are [`Verified`], blocks [`VerifiedBlock`].

mod block_set;
mod child;
mod chunk;
mod config;
mod holes;
mod live;
mod repair;
mod retiring;
mod track;

pub use child::{ChildStats, LeftOut};
pub use config::Config;
pub use repair::OpenRow;

use crate::NodeId;
use certs::Verified;
use certs::block::{Path, VerifiedBlock};
use certs::chunk::equivocation;
use child::Child;
use chunk::{Block, Chunk};
use std::collections::BTreeMap;
use std::sync::Arc;
use track::Track;
use wire::message::edge::{Resume, Start};
use wire::message::group::GroupStart;
use wire::statement::{ChunkHeader, ChunkKey, Signed};
use wire::{Reason, Rendition, Sequence, SpkiHash, Stripe, StripeSet};

/// One thing to send to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing<P> {
    /// A new unidirectional stream begins; all that follows goes there.
    GroupStart(GroupStart),
    /// The stream is complete.
    GroupEnd,
    /// A chunk's header, before its first block in the open stream.
    Header(Signed<ChunkHeader>),
    /// One block with its proof.
    Block {
        /// The chunk.
        chunk: ChunkKey,
        /// Index within the chunk.
        index: u16,
        /// Siblings from the leaf to the root.
        path: Arc<Path>,
        /// The data.
        payload: P,
    },
    /// Whole chunks that are left out.
    Dropped {
        /// The first one left out.
        from: Sequence,
        /// The first one sent again.
        to: Sequence,
        /// Of these stripes.
        stripes: StripeSet,
        /// Why.
        reason: Reason,
    },
}

/// What became of a header or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// It was new; else a duplicate, too old, or of another header than the
    /// one that came first for this chunk.
    pub fresh: bool,
    /// With it the chunk became complete: any k blocks of each row are here.
    pub complete: bool,
}

/// A block that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<P> {
    /// Index within the chunk.
    pub index: u16,
    /// Siblings from the leaf to the root.
    pub path: Arc<Path>,
    /// The data.
    pub payload: P,
}

/// A chunk's header, and those of its blocks that are here.
pub type Whole<P> = (Arc<Verified<ChunkHeader>>, Vec<Kept<P>>);

/// When a chunk came, on the caller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its header.
    pub header_ms: u64,
    /// The block that made it complete.
    pub complete_ms: Option<u64>,
}

/// Where a child begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At this chunk, or the first one after it that comes.
    At(Sequence),
    /// At the next chunk where playback can start.
    AtNextKey,
    /// The child wants chunks from here on that were never here: the node
    /// should send its own parent a new `Start` with
    /// [`Forwarder::resume`].
    Awaiting(Sequence),
}

/// One node's forwarder; `C` names its children.
#[derive(Debug, Clone)]
pub struct Forwarder<P, C = SpkiHash> {
    config: Config,
    tracks: BTreeMap<Rendition, Track<P>>,
    children: BTreeMap<C, Child<P>>,
    /// What children ask for that still get another rendition.
    next: BTreeMap<C, retiring::Next>,
    /// What was left out for children that have gone.
    left_out: LeftOut,
}

impl<P: Clone, C: NodeId> Forwarder<P, C> {
    /// A forwarder without chunks and children.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            tracks: BTreeMap::new(),
            children: BTreeMap::new(),
            next: BTreeMap::new(),
            left_out: LeftOut::default(),
        }
    }

    /// A chunk's header, from any parent.
    pub fn header(
        &mut self,
        now_ms: u64,
        header: Verified<ChunkHeader>,
        signed: Signed<ChunkHeader>,
    ) -> Taken {
        let key = header.key();
        let track = self.tracks.entry(key.rendition).or_default();
        let too_old = !key.init && key.sequence < track.floor;
        if too_old || track.chunk(key).is_some() {
            return Taken::default();
        }
        track.insert(Chunk::new(now_ms, header, signed));
        self.expire(key.rendition);
        self.offer(key);
        Taken {
            fresh: true,
            complete: false,
        }
    }

    /// A block of a known header; `bytes` is the payload's length on the
    /// wire. Give only blocks that were verified against
    /// [`Forwarder::header_of`].
    pub fn block(
        &mut self,
        now_ms: u64,
        verified: VerifiedBlock,
        path: Path,
        payload: P,
        bytes: usize,
    ) -> Taken {
        let (key, index) = (verified.chunk(), verified.index());
        let block = Block {
            path: Arc::new(path),
            payload,
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        };
        let Some(track) = self.tracks.get_mut(&key.rendition) else {
            return Taken::default();
        };
        let same_header = track
            .chunk(key)
            .is_some_and(|c| c.header.digest() == verified.header());
        if !same_header {
            return Taken::default();
        }
        let taken = track.update(key, |chunk| {
            let was_complete = chunk.is_complete();
            let fresh = chunk.insert(now_ms, index, block.clone());
            chunk.note_pushed(index);
            let complete = !was_complete && chunk.is_complete();
            (fresh, complete)
        });
        let Some((true, complete)) = taken else {
            return Taken::default();
        };
        self.push_block(key, (index, verified.stripe()), &block);
        self.expire(key.rendition);
        Taken {
            fresh: true,
            complete,
        }
    }

    /// A parent will not send these stripes of the chunks from `from` to
    /// before `to`. What is not here is left out for the children too.
    /// Returns the ranges in it that are beyond repair now: of these chunks,
    /// parents leave out more stripes than there are for parity.
    pub fn dropped(
        &mut self,
        rendition: Rendition,
        (from, to): (Sequence, Sequence),
        stripes: StripeSet,
        reason: Reason,
    ) -> Vec<(Sequence, Sequence)> {
        if from >= to {
            return Vec::new();
        }
        let track = self.tracks.entry(rendition).or_default();
        track.note_hole(from, to, stripes);
        for child in self.children.values_mut() {
            let Some(start) = child.from.filter(|_| child.rendition == rendition) else {
                continue;
            };
            let of_child = stripes.both(child.stripes());
            if child
                .awaiting
                .is_some_and(|at| track.is_hole(at, child.stripes()))
            {
                child.awaiting = None;
            }
            if !child.is_skipping() && !of_child.is_empty() {
                for (from, to) in track.absent(from.max(start), to, of_child) {
                    child.push_dropped(from, to, of_child, reason);
                }
            }
        }
        track.beyond_repair(from, to)
    }

    /// A child begins, or says anew where, and is given `stripes` and no
    /// others from now on: stripes that it did not get before begin where it
    /// says, and a child that names an earlier chunk than before gets what it
    /// has not been sent yet, once. After a new connection call
    /// [`Forwarder::remove_child`] first.
    pub fn add_child(&mut self, id: C, start: Start, stripes: StripeSet, now_ms: u64) -> Begin {
        if let Some(begin) = self.follows(id, &start, stripes, now_ms) {
            return begin;
        }
        self.next.remove(&id);
        let known = self
            .children
            .remove(&id)
            .filter(|child| child.rendition == start.rendition && !child.is_retired());
        let mut child = known.unwrap_or_else(|| Child::new(start.rendition, now_ms));
        child.stay();
        let track = self.tracks.entry(start.rendition).or_default();
        let begin = match start.resume {
            Some(resume) => resume_child(&mut child, track, &resume, stripes),
            None => start_child(&mut child, track, stripes),
        };
        child.allow_backlog();
        self.children.insert(id, child);
        begin
    }

    /// The child is given these stripes and no others from now on: of new
    /// ones what is kept since it began, and what waits of others is not sent.
    pub fn set_stripes(&mut self, id: C, stripes: StripeSet) {
        let Some(child) = self.children.get_mut(&id) else {
            return;
        };
        let Some(from) = child.from else {
            child.promise(stripes);
            return;
        };
        if child.give(stripes, from)
            && let Some(track) = self.tracks.get(&child.rendition)
        {
            catch_up(child, track, from);
            child.allow_backlog();
        }
    }

    /// The child is gone, and its queue with it.
    pub fn remove_child(&mut self, id: C) {
        self.next.remove(&id);
        if let Some(child) = self.children.remove(&id) {
            self.left_out.add(&child.stats);
        }
    }

    /// The next thing for this child, if there is one.
    pub fn poll(&mut self, id: C) -> Option<Outgoing<P>> {
        loop {
            let child = self.children.get_mut(&id)?;
            let track = self.tracks.get(&child.rendition);
            let outgoing = child.poll(|key| Some(track?.chunk(key)?.signed.clone()));
            if outgoing.is_some() || !self.succeed(id) {
                return outgoing;
            }
        }
    }

    /// What was left out because a child did not keep up, in all.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        let mut left_out = self.left_out;
        for child in self.children.values() {
            left_out.add(&child.stats);
        }
        left_out
    }

    /// The children.
    pub fn children(&self) -> impl Iterator<Item = C> + '_ {
        self.children.keys().copied()
    }

    /// A child's counters.
    #[must_use]
    pub fn stats(&self, id: C) -> Option<ChildStats> {
        self.children.get(&id).map(|child| child.stats)
    }

    /// What is here, for this node's own parent of `stripes`; none: start at
    /// the newest chunk where playback can start. A chunk that is complete is
    /// asked for as far as children want it.
    #[must_use]
    pub fn resume(&self, rendition: Rendition, stripes: StripeSet) -> Option<Resume> {
        let children = || {
            let children = self.children.values();
            children.filter(|child| child.rendition == rendition)
        };
        let awaited = children().filter_map(|child| child.awaiting).min();
        let wanted = |sequence| {
            let wants = children().map(|child| child.wants(sequence));
            wants.fold(StripeSet::EMPTY, StripeSet::union)
        };
        match self.tracks.get(&rendition) {
            Some(track) => track.resume(stripes, wanted, awaited),
            None => Track::<P>::default().resume(stripes, wanted, awaited),
        }
    }

    /// The newest kept media chunk that is complete, or whole in `stripes`.
    #[must_use]
    pub fn newest(&self, rendition: Rendition, stripes: StripeSet) -> Option<Sequence> {
        self.tracks.get(&rendition)?.newest(stripes)
    }

    /// The newest kept media chunk that is whole in `stripes`.
    #[must_use]
    pub fn whole(&self, rendition: Rendition, stripes: StripeSet) -> Option<Sequence> {
        self.tracks.get(&rendition)?.whole(stripes)
    }

    /// Those of `stripes` of which a block is missing in a chunk from `from`
    /// on that began to come, by whatever stripe, at `before_ms` or earlier on
    /// the caller's clock.
    #[must_use]
    pub fn overdue(
        &self,
        rendition: Rendition,
        stripes: StripeSet,
        from: Sequence,
        before_ms: u64,
    ) -> StripeSet {
        let track = self.tracks.get(&rendition);
        track.map_or(StripeSet::EMPTY, |t| t.overdue(stripes, from, before_ms))
    }

    /// The header of a chunk that is kept.
    #[must_use]
    pub fn header_of(&self, key: ChunkKey) -> Option<Arc<Verified<ChunkHeader>>> {
        let chunk = self.tracks.get(&key.rendition)?.chunk(key)?;
        Some(chunk.header.clone())
    }

    /// A kept header that contradicts this one, if there is any, and whose it
    /// is: of the same chunk, or of a neighbour in the chain.
    #[must_use]
    pub fn contradicted(
        &self,
        header: &Verified<ChunkHeader>,
    ) -> Option<(ChunkKey, Signed<ChunkHeader>)> {
        let track = self.tracks.get(&header.rendition)?;
        let key = header.key();
        let before = key.sequence.0.checked_sub(1).map(Sequence);
        let places = [Some(key.sequence), before, Some(key.sequence.next())];
        places.into_iter().flatten().find_map(|sequence| {
            let kept = track.chunk(ChunkKey { sequence, ..key })?;
            equivocation(&kept.header, header).then(|| (kept.key(), kept.signed.clone()))
        })
    }

    /// Header and blocks, in order of their indices, of a kept chunk that is
    /// complete; more blocks than it needs may be among them, or come yet.
    #[must_use]
    pub fn chunk(&self, key: ChunkKey) -> Option<Whole<P>> {
        let chunk = self.tracks.get(&key.rendition)?.chunk(key)?;
        chunk
            .is_complete()
            .then(|| (chunk.header.clone(), chunk.kept()))
    }

    /// When the first of a kept chunk came, and when it became complete.
    #[must_use]
    pub fn arrival(&self, key: ChunkKey) -> Option<Arrival> {
        let chunk = self.tracks.get(&key.rendition)?.chunk(key)?;
        Some(chunk.arrival)
    }

    /// The kept media chunks, oldest first, and whether each is complete.
    #[must_use]
    pub fn kept(&self, rendition: Rendition) -> Vec<(Sequence, bool)> {
        let track = self.tracks.get(&rendition);
        track
            .into_iter()
            .flat_map(|t| t.media.iter())
            .map(|(sequence, chunk)| (*sequence, chunk.is_complete()))
            .collect()
    }

    /// Where to go on for who still lacks `next` after that has left the kept
    /// window: whoever brought it now, it would be forgotten as it comes.
    #[must_use]
    pub fn passed(&self, rendition: Rendition, next: Sequence) -> Option<Sequence> {
        let track = self.tracks.get(&rendition)?;
        (next < track.floor)
            .then(|| track.oldest_key(track.floor))
            .flatten()
    }

    /// Bytes of all kept chunks, tables included.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.tracks.values().map(Track::bytes).sum()
    }

    /// Queues a new block for the children that it concerns.
    fn push_block(&mut self, key: ChunkKey, place: (u16, Stripe), block: &Block<P>) {
        let chunk = self
            .tracks
            .get(&key.rendition)
            .and_then(|track| track.chunk(key));
        let Some(chunk) = chunk else {
            return;
        };
        for child in self.children.values_mut() {
            if child.rendition == key.rendition && child.has_opened(&key) {
                child.push_block(key, place, block);
                child.shed(self.config.queue_bytes_max);
                child.note_end(chunk);
            }
        }
    }

    /// Queues a new chunk for the children that it concerns.
    fn offer(&mut self, key: ChunkKey) {
        let Some(track) = self.tracks.get(&key.rendition) else {
            return;
        };
        let Some(chunk) = track.chunk(key) else {
            return;
        };
        for child in self.children.values_mut() {
            if child.rendition != key.rendition || child.ends_before(chunk) {
                continue;
            }
            if key.init {
                // Before its start a child gets the one that it needs.
                if child.from.is_some() {
                    child.open(chunk);
                }
            } else if child.admits(key.sequence, chunk.header.flags.key) {
                if child.awaiting.is_some_and(|at| key.sequence <= at) {
                    child.awaiting = None;
                }
                open_with_init(child, track, chunk);
            }
        }
    }

    fn expire(&mut self, rendition: Rendition) {
        let Some(track) = self.tracks.get_mut(&rendition) else {
            return;
        };
        if !track.expire(&self.config) {
            return;
        }
        let floor = track.floor;
        for child in self.children.values_mut() {
            if child.rendition != rendition {
                continue;
            }
            // What it waits for is out of reach now.
            if let Some(at) = child.awaiting.filter(|at| *at < floor) {
                child.awaiting = None;
                let to = child.first_opened(at).unwrap_or(floor);
                child.push_dropped(at, to, child.stripes(), Reason::Timeout);
            }
            child.forget_below(floor);
        }
    }
}

fn open_with_init<P: Clone>(child: &mut Child<P>, track: &Track<P>, chunk: &Chunk<P>) {
    if let Some(init) = track.init(chunk.header.init_sequence) {
        child.open(init);
    }
    child.open(chunk);
}

/// Queues every kept chunk from `from` on that the child has not yet.
fn catch_up<P: Clone>(child: &mut Child<P>, track: &Track<P>, from: Sequence) {
    for chunk in track.media.range(from..).map(|(_, chunk)| chunk) {
        open_with_init(child, track, chunk);
    }
}

fn start_child<P: Clone>(child: &mut Child<P>, track: &Track<P>, stripes: StripeSet) -> Begin {
    if let Some(from) = child.from {
        if child.give(stripes, from) {
            catch_up(child, track, from);
        }
        return Begin::At(from);
    }
    child.promise(stripes);
    match track.newest_key() {
        Some(key) => {
            child.begin(key);
            catch_up(child, track, key);
            Begin::At(key)
        }
        None => Begin::AtNextKey,
    }
}

fn resume_child<P: Clone>(
    child: &mut Child<P>,
    track: &Track<P>,
    resume: &Resume,
    stripes: StripeSet,
) -> Begin {
    let next = resume.next;
    let news = child.give(stripes, next);
    if let Some(from) = child.from.filter(|from| *from <= next && !news) {
        return Begin::At(from);
    }
    if let Some(init) = resume.init {
        child.has_init(init);
    }
    // All that is kept is queued below, what was left out included.
    child.stop_skipping();
    child.has_blocks(next, &resume.have);
    child.begin(next);
    if next < track.floor {
        // The kept window has passed it: the whole of what is left.
        let Some(key) = track.oldest_key(track.floor) else {
            child.skip_from(next, Reason::Timeout);
            return Begin::AtNextKey;
        };
        child.push_dropped(next, key, stripes, Reason::Timeout);
        catch_up(child, track, key);
        return Begin::At(key);
    }
    for (from, to, left_out) in track.holes_from(next, stripes) {
        for (from, to) in track.absent(from, to, left_out) {
            child.push_dropped(from, to, left_out, Reason::Timeout);
        }
    }
    catch_up(child, track, next);
    let oldest = track.media.keys().next();
    if oldest.is_none_or(|oldest| next < *oldest) && !track.is_hole(next, stripes) {
        child.awaiting = Some(next);
        return Begin::Awaiting(next);
    }
    match track.first_lacking(next, stripes) {
        Some(lacking) => Begin::Awaiting(lacking),
        None => Begin::At(next),
    }
}
