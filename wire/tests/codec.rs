//! One encoding per value, and nothing else decodes: for every type.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::{Dice, Draw};
use proptest::prelude::*;
use wire::codec::{DecodeError, Reader, VARINT_MAX, put_varint};
use wire::{Decode, Encode};

/// `bytes` decodes to something that encodes to `bytes`, or not at all.
fn decodes_canonically_or_not_at_all<T: Decode + Encode>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes, "a second spelling was accepted");
    }
}

macro_rules! properties {
    ($($name:ident: $t:ty,)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(512))]

                #[test]
                fn decodes_what_it_encodes(seed in prop::collection::vec(any::<u8>(), 0..2048)) {
                    let value = <$t>::draw(&mut Dice::Random(&seed));
                    let bytes = value.to_bytes();
                    prop_assert_eq!(<$t>::from_bytes(&bytes), Ok(value));
                }

                #[test]
                fn refuses_every_prefix_as_truncated(
                    seed in prop::collection::vec(any::<u8>(), 0..2048),
                    cut in any::<prop::sample::Index>(),
                ) {
                    let bytes = <$t>::draw(&mut Dice::Random(&seed)).to_bytes();
                    prop_assume!(!bytes.is_empty());
                    let got = <$t>::from_bytes(&bytes[..cut.index(bytes.len())]);
                    prop_assert!(
                        matches!(got, Err(DecodeError::Truncated(_))), "{:?}", got.map(|_| "a value")
                    );
                }

                #[test]
                fn refuses_a_trailing_byte(
                    seed in prop::collection::vec(any::<u8>(), 0..2048),
                    tail in any::<u8>(),
                ) {
                    let mut bytes = <$t>::draw(&mut Dice::Random(&seed)).to_bytes();
                    bytes.push(tail);
                    prop_assert_eq!(<$t>::from_bytes(&bytes), Err(DecodeError::Trailing(1)));
                }

                #[test]
                fn accepts_one_spelling_of_altered_bytes(
                    seed in prop::collection::vec(any::<u8>(), 0..2048),
                    place in any::<prop::sample::Index>(),
                    change in 1u8..,
                ) {
                    let mut bytes = <$t>::draw(&mut Dice::Random(&seed)).to_bytes();
                    let place = place.index(bytes.len().max(1));
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte ^= change;
                    }
                    decodes_canonically_or_not_at_all::<$t>(&bytes);
                }

                #[test]
                fn survives_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
                    decodes_canonically_or_not_at_all::<$t>(&bytes);
                }
            }
        }
    )*};
}
every_type!(properties);

/// `value` as a varint of `len` bytes, minimal or not.
fn varint_of_len(value: u64, len: usize) -> Vec<u8> {
    let mut bytes = value.to_be_bytes()[8 - len..].to_vec();
    bytes[0] |= match len {
        1 => 0x00,
        2 => 0x40,
        4 => 0x80,
        _ => 0xc0,
    };
    bytes
}

proptest! {
    #[test]
    fn refuses_numbers_that_are_longer_than_necessary(value in 0u64..0x3fff_ffff) {
        let shortest = value.to_bytes();
        for len in [2usize, 4, 8].into_iter().filter(|len| *len > shortest.len()) {
            let longer = varint_of_len(value, len);
            prop_assert_eq!(u64::from_bytes(&longer), Err(DecodeError::NotMinimal));
        }
    }

    #[test]
    fn reads_numbers_of_every_length(value in 0u64..=VARINT_MAX, shift in 0u32..62) {
        let value = value >> shift;
        prop_assert_eq!(u64::from_bytes(&value.to_bytes()), Ok(value));
    }
}

#[test]
fn encodes_the_numbers_of_rfc_9000_as_it_does() {
    // RFC 9000, appendix A.1.
    let examples: [(u64, &[u8]); 4] = [
        (
            151_288_809_941_952_652,
            &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
        ),
        (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
        (15_293, &[0x7b, 0xbd]),
        (37, &[0x25]),
    ];
    for (value, bytes) in examples {
        assert_eq!(value.to_bytes(), bytes);
        assert_eq!(u64::from_bytes(bytes), Ok(value));
    }
    // The RFC's example of a number in a longer form than it needs.
    assert_eq!(u64::from_bytes(&[0x40, 0x25]), Err(DecodeError::NotMinimal));
}

#[test]
fn a_length_over_its_limit_is_refused_before_anything_is_read() {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, VARINT_MAX);
    let got = Reader::new(&bytes).length(1024, "a list");
    let expected = DecodeError::TooLong {
        what: "a list",
        len: VARINT_MAX,
        max: 1024,
    };
    assert_eq!(got, Err(expected));
}

#[test]
fn a_count_without_items_allocates_nothing_and_is_truncated() {
    type Nodes = wire::codec::List<wire::Digest, 1_000_000_000>;
    let mut bytes = Vec::new();
    put_varint(&mut bytes, 1_000_000_000);
    assert!(matches!(
        Nodes::from_bytes(&bytes),
        Err(DecodeError::Truncated(_))
    ));
}

#[test]
fn unknown_message_types_and_codes_are_refused() {
    use wire::message::{control::Up, edge::Edge, group::Record};
    let unknown = 63u64.to_bytes();
    let invalid = DecodeError::Invalid("a message type");
    assert_eq!(Up::from_bytes(&unknown), Err(invalid));
    assert_eq!(Edge::from_bytes(&unknown), Err(invalid));
    assert_eq!(Record::from_bytes(&unknown), Err(invalid));
    assert_eq!(
        wire::Reason::from_bytes(&unknown),
        Err(DecodeError::Invalid("Reason"))
    );
}

#[test]
fn control_characters_are_refused_in_text() {
    type Name = wire::codec::Text<64>;
    for text in ["a\nb", "\u{1b}[31m", "nul\0", "\u{9b}31m"] {
        assert_eq!(Name::new(text), Err(DecodeError::Invalid("a text")));
    }
}

#[test]
fn flags_beyond_the_known_ones_are_refused() {
    use wire::statement::ChunkFlags;
    assert_eq!(
        ChunkFlags::from_bytes(&[0x08]),
        Err(DecodeError::Invalid("chunk flags"))
    );
    assert_eq!(bool::from_bytes(&[2]), Err(DecodeError::Invalid("a flag")));
}
