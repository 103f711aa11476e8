//! What a member measures, for its coordinator: on its links, and to the regions
//! where its desk sells relays. Since minor version 1.

use crate::codec::{List, Text};
use crate::id::SpkiHash;
use crate::limits::{LINES_MAX, REGION_BYTES_MAX, REGIONS_MAX};

crate::record! {
    /// All links of the member that are up; replaces what it said before.
    pub struct Lines {
        /// In no order.
        pub lines: List<Line, LINES_MAX>,
    }
}

crate::record! {
    /// One link, by the word of one of its ends.
    pub struct Line {
        /// Who is at the other end.
        pub other: SpkiHash,
        /// The least round trip that was seen, in microseconds.
        pub rtt_us: u64,
        /// Packets that were sent since the last report.
        pub sent: u64,
        /// Packets that were found to be lost since then; some of them may have
        /// been sent before.
        pub lost: u64,
    }
}

crate::record! {
    /// How far the regions are that the member's own desk sells; replaces what
    /// it said before.
    pub struct Regions {
        /// In no order.
        pub regions: List<RegionRtt, REGIONS_MAX>,
    }
}

crate::record! {
    /// A region, and how far it is.
    pub struct RegionRtt {
        /// The region, as desks call it.
        pub region: Text<REGION_BYTES_MAX>,
        /// The round trip, in milliseconds.
        pub rtt_ms: u64,
    }
}
