//! How a TPM makes keys from a seed (TPM 2.0 Library, Part 1, section 11.4.10)
//! and how it encrypts with them.

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use ring::digest::{Context, SHA256};
use ring::hmac;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a seed: those of the name algorithm, SHA-256.
pub(super) const SEED_BYTES: usize = 32;
/// Bytes of an AES block.
const BLOCK_BYTES: usize = 16;

/// `KDFa` with HMAC-SHA-256 for one block of output (NIST SP 800-108, counter
/// mode): `label` is without its closing zero byte; the second context is
/// empty wherever this is used.
pub(super) fn kdf_a<const N: usize>(
    seed: &[u8; SEED_BYTES],
    label: &str,
    context: &[u8],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= SEED_BYTES && N <= u16::MAX as usize / 8) };
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, seed));
    mac.update(&1u32.to_be_bytes());
    mac.update(label.as_bytes());
    mac.update(&[0]);
    mac.update(context);
    mac.update(&((N * 8) as u32).to_be_bytes());
    let mut out = Zeroizing::new([0; N]);
    fill(out.as_mut(), mac.sign().as_ref());
    out
}

/// `KDFe` with SHA-256 for 256 bits (NIST SP 800-56A, one step): a seed from
/// the first coordinate of a shared point and those of both public points.
pub(super) fn kdf_e(
    shared: &[u8],
    label: &str,
    sender_x: &[u8],
    receiver_x: &[u8],
) -> Zeroizing<[u8; SEED_BYTES]> {
    let mut hash = Context::new(&SHA256);
    for part in [
        &1u32.to_be_bytes(),
        shared,
        label.as_bytes(),
        &[0],
        sender_x,
        receiver_x,
    ] {
        hash.update(part);
    }
    let mut out = Zeroizing::new([0; SEED_BYTES]);
    fill(out.as_mut(), hash.finish().as_ref());
    out
}

fn fill(out: &mut [u8], from: &[u8]) {
    out.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// AES-128 in cipher feedback mode with an initial vector of zeros, in place
/// (NIST SP 800-38A, section 6.3, segments of a block). The key is used once.
pub(super) fn encrypt_cfb(key: &[u8; BLOCK_BYTES], bytes: &mut [u8]) {
    let cipher = Aes128::new(key.into());
    let mut feedback = [0; BLOCK_BYTES];
    for block in bytes.chunks_mut(BLOCK_BYTES) {
        cipher.encrypt_block((&mut feedback).into());
        for (byte, key) in block.iter_mut().zip(&feedback) {
            *byte ^= key;
        }
        fill(&mut feedback, block);
    }
    feedback.zeroize();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    /// NIST SP 800-38A, F.3.13, whose vector is turned into one of zeros by
    /// taking its first ciphertext block as the plaintext's first.
    #[test]
    fn cipher_feedback_follows_the_standard() {
        let key: [u8; 16] = hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().unwrap();
        // CFB of a first block P is P ^ E(0); choosing P = C1 ^ E(0) puts the
        // standard's C1 into the feedback, and its second block must follow.
        let mut first = [0; 16];
        encrypt_cfb(&key, &mut first);
        let wanted = hex("3b3fd92eb72dad20333449f8e83cfb4a");
        let mut text: Vec<u8> = first.iter().zip(&wanted).map(|(a, b)| a ^ b).collect();
        text.extend(hex("ae2d8a571e03ac9c9eb76fac45af8e51"));
        text.extend(hex("30c81c46"));
        encrypt_cfb(&key, &mut text);
        assert_eq!(
            HEXLOWER.encode(&text),
            "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b26751f67"
        );
    }
}
