//! Verification names what differs, and tells it from what cannot be known.

use crate::scene::{COMMIT, NOW, Scene, program};
use image::build::{DISK_FILE, IMAGE_FILE};
use image::inputs::From;
use image::recipe::{self, Recipe};
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

/// The images here are made of a program that was given, not compiled.
const COMMIT_UNKNOWN: (&str, Outcome) = ("commit", Outcome::Unknown);

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
        [COMMIT_UNKNOWN]
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
            COMMIT_UNKNOWN,
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
    let mut found = findings(&folder, &options(&keys));
    found.retain(|finding| *finding != COMMIT_UNKNOWN);
    assert_eq!(
        found,
        ["command line", "image", "disk", "signature", "measurements"].map(differs)
    );
}

const fn differs(part: &str) -> (&str, Outcome) {
    (part, Outcome::Differs)
}

/// The recipe of a folder, altered.
fn rewrite(folder: &Path, change: impl FnOnce(&mut Recipe)) {
    let mut recipe: Recipe = files::read_json(folder, recipe::FILE).unwrap();
    change(&mut recipe);
    files::write_json(folder, recipe::FILE, &recipe).unwrap();
}

#[test]
fn a_recipe_that_is_not_this_image_s_differs_in_each_part() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    type Change = fn(&mut Recipe);
    let changes: [(&str, Change); 6] = [
        ("program", |recipe| recipe.program.sha256 = "00".into()),
        ("stub", |recipe| recipe.stub.version_text = "252.1".into()),
        ("modules", |recipe| recipe.modules[0].sha256 = "00".into()),
        ("modules", |recipe| recipe.modules.reverse()),
        ("modules", |recipe| drop(recipe.modules.pop())),
        ("commit", |recipe| {
            recipe.program.commit = Some("0".repeat(40))
        }),
    ];
    for (part, change) in changes {
        let altered = scene.signed("altered", &keys);
        rewrite(&altered, change);
        let mut found = findings(&altered, &options(&keys));
        found.retain(|finding| *finding != COMMIT_UNKNOWN);
        assert_eq!(found, [differs(part)]);
        fs::remove_dir_all(altered).unwrap();
    }
    rewrite(&folder, |recipe| recipe.kernel.origin.version = "7".into());
    assert_eq!(
        findings(&folder, &options(&keys)),
        [COMMIT_UNKNOWN, differs("recipe")]
    );
}

#[test]
fn a_commit_that_the_recipe_names_is_the_release_s() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    rewrite(&folder, |recipe| {
        recipe.program.commit = Some(COMMIT.into())
    });
    assert_eq!(findings(&folder, &options(&keys)), []);
}

/// The cheapest lie about a rebuild: a copied recipe.
#[test]
fn a_copied_recipe_is_no_rebuild() {
    let scene = Scene::new();
    let keys = scene.keys("keys");
    let folder = scene.signed("image", &keys);
    let other = [program(), b"else".to_vec()].concat();
    fs::write(scene.path("program"), other).unwrap();
    let copied = scene.build("copied");
    fs::copy(folder.join(recipe::FILE), copied.join(recipe::FILE)).unwrap();
    let against = Options {
        against: Some(copied.clone()),
        ..options(&keys)
    };
    assert_eq!(
        findings(&folder, &against),
        [COMMIT_UNKNOWN, differs("rebuild")]
    );
    fs::remove_file(copied.join(IMAGE_FILE)).unwrap();
    assert_eq!(
        verify(&folder, &against, NOW).unwrap_err().reason(),
        "file_failed"
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
        [differs("disk"), COMMIT_UNKNOWN]
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
    assert_eq!(unknown, [COMMIT_UNKNOWN, ("rebuild", Outcome::Unknown)]);
    let other = [program(), b"else".to_vec()].concat();
    fs::write(scene.path("longer"), other).unwrap();
    let differs = rebuilt("other", &|options| {
        options.relay = Some(scene.path("longer"))
    });
    assert_eq!(differs, [COMMIT_UNKNOWN, ("rebuild", Outcome::Differs)]);
}
