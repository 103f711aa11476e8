//! The encodings are frozen: `vectors/messages-1.0.txt` says how each looks since
//! version 1, and a file for each minor version what it has added.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Dice, Draw, Every};
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply};
use wire::message::control::{Choice, Down, MoveCause, NodeKind, Up};
use wire::message::edge::Edge;
use wire::message::group::Record;
use wire::message::mesh::Mesh;
use wire::statement::{Cause, PermitKind, Priority, Step};
use wire::{Decode, DecodeError, Encode, Minor, Reason};

const CODES: &str = include_str!("../vectors/codes-1.0.txt");
const FROZEN: [&str; 2] = [
    include_str!("../vectors/messages-1.0.txt"),
    include_str!("../vectors/messages-1.1.txt"),
];
/// SHA-256 of each of these files, the codes first. Whoever has to change one
/// speaks another protocol: what is new goes into the file of a new minor version
/// (`Minor`), and is sent where both ends have that.
const DIGESTS: [&str; 3] = [
    "f68ef34fb36f8d117e21440e0f3f8e6d5db134aa272badd727e98f123ce33f3c",
    "53674796bd7a60d36ce9d9399c0a261c457568342242aaae64309a00384e83af",
    "e8d2a96d13aaa0cbbda6e75a6ddc2d393208a24cc68027e20c9167d210ad0fc9",
];

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
    let lines = FROZEN.iter().flat_map(|file| file.lines());
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect()
}

#[test]
fn no_file_of_a_frozen_version_has_changed() {
    let files = [&[CODES][..], &FROZEN].concat();
    let digests: Vec<String> = files
        .iter()
        .map(|file| hex(digest(&SHA256, file.as_bytes()).as_ref()))
        .collect();
    assert_eq!(digests, DIGESTS);
    assert_eq!(
        FROZEN.len(),
        usize::from(Minor::NEWEST.0) + 1,
        "one for each"
    );
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
