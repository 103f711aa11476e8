//! `keys`: a developer's keys, apart by where they are kept.
//!
//! ```text
//! offline/  root-1.key root-2.key root-3.key PK.key KEK.key
//! online/   release-1.key release-2.key db.key
//! public/   root.json PK.der KEK.der db.der OVMF_VARS.fd
//! ```
//! `CEREMONY.md` says what to do with them.

mod rsa;

use crate::{Error, files};
use attest::release::{KeyRing, Root, TrustRoot, sign_root};
use boot::guid::OWNER;
use boot::secure_boot::Certificates;
use boot::variables;
use certs::SigningKey;
use ring::rand::SecureRandom;
use std::path::{Path, PathBuf};
use wire::UnixMs;
use zeroize::Zeroizing;

/// Keys that are taken out for ceremonies alone.
pub const OFFLINE: &str = "offline";
/// Keys that sign releases.
pub const ONLINE: &str = "online";
/// What everybody may see.
pub const PUBLIC: &str = "public";
/// The root in [`PUBLIC`].
pub const ROOT_FILE: &str = "root.json";
/// OVMF's variables in [`PUBLIC`], with the three certificates enrolled.
pub const VARIABLES_FILE: &str = "OVMF_VARS.fd";
const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
/// A root is renewed in a ceremony once a year; the second year is for one
/// that comes late.
const ROOT_MS: u64 = 2 * YEAR_MS;

/// The root that new keys follow, with enough of its keys.
#[derive(Debug)]
pub struct Previous {
    /// The root in force.
    pub root: TrustRoot,
    /// At least two of its keys.
    pub keys: Vec<SigningKey>,
}

impl Previous {
    /// Reads a `root.json` and the files of root keys.
    ///
    /// # Errors
    /// `file_failed`, `key_file_invalid`, `root_malformed`.
    pub fn load(root: &Path, keys: &[PathBuf]) -> Result<Self, Error> {
        let root = TrustRoot::parse(&files::read(root)?)?;
        let keys: Result<_, _> = keys.iter().map(|path| signing_key(path)).collect();
        Ok(Self { root, keys: keys? })
    }
}

/// Makes all keys and writes them into a new folder, `template` being a fresh
/// `OVMF_VARS_4M.fd`. With a `previous` root the new one follows it.
///
/// # Errors
/// `keys_exist`, `key_not_made`, `variables_malformed`, `file_failed`;
/// `root_threshold` or `root_signature_invalid` if viewers who trust the
/// previous root would not follow.
pub fn make(
    folder: &Path,
    template: &Path,
    previous: Option<&Previous>,
    now: UnixMs,
    rng: &dyn SecureRandom,
) -> Result<(), Error> {
    let template = files::read(template)?;
    let ring = KeyRing::generate(rng)?;
    let root = first_or_next(&ring, previous, now)?;
    for part in [OFFLINE, ONLINE, PUBLIC] {
        let part = folder.join(part);
        if part.exists() {
            return Err(Error::KeysExist(part));
        }
        files::make_own_folder(&part)?;
    }
    let (offline, online, public) = (
        folder.join(OFFLINE),
        folder.join(ONLINE),
        folder.join(PUBLIC),
    );
    for (folder, role, keys) in [
        (&offline, "root", ring.root.as_slice()),
        (&online, "release", &ring.release),
    ] {
        for (number, key) in (1..).zip(keys) {
            files::write_secret(&folder.join(format!("{role}-{number}.key")), key.seed())?;
        }
    }
    files::write(&public.join(ROOT_FILE), &root)?;
    let secure_boot = |folder: &Path, name: &str| {
        let (key, certificate) = rsa::generate(name, now, rng)?;
        files::write_secret(&folder.join(format!("{name}.key")), &key)?;
        files::write(&certificate_path(&public, name), &certificate)?;
        Ok::<_, Error>(certificate)
    };
    let certificates = Certificates {
        owner: OWNER,
        pk: secure_boot(&offline, "PK")?,
        kek: secure_boot(&offline, "KEK")?,
        db: secure_boot(&online, "db")?,
    };
    files::write(
        &public.join(VARIABLES_FILE),
        &variables::enrol(&template, &certificates)?,
    )
}

fn first_or_next(
    ring: &KeyRing,
    previous: Option<&Previous>,
    now: UnixMs,
) -> Result<Vec<u8>, Error> {
    let expires = now.plus_ms(ROOT_MS);
    let Some(previous) = previous else {
        return Ok(ring.first_root(expires)?);
    };
    let version = previous.root.version().saturating_add(1);
    let signers: Vec<_> = previous.keys.iter().chain(&ring.root).collect();
    let json = sign_root(&Root::new(version, expires, ring.roles()), &signers)?;
    previous.root.rotate(&json)?;
    Ok(json)
}

/// Reads the certificates of the folder [`PUBLIC`].
///
/// # Errors
/// `file_failed`.
pub fn certificates(public: &Path) -> Result<Certificates, Error> {
    let read = |name| files::read(&certificate_path(public, name));
    Ok(Certificates {
        owner: OWNER,
        pk: read("PK")?,
        kek: read("KEK")?,
        db: read("db")?,
    })
}

/// Reads the private key of `db`, PKCS#8.
///
/// # Errors
/// `file_failed`, `key_file_invalid`.
pub fn db_key(online: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    files::read_secret(&online.join("db.key"))
}

/// Reads the first release key.
///
/// # Errors
/// `file_failed`, `key_file_invalid`.
pub fn release_key(online: &Path) -> Result<SigningKey, Error> {
    signing_key(&online.join("release-1.key"))
}

fn signing_key(path: &Path) -> Result<SigningKey, Error> {
    let bytes = files::read_secret(path)?;
    let seed: Result<&[u8; 32], _> = bytes.as_slice().try_into();
    seed.map(|seed| SigningKey::from_seed(*seed))
        .map_err(|_| Error::KeyFile {
            path: path.to_owned(),
            detail: "it is not 32 bytes long; restore it from a backup",
        })
}

fn certificate_path(public: &Path, name: &str) -> PathBuf {
    public.join(format!("{name}.der"))
}
