//! A developer for one evening: a trust root of three keys, two of which are
//! needed, and a release of the relay that was just built.

use super::error::Error;
use attest::release::{KeyRing, Release, SoftwareMeasurement};
use ring::rand::SystemRandom;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::UnixMs;

/// What the desk looks for in a bundle.
const RELAY_FILE: &str = "roundcast-relay";
const RELEASE_FILE: &str = "release.json";
/// What the orders of the evening name.
const CHANNEL: &str = "stable";
/// The relay is built from a working tree, which has no commit.
const UNCOMMITTED: &str = "0000000000000000000000000000000000000000";
/// How it was built.
const RECIPE: &str = "cargo build --profile demo -p relay-vm";
/// The keys are thrown away after the evening, which lasts an hour at most.
const LIFE_MS: u64 = 24 * 60 * 60 * 1000;

/// Signs `relay` into the folder `bundle`, under a fresh root in `root`.
///
/// # Errors
/// [`Error::Folder`], [`Error::Release`].
pub fn make(relay: &Path, bundle: &Path, root: &Path) -> Result<(), Error> {
    let executable = bundle.join(RELAY_FILE);
    fs::copy(relay, &executable).map_err(|source| Error::folder(&executable, source))?;
    let bytes = fs::read(&executable).map_err(|source| Error::folder(&executable, source))?;
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let executable_sha256 = wire::Digest::from_hex(&hex::encode(digest))
        .ok_or(Error::Release("measure the relay"))?
        .into();

    let now = UnixMs(unix_ms());
    let expires = now.plus_ms(LIFE_MS);
    let keys = KeyRing::generate(&SystemRandom::new()).map_err(|_| Error::Release("make keys"))?;
    let version = env!("CARGO_PKG_VERSION");
    let mut release = Release::new(CHANNEL, version, UNCOMMITTED, RECIPE, now, expires);
    release.measurements.software = Some(SoftwareMeasurement { executable_sha256 });
    let signed = keys
        .sign_release(&release)
        .map_err(|_| Error::Release("sign the release"))?;
    let root_json = keys
        .first_root(expires)
        .map_err(|_| Error::Release("sign the root"))?;
    for (path, text) in [
        (bundle.join(RELEASE_FILE), signed),
        (root.to_owned(), root_json),
    ] {
        fs::write(&path, text).map_err(|source| Error::folder(&path, source))?;
    }
    Ok(())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use attest::release::{TrustRoot, verify};

    #[test]
    fn the_release_holds_under_its_root_and_measures_the_relay() {
        let place = tempfile::tempdir().unwrap();
        let relay = place.path().join("built");
        fs::write(&relay, b"a relay").unwrap();
        let root = place.path().join("root.json");
        make(&relay, place.path(), &root).unwrap();

        let root = TrustRoot::parse(&fs::read(root).unwrap()).unwrap();
        let json = fs::read(place.path().join(RELEASE_FILE)).unwrap();
        let release = verify(&json, &root, UnixMs(unix_ms())).unwrap();
        let measured = release.measurements.software.as_ref().unwrap();
        let expected = ring::digest::digest(&ring::digest::SHA256, b"a relay");
        assert_eq!(measured.executable_sha256.0, expected.as_ref());
    }
}
