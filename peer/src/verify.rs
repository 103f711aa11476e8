//! `roundcast verify`: what an invite, a relay's evidence or a release is
//! worth, offline and step by step. It says of when it speaks: a certificate
//! is judged now or, with `--archived`, at its own time; a platform's document
//! is judged live, with the nonce that it was asked for with, or at its own
//! time; a saved quote by a key that a cloud certified at the time that its file
//! names.
//!
//! Exit codes: 0 verified, 3 refused or expired, 4 unknown (no root, or a
//! kind of evidence that this build cannot judge), 2 usage.

mod invite;
mod report;

#[cfg(test)]
mod tests;

use crate::config::read_bounded;
use crate::{Error, cli};
use attest::offline;
use link::RelayTrust;
use report::Report;
use std::io;
use std::path::Path;
use wire::UnixMs;
use wire::limits::CERTIFICATE_BYTES_MAX;

/// A relay's program, in bytes: with debug information it has tens of MB.
const PROGRAM_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// A certificate or a `release.json`, in bytes; each has a stricter bound
/// where it is parsed.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const _: () = assert!(CERTIFICATE_BYTES_MAX as u64 <= FILE_BYTES_MAX);
const _: () = assert!(attest::release::RELEASE_BYTES_MAX as u64 <= FILE_BYTES_MAX);
const _: () = assert!(offline::AK_QUOTE_BYTES_MAX as u64 <= FILE_BYTES_MAX);

const RELEASE: &str = "release.json";
const PROGRAM: &str = "roundcast-relay";

/// Explains what `options.what` is and proves.
///
/// # Errors
/// [`Error::Usage`] if it is none of these; [`Error::File`];
/// [`Error::Attest`] for a bad `--trust-root`.
pub fn run(options: &cli::Verify) -> Result<u8, Error> {
    let report = explain(options, crate::wallet::now())?;
    report.print(options.json);
    Ok(report.status().exit_code())
}

fn explain(options: &cli::Verify, now: UnixMs) -> Result<Report, Error> {
    if options.what.starts_with("roundcast:") {
        return Ok(invite::explain(&options.what));
    }
    let path = Path::new(&options.what);
    let trust = options.trust.resolve()?;
    if let Some(banner) = &trust.banner {
        eprintln!("{banner}");
    }
    let (roots, policy) = (&trust.relays.roots, &trust.relays.policy);
    if path.is_dir() {
        let release = file(&path.join(RELEASE))?;
        let program = program(&path.join(PROGRAM))?;
        let program = program.as_deref();
        let explanation = offline::verify_release(&release, program, roots, policy, now);
        return Ok(Report::of("release", explanation));
    }
    let bytes = file(path)?;
    match bytes.first() {
        Some(&DER_SEQUENCE) => {
            let explanation = if options.archived {
                offline::verify_certificate_archived(&bytes, roots, policy)
            } else {
                offline::verify_certificate(&bytes, roots, policy, now)
            };
            Ok(Report::of("certificate", explanation))
        }
        Some(&COSE_ARRAY | &COSE_TAG) => document(options, &bytes, &trust.relays, now),
        Some(&JSON_OBJECT) if offline::is_ak_quote(&bytes) => {
            ak_quote(options, &bytes, &trust.relays)
        }
        Some(&JSON_OBJECT) => {
            let explanation = offline::verify_release(&bytes, None, roots, policy, now);
            Ok(Report::of("release", explanation))
        }
        _ => Err(NEITHER),
    }
}

/// A platform's document, compared with `--release`.
fn document(
    options: &cli::Verify,
    bytes: &[u8],
    trust: &RelayTrust,
    now: UnixMs,
) -> Result<Report, Error> {
    let release = options.release.as_deref().map(file).transpose()?;
    let release = release.as_deref();
    let (roots, policy) = (&trust.roots, &trust.policy);
    let explanation = match &options.nonce {
        Some(nonce) => {
            let nonce = hex::decode(nonce)
                .map_err(|_| Error::Usage("--nonce is a row of hexadecimal digits"))?;
            offline::verify_document_live(bytes, release, roots, policy, now, &nonce)
        }
        None => offline::verify_document_archived(bytes, release, roots, policy),
    };
    Ok(Report::of("document", explanation))
}

/// A saved quote by a key that a cloud certified, compared with `--release`.
fn ak_quote(options: &cli::Verify, bytes: &[u8], trust: &RelayTrust) -> Result<Report, Error> {
    if options.nonce.is_some() {
        return Err(Error::Usage(
            "--nonce is for a platform's document; a saved quote is judged at its own time",
        ));
    }
    let release = options.release.as_deref().map(file).transpose()?;
    let explanation =
        offline::verify_ak_quote_archived(bytes, release.as_deref(), &trust.roots, &trust.policy);
    Ok(Report::of("ak_quote", explanation))
}

/// First byte of each kind of file. Two are JSON: a saved quote names its
/// schema, whatever does not is a release.
const DER_SEQUENCE: u8 = 0x30;
const JSON_OBJECT: u8 = b'{';
/// A CBOR array of four, and tag 18 before it (RFC 9052).
const COSE_ARRAY: u8 = 0x84;
const COSE_TAG: u8 = 0xd2;

const NEITHER: Error = Error::Usage(
    "WHAT is an invite (roundcast:...), a relay's certificate (DER), a platform's document (COSE), \
     a saved quote of a cloud's instance (JSON), a release.json, or a folder with one",
);

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    match read_bounded(path, FILE_BYTES_MAX, "verify") {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Err(NEITHER),
        result => result,
    }
}

/// The release's program; a folder without one is a release all the same.
fn program(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_bounded(path, PROGRAM_BYTES_MAX, "verify") {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
