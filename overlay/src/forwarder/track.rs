//! The kept window of one rendition.

use super::chunk::Chunk;
use super::config::{Config, INITS_MAX};
use super::holes::Holes;
use std::collections::BTreeMap;
use wire::codec::List;
use wire::message::edge::Resume;
use wire::statement::ChunkKey;
use wire::{Sequence, StripeSet};

#[derive(Debug, Clone)]
pub(super) struct Track<P> {
    pub(super) media: BTreeMap<Sequence, Chunk<P>>,
    inits: BTreeMap<Sequence, Chunk<P>>,
    /// Media chunks below are gone for good.
    pub(super) floor: Sequence,
    holes: Holes,
    /// Parity stripes of the run, as headers say.
    parity: u8,
    bytes: u64,
}

impl<P> Default for Track<P> {
    fn default() -> Self {
        Self {
            media: BTreeMap::new(),
            inits: BTreeMap::new(),
            floor: Sequence(0),
            holes: Holes::default(),
            parity: 0,
            bytes: 0,
        }
    }
}

impl<P: Clone> Track<P> {
    pub(super) fn chunk(&self, key: ChunkKey) -> Option<&Chunk<P>> {
        if key.init {
            self.inits.get(&key.sequence)
        } else {
            self.media.get(&key.sequence)
        }
    }

    pub(super) fn insert(&mut self, chunk: Chunk<P>) {
        let key = chunk.key();
        self.parity = chunk.header.layout.m;
        self.bytes = self.bytes.saturating_add(chunk.bytes);
        if key.init {
            self.inits.insert(key.sequence, chunk);
        } else {
            self.media.insert(key.sequence, chunk);
        }
    }

    /// Changes one chunk and keeps the count of bytes.
    pub(super) fn update<R>(
        &mut self,
        key: ChunkKey,
        change: impl FnOnce(&mut Chunk<P>) -> R,
    ) -> Option<R> {
        let chunk = if key.init {
            self.inits.get_mut(&key.sequence)
        } else {
            self.media.get_mut(&key.sequence)
        }?;
        let before = chunk.bytes;
        let result = change(chunk);
        let grown = chunk.bytes.saturating_sub(before);
        self.bytes = self.bytes.saturating_add(grown);
        Some(result)
    }

    pub(super) fn init(&self, sequence: Sequence) -> Option<&Chunk<P>> {
        self.inits.get(&sequence)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The newest kept chunk where playback can start.
    pub(super) fn newest_key(&self) -> Option<Sequence> {
        let newest = self.media.iter().rev().find(|(_, c)| c.header.flags.key);
        newest.map(|(sequence, _)| *sequence)
    }

    /// The oldest such chunk that is not before `from`.
    pub(super) fn oldest_key(&self, from: Sequence) -> Option<Sequence> {
        let mut later = self.media.range(from..);
        later
            .find(|(_, c)| c.header.flags.key)
            .map(|(sequence, _)| *sequence)
    }

    /// Forgets what is over the limits, oldest first; returns whether
    /// anything went.
    pub(super) fn expire(&mut self, config: &Config) -> bool {
        let newest_us = self
            .media
            .values()
            .next_back()
            .map_or(0, |c| c.header.time_us);
        let age_ms = |oldest: &Chunk<P>| newest_us.saturating_sub(oldest.header.time_us) / 1_000;
        let oldest_ms = self.media.values().next().map_or(0, age_ms);
        if oldest_ms <= config.kept_ms_max
            && self.bytes <= config.kept_bytes_max
            && self.inits.len() <= 1
        {
            // As for nearly every block.
            return false;
        }
        let group = self.newest_key();
        let mut changed = false;
        while self.media.len() > 1
            && let Some((sequence, oldest)) = self.media.first_key_value()
        {
            let in_group = group.is_some_and(|key| *sequence >= key);
            let over_time = age_ms(oldest) > config.kept_ms_max && !in_group;
            if !over_time && self.bytes <= config.kept_bytes_max {
                break;
            }
            self.forget_oldest();
            changed = true;
        }
        let needed = self.media.values().next().map(|c| c.header.init_sequence);
        while self.inits.len() > 1
            && let Some((sequence, _)) = self.inits.first_key_value()
            && (needed.is_some_and(|n| *sequence < n) || self.inits.len() > INITS_MAX)
        {
            if let Some((_, init)) = self.inits.pop_first() {
                self.bytes = self.bytes.saturating_sub(init.bytes);
            }
        }
        changed
    }

    fn forget_oldest(&mut self) {
        if let Some((sequence, chunk)) = self.media.pop_first() {
            self.bytes = self.bytes.saturating_sub(chunk.bytes);
            self.floor = self.floor.max(sequence.next());
        }
        self.holes.forget_below(self.floor);
    }

    /// Notes that the parents of these stripes left out [from, to).
    pub(super) fn note_hole(&mut self, from: Sequence, to: Sequence, stripes: StripeSet) {
        self.holes.note(from, to, stripes);
    }

    /// Whether what parents left out of this chunk is all of `stripes`, or
    /// more than parity makes up for.
    pub(super) fn is_hole(&self, at: Sequence, stripes: StripeSet) -> bool {
        self.is_gone(self.holes.at(at), stripes)
    }

    fn is_gone(&self, left_out: StripeSet, stripes: StripeSet) -> bool {
        let all_of_them = !stripes.is_empty() && stripes.within(left_out);
        all_of_them || left_out.len() > u32::from(self.parity)
    }

    /// The parts of [from, to) of which no block of these stripes is here.
    pub(super) fn absent(
        &self,
        from: Sequence,
        to: Sequence,
        stripes: StripeSet,
    ) -> Vec<(Sequence, Sequence)> {
        let mut parts = Vec::new();
        let mut at = from;
        if from < to {
            let here = self.media.range(from..to);
            for (sequence, _) in here.filter(|(_, c)| c.has_any(stripes)) {
                if at < *sequence {
                    parts.push((at, *sequence));
                }
                at = sequence.next();
            }
        }
        if at < to {
            parts.push((at, to));
        }
        parts
    }

    /// What parents left out of these stripes at or after `from`.
    pub(super) fn holes_from(
        &self,
        from: Sequence,
        stripes: StripeSet,
    ) -> Vec<(Sequence, Sequence, StripeSet)> {
        self.holes.from(from, stripes)
    }

    /// What is here, for a parent of `stripes`: from the first chunk that lacks
    /// any of them and is not complete, or is `wanted` by a child. `wanted`
    /// gives the stripes that children want of a chunk; `awaited` is the
    /// oldest chunk that a child waits for.
    pub(super) fn resume(
        &self,
        stripes: StripeSet,
        wanted: impl Fn(Sequence) -> StripeSet,
        awaited: Option<Sequence>,
    ) -> Option<Resume> {
        let init = self
            .inits
            .iter()
            .rev()
            .find(|(_, c)| c.is_complete())
            .map(|(sequence, _)| *sequence);
        let first = self.media.keys().next().copied();
        let start = match (first, awaited) {
            (Some(first), Some(awaited)) => first.min(awaited),
            (first, awaited) => first.or(awaited)?,
        };
        let mut next = self.past_hole(start, stripes);
        let mut have = Vec::new();
        while let Some(chunk) = self.media.get(&next) {
            let lacking = chunk.lacking(stripes).minus(self.holes.at(next));
            let of_use = !chunk.is_complete() || lacking.intersects(wanted(next));
            if !lacking.is_empty() && of_use {
                have = chunk.indices();
                break;
            }
            next = self.past_hole(next.next(), stripes);
        }
        Some(Resume {
            init,
            next,
            have: List::new(have).unwrap_or_default(),
        })
    }

    fn past_hole(&self, mut at: Sequence, stripes: StripeSet) -> Sequence {
        while !self.media.contains_key(&at)
            && let Some((to, left_out)) = self.holes.around(at)
            && self.is_gone(left_out, stripes)
        {
            // Part of the hole may have been filled by another parent.
            let filled = self.media.range(at..to).next();
            at = filled.map_or(to, |(sequence, _)| *sequence);
        }
        at
    }

    /// The parts of [from, to) of which more is left out than parity makes up
    /// for.
    pub(super) fn beyond_repair(&self, from: Sequence, to: Sequence) -> Vec<(Sequence, Sequence)> {
        let parts = self.holes.from(from, StripeSet::ALL);
        parts
            .into_iter()
            .filter(|(at, _, left_out)| *at < to && self.is_gone(*left_out, StripeSet::EMPTY))
            .map(|(at, end, _)| (at, end.min(to)))
            .collect()
    }

    /// The first chunk from `from` on, but for the newest, of which blocks of
    /// these stripes may still have to be asked for.
    pub(super) fn first_lacking(&self, from: Sequence, stripes: StripeSet) -> Option<Sequence> {
        let newest = self.media.keys().next_back().copied()?;
        let mut but_newest = self.media.range(from.min(newest)..newest);
        but_newest
            .find(|(at, c)| !c.lacking(stripes).minus(self.holes.at(**at)).is_empty())
            .map(|(at, _)| *at)
    }

    /// The newest media chunk that is complete, or whole in these stripes, by
    /// what parents brought.
    pub(super) fn newest(&self, stripes: StripeSet) -> Option<Sequence> {
        let mut newest = self.media.iter().rev();
        newest
            .find(|(_, c)| c.is_delivered() || c.owed(stripes).is_empty())
            .map(|(sequence, _)| *sequence)
    }

    /// The newest media chunk that parents have brought whole in these stripes.
    pub(super) fn whole(&self, stripes: StripeSet) -> Option<Sequence> {
        let mut newest = self.media.iter().rev();
        newest
            .find(|(_, c)| c.owed(stripes).is_empty())
            .map(|(sequence, _)| *sequence)
    }

    /// Those of `stripes` of which parents have not sent a block of a chunk from
    /// `from` on that began to come at `before_ms` or earlier, and that no
    /// parent has said to leave out.
    pub(super) fn overdue(&self, stripes: StripeSet, from: Sequence, before_ms: u64) -> StripeSet {
        let due = self.media.range(from..);
        due.filter(|(_, c)| c.arrival.header_ms <= before_ms)
            .map(|(sequence, c)| c.owed(stripes).minus(self.holes.at(*sequence)))
            .fold(StripeSet::EMPTY, StripeSet::union)
    }
}
