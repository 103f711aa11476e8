//! `roundcast verify`: what an invite, a relay's evidence or a release is
//! worth, offline and step by step. It says of when it speaks: a certificate
//! or evidence is judged now or, with `--archived`, at its own time; a
//! platform's document is judged live, with the nonce that it was asked for
//! with, or at its own time; a saved quote by a key that a cloud certified at
//! the time that its file names.
//!
//! Exit codes: 0 verified, 3 refused or expired, 4 unknown (no root, or a
//! kind of evidence that this build cannot judge), 2 usage, 1 a file that
//! cannot be read.

mod invite;
pub(crate) mod report;

#[cfg(test)]
pub(crate) mod tests;

use crate::config::read_bounded;
use crate::{Error, cli};
use attest::offline::{self, SavedEvidence};
use link::RelayTrust;
use report::Report;
use std::io;
use std::path::Path;
use wire::UnixMs;
use wire::limits::CERTIFICATE_BYTES_MAX;

/// A relay's program, in bytes: with debug information it has tens of MB.
const PROGRAM_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// A certificate, evidence or a `release.json`, in bytes; each has a stricter
/// bound where it is parsed.
const FILE_BYTES_MAX: u64 = 96 * 1024;
const _: () = assert!(CERTIFICATE_BYTES_MAX as u64 <= FILE_BYTES_MAX);
const _: () = assert!(offline::SAVED_BYTES_MAX as u64 <= FILE_BYTES_MAX);
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
        return Ok(invite::explain(&options.what).under(options.trust.banner()));
    }
    // Without a home folder nothing was ever kept there.
    let data = crate::config::data_dir(options.data.clone()).ok();
    let trust = options.trust.resolve(data.as_deref())?;
    let report = judged(options, &trust.relays, now)?;
    Ok(report.under(trust.banner))
}

/// The verdict about a file or folder.
fn judged(options: &cli::Verify, trust: &RelayTrust, now: UnixMs) -> Result<Report, Error> {
    let path = Path::new(&options.what);
    if path.is_dir() {
        return folder(path, trust, now);
    }
    let bytes = file(path)?;
    let form = Form::of(&bytes).ok_or(NEITHER)?;
    judge(form, &bytes, options, trust, now)
}

/// A release's folder.
fn folder(path: &Path, trust: &RelayTrust, now: UnixMs) -> Result<Report, Error> {
    let release = file(&path.join(RELEASE))?;
    let program = program(&path.join(PROGRAM))?;
    let (roots, policy) = (trust.roots(), &*trust.policy());
    let verdict = offline::verify_release(&release, program.as_deref(), roots, policy, now);
    Ok(Report::of("release", verdict))
}

/// A file of this form, now or at its own time.
fn judge(
    form: Form,
    bytes: &[u8],
    options: &cli::Verify,
    trust: &RelayTrust,
    now: UnixMs,
) -> Result<Report, Error> {
    let (roots, policy) = (trust.roots(), &*trust.policy());
    Ok(match (form, options.archived) {
        (Form::Certificate, false) => Report::of(
            "certificate",
            offline::verify_certificate(bytes, roots, policy, now),
        ),
        (Form::Certificate, true) => Report::of(
            "certificate",
            offline::verify_certificate_archived(bytes, roots, policy),
        ),
        (Form::Evidence, false) => Report::of(
            "evidence",
            offline::verify_evidence(bytes, roots, policy, now),
        ),
        (Form::Evidence, true) => Report::of(
            "evidence",
            offline::verify_evidence_archived(bytes, roots, policy),
        ),
        (Form::Saved, false) => {
            Report::of("evidence", offline::verify_saved(bytes, roots, policy, now))
        }
        (Form::Saved, true) => Report::of(
            "evidence",
            offline::verify_saved_archived(bytes, roots, policy),
        ),
        (Form::Document, _) => return document(options, bytes, trust, now),
        (Form::AkQuote, _) => return ak_quote(options, bytes, trust),
        (Form::Release, _) => Report::of(
            "release",
            offline::verify_release(bytes, None, roots, policy, now),
        ),
    })
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
    let (roots, policy) = (trust.roots(), &*trust.policy());
    Ok(match &options.nonce {
        Some(nonce) => {
            let nonce = hex::decode(nonce)
                .map_err(|_| Error::Usage("--nonce is a row of hexadecimal digits"))?;
            let live = offline::verify_document_live(bytes, release, roots, policy, now, &nonce);
            Report::of("document", live)
        }
        None => Report::of(
            "document",
            offline::verify_document_archived(bytes, release, roots, policy),
        ),
    })
}

/// A saved quote by a key that a cloud certified, compared with `--release`.
fn ak_quote(options: &cli::Verify, bytes: &[u8], trust: &RelayTrust) -> Result<Report, Error> {
    if options.nonce.is_some() {
        return Err(Error::Usage(
            "--nonce is for a platform's document; a saved quote is judged at its own time",
        ));
    }
    let release = options.release.as_deref().map(file).transpose()?;
    let (roots, policy) = (trust.roots(), &*trust.policy());
    let verdict = offline::verify_ak_quote_archived(bytes, release.as_deref(), roots, policy);
    Ok(Report::of("ak_quote", verdict))
}

/// What a file is, by how it begins.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A relay's certificate: a DER SEQUENCE.
    Certificate,
    /// A relay's evidence alone: a CMW, a DER OCTET STRING.
    Evidence,
    /// A relay's evidence and answer, as a viewer saved them: JSON.
    Saved,
    /// A platform's document: a CBOR array of four, or tag 18 before it
    /// (RFC 9052).
    Document,
    /// A quote of a cloud's instance: JSON that names its schema.
    AkQuote,
    /// A `release.json`: any other JSON.
    Release,
}

impl Form {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            0x30 => Some(Self::Certificate),
            0x04 => Some(Self::Evidence),
            0x84 | 0xd2 => Some(Self::Document),
            b'{' if bytes.starts_with(SavedEvidence::BEGINNING) => Some(Self::Saved),
            b'{' if offline::is_ak_quote(bytes) => Some(Self::AkQuote),
            b'{' => Some(Self::Release),
            _ => None,
        }
    }
}

const NEITHER: Error = Error::Usage(
    "WHAT is an invite (roundcast:...), a relay's certificate (DER), evidence (saved by watch or the \
     page, or CMW), a platform's document (COSE), a saved quote of a cloud's instance (JSON), a \
     release.json, or a folder with one",
);

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    read_bounded(path, FILE_BYTES_MAX, "verify")
}

/// The release's program; a folder without one is a release all the same.
fn program(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_bounded(path, PROGRAM_BYTES_MAX, "verify") {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
