//! Documents of a platform of our own get the verdicts that stand beside
//! them in the stored set.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::Policy;
use attest::nitro::{Root, compare, verify_archived, verify_live};
use attest::release::{self, TrustRoot};
use attest::tpm2::Bank;
use attest::tpm2::ek::Development;
use common::nitro::Parts;
use common::tpm::{machine, pcrs};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde::Deserialize;
use std::sync::LazyLock;
use wire::UnixMs;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    platform_root: String,
    release_root: String,
    release: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    document: String,
    live: Option<LiveCase>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveCase {
    now_ms: u64,
    nonce: String,
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn verdict(
    document: &[u8],
    live: Option<(UnixMs, &[u8])>,
    root: &Root<Development>,
    release: &release::VerifiedRelease,
) -> Result<(), &'static str> {
    let document = match live {
        Some((now, nonce)) => verify_live(document, root, now, nonce).map(|d| d.document().clone()),
        None => verify_archived(document, root).map(|d| d.document().clone()),
    };
    let document = document.map_err(|error| error.reason())?;
    compare(&document, release, &Policy::default())
        .map(|_| ())
        .map_err(|refusal| refusal.reason())
}

/// A genuine document and its root: signing is slow.
static GENUINE: LazyLock<(Vec<u8>, Root<Development>)> = LazyLock::new(|| {
    let parts = Parts::default();
    let root = Root::development(&parts.platform.root).unwrap();
    (parts.document(), root)
});

#[test]
fn stored_documents_get_their_verdicts() {
    let set: Set = serde_json::from_str(include_str!("../vectors/nitro.json")).unwrap();
    let root = Root::development(&hex(&set.platform_root)).unwrap();
    let release_root = TrustRoot::parse(set.release_root.as_bytes()).unwrap();
    let release = release::verify(set.release.as_bytes(), &release_root, common::NOW).unwrap();
    for case in &set.cases {
        let nonce = case.live.as_ref().map(|live| hex(&live.nonce));
        let live = case.live.as_ref().zip(nonce.as_deref());
        let live = live.map(|(live, nonce)| (UnixMs(live.now_ms), nonce));
        let verdict = verdict(&hex(&case.document), live, &root, &release);
        assert_eq!(verdict.err(), case.reason.as_deref(), "{}", case.name);
    }
}

#[test]
fn a_pinned_root_takes_no_document_of_our_own_platform() {
    let refused = verify_archived(&GENUINE.0, &Root::aws().unwrap()).unwrap_err();
    assert_eq!(refused.reason(), "chain_root_unknown");
}

#[test]
fn every_single_byte_change_of_a_genuine_document_is_refused() {
    let (genuine, root) = &*GENUINE;
    assert!(verify_archived(genuine, root).is_ok());
    for position in 0..genuine.len() {
        let mut changed = genuine.clone();
        changed[position] ^= 0x01;
        assert!(verify_archived(&changed, root).is_err(), "byte {position}");
    }
    for len in 0..genuine.len() {
        assert!(
            verify_archived(&genuine[..len], root).is_err(),
            "{len} bytes"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_never_a_document(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        let root = Root::aws().unwrap();
        prop_assert!(verify_archived(&bytes, &root).is_err());
        // Behind a valid beginning, too.
        let begun = [&[0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0], bytes.as_slice()].concat();
        prop_assert!(verify_archived(&begun, &root).is_err());
    }

    #[test]
    fn cut_and_repeated_parts_of_a_document_are_refused(
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
    ) {
        let (genuine, root) = &*GENUINE;
        let (from, to) = (from.index(genuine.len()), to.index(genuine.len()));
        let (from, to) = (from.min(to), from.max(to) + 1);
        let cut = [&genuine[..from], &genuine[to..]].concat();
        prop_assert!(verify_archived(&cut, root).is_err());
        let doubled = [&genuine[..to], &genuine[from..]].concat();
        prop_assert!(verify_archived(&doubled, root).is_err());
    }
}

#[test]
fn what_an_operator_s_machines_may_show_is_no_instance_s() {
    let judged = |change: fn(&mut release::Measurements)| {
        let machine = machine(|m| change(&mut m.world.release.measurements));
        let root = TrustRoot::parse(&machine.world.root).unwrap();
        let release = release::verify(&machine.world.release_json(), &root, common::NOW).unwrap();
        verdict(&GENUINE.0, None, &GENUINE.1, &release)
    };
    assert_eq!(judged(|_| ()), Ok(()));
    // The same registers in the same bank, of a machine that an operator has.
    let kept = |m: &release::Measurements| {
        m.tpm2
            .iter()
            .any(|profile| profile.pcrs == pcrs(Bank::Sha384))
    };
    assert!(kept(&machine(|_| ()).world.release.measurements));
    assert_eq!(judged(|m| m.nitro_tpm.clear()), Err("measurement_missing"));
    assert_eq!(judged(|m| m.tpm2.clear()), Ok(()));
}
