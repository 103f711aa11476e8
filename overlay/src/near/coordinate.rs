//! A place in a plane with a height above it: the plane stands for the core of
//! the network, the height for one's own line into it.

/// How far a coordinate moves toward what a sample says; `c_c` of the paper.
const STEP: f32 = 0.25;
/// How fast the error follows its samples; `c_e` of the paper.
const ERROR_STEP: f32 = 0.25;
/// Nobody moves farther than this for one sample, in milliseconds.
const MOVE_MS_MAX: f32 = 50.0;
/// No coordinate is farther out than this: half way around the world by
/// satellite, three times over.
const SPAN_MS_MAX: f32 = 2_000.0;
/// Heights are at least this, in milliseconds.
const HEIGHT_MS_MIN: f32 = 0.1;
/// The error of who has just begun; errors are relative.
const ERROR_MAX: f32 = 1.0;
/// See [`ERROR_MAX`]; nobody is ever quite sure.
const ERROR_MIN: f32 = 0.02;
/// Where one goes who is at another's very place.
const DIRECTIONS: [(f32, f32); 8] = [
    (1.0, 0.0),
    (0.7, 0.7),
    (0.0, 1.0),
    (-0.7, 0.7),
    (-1.0, 0.0),
    (-0.7, -0.7),
    (0.0, -1.0),
    (0.7, -0.7),
];

/// Where a member is, in milliseconds of round trip. Always finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coordinate {
    x: f32,
    y: f32,
    height: f32,
    error: f32,
}

impl Default for Coordinate {
    /// In the middle, and unsure of it.
    fn default() -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            height: HEIGHT_MS_MIN,
            error: ERROR_MAX,
        }
    }
}

impl Coordinate {
    /// The middle itself: the station is there by definition.
    pub(super) fn middle() -> Self {
        Self {
            error: ERROR_MIN,
            ..Self::default()
        }
    }

    /// The round trip between the two, in milliseconds, as far as is known.
    #[must_use]
    pub fn distance_ms(&self, other: &Self) -> f32 {
        self.plane_ms(other) + self.height + other.height
    }

    /// How far off the distances to others were lately, from nearly 0 to 1.
    #[must_use]
    pub const fn error(&self) -> f32 {
        self.error
    }

    fn plane_ms(&self, other: &Self) -> f32 {
        let (dx, dy) = (self.x - other.x, self.y - other.y);
        (dx * dx + dy * dy).sqrt()
    }

    /// Moves a little to where `other` is `rtt_ms` away; `turn` says into which
    /// direction if both are at one place.
    pub(super) fn pull(&mut self, other: &Self, rtt_ms: f32, turn: usize) {
        let plane_ms = self.plane_ms(other);
        let distance_ms = self.distance_ms(other);
        let weight = self.error / (self.error + other.error);
        let sample = ((distance_ms - rtt_ms).abs() / rtt_ms.max(1.0)).min(ERROR_MAX);
        let share = ERROR_STEP * weight;
        let error = sample * share + self.error * (1.0 - share);
        self.error = error.clamp(ERROR_MIN, ERROR_MAX);
        let step = (STEP * weight * (rtt_ms - distance_ms)).clamp(-MOVE_MS_MAX, MOVE_MS_MAX);
        let (ux, uy) = if plane_ms > 0.01 {
            (
                (self.x - other.x) / distance_ms,
                (self.y - other.y) / distance_ms,
            )
        } else {
            let at = turn % DIRECTIONS.len();
            DIRECTIONS.get(at).copied().unwrap_or((1.0, 0.0))
        };
        let up = (self.height + other.height) / distance_ms.max(HEIGHT_MS_MIN);
        self.x = (self.x + step * ux).clamp(-SPAN_MS_MAX, SPAN_MS_MAX);
        self.y = (self.y + step * uy).clamp(-SPAN_MS_MAX, SPAN_MS_MAX);
        self.height = (self.height + step * up).clamp(HEIGHT_MS_MIN, SPAN_MS_MAX);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn three_that_measure_each_other_find_their_distances() {
        let rtts = [((0, 1), 40.0), ((0, 2), 90.0), ((1, 2), 100.0)];
        let mut all = [
            Coordinate::middle(),
            Coordinate::default(),
            Coordinate::default(),
        ];
        for turn in 0..400 {
            for ((a, b), rtt_ms) in rtts {
                for (i, j) in [(a, b), (b, a)] {
                    if i != 0 {
                        let other = all[j];
                        all[i].pull(&other, rtt_ms, turn);
                    }
                }
            }
        }
        for ((a, b), rtt_ms) in rtts {
            let found = all[a].distance_ms(&all[b]);
            assert!((found - rtt_ms).abs() < 6.0, "{found} for {rtt_ms}");
        }
        assert!(all[1].error() < 0.2 && all[2].error() < 0.2);
    }

    #[test]
    fn no_sample_moves_anybody_far_or_out_of_bounds() {
        let mut at = Coordinate::default();
        for (turn, rtt_ms) in [0.0, f32::MAX, 1e9, 0.001].into_iter().enumerate() {
            let before = at;
            let far = Coordinate {
                x: SPAN_MS_MAX,
                ..Coordinate::middle()
            };
            at.pull(&far, rtt_ms, turn);
            assert!(before.plane_ms(&at) <= MOVE_MS_MAX * 1.01);
            assert!(at.distance_ms(&far).is_finite());
        }
    }
}
