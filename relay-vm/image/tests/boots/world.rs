//! An image with the probe as its program, and two developers' keys.

use boot::authenticode::{self, Signer};
use boot::disk;
use image::build::{self, IMAGE_FILE};
use image::inputs::{From, Inputs};
use image::program::Source;
use image::{files, keys};
use ring::rand::SystemRandom;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use wire::UnixMs;

/// Fresh variables: no keys, so no signature is checked.
pub(crate) const NO_KEYS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const NOW: UnixMs = UnixMs(1_780_000_000_000);

/// Made once for all tests of this program.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::make);

pub(crate) struct World {
    folder: TempDir,
    /// `relay.efi`, unsigned.
    pub(crate) image: Vec<u8>,
}

/// What to build the probe's image from; both folders are kept between runs.
pub(crate) fn options(target: &str) -> build::Options {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    build::Options {
        source: Source {
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
            package: "probe".into(),
            program: "roundcast-probe".into(),
            target: kept.join(target),
        },
        relay: None,
        kernel: From::Mirror,
        stub: From::Mirror,
        inputs: Inputs::load(None).unwrap(),
        cache: kept.join("packages"),
    }
}

impl World {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        build::build(&options("probe"), &folder.path().join("image")).unwrap();
        for developer in ["own", "foreign"] {
            let keys = folder.path().join(developer);
            keys::make(&keys, Path::new(NO_KEYS), None, NOW, &SystemRandom::new()).unwrap();
        }
        let image = files::read(&folder.path().join("image").join(IMAGE_FILE)).unwrap();
        Self { folder, image }
    }

    pub(crate) fn image_folder(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.folder.path().join("own").join(keys::PUBLIC)
    }

    /// Variables with the own developer's keys.
    pub(crate) fn variables(&self) -> PathBuf {
        self.public().join(keys::VARIABLES_FILE)
    }

    /// The image, signed.
    pub(crate) fn signed_by(&self, developer: &str) -> Vec<u8> {
        let keys = self.folder.path().join(developer);
        let certificate = keys::certificates(&keys.join(keys::PUBLIC)).unwrap().db;
        let key = keys::db_key(&keys.join(keys::ONLINE)).unwrap();
        let signer = Signer {
            certificate: &certificate,
            key: &key,
        };
        authenticode::sign(&self.image, &signer, &SystemRandom::new()).unwrap()
    }

    /// A disk with an executable.
    pub(crate) fn disk(&self, name: &str, executable: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        files::write_sparse(&path, &disk::write(executable).unwrap()).unwrap();
        path
    }
}
