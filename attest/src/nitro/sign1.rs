//! The container: `COSE_Sign1` (RFC 9052 section 4.2) with ES384, tagged or
//! not, with exactly the headers that the platform writes.

use crate::cbor::Items;
use crate::signature::p384_holds;
use wire::DecodeError;

/// Tag of a `COSE_Sign1`; the platform leaves it out, its manual shows it.
const TAG_SIGN1: u8 = 18;
/// `{1: -35}`: the algorithm is ES384 (RFC 9053 section 2.1), nothing else.
const PROTECTED: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];
/// `r ‖ s` of ECDSA P-384.
const SIGNATURE_BYTES: usize = 96;
/// `["Signature1", PROTECTED, h'', ` up to the payload's length.
const SIGNED_PREFIX: &[u8] = b"\x84\x6aSignature1\x44\xa1\x01\x38\x22\x40";

/// A container that was taken apart; nothing of it is verified.
pub(super) struct Sign1<'a> {
    pub(super) payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    pub(super) fn parse(bytes: &'a [u8], payload_bytes_max: usize) -> Result<Self, DecodeError> {
        let mut items = Items::new(bytes);
        items.optional_tag(TAG_SIGN1, "COSE tag")?;
        if items.array(4, "COSE_Sign1")? != 4 {
            return Err(DecodeError::Invalid("COSE_Sign1"));
        }
        if items.bytes(PROTECTED.len(), "protected header")? != PROTECTED {
            return Err(DecodeError::Invalid("protected header"));
        }
        items.map(0, "unprotected header")?;
        let payload = items.bytes(payload_bytes_max, "payload")?;
        let signature = items.bytes(SIGNATURE_BYTES, "signature")?;
        if signature.len() != SIGNATURE_BYTES {
            return Err(DecodeError::Invalid("signature"));
        }
        items.finish()?;
        Ok(Self { payload, signature })
    }

    /// Whether the key of this point signed the payload.
    pub(super) fn signed_by(&self, point: &[u8]) -> bool {
        p384_holds(point, &self.signed_bytes(), self.signature)
    }

    /// `Sig_structure` (RFC 9052 section 4.4) without outside data.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = SIGNED_PREFIX.to_vec();
        put_bytes_head(&mut bytes, self.payload.len());
        bytes.extend_from_slice(self.payload);
        bytes
    }
}

/// The head of a byte string, in its shortest form; payloads are under 64 KiB.
fn put_bytes_head(out: &mut Vec<u8>, len: usize) {
    let len = u16::try_from(len).unwrap_or(u16::MAX);
    match len.to_be_bytes() {
        [0, small @ 0..=23] => out.push(0x40 | small),
        [0, low] => out.extend_from_slice(&[0x58, low]),
        [high, low] => out.extend_from_slice(&[0x59, high, low]),
    }
}
