//! Packages, keys and images for the tests.

use crate::common::{kernel, module, stub};
use image::inputs::{From, Inputs};
use image::program::Source;
use image::{build, keys, sign};
use ring::rand::SystemRandom;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wire::UnixMs;

pub(crate) const NOW: UnixMs = UnixMs(1_780_000_000_000);
pub(crate) const COMMIT: &str = "0123456789012345678901234567890123456789";

/// A folder with packages and a program.
pub(crate) struct Scene(pub(crate) TempDir);

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        let modules = [
            "virtio_pci",
            "virtio_net",
            "virtio_console",
            "ena",
            "softdog",
        ];
        let mut files: Vec<_> = modules
            .iter()
            .map(|name| (format!("lib/modules/6.1/kernel/{name}.ko"), module("")))
            .collect();
        files.push(("boot/vmlinuz-6.1".into(), kernel()));
        scene.package("linux-image-test", &files);
        let path = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
        scene.package("systemd-boot-efi", &[(path.into(), stub())]);
        fs::write(scene.path("program"), program()).unwrap();
        scene.variables();
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a Debian package NAME.deb.
    pub(crate) fn package(&self, name: &str, files: &[(String, Vec<u8>)]) {
        let tree = self.path("tree");
        let mut all = files.to_vec();
        let copyright = format!("usr/share/doc/{name}/copyright");
        all.push((copyright, format!("of {name}").into_bytes()));
        let control = format!(
            "Package: {name}\nVersion: 252.39-1\nArchitecture: amd64\n\
             Maintainer: Nobody <nobody@example.org>\nDescription: test\n"
        );
        all.push(("DEBIAN/control".into(), control.into_bytes()));
        for (path, content) in all {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let mut command = Command::new("dpkg-deb");
        command
            .args(["--build", "--root-owner-group", "-Znone"])
            .arg(&tree);
        let done = command
            .arg(self.path(&format!("{name}.deb")))
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        fs::remove_dir_all(tree).unwrap();
    }

    /// An empty store of variables.
    fn variables(&self) {
        let mut bytes = vec![0; 72];
        let volume = [
            0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b,
            0x4f, 0x50,
        ];
        bytes[16..32].copy_from_slice(&volume);
        bytes[32..40].copy_from_slice(&20_000_u64.to_le_bytes());
        bytes[40..44].copy_from_slice(b"_FVH");
        bytes[48] = 72;
        bytes.extend_from_slice(&[
            0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3,
            0x77, 0x92,
        ]);
        bytes.extend_from_slice(&10_000_u32.to_le_bytes());
        bytes.extend_from_slice(&[0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        bytes.resize(20_000, 0xff);
        fs::write(self.path("variables"), bytes).unwrap();
    }

    pub(crate) fn options(&self) -> build::Options {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        build::Options {
            source: Source {
                folder: project,
                package: "probe".into(),
                program: "roundcast-probe".into(),
                target: self.path("target"),
            },
            relay: Some(self.path("program")),
            kernel: From::File(self.path("linux-image-test.deb")),
            stub: From::File(self.path("systemd-boot-efi.deb")),
            inputs: Inputs::load(None).unwrap(),
            cache: self.path("cache"),
        }
    }

    pub(crate) fn build(&self, name: &str) -> PathBuf {
        let out = self.path(name);
        build::build(&self.options(), &out).unwrap();
        out
    }

    pub(crate) fn keys(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        keys::make(
            &folder,
            &self.path("variables"),
            None,
            NOW,
            &SystemRandom::new(),
        )
        .unwrap();
        folder
    }

    pub(crate) fn signed(&self, name: &str, keys: &Path) -> PathBuf {
        let folder = self.build(name);
        sign::sign_folder(&folder, keys, &release(), NOW, &SystemRandom::new()).unwrap();
        folder
    }
}

/// What a release of the tests says.
pub(crate) fn release() -> sign::Options {
    sign::Options {
        channel: "stable".into(),
        version: "0.1.0".into(),
        security_version: 3,
        security_version_min: 2,
        days: 30,
        commit: Some(COMMIT.into()),
        software: None,
        denied: Vec::new(),
        without_secure_boot: false,
    }
}

/// An ELF header for x86-64 without segments: static, if useless.
pub(crate) fn program() -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend_from_slice(&[2, 0, 0x3e, 0, 1, 0, 0, 0]);
    header.resize(52, 0);
    header.extend_from_slice(&[64, 0, 56, 0, 0, 0, 64, 0, 0, 0, 0, 0]);
    header
}
