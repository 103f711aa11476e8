//! The limits of pulling.

/// How a node pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long a chunk that a neighbour has may still come by itself, in
    /// milliseconds. What comes by itself after all raises it.
    pub grace_ms: u64,
    /// How far that may be raised, in milliseconds.
    pub grace_ms_max: u64,
    /// How long a neighbour has to answer, in milliseconds.
    pub answer_ms_max: u64,
    /// Pulls that one neighbour may have in hand.
    pub pending_max: usize,
    /// Pulls under way in all.
    pub asked_max: usize,
    /// How long others have to get a block before this node asks a last resort
    /// for more than its own part, in milliseconds.
    pub last_resort_ms: u64,
    /// Unanswered pulls in a row after which a neighbour is left: several times
    /// what it may have in hand, so that one pause is none.
    pub unanswered_max: u32,
    /// Where in a row to begin: who begins elsewhere than others has what
    /// they lack.
    pub seed: u64,
}

impl Default for Config {
    /// A quarter of a second is longer than one hop's way through a queue, and
    /// half of the time after which a silent stripe is told. Eight blocks in
    /// hand are 128 KiB, two tenths of a second of a rich stream.
    fn default() -> Self {
        Self {
            grace_ms: 250,
            grace_ms_max: 2_000,
            answer_ms_max: 500,
            pending_max: 8,
            asked_max: 32,
            last_resort_ms: 0,
            unanswered_max: 32,
            seed: 0,
        }
    }
}

impl Config {
    /// For who has no parents: nothing comes by itself.
    #[must_use]
    pub const fn pull_only(mut self) -> Self {
        (self.grace_ms, self.grace_ms_max) = (0, 0);
        (self.pending_max, self.asked_max) = (16, 64);
        // A block goes from the station to one, and from him to the others.
        self.last_resort_ms = 600;
        self
    }
}
