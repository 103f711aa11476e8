//! What the broadcaster's renditions and upload are.

/// What a ladder is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What one viewer takes of each rendition in all stripes together, in
    /// bit/s, the best first.
    pub slots_bps: Vec<u64>,
    /// Edges of a whole place in the trees: k+m.
    pub edges_per_slot: u32,
    /// What the station may upload, in bit/s.
    pub upload_bps: u64,
    /// How long there must be room at the top before a free rider moves up, in
    /// milliseconds: who is moved down again at once was better left alone.
    pub room_ms_min: u64,
}

impl Config {
    /// At least two renditions, each smaller than the one before.
    pub(super) fn descends(&self) -> bool {
        let pairs = self.slots_bps.iter().zip(self.slots_bps.iter().skip(1));
        self.slots_bps.len() > 1
            && self.edges_per_slot > 0
            && self.slots_bps.iter().all(|bps| *bps > 0)
            && pairs.into_iter().all(|(a, b)| a > b)
    }

    pub(super) fn slot_bps(&self, rendition: u8) -> u64 {
        let bps = self.slots_bps.get(usize::from(rendition));
        bps.copied().unwrap_or(u64::MAX)
    }

    /// What one edge of the trees takes, in bit/s.
    pub(super) fn edge_bps(&self) -> u64 {
        self.slot_bps(0)
            .div_ceil(u64::from(self.edges_per_slot))
            .max(1)
    }

    /// The smallest rendition.
    pub(super) fn smallest(&self) -> u8 {
        u8::try_from(self.slots_bps.len().saturating_sub(1)).unwrap_or(u8::MAX)
    }

    /// What is kept for smaller renditions from the beginning, in bit/s: one
    /// place of the trees, where there are at least two. So a whole audience of
    /// contributors below the station leaves something for those after them.
    pub(super) fn foot_bps(&self) -> u64 {
        let slot_bps = self.slot_bps(0);
        if self.upload_bps / slot_bps.max(1) > 1 {
            slot_bps
        } else {
            0
        }
    }
}
