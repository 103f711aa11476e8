//! The signed message: PKCS#7 `SignedData` (RFC 2315) around Authenticode's
//! `SpcIndirectDataContent`, with one signer and no date.

use crate::Error;
use crate::der::{NULL, octets, oid, sequence, set, tagged};
use ring::digest::{SHA256, digest};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 2.16.840.1.101.3.4.2.1
const SHA_256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.3.6.1.4.1.311.2.1.4
const SPC_INDIRECT_DATA: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04];
/// 1.3.6.1.4.1.311.2.1.15
const SPC_PE_IMAGE_DATA: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f];
/// `SpcPeImageData`: no flags, and an empty file name.
const PE_IMAGE_DATA: [u8; 11] = [
    0x30, 0x09, 0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00,
];
/// INTEGER 1.
const VERSION_1: [u8; 3] = [0x02, 0x01, 0x01];

/// All of the message but the signature itself.
pub(super) struct SignedMessage<'a> {
    certificate: &'a [u8],
    issuer_and_serial: Vec<u8>,
    indirect_data: Vec<u8>,
    attributes: Vec<Vec<u8>>,
}

impl<'a> SignedMessage<'a> {
    /// The message about an executable of this SHA-256 digest.
    pub(super) fn new(image_digest: &[u8], certificate: &'a [u8]) -> Result<Self, Error> {
        let parsed = parse(certificate)?;
        let serial = tagged(0x02, parsed.tbs_certificate.raw_serial());
        let image = sequence(&[&oid(&SPC_PE_IMAGE_DATA), &PE_IMAGE_DATA]);
        let hash = sequence(&[&sha_256(), &octets(image_digest)]);
        // The attribute covers the content without its outer tag and length.
        let content = [image.as_slice(), &hash].concat();
        let content_digest = digest(&SHA256, &content);
        let attribute = |kind: &[u8], value: Vec<u8>| sequence(&[&oid(kind), &set(vec![value])]);
        Ok(Self {
            certificate,
            issuer_and_serial: sequence(&[parsed.issuer().as_raw(), &serial]),
            indirect_data: sequence(&[&content]),
            attributes: vec![
                attribute(&CONTENT_TYPE, oid(&SPC_INDIRECT_DATA)),
                attribute(&MESSAGE_DIGEST, octets(content_digest.as_ref())),
            ],
        })
    }

    /// What is signed: the attributes as a SET.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        set(self.attributes.clone())
    }

    /// The whole message; the signature is its last part.
    pub(super) fn encode(&self, signature: &[u8]) -> Vec<u8> {
        // Within the signer's information the set has an implicit tag.
        let mut attributes = self.signed_bytes();
        if let Some(tag) = attributes.first_mut() {
            *tag = 0xa0;
        }
        let signer = sequence(&[
            &VERSION_1,
            &self.issuer_and_serial,
            &sha_256(),
            &attributes,
            &sequence(&[&oid(&RSA_ENCRYPTION), &NULL]),
            &octets(signature),
        ]);
        let content = tagged(0xa0, &self.indirect_data);
        let signed_data = sequence(&[
            &VERSION_1,
            &set(vec![sha_256()]),
            &sequence(&[&oid(&SPC_INDIRECT_DATA), &content]),
            &tagged(0xa0, self.certificate),
            &set(vec![signer]),
        ]);
        sequence(&[&oid(&SIGNED_DATA), &tagged(0xa0, &signed_data)])
    }
}

/// A certificate's RSA key.
pub(super) struct RsaKey {
    /// `RSAPublicKey` (RFC 8017), DER.
    pub(super) pkcs1: Vec<u8>,
    /// Length of a signature.
    pub(super) modulus_bytes: usize,
}

pub(super) fn public_key(certificate: &[u8]) -> Result<RsaKey, Error> {
    let parsed = parse(certificate)?;
    let spki = parsed.public_key();
    let Ok(PublicKey::RSA(key)) = spki.parsed() else {
        return Err(Error::SigningKey("certificate: its key is not RSA"));
    };
    Ok(RsaKey {
        pkcs1: spki.subject_public_key.data.to_vec(),
        modulus_bytes: key.key_size() / 8,
    })
}

fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, Error> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(Error::SigningKey("certificate")),
    }
}

fn sha_256() -> Vec<u8> {
    sequence(&[&oid(&SHA_256), &NULL])
}
