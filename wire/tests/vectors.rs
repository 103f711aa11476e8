//! The encodings are frozen: `vectors/messages.txt` says how each looks.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Dice, Draw, Every};
use std::collections::BTreeMap;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply};
use wire::message::control::{Choice, Down, MoveCause, NodeKind, Up};
use wire::message::edge::Edge;
use wire::message::group::Record;
use wire::message::mesh::Mesh;
use wire::statement::{Cause, PermitKind, Priority, Step};
use wire::{Decode, DecodeError, Encode, Reason};

const CODES: &str = include_str!("../vectors/codes.txt");
const FROZEN: &str = include_str!("../vectors/messages.txt");

macro_rules! codes {
    ($($t:ty),*) => {
        [$((0..=255)
            .filter_map(<$t>::from_code)
            .map(|c| format!("{} {} {}", stringify!($t), c.code(), c.name()))
            .collect::<Vec<_>>()),*]
        .concat()
    };
}

#[test]
fn every_number_of_a_reason_or_kind_is_as_frozen() {
    let now = codes!(
        Reason, StreamKind, NodeKind, Priority, PermitKind, Cause, Step, Choice, MoveCause
    );
    let frozen: Vec<&str> = CODES.lines().filter(|l| !l.starts_with('#')).collect();
    assert_eq!(now, frozen, "now:\n{}", now.join("\n"));
}

/// A sample as it is encoded now, and a way to read frozen bytes as its type.
struct Sample {
    name: &'static str,
    hex: String,
    read: fn(&[u8]) -> Result<String, DecodeError>,
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn sample<T: Encode + Decode>(name: &'static str, value: &T) -> Sample {
    Sample {
        name,
        hex: hex(&value.to_bytes()),
        read: |bytes| Ok(hex(&T::from_bytes(bytes)?.to_bytes())),
    }
}

fn variants<T: Every + Encode + Decode>() -> Vec<Sample> {
    let every = T::every(|| Dice::Counting(0));
    every.iter().map(|(name, v)| sample(name, v)).collect()
}

macro_rules! single {
    ($($name:ident: $t:ty,)*) => {
        vec![$(sample(stringify!($name), &<$t>::draw(&mut Dice::Counting(0)))),*]
    };
}

fn samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = every_type!(single);
    all.extend(variants::<Up>());
    all.extend(variants::<Down>());
    all.extend(variants::<Edge>());
    all.extend(variants::<Mesh>());
    all.extend(variants::<Record>());
    all.extend(variants::<Command>());
    all.extend(variants::<CommandReply>());
    all
}

fn frozen() -> BTreeMap<&'static str, &'static str> {
    let lines = FROZEN.lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect()
}

#[test]
fn every_type_and_message_is_encoded_as_frozen() {
    let frozen = frozen();
    let differing: Vec<String> = samples()
        .iter()
        .filter(|s| frozen.get(s.name) != Some(&s.hex.as_str()))
        .map(|s| format!("{} {}", s.name, s.hex))
        .collect();
    assert!(
        differing.is_empty(),
        "these are not encoded as frozen; they are now:\n{}",
        differing.join("\n")
    );
}

#[test]
fn every_frozen_encoding_is_read_and_written_back() {
    let frozen = frozen();
    for sample in samples() {
        let text = frozen.get(sample.name).copied().unwrap_or_default();
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        assert_eq!(
            (sample.read)(&bytes).as_deref(),
            Ok(text),
            "{}",
            sample.name
        );
    }
}

#[test]
fn no_frozen_encoding_is_left_over() {
    let names: Vec<&str> = samples().iter().map(|s| s.name).collect();
    for name in frozen().keys() {
        assert!(names.contains(name), "nothing is called {name}");
    }
}
