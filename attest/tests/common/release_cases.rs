//! Releases and roots and the verdict that each must get.

use super::{NOW, World, YEAR_MS, key, key_ring};
use attest::release::{Role, Root, sign, sign_root};
use certs::SigningKey;
use wire::{Digest, UnixMs};

/// What a file is judged as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Is {
    Release,
    Root,
    /// A root that shall follow the one in use.
    Rotation,
}

impl Is {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Root => "root",
            Self::Rotation => "rotation",
        }
    }
}

/// One file, what it is judged with, and the verdict.
pub struct ReleaseCase {
    pub name: &'static str,
    pub file: Vec<u8>,
    /// The root in use, if there is one.
    pub root: Option<Vec<u8>>,
    pub is: Is,
    pub now: UnixMs,
    pub security_version_min: u64,
    pub denied: Vec<Digest>,
    /// None: verified.
    pub reason: Option<&'static str>,
}

fn case(
    name: &'static str,
    reason: impl Into<Option<&'static str>>,
    change: impl FnOnce(&mut ReleaseCase),
) -> ReleaseCase {
    let world = World::default();
    let mut case = ReleaseCase {
        name,
        file: world.release_json(),
        root: Some(world.root),
        is: Is::Release,
        now: NOW,
        security_version_min: 0,
        denied: vec![],
        reason: reason.into(),
    };
    change(&mut case);
    case
}

/// Every verdict about a release or a root.
pub fn all() -> Vec<ReleaseCase> {
    let mut cases = releases();
    cases.extend(roots());
    cases.extend(rotations());
    cases
}

fn releases() -> Vec<ReleaseCase> {
    let release = World::default().release;
    vec![
        case("genuine release", None, |_| ()),
        case("release cut short", "release_malformed", |c| {
            c.file.pop();
        }),
        case("bytes after the release", "release_malformed", |c| {
            c.file.extend(b"{}");
        }),
        case("release over its bound", "release_malformed", |c| {
            c.file.extend(vec![b' '; 16 * 1024]);
        }),
        case("a root for a release", "release_malformed", |c| {
            c.file = World::default().root;
        }),
        case("release of a stranger", "release_signature_invalid", |c| {
            c.file = sign(&release, &[&key(20)]).unwrap();
        }),
        case("one signature of two", "release_threshold", |c| {
            let mut roles = key_ring().roles();
            roles.release = Role::new(roles.release.keys().to_vec(), 2);
            let root = Root::new(1, NOW.plus_ms(YEAR_MS), roles);
            c.root = sign_root(&root, &key_ring().root.each_ref()).ok();
        }),
        case("release expired", "release_expired", |c| {
            c.now = NOW.plus_ms(YEAR_MS / 2);
        }),
        case("clock behind", "clock_wrong", |c| {
            c.now = UnixMs(NOW.0 - YEAR_MS);
        }),
        case("rolled back", "release_rolled_back", |c| {
            c.security_version_min = 6;
        }),
        case("a revoked file", "release_denied", |c| {
            c.denied = vec![super::sha256(&c.file)];
        }),
        case("a revoked program", "release_denied", |c| {
            c.denied = vec![Digest([0xee; 32])];
        }),
        case("no root", "root_missing", |c| c.root = None),
        case("root expired", "root_expired", |c| {
            c.now = NOW.plus_ms(YEAR_MS);
        }),
    ]
}

fn root_by(version: u64, ring: &attest::release::KeyRing, keys: &[&SigningKey]) -> Vec<u8> {
    let root = Root::new(version, NOW.plus_ms(YEAR_MS), ring.roles());
    sign_root(&root, keys).unwrap()
}

fn roots() -> Vec<ReleaseCase> {
    let ring = key_ring();
    let root = |name, reason: Option<&'static str>, file: Vec<u8>| {
        case(name, reason, |c| {
            (c.file, c.root, c.is) = (file, None, Is::Root);
        })
    };
    let whole = World::default().root;
    vec![
        root("genuine root", None, whole.clone()),
        root(
            "root cut short",
            Some("root_malformed"),
            whole[..whole.len() - 1].to_vec(),
        ),
        root(
            "a release for a root",
            Some("root_malformed"),
            World::default().release_json(),
        ),
        root(
            "root of a stranger",
            Some("root_signature_invalid"),
            root_by(1, &ring, &[&key(20), &key(21)]),
        ),
        root(
            "one root key of two",
            Some("root_threshold"),
            root_by(1, &ring, &[&ring.root[1]]),
        ),
    ]
}

fn rotations() -> Vec<ReleaseCase> {
    let ring = key_ring();
    let rotation = |name, reason: Option<&'static str>, version, keys: &[&SigningKey]| {
        let file = root_by(version, &ring, keys);
        case(name, reason, |c| (c.file, c.is) = (file, Is::Rotation))
    };
    let both = [&ring.root[0], &ring.root[1]];
    vec![
        rotation("the next root", None, 2, &both),
        rotation("the same root again", Some("root_version"), 1, &both),
        rotation("a root left out", Some("root_version"), 3, &both),
        rotation(
            "next root by one key",
            Some("root_threshold"),
            2,
            &[&ring.root[0]],
        ),
    ]
}
