//! Hashes, Ed25519 over strings that are not stream statements (those are
//! verified in `certs`), and the platforms' ECDSA and RSA.

use ring::digest::{Context, SHA256};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use wire::{Digest, PublicKey};

/// Whether an Ed25519 signature (RFC 8032) of any claimed length holds.
pub(crate) fn holds(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    <&[u8; 64]>::try_from(signature)
        .is_ok_and(|signature| certs::verify_raw(key, message, signature))
}

/// Whether ECDSA P-256 with SHA-256 (`r ‖ s`) holds; `point` is uncompressed
/// (SEC 1, section 2.3.3) and is checked to be on the curve.
pub(crate) fn p256_holds(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(message, signature)
        .is_ok()
}

/// The same with P-384 and SHA-384.
pub(crate) fn p384_holds(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
        .verify(message, signature)
        .is_ok()
}

/// Whether RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2) holds, of a
/// modulus of 2048 bits and exponent 65537.
pub(crate) fn rsa_holds(modulus: &[u8; 256], message: &[u8], signature: &[u8]) -> bool {
    RsaPublicKeyComponents {
        n: modulus.as_slice(),
        e: &[1, 0, 1],
    }
    .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
    .is_ok()
}

/// SHA-256 over the concatenation of `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    // SHA-256 gives 32 bytes: both sides have the same length.
    out.copy_from_slice(context.finish().as_ref());
    Digest(out)
}
