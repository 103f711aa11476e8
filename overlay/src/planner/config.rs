//! The planner's limits.

use wire::Stripes;

/// What the station's operator may change, with defaults for a real evening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many stripes every member receives.
    pub stripes: Stripes,
    /// Time to answer a question: long enough to read a price, short enough
    /// that who waits for a place does not give up.
    pub ask_deadline_ms: u64,
    /// A member is asked at most once in this time for the same cause, so
    /// that nobody can be worn down by joins and leaves.
    pub ask_interval_ms: u64,
    /// Time from the grant to the relay's admission: redemption, boot and
    /// verification.
    pub grant_expiry_ms: u64,
    /// Slots, k+m edges each, that one more relay is expected to bring;
    /// decides how many rounds a shortage needs.
    pub round_slots: u32,
    /// A relay with less paid time left is not placed at the root: its end
    /// would move everybody.
    pub lease_left_near_root_ms_min: u64,
    /// Edges that a parent may carry above its own while one of its
    /// children moves away: 1 makes before it breaks, 0 breaks first.
    pub handover_edges_max: u32,
    /// Members that are moved nearer to the root in one tick, at most.
    pub lifts_max: u32,
    /// Members that are moved to nearer parents in one tick, for every 500
    /// there are; 0: no place is chosen by round trip.
    pub nears_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stripes: Stripes::SINGLE,
            ask_deadline_ms: 20_000,
            ask_interval_ms: 5 * 60_000,
            grant_expiry_ms: 60_000,
            round_slots: 20,
            lease_left_near_root_ms_min: 3 * 60_000,
            handover_edges_max: 1,
            lifts_max: 2,
            nears_max: 2,
        }
    }
}

/// A member that a child no longer reaches is waited for before anybody is
/// refused: if it is dead, its line to the coordinator has ended by then (eight
/// seconds of silence), and what it held is free.
pub(super) const SUSPECT_MS: u64 = 9_000;
/// Members asked in the first wave of a step, and the factor to the next:
/// 8, 32, 128, ... A few kind people are found without asking everybody.
pub(super) const WAVE_FIRST: usize = 8;
/// See [`WAVE_FIRST`].
pub(super) const WAVE_GROWTH: usize = 4;
/// Attempts of one child to reach one parent (design: at most two tries).
pub(super) const TRIES_MAX: u8 = 2;
/// Children in a row that could not reach a peer before it is held to be
/// unreachable, which makes it a leaf.
pub(super) const UNREACHED_MAX: u8 = 2;
/// Parents that a child remembers as out of reach; bounds memory per child.
pub(super) const AVOIDED_MAX: usize = 64;
/// A node that was lost and is back within this time has no standing until so
/// much time has passed since it came back: what hung on it would only break
/// again. A restart of a client or a router's new address takes seconds; who
/// is away for longer comes like anybody else.
pub(super) const FLAP_MS: u64 = 60_000;
/// Candidates that are looked at before a place is taken that makes a viewer
/// depend on one ancestor, or is not taken at all; bounds the cost of a join.
pub(super) const CANDIDATES_MAX: usize = 24;
/// Members that are looked at for their guarantee in one tick.
pub(super) const MEND_TRIES_MAX: u32 = 64;
/// Leaves that one of them is compared with for an exchange, in one stripe.
pub(super) const MEND_SWAPS_MAX: usize = 64;
/// Of them, those that are moved.
pub(super) const MENDS_MAX: u32 = 2;
/// From one such tick to the next: a move costs two edges for a moment.
pub(super) const MEND_PAUSE_MS: u64 = 250;
/// Children of a node whose place is taken together with them.
pub(super) const SUPPLANT_MAX: usize = 64;
/// Members that are looked at for a better place, in one tick and stripe.
pub(super) const LIFT_TRIES_MAX: usize = 64;
/// Free places, and leaves of one level, that are looked at for one member.
pub(super) const RAISE_PLACES_MAX: usize = 4;
/// Nobody could be moved nearer to the root: it is tried again after this.
pub(super) const LIFT_PAUSE_MS: u64 = 500;
/// Members that are looked at for a nearer parent in one tick.
pub(super) const NEAR_TRIES_MAX: u32 = 32;
/// From one such tick to the next: a move costs two edges for a moment.
pub(super) const NEAR_PAUSE_MS: u64 = 250;
/// Who was moved for it stays for so long: coordinates follow what is measured,
/// and that is noise below a certain size.
pub(super) const NEAR_REST_MS: u64 = 20_000;
/// Moves that gain less than this, in milliseconds of round trip, are not made.
pub(super) const NEAR_GAIN_MS: f32 = 15.0;
/// If only protection is missing, the whole audience is looked through for
/// somebody to ask at most once in this time.
pub(super) const SCAN_INTERVAL_MS: u64 = 1_000;
/// How long an edge carries on whose relay no longer answers, and its child is
/// offered other places. The next parent has to be found, dialled (two round
/// trips) and, if it is a relay, verified (five seconds at most); longer than
/// this nobody watches through a relay that cannot be verified.
pub const HANDOVER_MS_MAX: u64 = 10_000;
