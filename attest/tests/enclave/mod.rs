//! Whether an enclave's document is genuine, by code that shares nothing with
//! the crate's: it finds its way by the fields' names, and asks ring and webpki.

use pki_types::{CertificateDer, UnixTime};
use ring::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// `[protected header, {}`, up to the payload.
pub(crate) const HEAD: usize = 7;
const BEGIN: [u8; HEAD] = [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0];
/// `serverAuth`: asked only of certificates that name purposes.
const PURPOSE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const ROOT: &[u8] = include_bytes!("../../roots/aws-nitro-enclaves.der");

/// A byte string with a length of two bytes, and what follows it.
fn bytes(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = from.strip_prefix(&[0x59])?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

/// What follows a name in the payload.
fn after<'a>(payload: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let key = [&[0x60 | u8::try_from(name.len()).ok()?], name.as_bytes()].concat();
    let at = payload.windows(key.len()).position(|found| found == key)?;
    payload.get(at + key.len()..)
}

/// Whether signature and chain hold at the document's own time; `None` if it
/// cannot be read.
pub(crate) fn genuine(document: &[u8]) -> Option<bool> {
    let rest = document.strip_prefix(&BEGIN)?;
    let (payload, rest) = bytes(rest)?;
    let signature = rest.strip_prefix(&[0x58, 96])?;
    let at_ms = after(payload, "timestamp")?.strip_prefix(&[0x1b])?;
    let at_ms = u64::from_be_bytes(*at_ms.first_chunk()?);
    let (leaf, _) = bytes(after(payload, "certificate")?)?;
    let (count, mut rest) = after(payload, "cabundle")?.split_first()?;
    let mut bundle = Vec::new();
    for _ in 0..count.checked_sub(0x80)?.min(8) {
        let (der, more) = bytes(rest)?;
        bundle.push(CertificateDer::from(der));
        rest = more;
    }
    Some(signed(document, payload, leaf, signature)? && chained(leaf, &bundle, at_ms)?)
}

fn signed(document: &[u8], payload: &[u8], leaf: &[u8], signature: &[u8]) -> Option<bool> {
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).ok()?;
    let spki = leaf.subject_public_key_info();
    let point = spki.get(spki.len().checked_sub(97)?..)?;
    let protected = document.get(1..6)?;
    let begin = [&[0x84, 0x6a], &b"Signature1"[..], protected, &[0x40, 0x59]].concat();
    let len = u16::try_from(payload.len()).ok()?.to_be_bytes();
    let message = [&begin, &len[..], payload].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point);
    Some(key.verify(&message, signature).is_ok())
}

fn chained(leaf: &[u8], bundle: &[CertificateDer<'_>], at_ms: u64) -> Option<bool> {
    let root = CertificateDer::from(ROOT);
    let anchors = [anchor_from_trusted_cert(&root).ok()?];
    let (first, between) = bundle.split_first()?;
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).ok()?;
    let path = leaf.verify_for_usage(
        &[webpki::ring::ECDSA_P384_SHA384],
        &anchors,
        between,
        UnixTime::since_unix_epoch(Duration::from_millis(at_ms)),
        KeyUsage::required_if_present(PURPOSE),
        None,
        None,
    );
    Some(path.is_ok() && **first == *ROOT)
}
