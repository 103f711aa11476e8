//! Asks and grants: when capacity is short, who is asked and who may pay.

use super::{Scope, statement};
use crate::codec::List;
use crate::id::{AskId, SpkiHash, UnixMs};
use crate::limits::REGIONS_MAX;
use crate::message::lines::RegionRtt;

crate::code! {
    /// What made capacity short (paper, section 2.2).
    pub enum Cause {
        /// A peer joined.
        Join = 1 => "join",
        /// A node with children left or died.
        Leave = 2 => "leave",
    }
}

crate::code! {
    /// How far the asking has come (paper, section 2.2; inner peers from
    /// section 2.1: any user may be willing).
    pub enum Step {
        /// The peers without a parent.
        Affected = 1 => "affected",
        /// The leaves.
        Leaves = 2 => "leaves",
        /// The inner peers.
        Inner = 3 => "inner",
    }
}

crate::record! {
    /// Signed by the permit key: would you sponsor a relay?
    pub struct Ask {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// The question.
        pub ask: AskId,
        /// Who is asked.
        pub member: SpkiHash,
        /// What made capacity short.
        pub cause: Cause,
        /// How far the asking has come.
        pub step: Step,
        /// Missing rate in bit/s.
        pub deficit_bps: u64,
        /// Viewers without a place.
        pub viewers_short: u32,
        /// Rounds that would end the shortage, less those that are granted.
        pub rounds_wanted: u32,
        /// Milliseconds to answer, from receipt.
        pub deadline_ms: u64,
        /// When it was signed.
        pub issued: UnixMs,
        /// How far each region is from those who wait, on average and by their
        /// own words, in milliseconds; empty if nobody has told.
        pub regions: List<RegionRtt, REGIONS_MAX>,
    }
}
statement!(Ask, "roundcast/ask/v1", 512);

crate::record! {
    /// Signed by the permit key: you may redeem now; your place is reserved.
    pub struct Grant {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// The question that was answered.
        pub ask: AskId,
        /// Who may redeem.
        pub member: SpkiHash,
        /// When the reservation ends.
        pub expiry: UnixMs,
    }
}
statement!(Grant, "roundcast/grant/v1", 256);
