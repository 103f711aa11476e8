//! One child's queue: bounded in bytes; what does not fit is left out in
//! whole chunks, up to the next one where playback can start.

use super::Outgoing;
use super::chunk::{Block, Chunk};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::message::group::GroupStart;
use wire::statement::{ChunkHeader, ChunkKey, Signed};
use wire::{Reason, Rendition, Sequence, Stripe};

/// What a child was given and spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildStats {
    /// When it began, on the caller's clock.
    pub since_ms: u64,
    /// Block bytes that wait.
    pub queued_bytes: u64,
    /// Blocks handed out.
    pub sent_blocks: u64,
    /// Block bytes handed out.
    pub sent_bytes: u64,
    /// Chunks left out because the child reads too slowly.
    pub dropped_chunks: u64,
    /// Times that this began.
    pub drops: u64,
}

/// What children were spared because they, or the uplink, were too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Whole chunks.
    pub chunks: u64,
    /// Times that this began.
    pub times: u64,
}

impl LeftOut {
    pub(super) fn add(&mut self, stats: &ChildStats) {
        self.chunks = self.chunks.saturating_add(stats.dropped_chunks);
        self.times = self.times.saturating_add(stats.drops);
    }
}

#[derive(Debug, Clone)]
enum Item<P> {
    Header {
        key: ChunkKey,
        /// A group begins with it.
        opens: bool,
        signed: Signed<ChunkHeader>,
    },
    Block {
        key: ChunkKey,
        index: u16,
        block: Block<P>,
    },
    Dropped {
        from: Sequence,
        to: Sequence,
        reason: Reason,
    },
}

/// The stream that records go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    None,
    /// Open, without a media chunk yet.
    Fresh,
    /// Open, with media chunks.
    Media,
}

#[derive(Debug, Clone)]
pub(super) struct Child<P> {
    pub(super) rendition: Rendition,
    /// The first chunk that concerns it; none until one to start at comes.
    pub(super) from: Option<Sequence>,
    /// It asked for chunks from here on that this node must get first.
    pub(super) awaiting: Option<Sequence>,
    /// The init segment that it had when it resumed.
    has_init: Option<Sequence>,
    /// Blocks that it has of the chunk where it resumes.
    have: (Sequence, BTreeSet<u16>),
    queue: VecDeque<Item<P>>,
    /// What it needed to catch up when it started; shrinks as it does.
    allowance_bytes: u64,
    /// Chunks of which the header is queued or sent.
    opened: BTreeSet<ChunkKey>,
    /// Chunks are left out from here until one to start at.
    skipping: Option<(Sequence, Reason)>,
    group: Group,
    /// Chunks of which the header went into the open stream.
    told: BTreeSet<ChunkKey>,
    next_media: Sequence,
    ended: bool,
    pub(super) stats: ChildStats,
}

impl<P: Clone> Child<P> {
    pub(super) fn new(rendition: Rendition, now_ms: u64) -> Self {
        Self {
            rendition,
            from: None,
            awaiting: None,
            has_init: None,
            have: (Sequence(0), BTreeSet::new()),
            queue: VecDeque::new(),
            allowance_bytes: 0,
            opened: BTreeSet::new(),
            skipping: None,
            group: Group::None,
            told: BTreeSet::new(),
            next_media: Sequence(0),
            ended: false,
            stats: ChildStats {
                since_ms: now_ms,
                ..ChildStats::default()
            },
        }
    }

    /// Everything from `from` on concerns the child.
    pub(super) fn begin(&mut self, from: Sequence) {
        let earlier = self.from.map_or(from, |f| f.min(from));
        self.from = Some(earlier);
        if self.group == Group::None {
            self.next_media = from;
        }
    }

    /// The child has this init segment.
    pub(super) fn has_init(&mut self, sequence: Sequence) {
        self.has_init = Some(sequence);
    }

    /// The child has these blocks of this chunk.
    pub(super) fn has_blocks(&mut self, sequence: Sequence, blocks: BTreeSet<u16>) {
        self.have = (sequence, blocks);
    }

    pub(super) fn has_opened(&self, key: &ChunkKey) -> bool {
        self.opened.contains(key)
    }

    /// Whether a media chunk is to be queued; notes what is left out.
    pub(super) fn admits(&mut self, sequence: Sequence, is_key: bool) -> bool {
        let Some(from) = self.from else {
            if is_key {
                self.begin(sequence);
            }
            return is_key;
        };
        if sequence < from {
            return false;
        }
        match self.skipping {
            Some((since, reason)) if sequence >= since => {
                if is_key {
                    self.skipping = None;
                    self.push_dropped(since, sequence, reason);
                } else if reason == Reason::SlowReader {
                    self.stats.dropped_chunks = self.stats.dropped_chunks.saturating_add(1);
                }
                is_key
            }
            _ => true,
        }
    }

    /// Leaves everything out from here to the next chunk to start at.
    pub(super) fn skip_from(&mut self, sequence: Sequence, reason: Reason) {
        self.skipping = Some((sequence, reason));
    }

    pub(super) fn stop_skipping(&mut self) {
        self.skipping = None;
    }

    pub(super) fn is_skipping(&self) -> bool {
        self.skipping.is_some()
    }

    /// Queues a chunk's header and the blocks that are here.
    pub(super) fn open(&mut self, chunk: &Chunk<P>) {
        let key = chunk.key();
        let has = key.init && self.has_init == Some(key.sequence);
        if has || !self.opened.insert(key) {
            return;
        }
        self.queue.push_back(Item::Header {
            key,
            opens: chunk.header.flags.key || key.init,
            signed: chunk.signed.clone(),
        });
        for (index, block) in chunk.arrived() {
            self.push_block(key, index, block);
        }
        if chunk.is_complete() && chunk.header.flags.end {
            self.ended = true;
        }
    }

    pub(super) fn push_block(&mut self, key: ChunkKey, index: u16, block: &Block<P>) {
        let had = !key.init && self.have.0 == key.sequence && self.have.1.contains(&index);
        if had || !self.opened.contains(&key) {
            return;
        }
        self.stats.queued_bytes = self.stats.queued_bytes.saturating_add(block.bytes);
        self.queue.push_back(Item::Block {
            key,
            index,
            block: block.clone(),
        });
    }

    pub(super) fn push_dropped(&mut self, from: Sequence, to: Sequence, reason: Reason) {
        if from < to {
            self.queue.push_back(Item::Dropped { from, to, reason });
        }
    }

    /// The run's last chunk is complete.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// What is queued now is needed to catch up, and is no sign of slowness.
    pub(super) fn allow_backlog(&mut self) {
        self.allowance_bytes = self.stats.queued_bytes;
    }

    /// Leaves whole chunks out until the queue fits again.
    pub(super) fn shed(&mut self, queue_bytes_max: u64) {
        let bound = queue_bytes_max.saturating_add(self.allowance_bytes);
        while self.stats.queued_bytes > bound {
            if !self.drop_group() {
                break;
            }
        }
    }

    /// Drops the oldest chunks not yet begun, up to the next one where
    /// playback can start; false if there are none.
    fn drop_group(&mut self) -> bool {
        let unsent: BTreeMap<Sequence, bool> = self
            .queue
            .iter()
            .filter_map(|item| match item {
                Item::Header { key, opens, .. } if !key.init => Some((key.sequence, *opens)),
                _ => None,
            })
            .collect();
        let Some(first) = unsent.keys().next().copied() else {
            return false;
        };
        let resume_at = unsent
            .range(first.next()..)
            .find(|(_, opens)| **opens)
            .map(|(sequence, _)| *sequence);
        let gone = |key: &ChunkKey| {
            !key.init
                && unsent.contains_key(&key.sequence)
                && resume_at.is_none_or(|to| key.sequence < to)
        };
        let count = unsent
            .keys()
            .filter(|s| resume_at.is_none_or(|to| **s < to))
            .count();
        let mut place = None;
        let mut kept = VecDeque::with_capacity(self.queue.len());
        for item in self.queue.drain(..) {
            match &item {
                Item::Header { key, .. } | Item::Block { key, .. } if gone(key) => {
                    place.get_or_insert(kept.len());
                    if let Item::Block { block, .. } = &item {
                        let left = self.stats.queued_bytes.saturating_sub(block.bytes);
                        self.stats.queued_bytes = left;
                    }
                }
                _ => kept.push_back(item),
            }
        }
        self.opened.retain(|key| !gone(key));
        match resume_at {
            Some(to) => {
                let dropped = Item::Dropped {
                    from: first,
                    to,
                    reason: Reason::SlowReader,
                };
                kept.insert(place.unwrap_or(kept.len()), dropped);
            }
            None => self.skipping = Some((first, Reason::SlowReader)),
        }
        self.queue = kept;
        self.stats.drops = self.stats.drops.saturating_add(1);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.stats.dropped_chunks = self.stats.dropped_chunks.saturating_add(count);
        true
    }

    /// The next thing to send. A block can come when a later group is open:
    /// then its header goes there again, by `header_of`, because between
    /// streams there is no order.
    pub(super) fn poll(
        &mut self,
        header_of: impl FnOnce(ChunkKey) -> Option<Signed<ChunkHeader>>,
    ) -> Option<Outgoing<P>> {
        let (opens, first) = match self.queue.front() {
            None if self.ended && self.group != Group::None => {
                self.group = Group::None;
                return Some(Outgoing::GroupEnd);
            }
            None => return None,
            Some(Item::Header { key, opens, .. }) if key.init => (*opens, self.next_media),
            Some(Item::Header { key, opens, .. }) => (*opens, key.sequence),
            Some(Item::Block { .. } | Item::Dropped { .. }) => (false, self.next_media),
        };
        if opens && self.group == Group::Media {
            self.group = Group::None;
            return Some(Outgoing::GroupEnd);
        }
        if self.group == Group::None {
            self.group = Group::Fresh;
            self.told.clear();
            return Some(Outgoing::GroupStart(GroupStart {
                rendition: self.rendition,
                stripe: Stripe(0),
                first,
            }));
        }
        if let Some(Item::Block { key, .. }) = self.queue.front()
            && self.told.insert(*key)
            && let Some(signed) = header_of(*key)
        {
            return Some(Outgoing::Header(signed));
        }
        let item = self.queue.pop_front()?;
        Some(self.hand_out(item))
    }

    fn hand_out(&mut self, item: Item<P>) -> Outgoing<P> {
        match item {
            Item::Header { key, signed, .. } => {
                self.told.insert(key);
                if !key.init {
                    self.group = Group::Media;
                    self.next_media = self.next_media.max(key.sequence.next());
                }
                Outgoing::Header(signed)
            }
            Item::Block { key, index, block } => {
                let stats = &mut self.stats;
                stats.queued_bytes = stats.queued_bytes.saturating_sub(block.bytes);
                stats.sent_blocks = stats.sent_blocks.saturating_add(1);
                stats.sent_bytes = stats.sent_bytes.saturating_add(block.bytes);
                self.allowance_bytes = self.allowance_bytes.min(stats.queued_bytes);
                Outgoing::Block {
                    chunk: key,
                    index,
                    path: block.path,
                    payload: block.payload,
                }
            }
            Item::Dropped { from, to, reason } => {
                self.next_media = self.next_media.max(to);
                Outgoing::Dropped { from, to, reason }
            }
        }
    }

    /// The first media chunk from `at` on that is queued or sent.
    pub(super) fn first_opened(&self, at: Sequence) -> Option<Sequence> {
        let media = self.opened.iter().filter(|key| !key.init);
        media.map(|key| key.sequence).filter(|s| *s >= at).min()
    }

    /// Chunks below cannot come any more.
    pub(super) fn forget_below(&mut self, floor: Sequence) {
        self.opened.retain(|key| key.init || key.sequence >= floor);
    }
}
