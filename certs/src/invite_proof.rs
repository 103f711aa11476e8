//! The proof that a joiner holds the invite's secret, without showing it.

use crate::Error;
use ring::hmac;
use subtle::ConstantTimeEq;
use wire::invite::AudienceSecret;
use wire::{Digest, Nonce, SpkiHash};

const LABEL: &[u8] = b"roundcast/invite-proof/v1\0";

/// HMAC-SHA-256 under the audience secret over label, the link's exporter
/// (RFC 8446 section 7.5), the joiner's nonce and key. The exporter ties it to
/// one connection, so that it cannot be passed on.
#[must_use]
pub fn prove(
    secret: &AudienceSecret,
    exporter: &[u8; 32],
    nonce: &Nonce,
    member: &SpkiHash,
) -> Digest {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let mut context = hmac::Context::with_key(&key);
    for part in [LABEL, exporter, nonce.as_bytes(), member.as_bytes()] {
        context.update(part);
    }
    let mut mac = [0; 32];
    mac.copy_from_slice(context.sign().as_ref());
    Digest(mac)
}

/// Checks a joiner's proof, in constant time.
///
/// # Errors
/// `invite_invalid`; also for an exporter of zeros, which no handshake gives.
pub fn verify(
    secret: &AudienceSecret,
    exporter: &[u8; 32],
    nonce: &Nonce,
    member: &SpkiHash,
    proof: &Digest,
) -> Result<(), Error> {
    let expected = prove(secret, exporter, nonce, member);
    let matches = expected.as_bytes().ct_eq(proof.as_bytes());
    if bool::from(matches) && *exporter != [0; 32] {
        Ok(())
    } else {
        Err(Error::InviteInvalid)
    }
}
