#![allow(clippy::unwrap_used)]

use super::Archive;
use crate::test_files::{Files, HOUR_MS, NOW};
use crate::verify::tests::verdict;
use std::fs;
use tempfile::tempdir;

#[test]
fn what_was_saved_is_verified_again_under_the_relay_s_name() {
    let files = Files::new();
    let trust = files.trust().resolve(None).unwrap();
    let place = tempdir().unwrap();
    let archive = Archive::open(&place.path().join("evidence")).unwrap();
    let path = archive.save(&files.proof(&trust.relays)).unwrap();
    let name = format!("{}.evidence.json", files.relay().to_hex());
    assert_eq!(path.file_name().unwrap().to_str().unwrap(), name);
    let now = verdict(&path, &files.trust(), NOW.plus_ms(HOUR_MS / 2));
    assert_eq!(now["status"], "verified", "{now}");
    // The newest answer takes the place of the one before.
    archive.save(&files.proof(&trust.relays)).unwrap();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_had_is_named_before_anything_is_watched() {
    let place = tempdir().unwrap();
    let taken = place.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    let error = Archive::open(&taken).unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
}
