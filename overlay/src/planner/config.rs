//! The planner's limits.

/// What the station's operator may change, with defaults for a real evening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time to answer a question: long enough to read a price, short enough
    /// that who waits for a place does not give up.
    pub ask_deadline_ms: u64,
    /// A member is asked at most once in this time for the same cause, so
    /// that nobody can be worn down by joins and leaves.
    pub ask_interval_ms: u64,
    /// Time from the grant to the relay's admission: redemption, boot and
    /// verification.
    pub grant_expiry_ms: u64,
    /// Slots that one more relay is expected to bring; decides how many
    /// rounds a shortage needs.
    pub round_slots: u32,
    /// A relay with less paid time left is not placed at the root: its end
    /// would move everybody.
    pub lease_left_near_root_ms_min: u64,
    /// Edges that a parent may carry above its slots while one of its
    /// children moves away: 1 makes before it breaks, 0 breaks first.
    pub handover_edges_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ask_deadline_ms: 20_000,
            ask_interval_ms: 5 * 60_000,
            grant_expiry_ms: 60_000,
            round_slots: 20,
            lease_left_near_root_ms_min: 3 * 60_000,
            handover_edges_max: 1,
        }
    }
}

/// Members asked in the first wave of a step, and the factor to the next:
/// 8, 32, 128, ... A few kind people are found without asking everybody.
pub(super) const WAVE_FIRST: usize = 8;
/// See [`WAVE_FIRST`].
pub(super) const WAVE_GROWTH: usize = 4;
/// Attempts of one child to reach one parent (design: at most two tries).
pub(super) const TRIES_MAX: u8 = 2;
/// Children in a row that could not reach a peer before it is held to be
/// unreachable, which makes it a leaf.
pub(super) const UNREACHED_MAX: u32 = 2;
/// Parents that a child remembers as out of reach; bounds memory per child.
pub(super) const AVOIDED_MAX: usize = 64;
/// How long an edge carries on whose relay no longer answers, and its child is
/// offered other places. The next parent has to be found, dialled (two round
/// trips) and, if it is a relay, verified (five seconds at most); longer than
/// this nobody watches through a relay that cannot be verified.
pub const HANDOVER_MS_MAX: u64 = 10_000;
