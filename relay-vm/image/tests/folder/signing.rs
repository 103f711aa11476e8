//! Signing, and keys on the disk.

use crate::scene::{NOW, Scene, release};
use attest::release::TrustRoot;
use boot::authenticode;
use image::build::{DISK_FILE, IMAGE_FILE};
use image::{files, keys, measure, sign};
use ring::rand::SystemRandom;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use wire::Digest;

#[test]
fn keys_are_for_their_owner_alone_and_never_overwritten() {
    let scene = Scene::new();
    let folder = scene.keys("keys");
    for (part, count) in [(keys::OFFLINE, 5), (keys::ONLINE, 3)] {
        let part = folder.join(part);
        assert_eq!(
            fs::metadata(&part).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let files: Vec<_> = fs::read_dir(part).unwrap().collect();
        assert_eq!(files.len(), count);
        for file in files {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    let again = keys::make(
        &folder,
        &scene.path("variables"),
        None,
        NOW,
        &SystemRandom::new(),
    );
    assert_eq!(again.unwrap_err().reason(), "keys_exist");
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let scene = Scene::new();
    let online = scene.keys("keys").join(keys::ONLINE);
    fs::set_permissions(online.join("release-1.key"), Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        keys::release_key(&online).unwrap_err().reason(),
        "key_file_invalid"
    );
    fs::write(online.join("release-1.key"), "short").unwrap();
    fs::set_permissions(online.join("release-1.key"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        keys::release_key(&online).unwrap_err().reason(),
        "key_file_invalid"
    );
}

#[test]
fn a_release_measures_operators_machines_and_instances_apart() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let root = files::read(&keys.join(keys::PUBLIC).join(keys::ROOT_FILE)).unwrap();
    let root = TrustRoot::parse(&root).unwrap();
    let json = files::read(&folder.join(sign::RELEASE_FILE)).unwrap();
    let release = attest::release::verify(&json, &root, NOW).unwrap();
    let measured = &release.measurements;
    let [instance] = measured.nitro_tpm.as_slice() else {
        panic!("one profile: {:?}", measured.nitro_tpm)
    };
    assert_eq!(instance.pcrs.bank().name(), "sha384");
    // As Amazon publishes it for instances without keys.
    let policy = instance.pcrs.iter().find(|(pcr, _)| *pcr == 7).unwrap();
    assert_eq!(policy.1[..4], [0x98, 0x44, 0x1c, 0x7f]);
    // An operator's machine must check signatures, unless the release says not.
    assert!(!measured.tpm2.is_empty());
    assert!(
        measured
            .tpm2
            .iter()
            .all(|profile| profile.pcrs != instance.pcrs)
    );
}

#[test]
fn every_bit_of_a_signed_image_is_covered_but_the_checksum_that_nobody_reads() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let image = files::read(&scene.signed("image", &keys).join(IMAGE_FILE)).unwrap();
    let certificate = keys::certificates(&keys.join(keys::PUBLIC)).unwrap().db;
    authenticode::verify(&image, &certificate).unwrap();
    let checksum = 0x40 + 24 + 64;
    for place in (0..image.len()).filter(|place| !(checksum..checksum + 4).contains(place)) {
        let mut altered = image.clone();
        altered[place] ^= 1 << (place % 8);
        assert!(
            authenticode::verify(&altered, &certificate).is_err(),
            "byte {place}"
        );
    }
}

#[test]
fn a_signature_is_the_same_each_time_and_comes_off_without_a_trace() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let unsigned = files::read(&scene.build("plain").join(IMAGE_FILE)).unwrap();
    let one = files::read(&scene.signed("one", &keys).join(IMAGE_FILE)).unwrap();
    let two = files::read(&scene.signed("two", &keys).join(IMAGE_FILE)).unwrap();
    assert_eq!(one, two);
    assert_eq!(authenticode::unsigned(&one).unwrap(), unsigned);
    let digest = |image: &[u8]| {
        authenticode::digest(image, &ring::digest::SHA256)
            .unwrap()
            .as_ref()
            .to_vec()
    };
    assert_eq!(
        digest(&one),
        digest(&unsigned),
        "a signature changes no measurement"
    );
}

/// Releases end after 90 days; the image does not change with them.
#[test]
fn a_signed_image_gets_a_new_release_and_stays_as_it_is() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let image = files::read(&folder.join(IMAGE_FILE)).unwrap();
    let first = files::read(&folder.join(sign::RELEASE_FILE)).unwrap();
    let later = NOW.plus_ms(24 * 3600 * 1000);
    sign::sign_folder(&folder, &keys, &release(), later, &SystemRandom::new()).unwrap();
    assert_eq!(files::read(&folder.join(IMAGE_FILE)).unwrap(), image);
    let second = files::read(&folder.join(sign::RELEASE_FILE)).unwrap();
    assert_ne!(second, first);
    let root = files::read(&keys.join(keys::PUBLIC).join(keys::ROOT_FILE)).unwrap();
    let root = TrustRoot::parse(&root).unwrap();
    let end = |json: &[u8]| {
        attest::release::verify(json, &root, later)
            .unwrap()
            .expires_ms
    };
    assert_eq!(end(&second), end(&first) + 24 * 3600 * 1000);
}

/// The image was written, and nothing after it.
#[test]
fn a_signing_that_was_cut_off_is_brought_to_its_end() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let whole = scene.signed("whole", &keys);
    let cut = scene.build("cut");
    fs::copy(whole.join(IMAGE_FILE), cut.join(IMAGE_FILE)).unwrap();
    sign::sign_folder(&cut, &keys, &release(), NOW, &SystemRandom::new()).unwrap();
    for name in [DISK_FILE, sign::RELEASE_FILE] {
        assert_eq!(
            fs::read(cut.join(name)).unwrap(),
            fs::read(whole.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_release_revokes_what_it_is_told_to() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.build("image");
    let public = keys.join(keys::PUBLIC);
    let old = measure::with_digests(&folder, Some(&public)).unwrap();
    let digests: Vec<_> = old
        .iter()
        .map(|m| Digest::from_hex(&m.digest).unwrap())
        .collect();
    let options = sign::Options {
        denied: digests.iter().copied().map(Into::into).collect(),
        ..release()
    };
    sign::sign_folder(&folder, &keys, &options, NOW, &SystemRandom::new()).unwrap();
    let root = files::read(&public.join(keys::ROOT_FILE)).unwrap();
    let json = files::read(&folder.join(sign::RELEASE_FILE)).unwrap();
    let signed = attest::release::verify(&json, &TrustRoot::parse(&root).unwrap(), NOW).unwrap();
    // The digest that a verifier makes of the registers that a machine quotes.
    let quoted = signed.measurements.tpm2.iter().map(|m| m.pcrs.digest());
    for digest in quoted {
        assert!(digests.contains(&digest));
        assert!(signed.denied.contains(&digest.into()));
    }
}

#[test]
fn another_s_image_is_not_signed_again_and_a_release_names_its_source() {
    let scene = Scene::new();
    let (keys, other) = (scene.keys("keys"), scene.keys("other"));
    let folder = scene.signed("image", &other);
    let sign = |options: &sign::Options| {
        sign::sign_folder(&folder, &keys, options, NOW, &SystemRandom::new())
            .unwrap_err()
            .reason()
    };
    assert_eq!(sign(&release()), "already_signed");
    assert_eq!(
        sign(&sign::Options {
            commit: None,
            ..release()
        }),
        "commit_unknown"
    );
    assert_eq!(
        sign(&sign::Options {
            days: 0,
            ..release()
        }),
        "option_invalid"
    );
    assert_eq!(
        sign(&sign::Options {
            channel: "a b".into(),
            ..release()
        }),
        "release_malformed"
    );
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let scene = Scene::new();
    let (one, two) = (scene.keys("one"), scene.keys("two"));
    let image = files::read(&scene.build("image").join(IMAGE_FILE)).unwrap();
    let certificate = keys::certificates(&one.join(keys::PUBLIC)).unwrap().db;
    let key = keys::db_key(&two.join(keys::ONLINE)).unwrap();
    let signer = authenticode::Signer {
        certificate: &certificate,
        key: &key,
    };
    let error = authenticode::sign(&image, &signer, &SystemRandom::new()).unwrap_err();
    assert_eq!(error.reason(), "signing_key_invalid");
}

#[test]
fn new_keys_follow_the_old_root_only_with_two_of_its_keys() {
    let scene = Scene::new();
    let old = scene.keys("old");
    let root = old.join(keys::PUBLIC).join(keys::ROOT_FILE);
    let held = |count: usize| {
        let names = (1..=count).map(|number| format!("root-{number}.key"));
        let paths: Vec<_> = names
            .map(|name| old.join(keys::OFFLINE).join(name))
            .collect();
        keys::Previous::load(&root, &paths).unwrap()
    };
    let make = |name: &str, previous: &keys::Previous| {
        let (folder, variables) = (scene.path(name), scene.path("variables"));
        keys::make(
            &folder,
            &variables,
            Some(previous),
            NOW,
            &SystemRandom::new(),
        )
    };
    assert_eq!(
        make("one", &held(1)).unwrap_err().reason(),
        "root_threshold"
    );
    assert!(
        !scene.path("one").exists(),
        "nothing is written that nobody would follow"
    );
    make("two", &held(2)).unwrap();
    let json = files::read(&scene.path("two").join(keys::PUBLIC).join(keys::ROOT_FILE)).unwrap();
    assert_eq!(held(2).root.rotate(&json).unwrap().version(), 2);
}
