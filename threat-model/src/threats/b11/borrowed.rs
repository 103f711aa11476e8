//! The same with the cloud's genuine root certificate at the head of the
//! forged path: it is public, and everybody can show it.

use super::judge;
use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::documents::Documents;
use crate::scene::rng;
use crate::{Control, Failure, Outcome};
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};

const AWS_ROOT: &[u8] = include_bytes!("../../../../attest/roots/aws-nitro-enclaves.der");
/// A document up to its payload's length: `COSE_Sign1` with ES384.
const BEGINS: [u8; 8] = [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59];
/// `Sig_structure` up to the payload's length (RFC 9052, section 4.4).
const SIGNED: &[u8] = b"\x84\x6aSignature1\x44\xa1\x01\x38\x22\x40\x59";
/// The key that signs the forger's documents, see `attest/tests/common`.
const LEAF_KEY: [u8; 48] = [0x12; 48];
/// What stands before a P-384 key's point in a certificate.
const POINT_FOLLOWS: [u8; 10] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00];
const POINT_BYTES: usize = 97;

fn show_the_genuine_root(control: Control) -> Result<Outcome, Failure> {
    let set = Documents::load()?;
    judge(&set, &forged(&set)?, control)
}

/// The set's document, its own root replaced by the cloud's, signed again.
fn forged(set: &Documents) -> Result<Vec<u8>, Failure> {
    let document = set.named("genuine")?;
    let payload = payload(&document).ok_or(Failure::Stage("another form of document"))?;
    let (before, after) = around(payload, &sized(&set.platform_root()?))
        .ok_or(Failure::Stage("the document has not its platform's root"))?;
    let changed = sized(&[before, &sized(AWS_ROOT), after].concat());
    let point = around(payload, &POINT_FOLLOWS)
        .and_then(|(_, point)| point.get(..POINT_BYTES))
        .ok_or(Failure::Stage("the document has no key of P-384"))?;
    let signature = sign(
        point,
        &[SIGNED, changed.get(1..).unwrap_or_default()].concat(),
    )?;
    let begins = BEGINS.split_last().map_or(&[][..], |(_, begins)| begins);
    Ok([begins, &changed, &[0x58, 96], &signature].concat())
}

fn payload(document: &[u8]) -> Option<&[u8]> {
    let (len, rest) = document.strip_prefix(&BEGINS)?.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*len)))
}

/// What is before and after the first place of these bytes.
fn around<'a>(bytes: &'a [u8], part: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(part.len())
        .position(|window| window == part)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.strip_prefix(part)?))
}

/// A CBOR byte string of 256 bytes to 64 KiB.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&[0x59], &len.to_be_bytes()[..], bytes].concat()
}

fn sign(point: &[u8], message: &[u8]) -> Result<Vec<u8>, Failure> {
    let (scheme, rng) = (&ECDSA_P384_SHA384_FIXED_SIGNING, rng());
    let key = EcdsaKeyPair::from_private_key_and_public_key(scheme, &LEAF_KEY, point, &rng)
        .map_err(|_| Failure::Stage("the forger's key is another"))?;
    let signature = key.sign(&rng, message).map_err(|_| Failure::Random)?;
    Ok(signature.as_ref().to_vec())
}

#[test]
fn a_borrowed_root_is_stopped() {
    assert_refused("chain_root_unknown", show_the_genuine_root(Control::On));
}

#[test]
fn a_borrowed_root_passes_without_the_control() {
    assert_succeeds(show_the_genuine_root(Control::Removed));
}
