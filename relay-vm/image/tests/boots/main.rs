//! Real boots under emulation: what firmware refuses, and that the registers
//! hold what was predicted. Each takes half a minute and needs QEMU, OVMF,
//! swtpm and a Debian mirror, so they run where they are named, as the step
//! `boots` of `tests/run` does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test"
)]

mod console;
mod guest;
mod world;

use boot::event_log;
use boot::pcr::Bank;
use boot::predict::REGISTERS;
use data_encoding::HEXLOWER;
use guest::{End, boot};
use image::files;
use image::inputs::{From, obtain};
use image::measure::measure;
use image::recipe::{self, Recipe};
use std::path::Path;
use std::process::Command;
use world::{NO_KEYS, WORLD};

fn ran(end: End) -> String {
    match end {
        End::Ran(console) => console,
        End::Refused => panic!("firmware refused the image"),
    }
}

/// Every released register, in both banks, is as predicted; and the firmware's
/// log, replayed, leads to the values that it was told.
fn as_predicted(console: &str, setting: &str) {
    let events = console::events(console);
    let profiles = measure(&WORLD.image_folder(), Some(&WORLD.public())).unwrap();
    let mut seen = 0;
    for profile in profiles
        .iter()
        .filter(|profile| profile.name.starts_with(setting))
    {
        for register in REGISTERS {
            let value = console::register(console, profile.bank, register);
            let what = format!("{} register {register}", profile.name);
            assert_eq!(
                profile.value(register).unwrap(),
                value,
                "{what}: predicted, measured"
            );
            let replayed = event_log::replay(&events, u32::from(register), profile.bank);
            assert_eq!(
                HEXLOWER.encode(replayed.value()),
                value,
                "{what}: log, measured"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, REGISTERS.len() * Bank::ALL.len());
}

#[test]
fn an_own_signed_image_boots_and_measures_as_predicted() {
    let disk = WORLD.disk("own.img", &WORLD.signed_by("own"));
    let console = ran(boot(&disk, &WORLD.variables()));
    as_predicted(&console, "ovmf-secure-boot");
    all_modules_loaded(&console);
}

/// Secure Boot locks the kernel down: it takes signed modules only.
fn all_modules_loaded(console: &str) {
    let recipe: Recipe = files::read_json(&WORLD.image_folder(), recipe::FILE).unwrap();
    let loaded = console
        .lines()
        .filter_map(|line| line.trim_end().split_once("probe loaded "));
    let loaded: Vec<_> = loaded.map(|(_, name)| name).collect();
    let listed: Vec<_> = recipe
        .modules
        .iter()
        .map(|module| module.name.as_str())
        .collect();
    assert_eq!(loaded, listed);
}

#[test]
fn a_pin_that_the_mirror_has_dropped_gives_way_to_the_current_version_and_is_told() {
    let options = world::options("probe");
    let cache = options.cache.join("gone");
    for mut pin in [options.inputs.kernel, options.inputs.stub] {
        pin.version = "0.0-gone".into();
        let origin = obtain(&pin, &From::Mirror, &cache).unwrap().origin;
        assert!(!origin.pinned);
        assert_ne!(origin.version, pin.version);
    }
}

#[test]
fn without_keys_an_unsigned_image_boots_and_measures_as_predicted() {
    let disk = WORLD.disk("free.img", &WORLD.image);
    as_predicted(&ran(boot(&disk, Path::new(NO_KEYS))), "ovmf-setup-mode");
}

#[test]
fn another_implementation_accepts_the_signature_and_refuses_a_foreign_one() {
    let path = WORLD.image_folder().join("certificate.pem");
    let der = std::fs::read(WORLD.public().join("db.der")).unwrap();
    let base64 = data_encoding::BASE64.encode(&der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    std::fs::write(&path, pem).unwrap();
    for (developer, accepted) in [("own", true), ("foreign", false)] {
        let image = path.with_extension(developer);
        std::fs::write(&image, WORLD.signed_by(developer)).unwrap();
        let status = Command::new("sbverify")
            .arg("--cert")
            .arg(&path)
            .arg(&image)
            .status();
        assert_eq!(status.unwrap().success(), accepted, "{developer}");
    }
}

#[test]
fn an_unsigned_image_is_refused() {
    let disk = WORLD.disk("unsigned.img", &WORLD.image);
    assert_eq!(boot(&disk, &WORLD.variables()), End::Refused);
}

#[test]
fn a_foreign_signed_image_is_refused() {
    let disk = WORLD.disk("foreign.img", &WORLD.signed_by("foreign"));
    assert_eq!(boot(&disk, &WORLD.variables()), End::Refused);
}

/// Signed, and changed since by one bit, in a section that is only words: the
/// image could boot.
fn flipped() -> Vec<u8> {
    let mut image = WORLD.signed_by("own");
    let recipe: Recipe = files::read_json(&WORLD.image_folder(), recipe::FILE).unwrap();
    let words = recipe.os_release.as_bytes();
    let at = image
        .windows(words.len())
        .position(|window| window == words);
    image[at.unwrap()] ^= 1;
    image
}

#[test]
fn an_image_with_one_bit_flipped_after_signing_is_refused() {
    let disk = WORLD.disk("flipped.img", &flipped());
    assert_eq!(boot(&disk, &WORLD.variables()), End::Refused);
}

/// What Secure Boot refuses boots without it: nothing else stops it.
#[test]
fn without_keys_a_foreign_and_an_altered_image_boot() {
    for (name, image) in [
        ("foreign", WORLD.signed_by("foreign")),
        ("flipped", flipped()),
    ] {
        let disk = WORLD.disk(&format!("{name}-free.img"), &image);
        ran(boot(&disk, Path::new(NO_KEYS)));
    }
}

#[test]
fn a_credential_beside_the_image_boots_and_shows_in_register_12() {
    let disk = WORLD.disk("credential.img", &WORLD.signed_by("own"));
    let secret = disk.with_extension("cred");
    std::fs::write(&secret, "anything").unwrap();
    let volume = format!("{}@@1M", disk.display());
    let folder = "::/EFI/BOOT/BOOTX64.EFI.extra.d";
    for (tool, arguments) in [
        ("mmd", vec![folder.to_owned()]),
        (
            "mcopy",
            vec![secret.display().to_string(), format!("{folder}/evil.cred")],
        ),
    ] {
        let status = Command::new(tool)
            .args(["-i", &volume])
            .args(arguments)
            .status();
        assert!(status.unwrap().success(), "{tool} fails; install mtools");
    }
    let console = ran(boot(&disk, &WORLD.variables()));
    let profiles = measure(&WORLD.image_folder(), Some(&WORLD.public())).unwrap();
    let expected = &profiles[0];
    for register in REGISTERS {
        let same = expected.value(register).unwrap()
            == console::register(&console, expected.bank, register);
        assert_eq!(same, !matches!(register, 9 | 12), "register {register}");
    }
}
