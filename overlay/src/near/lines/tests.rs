use super::*;
use proptest::prelude::*;

/// A member of a small world: where it really is, in milliseconds.
type Real = (f32, f32);

fn rtt_us(a: Real, b: Real) -> u64 {
    let (dx, dy) = (a.0 - b.0, a.1 - b.1);
    (((dx * dx + dy * dy).sqrt() + 4.0) * 1e3) as u64
}

/// Numbers below `most`, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % most.max(1)
    }
}

struct Scene {
    real: Vec<Real>,
    links: Vec<Vec<usize>>,
    liars: usize,
}

impl Scene {
    /// Members of three regions, each with six links to others at random; the
    /// last `liars` of them lie. Number 0 is the station.
    fn new(seed: u64, members: usize, liars: usize) -> Self {
        let mut dice = Dice(seed);
        let centers = [(0.0, 0.0), (90.0, 0.0), (60.0, 180.0)];
        let mut near = |n: usize| {
            let (x, y) = centers[n % 3];
            (x + dice.below(20) as f32, y + dice.below(20) as f32)
        };
        let real: Vec<Real> = (0..members).map(&mut near).collect();
        let mut dice = Dice(seed ^ 1);
        let mut links = vec![Vec::new(); members];
        for n in 1..members {
            for _ in 0..3 {
                let other = dice.below(members);
                if other != n && other != 0 {
                    links[n].push(other);
                    links[other].push(n);
                }
            }
        }
        Self { real, links, liars }
    }

    fn lies(&self, n: usize) -> bool {
        n >= self.real.len() - self.liars
    }

    /// What `n` says of its link to `other`. Liars say that they are next door
    /// to everybody, and agree on it among themselves.
    fn told(&self, n: usize, other: usize) -> u64 {
        if self.lies(n) {
            1_000
        } else {
            rtt_us(self.real[n], self.real[other])
        }
    }

    fn run(&self, agreement: Agreement) -> Lines<usize> {
        let mut lines = Lines::new(0, agreement);
        for n in 1..self.real.len() {
            lines.tell_own(n, rtt_us(self.real[0], self.real[n]));
            lines.tell(n, self.links[n].iter().map(|o| (*o, self.told(n, *o))));
        }
        for _ in 0..300 {
            lines.step(self.real.len() + 1);
        }
        lines
    }

    /// Mean real round trip of the honest to whom they would choose of eight
    /// honest ones, in milliseconds; and of the first of the eight.
    fn chosen(&self, lines: &Lines<usize>) -> (f32, f32) {
        let mut dice = Dice(7);
        let honest = self.real.len() - self.liars;
        let (mut chosen, mut first) = (0.0, 0.0);
        for n in 1..honest {
            let eight: Vec<usize> = (0..8)
                .map(|_| 1 + dice.below(honest - 1))
                .filter(|o| *o != n)
                .collect();
            let at = lines.at(n).unwrap_or_default();
            let far = |o: &usize| at.distance_ms(&lines.at(*o).unwrap_or_default());
            let best = eight.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
            let ms = |o: usize| rtt_us(self.real[n], self.real[o]) as f32 / 1e3;
            chosen += ms(*best.unwrap_or(&n));
            first += ms(*eight.first().unwrap_or(&n));
        }
        (chosen / honest as f32, first / honest as f32)
    }
}

#[test]
fn members_that_never_met_are_told_near_from_far() {
    let scene = Scene::new(3, 90, 0);
    let (chosen, first) = scene.chosen(&scene.run(Agreement::default()));
    assert!(chosen * 2.0 < first, "{chosen} of {first} ms");
}

#[test]
fn a_round_trip_that_one_end_alone_has_seen_moves_nobody() {
    let mut lines = Lines::new(0, Agreement::default());
    lines.tell(1, [(2, 1_000)]);
    lines.tell(2, [(1, 90_000)]);
    assert_eq!(lines.step(9), []);
    lines.tell_own(1, 40_000);
    assert_eq!(lines.step(9).len(), 1, "the coordinator's own word counts");
    assert_eq!(lines.at(2), None);
}

#[test]
fn believing_either_end_a_liar_moves_who_is_linked_to_it() {
    let mut lines = Lines::new(0, Agreement::dangerously_either());
    lines.tell_own(1, 40_000);
    lines.tell_own(2, 40_000);
    lines.tell(2, [(1, 90_000)]);
    let honest = |lines: &mut Lines<u8>| {
        for _ in 0..200 {
            lines.step(9);
        }
        let (one, two) = (
            lines.at(1).unwrap_or_default(),
            lines.at(2).unwrap_or_default(),
        );
        one.distance_ms(&two)
    };
    let before = honest(&mut lines);
    lines.tell(1, [(2, 1_000)]);
    let after = honest(&mut lines);
    assert!(after < before / 2.0, "{before} to {after}");
}

#[test]
fn what_cannot_be_is_left_out_and_what_is_kept_is_bounded() {
    let mut lines = Lines::new(0usize, Agreement::default());
    lines.tell(1, [(1, 5), (2, 0), (3, RTT_US_MAX + 1)]);
    assert!(lines.known(1).is_empty());
    lines.tell(1, (2..500).map(|n| (n, 1_000)));
    assert_eq!(lines.lines.get(&1).map(|l| l.told.len()), Some(LINES_MAX));
    lines.forget(1);
    assert!(lines.lines.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A fifth of the members lie as one. What the honest choose among
    /// themselves stays far better than chance.
    #[test]
    fn liars_do_not_lead_the_honest_astray(seed in 0u64..1_000) {
        let scene = Scene::new(seed, 90, 18);
        let (chosen, first) = scene.chosen(&scene.run(Agreement::default()));
        prop_assert!(chosen < first * 0.8, "{} of {} ms", chosen, first);
    }

    /// Whatever is told, coordinates stay finite.
    #[test]
    fn coordinates_stay_finite(told in proptest::collection::vec((0u8..6, 0u8..6, any::<u64>()), 0..200)) {
        let mut lines = Lines::new(0u8, Agreement::default());
        for (from, to, us) in told {
            lines.tell(from, [(to, us)]);
            lines.tell_own(to, us);
            for (_, at) in lines.step(4) {
                prop_assert!(at.distance_ms(&Coordinate::default()).is_finite());
            }
        }
    }
}
