//! Numbers that look random and follow from a seed: SplitMix64 (Steele, Lea,
//! Flood 2014).

/// From one state of the generator to the next.
pub(super) const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The generator's next number after the state `value`.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
