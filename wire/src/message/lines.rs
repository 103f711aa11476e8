//! What a member measures on its links, for its coordinator. Since minor
//! version 1.

use crate::codec::List;
use crate::id::SpkiHash;
use crate::limits::LINES_MAX;

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
