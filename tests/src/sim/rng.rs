//! Seeded randomness that is the same on every machine: ChaCha8, and
//! distributions made of integers and basic floating point alone (sums,
//! products, square roots are exact in IEEE 754; a library's `exp` and `ln`
//! are not the same everywhere).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One source of randomness of a purpose of its own: what one part draws does
/// not shift what another one does.
#[derive(Debug, Clone)]
pub(super) struct Rng(ChaCha8Rng);

/// What randomness is drawn for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Who the viewers are: region, upload, cheat.
    Audience = 1,
    /// When they come and go.
    Arrivals = 2,
    /// Delay and loss on links.
    Network = 3,
    /// What sponsors answer, and how long a relay takes.
    Sponsors = 4,
    /// Whom the event hits.
    Event = 5,
}

impl Rng {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose as u64);
        Self(rng)
    }

    /// Uniform in 0..bound; 0 for a bound of 0. The bias is below bound/2^64.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// Uniform from `range[0]` to `range[1]`, both included.
    pub(super) fn within(&mut self, range: [u64; 2]) -> u64 {
        let [low, high] = range;
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True `permille` times in a thousand.
    pub(super) fn permille(&mut self, permille: u32) -> bool {
        self.below(1_000) < u64::from(permille)
    }

    /// True `ppm` times in a million.
    pub(super) fn ppm(&mut self, ppm: u64) -> bool {
        self.below(1_000_000) < ppm
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal: the sum of twelve uniforms less six, which is exact
    /// in its first two moments and cut off at six deviations.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Lognormal with the logarithm's mean and deviation.
    pub(super) fn lognormal(&mut self, mu: f64, sigma: f64) -> f64 {
        exp(mu + sigma * self.normal())
    }
}

/// e^x by halving, a series, and squaring: relative error below 1e-12 for
/// |x| < 50, which is more than is drawn here.
pub(super) fn exp(x: f64) -> f64 {
    const HALVINGS: i32 = 10;
    let small = x / f64::from(1 << HALVINGS);
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..=12 {
        term *= small / f64::from(n);
        sum += term;
    }
    (0..HALVINGS).fold(sum, |value, _| value * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equally_and_purposes_apart() {
        let draw = |seed, purpose| Rng::new(seed, purpose).below(u64::MAX);
        assert_eq!(draw(1, Purpose::Network), draw(1, Purpose::Network));
        assert_ne!(draw(1, Purpose::Network), draw(2, Purpose::Network));
        assert_ne!(draw(1, Purpose::Network), draw(1, Purpose::Sponsors));
    }

    #[test]
    fn the_exponential_is_the_exponential() {
        for x in [-20.0, -1.5, 0.0, 1.0, 5.2, 13.0] {
            let ratio = exp(x) / f64::exp(x);
            assert!((ratio - 1.0).abs() < 1e-11, "{x}: {ratio}");
        }
    }

    #[test]
    fn the_lognormal_has_its_median() {
        let mut rng = Rng::new(3, Purpose::Arrivals);
        let mut drawn: Vec<f64> = (0..4_001).map(|_| rng.lognormal(5.0, 1.5)).collect();
        drawn.sort_by(f64::total_cmp);
        let median = drawn[2_000] / exp(5.0);
        assert!((0.9..1.1).contains(&median), "{median}");
    }
}
