//! The commands of `CEREMONY.md`, on the program itself.

use crate::scene::{COMMIT, Scene};
use attest::release::TrustRoot;
use std::path::Path;
use std::process::{Command, Output};

fn tool(scene: &Scene, arguments: &[&str]) -> Output {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundcast-image"));
    for argument in arguments {
        // What begins so is a file of the scene.
        match argument.strip_prefix("@") {
            Some(name) => command.arg(scene.path(name)),
            None => command.arg(argument),
        };
    }
    command.current_dir(project).output().unwrap()
}

fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_release_is_built_signed_and_verified_by_the_commands_of_the_guide() {
    let scene = Scene::new();
    let steps: [&[&str]; 5] = [
        &["keys", "@keys", "--variables", "@variables"],
        &[
            "build",
            "--out",
            "@image",
            "--relay",
            "@program",
            "--kernel",
            "@linux-image-test.deb",
            "--stub",
            "@systemd-boot-efi.deb",
            "--cache",
            "@cache",
        ],
        &["measure", "@image", "--public", "@keys/public"],
        &[
            "sign",
            "@image",
            "--keys",
            "@keys",
            "--version",
            "0.1.0",
            "--security-version",
            "1",
            "--commit",
            COMMIT,
        ],
        &[
            "verify",
            "@image",
            "--root",
            "@keys/public/root.json",
            "--public",
            "@keys/public",
        ],
    ];
    for step in steps {
        let output = tool(&scene, step);
        assert!(output.status.success(), "{}: {}", step[0], text(&output));
        let said = text(&output);
        match step[0] {
            "build" => assert!(said.contains("NOT the pinned one"), "{said}"),
            "measure" => {
                assert_eq!(said.matches("\"bank\"").count(), 4, "{said}");
                assert_eq!(said.matches("\"digest\"").count(), 4, "{said}");
            }
            // The program was given: nobody knows its commit.
            "verify" => assert_eq!(
                said.lines()
                    .filter(|line| !line.starts_with("holds "))
                    .count(),
                usize::from(said.contains("unknown  commit")),
                "{said}"
            ),
            _ => {}
        }
    }
    renewed_and_revoking(&scene);
    followed(&scene);
    let output = tool(&scene, &["verify", "@image", "--against", "@image"]);
    assert!(text(&output).contains("holds    rebuild"), "{output:?}");
    std::fs::write(scene.path("image/disk.img"), "x").unwrap();
    let output = tool(&scene, &["verify", "@image"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("DIFFERS  disk"), "{}", text(&output));
}

/// The guide's renewal, with a revocation in it.
fn renewed_and_revoking(scene: &Scene) {
    let digest = "ab".repeat(32);
    let sign = |digest: &str| {
        let words = ["sign", "@image", "--keys", "@keys", "--version", "0.1.0"];
        let more = [
            "--security-version",
            "1",
            "--commit",
            COMMIT,
            "--deny",
            digest,
        ];
        tool(scene, &[words.as_slice(), &more].concat())
    };
    let output = sign(&digest);
    assert!(output.status.success(), "{}", text(&output));
    let output = sign(&digest.to_uppercase());
    assert!(text(&output).contains("--deny"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(2));
}

/// The guide's later ceremony: two of the old root's keys, and not one alone.
fn followed(scene: &Scene) {
    let (first, second) = ("@keys/offline/root-1.key", "@keys/offline/root-2.key");
    let keys = |folder, more: &[&str]| {
        let words = ["keys", folder, "--variables", "@variables"];
        let follows = ["--follows", "@keys/public/root.json", "--root-key", first];
        tool(scene, &[words.as_slice(), &follows, more].concat())
    };
    let output = keys("@alone", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("1 of 2"), "{}", text(&output));
    let output = keys("@next", &["--root-key", second]);
    assert!(output.status.success(), "{}", text(&output));
    let root = |keys: &str| std::fs::read(scene.path(keys).join("public/root.json")).unwrap();
    let followed = TrustRoot::parse(&root("keys")).unwrap();
    assert_eq!(followed.rotate(&root("next")).unwrap().version(), 2);
}

#[test]
fn a_missing_tool_is_named_with_its_package() {
    let scene = Scene::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundcast-image"));
    command
        .args(["build", "--kernel"])
        .arg(scene.path("linux-image-test.deb"));
    command
        .arg("--out")
        .arg(scene.path("image"))
        .arg("--cache")
        .arg(scene.path("cache"));
    let output = command.env("PATH", scene.0.path()).output().unwrap();
    let said = text(&output);
    assert!(
        said.contains("dpkg-deb: not installed; `apt-get install dpkg`"),
        "{said}"
    );
}
