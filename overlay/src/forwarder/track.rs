//! The kept window of one rendition.

use super::chunk::Chunk;
use super::config::{Config, HOLES_MAX, INITS_MAX};
use std::collections::BTreeMap;
use wire::Sequence;
use wire::codec::List;
use wire::message::edge::Resume;
use wire::statement::ChunkKey;

#[derive(Debug, Clone)]
pub(super) struct Track<P> {
    pub(super) media: BTreeMap<Sequence, Chunk<P>>,
    inits: BTreeMap<Sequence, Chunk<P>>,
    /// Media chunks below are gone for good.
    pub(super) floor: Sequence,
    /// Ranges, from and to, that a parent will not send.
    holes: BTreeMap<Sequence, Sequence>,
    bytes: u64,
}

impl<P> Default for Track<P> {
    fn default() -> Self {
        Self {
            media: BTreeMap::new(),
            inits: BTreeMap::new(),
            floor: Sequence(0),
            holes: BTreeMap::new(),
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
        let group = self.newest_key();
        let mut changed = false;
        while self.media.len() > 1
            && let Some((sequence, oldest)) = self.media.first_key_value()
        {
            let age_ms = newest_us.saturating_sub(oldest.header.time_us) / 1_000;
            let in_group = group.is_some_and(|key| *sequence >= key);
            let over_time = age_ms > config.kept_ms_max && !in_group;
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
        let floor = self.floor;
        self.holes.retain(|_, to| *to > floor);
    }

    /// Notes that a parent left out [from, to).
    pub(super) fn note_hole(&mut self, from: Sequence, to: Sequence) {
        let end = self.holes.entry(from).or_insert(to);
        *end = to.max(*end);
        while self.holes.len() > HOLES_MAX {
            self.holes.pop_first();
        }
    }

    /// The parts of [from, to) of which no chunk is kept.
    pub(super) fn absent(&self, from: Sequence, to: Sequence) -> Vec<(Sequence, Sequence)> {
        let mut parts = Vec::new();
        let mut at = from;
        if from < to {
            for sequence in self.media.range(from..to).map(|(s, _)| *s) {
                if at < sequence {
                    parts.push((at, sequence));
                }
                at = sequence.next();
            }
        }
        if at < to {
            parts.push((at, to));
        }
        parts
    }

    /// Known holes at or after `from`.
    pub(super) fn holes_from(&self, from: Sequence) -> Vec<(Sequence, Sequence)> {
        let holes = self.holes.iter().filter(|(_, to)| **to > from);
        holes.map(|(f, to)| ((*f).max(from), *to)).collect()
    }

    /// What is here, for a new parent: from the first chunk that is missing
    /// or not complete. `wanted` is the oldest chunk that a child waits for.
    pub(super) fn resume(&self, wanted: Option<Sequence>) -> Option<Resume> {
        let init = self
            .inits
            .iter()
            .rev()
            .find(|(_, c)| c.is_complete())
            .map(|(sequence, _)| *sequence);
        let first = self.media.keys().next().copied();
        let start = match (first, wanted) {
            (Some(first), Some(wanted)) => first.min(wanted),
            (first, wanted) => first.or(wanted)?,
        };
        let mut next = self.past_hole(start);
        let mut have = Vec::new();
        while let Some(chunk) = self.media.get(&next) {
            if !chunk.is_complete() {
                have = chunk.indices();
                break;
            }
            next = self.past_hole(next.next());
        }
        Some(Resume {
            init,
            next,
            have: List::new(have).unwrap_or_default(),
        })
    }

    fn past_hole(&self, mut at: Sequence) -> Sequence {
        while !self.media.contains_key(&at)
            && let Some((_, to)) = self.holes.range(..=at).next_back()
            && *to > at
        {
            // Part of the hole may have been filled by another parent.
            let filled = self.media.range(at..*to).next();
            at = filled.map_or(*to, |(sequence, _)| *sequence);
        }
        at
    }
}
