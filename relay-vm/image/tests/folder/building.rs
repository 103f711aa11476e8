//! Building: the same bytes twice, and bad inputs by name.

use crate::common::kernel;
use crate::scene::{Scene, program};
use image::inputs::{From, Inputs};
use image::{Error, build, program as programs};
use std::fs;
use std::path::Path;

#[test]
fn two_builds_in_two_folders_give_the_same_bytes() {
    let scene = Scene::new();
    let (one, two) = (scene.build("one"), scene.build("two"));
    let mut names: Vec<_> = fs::read_dir(&one)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "GPL-2.txt",
            "GPL-3.txt",
            "LGPL-2.1.txt",
            "disk.img",
            "glibc-copyright",
            "kernel-copyright",
            "libgcc-copyright",
            "recipe.json",
            "relay.efi",
            "sbom.json",
            "source-offer.txt",
            "stub-copyright",
        ]
    );
    for name in names {
        assert_eq!(
            fs::read(one.join(&name)).unwrap(),
            fs::read(two.join(&name)).unwrap(),
            "{name:?}"
        );
    }
}

#[test]
fn no_file_of_an_image_names_a_place_of_this_machine() {
    let scene = Scene::new();
    let folder = scene.build("image");
    let places = [
        scene.0.path().display().to_string(),
        env!("CARGO_MANIFEST_DIR").to_owned(),
    ];
    for name in ["recipe.json", "sbom.json", "source-offer.txt", "relay.efi"] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for place in &places {
            assert!(!text.contains(place.as_str()), "{name} names {place}");
        }
    }
}

#[test]
fn the_bill_lists_what_is_in_the_image_with_licences() {
    let scene = Scene::new();
    let text = fs::read_to_string(scene.build("image").join("sbom.json")).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    let components = bill["components"].as_array().unwrap();
    let names: Vec<_> = components
        .iter()
        .filter_map(|part| part["name"].as_str())
        .collect();
    for name in [
        "linux-image-test",
        "systemd-boot-efi",
        "glibc",
        "libgcc",
        "rust-std",
        "probe",
        "rustix",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(
        components
            .iter()
            .all(|part| part["licenses"][0]["expression"] != "")
    );
}

/// Section 6 of the LGPL: the library's licence, its source, and the means to
/// link the program with another one.
#[test]
fn the_licences_of_all_that_is_passed_on_are_in_the_folder() {
    let scene = Scene::new();
    let folder = scene.build("image");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("stub-copyright"), "of systemd-boot-efi");
    assert!(read("glibc-copyright").contains("GNU C Library"));
    assert!(read("LGPL-2.1.txt").contains("GNU LESSER GENERAL PUBLIC LICENSE"));
    let offer = read("source-offer.txt");
    for words in [
        "The GNU C Library",
        "apt-get source glibc",
        "another C library",
    ] {
        assert!(offer.contains(words), "{words} in {offer}");
    }
}

fn refused(scene: &Scene, change: impl FnOnce(&mut build::Options)) -> Error {
    let mut options = scene.options();
    change(&mut options);
    let out = scene.path("refused");
    let error = build::build(&options, &out).unwrap_err();
    assert!(!out.exists(), "a refused build leaves nothing behind");
    error
}

#[test]
fn bad_inputs_are_refused_by_name() {
    let scene = Scene::new();
    let stub = scene.path("systemd-boot-efi.deb");
    let error = refused(&scene, |options| options.kernel = From::File(stub));
    assert_eq!(error.reason(), "package_content");
    let kernel_package = scene.path("linux-image-test.deb");
    let error = refused(&scene, |options| {
        options.stub = From::File(kernel_package.clone())
    });
    assert_eq!(error.reason(), "package_content");
    let cut = scene.path("cut.deb");
    let whole = fs::read(&kernel_package).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let error = refused(&scene, |options| options.kernel = From::File(cut));
    assert_eq!(error.reason(), "tool_failed");
    let error = refused(&scene, |options| {
        options.kernel = From::File(scene.path("none.deb"))
    });
    assert_eq!(error.reason(), "tool_failed");
    let error = refused(&scene, |options| {
        options.inputs.image.modules.push("virtio_gpu".into())
    });
    assert_eq!(error.reason(), "module_missing");
    let error = refused(&scene, |options| options.relay = Some(scene.path("none")));
    assert_eq!(error.reason(), "file_failed");
}

#[test]
fn a_truncated_kernel_is_refused() {
    let scene = Scene::new();
    let whole = kernel();
    let files = [
        (
            "boot/vmlinuz-6.1".to_owned(),
            whole[..whole.len() - 512].to_vec(),
        ),
        (
            "lib/modules/6.1/virtio_pci.ko".to_owned(),
            crate::common::module(""),
        ),
    ];
    scene.package("short", &files);
    let error = refused(&scene, |options| {
        options.kernel = From::File(scene.path("short.deb"));
        options.inputs.image.modules = vec!["virtio_pci".into()];
    });
    assert_eq!(error.reason(), "executable_truncated");
}

#[test]
fn a_package_that_has_the_pinned_name_and_other_bytes_is_refused() {
    let scene = Scene::new();
    let error = refused(&scene, |options| {
        options.inputs.kernel.package = "linux-image-test".into();
        options.inputs.kernel.version = "252.39-1".into();
    });
    assert_eq!(error.reason(), "input_changed");
}

#[test]
fn a_program_that_needs_a_dynamic_linker_or_another_machine_is_refused() {
    let scene = Scene::new();
    let test_program = std::env::current_exe().unwrap();
    let error = refused(&scene, |options| options.relay = Some(test_program));
    assert_eq!(error.reason(), "program_dynamic");
    let mut other = program();
    other[18] = 0xb7; // AArch64
    let reason = |bytes: &[u8]| programs::check(bytes, Path::new("x")).unwrap_err().reason();
    assert_eq!(reason(&other), "executable_malformed");
    assert_eq!(reason(b"#!/bin/sh"), "executable_malformed");
}

#[test]
fn an_image_over_the_limit_is_refused() {
    let scene = Scene::new();
    let mut large = program();
    large.resize(build::IMAGE_BYTES_MAX, 1);
    fs::write(scene.path("large"), large).unwrap();
    let error = refused(&scene, |options| options.relay = Some(scene.path("large")));
    assert_eq!(error.reason(), "image_too_large");
}

#[test]
fn a_list_of_inputs_with_an_unknown_field_is_refused() {
    let scene = Scene::new();
    let path = scene.path("inputs.toml");
    fs::write(&path, "[kernel]\npackage = \"x\"\nwildcard = true\n").unwrap();
    assert_eq!(
        Inputs::load(Some(&path)).unwrap_err().reason(),
        "inputs_malformed"
    );
}
