//! One child's queue: bounded in bytes; what does not fit is left out in
//! whole chunks, up to the next one where playback can start.

use super::Outgoing;
use super::block_set::BlockSet;
use super::chunk::{Block, Chunk};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::message::group::GroupStart;
use wire::statement::{ChunkHeader, ChunkKey, Signed};
use wire::{Reason, Rendition, Sequence, Stripe, StripeSet};

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
        stripe: Stripe,
        block: Block<P>,
    },
    Dropped {
        from: Sequence,
        to: Sequence,
        stripes: StripeSet,
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
    /// The stripes that it is given, and of each the first chunk.
    stripes: StripeSet,
    since: BTreeMap<Stripe, Sequence>,
    queue: VecDeque<Item<P>>,
    /// What it needed to catch up when it started; shrinks as it does.
    allowance_bytes: u64,
    /// Chunks of which the header is queued or sent.
    opened: BTreeSet<ChunkKey>,
    /// Blocks of each chunk that are queued or sent, or that it has.
    given: BTreeMap<ChunkKey, BlockSet>,
    /// Chunks are left out from here until one to start at.
    skipping: Option<(Sequence, Reason)>,
    group: Group,
    /// Chunks of which the header went into the open stream.
    told: BTreeSet<ChunkKey>,
    next_media: Sequence,
    ended: bool,
    /// It is to get another rendition from the next group on; it does.
    retiring: bool,
    retired: bool,
    pub(super) stats: ChildStats,
}

impl<P: Clone> Child<P> {
    pub(super) fn new(rendition: Rendition, now_ms: u64) -> Self {
        Self {
            rendition,
            from: None,
            awaiting: None,
            has_init: None,
            stripes: StripeSet::EMPTY,
            since: BTreeMap::new(),
            queue: VecDeque::new(),
            allowance_bytes: 0,
            opened: BTreeSet::new(),
            given: BTreeMap::new(),
            skipping: None,
            group: Group::None,
            told: BTreeSet::new(),
            next_media: Sequence(0),
            ended: false,
            retiring: false,
            retired: false,
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
        for stripe in self.stripes.iter() {
            self.since.entry(stripe).or_insert(from);
        }
        if self.group == Group::None {
            self.next_media = from;
        }
    }

    /// The child has this init segment.
    pub(super) fn has_init(&mut self, sequence: Sequence) {
        self.has_init = Some(sequence);
    }

    /// The child has these blocks of this media chunk.
    pub(super) fn has_blocks(&mut self, sequence: Sequence, blocks: &[u16]) {
        let key = ChunkKey {
            rendition: self.rendition,
            init: false,
            sequence,
        };
        let given = self.given.entry(key).or_default();
        blocks.iter().for_each(|index| {
            given.insert(*index);
        });
    }

    pub(super) const fn stripes(&self) -> StripeSet {
        self.stripes
    }

    /// The stripes that it wants of this media chunk.
    pub(super) fn wants(&self, sequence: Sequence) -> StripeSet {
        let since = self.since.iter().filter(|(_, since)| **since <= sequence);
        since.map(|(stripe, _)| *stripe).collect()
    }

    /// It is given these stripes and no others from now on. New ones begin at
    /// `from`, and those that it had go back to there if that is earlier;
    /// true if there is anything new in that.
    pub(super) fn give(&mut self, stripes: StripeSet, from: Sequence) -> bool {
        self.take_away(stripes);
        self.stripes = stripes;
        let mut news = false;
        for stripe in stripes.iter() {
            let since = self.since.entry(stripe).or_insert(Sequence(u64::MAX));
            news |= from < *since;
            *since = from.min(*since);
        }
        news
    }

    /// The stripes that it is given once it begins; until then none counts.
    pub(super) fn promise(&mut self, stripes: StripeSet) {
        self.take_away(stripes);
        self.stripes = stripes;
    }

    /// What is queued of other stripes than these does not go out.
    fn take_away(&mut self, stripes: StripeSet) {
        let gone = self.stripes.minus(stripes);
        if gone.is_empty() {
            return;
        }
        self.stripes = stripes;
        self.since.retain(|stripe, _| stripes.has(*stripe));
        let queue = std::mem::take(&mut self.queue);
        for item in queue {
            match &item {
                Item::Block {
                    key,
                    index,
                    stripe,
                    block,
                } if gone.has(*stripe) => self.unqueue(*key, *index, block.bytes),
                _ => self.queue.push_back(item),
            }
        }
    }

    /// A queued block is not sent after all.
    fn unqueue(&mut self, key: ChunkKey, index: u16, bytes: u64) {
        self.stats.queued_bytes = self.stats.queued_bytes.saturating_sub(bytes);
        if let Some(given) = self.given.get_mut(&key) {
            given.remove(index);
        }
    }

    /// It gets nothing of this rendition from the next group on.
    pub(super) fn retire(&mut self) {
        self.retiring = true;
        if self.from.is_none() {
            self.end_retired();
        }
    }

    /// It gets this rendition for good, after all.
    pub(super) fn stay(&mut self) {
        self.retiring = false;
    }

    pub(super) fn is_retiring(&self) -> bool {
        self.retiring
    }

    /// Whether all that it still gets of this rendition is queued.
    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Whether this chunk is none for it any more, for another rendition.
    pub(super) fn ends_before(&mut self, chunk: &Chunk<P>) -> bool {
        let next_group = chunk.header.flags.key && self.from < Some(chunk.key().sequence);
        if self.retiring && next_group {
            self.end_retired();
        }
        self.retired
    }

    fn end_retired(&mut self) {
        self.retired = true;
        self.ended = true;
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
                    self.push_dropped(since, sequence, self.stripes, reason);
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

    /// Queues a chunk's header and the blocks that are here, as far as they
    /// are not yet queued or sent.
    pub(super) fn open(&mut self, chunk: &Chunk<P>) {
        let key = chunk.key();
        if key.init && self.has_init == Some(key.sequence) {
            return;
        }
        if self.opened.insert(key) {
            self.queue.push_back(Item::Header {
                key,
                opens: chunk.header.flags.key || key.init,
                signed: chunk.signed.clone(),
            });
        }
        for (index, block) in chunk.arrived() {
            self.push_block(key, (index, chunk.stripe_of(index)), block);
        }
        self.ended |= chunk.ends(self.stripes);
    }

    pub(super) fn push_block(
        &mut self,
        key: ChunkKey,
        (index, stripe): (u16, Stripe),
        block: &Block<P>,
    ) {
        let begun = self.since.get(&stripe).copied();
        let wanted = begun.is_some_and(|since| key.init || since <= key.sequence);
        if !wanted || !self.opened.contains(&key) {
            return;
        }
        if !self.given.entry(key).or_default().insert(index) {
            return;
        }
        self.stats.queued_bytes = self.stats.queued_bytes.saturating_add(block.bytes);
        self.queue.push_back(Item::Block {
            key,
            index,
            stripe,
            block: block.clone(),
        });
    }

    pub(super) fn push_dropped(
        &mut self,
        from: Sequence,
        to: Sequence,
        stripes: StripeSet,
        reason: Reason,
    ) {
        if from < to && !stripes.is_empty() {
            self.queue.push_back(Item::Dropped {
                from,
                to,
                stripes,
                reason,
            });
        }
    }

    /// The run's last chunk may be here as far as it concerns the child.
    pub(super) fn note_end(&mut self, chunk: &Chunk<P>) {
        self.ended |= chunk.ends(self.stripes);
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
        for item in std::mem::take(&mut self.queue) {
            match &item {
                Item::Header { key, .. } if gone(key) => {
                    place.get_or_insert(kept.len());
                }
                Item::Block {
                    key, index, block, ..
                } if gone(key) => {
                    place.get_or_insert(kept.len());
                    self.unqueue(*key, *index, block.bytes);
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
                    stripes: self.stripes,
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
            Item::Block {
                key, index, block, ..
            } => {
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
            Item::Dropped {
                from,
                to,
                stripes,
                reason,
            } => {
                self.next_media = self.next_media.max(to);
                Outgoing::Dropped {
                    from,
                    to,
                    stripes,
                    reason,
                }
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
        // Media chunks of the one rendition are first in order.
        let gone = |key: &ChunkKey| !key.init && key.sequence < floor;
        while self.opened.first().is_some_and(gone) {
            self.opened.pop_first();
        }
        while self
            .given
            .first_key_value()
            .is_some_and(|(key, _)| gone(key))
        {
            self.given.pop_first();
        }
    }
}
