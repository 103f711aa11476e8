//! Upload that a station's stream leaves to what it says on control links.

/// A part of the upload that control may take without the stream's having to
/// do without: an edge is reckoned with a quarter more than its stream needs,
/// and a small station must not send anybody away for a moment's joins.
const FREE_SHARE: u64 = 8;
/// How slowly it is believed that there is less to say.
const SHRINKS_BY: u64 = 16;

/// How much of the upload control takes. What can wait does so meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// No more than is free: nothing has to wait.
    #[default]
    Little,
    /// More than is free: nobody is moved who sits well.
    Much,
    /// Half of the upload: what a viewer can do without for a moment, as
    /// neighbours are, waits as well.
    Most,
}

/// What control takes, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Room {
    /// All that was said up to the last second, in bytes.
    said_bytes: u64,
    expected_bps: u64,
    pressure: Pressure,
}

/// From this part of the upload on, [`Pressure::Most`].
const MOST_SHARE: u64 = 2;

impl Room {
    /// Once a second: the upload that is left for the stream, in bit/s, of
    /// `upload_bps`, when `said_bytes` have been said in all. It is believed at
    /// once that there is more to say, as if that went on to grow for a second,
    /// and slowly that there is less. At most half is kept back.
    pub fn left_bps(&mut self, upload_bps: u64, said_bytes: u64) -> u64 {
        let said_bps = said_bytes.saturating_sub(self.said_bytes).saturating_mul(8);
        self.said_bytes = said_bytes;
        self.pressure = match said_bps {
            bps if bps > upload_bps / MOST_SHARE => Pressure::Most,
            bps if bps > upload_bps / FREE_SHARE => Pressure::Much,
            _ => Pressure::Little,
        };
        let grown_bps = said_bps.saturating_sub(self.expected_bps);
        let shrunk_bps = self.expected_bps - self.expected_bps / SHRINKS_BY;
        self.expected_bps = said_bps.saturating_add(grown_bps).max(shrunk_bps);
        let dear_bps = self.expected_bps.saturating_sub(upload_bps / FREE_SHARE);
        upload_bps - dear_bps.min(upload_bps / 2)
    }

    /// What was said in the second before the last call of [`Room::left_bps`],
    /// as a part of the upload.
    #[must_use]
    pub const fn pressure(&self) -> Pressure {
        self.pressure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_believed_at_once_and_less_slowly() {
        let mut room = Room::default();
        let second = |room: &mut Room, bytes: &mut u64, bps: u64| {
            *bytes += bps / 8;
            room.left_bps(32_000_000, *bytes)
        };
        let mut bytes = 0;
        assert_eq!(second(&mut room, &mut bytes, 100_000), 32_000_000, "little");
        // 8 Mbit/s, which have grown by 7.8: 15.8, of which 4 are free.
        let left_bps = second(&mut room, &mut bytes, 8_000_000);
        assert_eq!(left_bps, 32_000_000 - (15_800_000 - 4_000_000));
        assert_eq!(room.pressure(), Pressure::Much);
        let less_bps = second(&mut room, &mut bytes, 0);
        assert_eq!(less_bps, 32_000_000 - (14_812_500 - 4_000_000));
        assert_eq!(
            second(&mut room, &mut bytes, 80_000_000),
            16_000_000,
            "half"
        );
        assert_eq!(room.pressure(), Pressure::Most);
        for _ in 0..100 {
            let _ = second(&mut room, &mut bytes, 0);
        }
        assert_eq!(second(&mut room, &mut bytes, 0), 32_000_000);
    }
}
