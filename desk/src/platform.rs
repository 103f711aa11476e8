//! The desk as a platform: it certifies what it started, and judges nothing.
//! Of evidence kind `software` that is a program's hash and key, of kind
//! `tpm2` the attestation key of a machine's TPM.

use crate::error::LaunchFailure;
use attest::software::{PlatformStatement, SignedPlatform, certify};
use attest::tpm2::{self, SignedTpmStatement, TpmStatement};
use certs::SigningKey;
use certs::order::{id, parameters_digest};
use ring::digest::{Context, SHA256};
use std::io::Read;
use std::path::{Path, PathBuf};
use wire::codec::Blob;
use wire::order::{Order, Parameters};
use wire::{Digest, PublicKey, UnixMs};

/// Bytes read at once while hashing.
const READ_BYTES: usize = 64 * 1024;

/// SHA-256 of the program that runs as process `pid`. It is read through the
/// process and not through the path: the kernel refuses writes to a program
/// that is being executed, so what is hashed is what runs, even if the path
/// was replaced since.
///
/// # Errors
/// [`LaunchFailure::Measure`].
pub fn measure_process(pid: u32) -> Result<Digest, LaunchFailure> {
    measure(&PathBuf::from(format!("/proc/{pid}/exe")))
}

/// SHA-256 of a file.
///
/// # Errors
/// [`LaunchFailure::Measure`].
pub fn measure(path: &Path) -> Result<Digest, LaunchFailure> {
    let mut file = std::fs::File::open(path).map_err(|_| LaunchFailure::Measure)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = file.read(&mut buffer).map_err(|_| LaunchFailure::Measure)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        context.update(read);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(Digest(digest))
}

/// What was started, to be certified.
#[derive(Debug)]
pub struct Started<'a> {
    /// SHA-256 of the running program.
    pub executable_sha256: Digest,
    /// What it was started for.
    pub order: &'a Order,
    /// What it was started with.
    pub parameters: &'a Parameters,
    /// The `release.json` that it was started with.
    pub release: &'a [u8],
    /// The attestation key that it made.
    pub boot_key: PublicKey,
}

impl Started<'_> {
    /// The desk's signature over it.
    ///
    /// # Errors
    /// [`LaunchFailure::Platform`].
    pub fn certify(&self, desk: &SigningKey, now: UnixMs) -> Result<SignedPlatform, LaunchFailure> {
        let statement = PlatformStatement {
            executable_sha256: self.executable_sha256,
            order: id(self.order),
            parameters: parameters_digest(self.parameters),
            release: Digest(voucher::encoding::sha256(self.release)),
            boot_key: self.boot_key,
            issued: now,
        };
        certify(desk, &statement).map_err(|_| LaunchFailure::Platform)
    }
}

/// A TPM's key that has shown where it lives, to be certified.
#[derive(Debug)]
pub struct Activated<'a> {
    /// The attestation key's `TPMT_PUBLIC`.
    pub ak_public: &'a [u8],
    /// SHA-256 of the endorsement key's certificate.
    pub ek_certificate: Digest,
    /// The desk's name for this boot.
    pub boot: [u8; 16],
    /// What the machine was started for.
    pub order: &'a Order,
    /// What the relay was started with.
    pub parameters: &'a Parameters,
    /// The `release.json` that it was started with.
    pub release: &'a [u8],
    /// End of the lease.
    pub until: UnixMs,
}

impl Activated<'_> {
    /// The desk's signature over it.
    ///
    /// # Errors
    /// [`LaunchFailure::Platform`].
    pub fn certify(
        &self,
        desk: &SigningKey,
        now: UnixMs,
    ) -> Result<SignedTpmStatement, LaunchFailure> {
        let statement = TpmStatement {
            ak_public: Blob::new(self.ak_public.to_vec()).map_err(|_| LaunchFailure::Platform)?,
            ek_certificate_digest: self.ek_certificate,
            boot: self.boot,
            order: id(self.order),
            parameters_digest: parameters_digest(self.parameters),
            release_digest: Digest(voucher::encoding::sha256(self.release)),
            issued: now,
            until: self.until,
        };
        tpm2::certify(desk, &statement).map_err(|_| LaunchFailure::Platform)
    }
}
