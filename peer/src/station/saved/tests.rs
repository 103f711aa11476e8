#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::store::Store;
use super::*;
use crate::Error;
use crate::station::keys::{Keys, RUN_MS};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use wire::Stripes;

const NOW: UnixMs = UnixMs(1_800_000_000_000);

fn keys(data: &Path) -> Keys {
    Keys::make(data, "S", NOW, RUN_MS, Stripes::SINGLE)
        .unwrap()
        .0
}

fn saved(keys: &Keys) -> Saved {
    let member = |n: u8| SavedMember {
        spki: SpkiHash([n; 32]),
        key: PublicKey([n; 32]),
        name: Name::new("V").unwrap(),
        kind: NodeKind::Peer,
        addresses: List::default(),
        relay_only: false,
        never_ask: true,
        claim_bps: 1_000,
        admission: None,
        sponsor: None,
        lease_end: UnixMs(0),
    };
    Saved {
        run: keys.signed_run.clone(),
        keyring: keys.keyring.clone(),
        certificate: Certificate::new(keys.identity.certificate.clone()).unwrap(),
        lives: 3,
        epoch: Epoch(7),
        bound: Text::new("127.0.0.1:4000").unwrap(),
        members: List::new(vec![member(1), member(2)]).unwrap(),
        edges: List::new(vec![SavedEdge {
            child: 2,
            parent: 1,
            stripes: wire::Stripe(0).into(),
        }])
        .unwrap(),
        evicted: List::new(vec![SpkiHash([9; 32])]).unwrap(),
        shown_sponsors: List::default(),
        grants: List::default(),
        rounds: List::default(),
    }
}

#[test]
fn a_saved_run_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let state = saved(&keys(folder.path()));
    let mut store = Store::open(folder.path()).unwrap();
    assert_eq!(store.read().unwrap(), None);
    store.save(&state).unwrap();
    assert_eq!(store.read().unwrap(), Some(state));
    store.end().unwrap();
    assert_eq!(store.read().unwrap(), None);
}

/// Threat D11: another epoch, whatever happened to the state; and the numbers
/// of permits and questions are others than those of any earlier life.
#[test]
fn a_life_has_the_same_keys_another_epoch_and_other_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let first = keys(folder.path());
    let state = saved(&first);
    let (next, chunk) = Keys::resume(folder.path(), &state, NOW).unwrap();
    assert_eq!(next.run, first.run);
    assert_eq!(next.identity.spki(), first.identity.spki());
    assert_eq!(next.ca.certificate(), first.ca.certificate());
    assert_eq!(chunk.0.public(), first.run.chunk_key);
    assert_eq!((next.epoch, next.lives), (Epoch(8), 4));
    assert_ne!(next.epoch_secret.expose(), first.epoch_secret.expose());
    let mut before = crate::station::permits::Permits::of_life(3);
    let mut after = crate::station::permits::Permits::of_life(4);
    assert!((0..1_000).all(|_| before.next_serial() < after.next_serial()));
}

#[test]
fn a_run_that_is_over_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let state = saved(&keys(folder.path()));
    let over = NOW.plus_ms(RUN_MS);
    let refusal = Keys::resume(folder.path(), &state, over).err().unwrap();
    assert_eq!(refusal.reason(), "run_expired");
}

#[test]
fn any_changed_or_missing_byte_is_damage_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = saved(&keys(folder.path())).to_file();
    for at in 0..file.len() {
        let mut wrong = file.to_vec();
        wrong[at] ^= 1;
        assert!(Saved::from_file(&wrong).is_err(), "{at}");
        assert!(Saved::from_file(&file[..at]).is_err(), "{at}");
    }
    let mut longer = file.to_vec();
    longer.push(0);
    assert!(Saved::from_file(&longer).is_err());
}

#[test]
fn the_files_are_their_owners_alone_and_one_station_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    store.save(&saved(&keys(folder.path()))).unwrap();
    let mode = |path: &str| {
        let metadata = std::fs::metadata(folder.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("run"), 0o700);
    assert_eq!(mode("run/state"), 0o600);
    let second = Store::open(folder.path());
    assert!(matches!(second, Err(Error::RunLocked)));
    drop(store);
    Store::open(folder.path()).unwrap();
}

#[test]
fn secrets_are_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    let state = saved(&keys);
    let text = format!("{state:?}");
    let ca = state.keyring.ca.expose();
    assert!(!text.contains(&format!("{ca:?}")[1..20]));
    assert!(text.contains("[redacted]"));
}
