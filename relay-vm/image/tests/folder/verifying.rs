//! Verification names what differs, and tells it from what cannot be known.

use crate::scene::{NOW, Scene, program};
use image::build::{DISK_FILE, IMAGE_FILE};
use image::inputs::From;
use image::verify::{Finding, Options, Outcome, verify};
use image::{build, files, keys};
use std::fs;
use std::path::Path;

fn options(keys: &Path) -> Options {
    let public = keys.join(keys::PUBLIC);
    Options {
        root: Some(public.join(keys::ROOT_FILE)),
        public: Some(public),
        against: None,
    }
}

/// The parts that do not hold, with their outcome.
fn findings(folder: &Path, options: &Options) -> Vec<(&'static str, Outcome)> {
    let all: Vec<Finding> = verify(folder, options, NOW).unwrap();
    assert!(all.len() >= 8, "{all:?}");
    all.into_iter()
        .filter(|finding| finding.outcome != Outcome::Holds)
        .map(|finding| (finding.part, finding.outcome))
        .collect()
}

#[test]
fn a_genuine_release_holds_in_every_part() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let against = Some(scene.build("rebuilt"));
    assert_eq!(
        findings(
            &folder,
            &Options {
                against,
                ..options(&keys)
            }
        ),
        []
    );
}

#[test]
fn what_cannot_be_checked_is_unknown() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let all = verify(&folder, &Options::default(), NOW).unwrap();
    let unknown: Vec<_> = all
        .iter()
        .filter(|f| f.outcome == Outcome::Unknown)
        .map(|f| f.part)
        .collect();
    assert_eq!(unknown, ["signature", "release"]);
    let no_certificates = Options {
        public: None,
        ..options(&keys)
    };
    assert_eq!(
        findings(&folder, &no_certificates),
        [
            ("signature", Outcome::Unknown),
            ("measurements", Outcome::Unknown)
        ]
    );
}

#[test]
fn an_image_with_another_part_differs_in_that_part() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let path = folder.join(IMAGE_FILE);
    let mut image = files::read(&path).unwrap();
    let place = image
        .windows(5)
        .position(|bytes| bytes == b"quiet")
        .unwrap();
    image[place..place + 5].copy_from_slice(b"debug");
    fs::write(&path, &image).unwrap();
    let differs = |part| (part, Outcome::Differs);
    assert_eq!(
        findings(&folder, &options(&keys)),
        ["command line", "image", "disk", "signature", "measurements"].map(differs)
    );
}

#[test]
fn a_disk_with_an_addition_differs() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let mut disk = files::read(&folder.join(DISK_FILE)).unwrap();
    let last = disk.len() - 20_000;
    disk[last] = 1;
    fs::write(folder.join(DISK_FILE), disk).unwrap();
    assert_eq!(
        findings(&folder, &options(&keys)),
        [("disk", Outcome::Differs)]
    );
}

#[test]
fn another_developers_release_differs() {
    let scene = Scene::new();
    let (own, foreign) = (scene.keys("own"), scene.keys("foreign"));
    let folder = scene.signed("image", &foreign);
    let all = verify(&folder, &options(&own), NOW).unwrap();
    let differs: Vec<_> = all
        .iter()
        .filter(|f| f.outcome == Outcome::Differs)
        .map(|f| f.part)
        .collect();
    assert_eq!(differs, ["signature", "release"]);
}

#[test]
fn a_release_past_its_end_differs() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let late = NOW.plus_ms(31 * 24 * 3600 * 1000);
    let all = verify(&folder, &options(&keys), late).unwrap();
    let release = all
        .iter()
        .find(|finding| finding.part == "release")
        .unwrap();
    assert_eq!(release.outcome, Outcome::Differs);
    assert!(release.detail.contains("expired"), "{}", release.detail);
}

#[test]
fn a_rebuild_from_other_inputs_is_unknown_and_one_from_the_same_must_be_equal() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let rebuilt = |name: &str, change: &dyn Fn(&mut build::Options)| {
        let mut other = scene.options();
        change(&mut other);
        build::build(&other, &scene.path(name)).unwrap();
        let against = Some(scene.path(name));
        findings(
            &folder,
            &Options {
                against,
                ..options(&keys)
            },
        )
    };
    let mut longer = crate::common::stub();
    longer[0x400] ^= 1;
    let path = "usr/lib/systemd/boot/efi/linuxx64.efi.stub".to_owned();
    scene.package("newer", &[(path, longer)]);
    let newer = From::File(scene.path("newer.deb"));
    let unknown = rebuilt("newer", &|options| options.stub = newer.clone());
    assert_eq!(unknown, [("rebuild", Outcome::Unknown)]);
    let other = [program(), b"else".to_vec()].concat();
    fs::write(scene.path("longer"), other).unwrap();
    let differs = rebuilt("other", &|options| {
        options.relay = Some(scene.path("longer"))
    });
    assert_eq!(differs, [("rebuild", Outcome::Differs)]);
}
