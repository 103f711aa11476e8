//! Groups of pictures: where a late viewer can begin, and what may be dropped
//! together.

use crate::item::Fragment;
use crate::limits;

/// Where a fragment stands among groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The group, from 0; each starts with a key frame.
    pub group: u64,
    /// The fragment within its group, from 0: 0 can be decoded alone.
    pub index: u64,
}

/// Counts groups in the order fragments pass.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    last: Option<Place>,
    started_us: u64,
    interval_us: Option<u64>,
}

impl Groups {
    /// No fragment yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The place of the next fragment; `None` before the first key frame, since
    /// nobody can decode that.
    pub fn place(&mut self, fragment: &Fragment) -> Option<Place> {
        let place = match (self.last, fragment.keyframe) {
            (None, false) => return None,
            (None, true) => Place { group: 0, index: 0 },
            (Some(last), true) => {
                let interval = fragment.decode_time_us.saturating_sub(self.started_us);
                self.interval_us = Some(interval);
                Place {
                    group: last.group.saturating_add(1),
                    index: 0,
                }
            }
            (Some(last), false) => Place {
                index: last.index.saturating_add(1),
                ..last
            },
        };
        if place.index == 0 {
            self.started_us = fragment.decode_time_us;
        }
        self.last = Some(place);
        Some(place)
    }

    /// Time between the last two key frames, µs; `None` before the second.
    pub fn interval_us(&self) -> Option<u64> {
        self.interval_us
    }

    /// Key frames are so rare that late viewers wait noticeably
    /// ([`limits::KEYFRAME_INTERVAL_US_ADVISED`]); tell the broadcaster.
    pub fn too_long(&self) -> bool {
        self.interval_us
            .is_some_and(|interval| interval > limits::KEYFRAME_INTERVAL_US_ADVISED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn fragment(decode_time_us: u64, keyframe: bool) -> Fragment {
        Fragment {
            bytes: Bytes::new(),
            sequence: 1,
            decode_time_us,
            duration_us: 0,
            keyframe,
            spans: Vec::new(),
        }
    }

    #[test]
    fn has_no_place_before_the_first_keyframe() {
        let mut groups = Groups::new();
        assert_eq!(groups.place(&fragment(0, false)), None);
        let first = groups.place(&fragment(1, true));
        assert_eq!(first, Some(Place { group: 0, index: 0 }));
        let second = groups.place(&fragment(2, false));
        assert_eq!(second, Some(Place { group: 0, index: 1 }));
        let third = groups.place(&fragment(3, true));
        assert_eq!(third, Some(Place { group: 1, index: 0 }));
    }

    #[test]
    fn says_when_keyframes_are_too_rare() {
        let mut groups = Groups::new();
        groups.place(&fragment(0, true));
        assert!(!groups.too_long());
        groups.place(&fragment(2_000_000, true));
        assert!(!groups.too_long());
        groups.place(&fragment(4_000_001, true));
        assert!(groups.too_long());
        assert_eq!(groups.interval_us(), Some(2_000_001));
    }
}
