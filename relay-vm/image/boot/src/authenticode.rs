//! Authenticode: the digest of an EFI executable, and the signature that
//! firmware checks ("Windows Authenticode Portable Executable Signature
//! Format"; UEFI 2.10 section 32.2).

mod message;

use crate::bytes::{put, u16_at, u32_at};
use crate::{Error, pe};
use message::SignedMessage;
use ring::digest::{Algorithm, Context, Digest, SHA256};
use ring::rand::SecureRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};

const FILE: &str = "image";
/// `WIN_CERTIFICATE` before its content: length, revision, type.
const CERTIFICATE_HEADER_BYTES: usize = 8;
const REVISION_2_0: u16 = 0x0200;
const TYPE_PKCS_SIGNED_DATA: u16 = 0x0002;
/// Entries of the certificate table begin at multiples of it.
const ALIGNMENT: usize = 8;
/// Place of the data directory `security` in the optional header of PE32+.
const DIRECTORY: usize = 112 + 4 * 8;

/// The digest of an executable: everything but its checksum, the entry of its
/// signature in the header, and the signature itself.
///
/// # Errors
/// `executable_malformed` or `executable_truncated`.
pub fn digest(executable: &[u8], algorithm: &'static Algorithm) -> Result<Digest, Error> {
    let parsed = pe::read(executable, FILE)?;
    let mut feed = Feed(Context::new(algorithm));
    authenticode::authenticode_digest(&parsed, &mut feed).map_err(|_| Error::Executable {
        file: FILE,
        part: "its layout",
    })?;
    Ok(feed.0.finish())
}

/// ring's hash as the crate takes one.
struct Feed(Context);

impl digest::Update for Feed {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

/// A key of Secure Boot with its certificate.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The certificate, DER; RSA of at least 2048 bits.
    pub certificate: &'a [u8],
    /// The private key, PKCS#8 DER.
    pub key: &'a [u8],
}

impl std::fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Signs an unsigned executable whose length is a multiple of eight. The same
/// key gives the same bytes each time: the signature holds no date.
///
/// # Errors
/// `already_signed`, `signing_key_invalid` (also for a key that is not the
/// certificate's), `executable_malformed`.
pub fn sign(
    executable: &[u8],
    signer: &Signer<'_>,
    rng: &dyn SecureRandom,
) -> Result<Vec<u8>, Error> {
    if table(executable)?.is_some() {
        return Err(Error::AlreadySigned);
    }
    if !executable.len().is_multiple_of(ALIGNMENT) {
        // The padding before the signature would be hashed by firmware.
        return Err(Error::Executable {
            file: FILE,
            part: "its length",
        });
    }
    let digest = digest(executable, &SHA256)?;
    let message = SignedMessage::new(digest.as_ref(), signer.certificate)?;
    // ring's key is not zeroed on drop, so it lives for one operation only.
    let key = RsaKeyPair::from_pkcs8(signer.key).map_err(|_| Error::SigningKey("private key"))?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        rng,
        &message.signed_bytes(),
        &mut signature,
    )
    .map_err(|_| Error::SigningKey("private key"))?;
    let signed = attach(executable, &message.encode(&signature))?;
    match verify(&signed, signer.certificate) {
        Ok(()) => Ok(signed),
        Err(_) => Err(Error::SigningKey("certificate: it is of another key")),
    }
}

/// Whether the executable bears exactly one signature of the form that
/// [`sign`] makes, by the certificate's key. Firmware takes other forms too;
/// a release has this one.
///
/// # Errors
/// `signature_missing` or `signature_invalid`.
pub fn verify(executable: &[u8], certificate: &[u8]) -> Result<(), Error> {
    let (begin, end) = table(executable)?.ok_or(Error::SignatureMissing)?;
    let entry = executable.get(begin..end).ok_or(Error::SignatureInvalid)?;
    let length = u32_at(entry, 0).and_then(|length| usize::try_from(length).ok());
    let fits = end == executable.len()
        && u16_at(entry, 4) == Some(REVISION_2_0)
        && u16_at(entry, 6) == Some(TYPE_PKCS_SIGNED_DATA)
        && length.is_some_and(|length| length.next_multiple_of(ALIGNMENT) == entry.len());
    let content = length.and_then(|length| entry.get(CERTIFICATE_HEADER_BYTES..length));
    let content = content.filter(|_| fits).ok_or(Error::SignatureInvalid)?;
    let padding = entry.get(CERTIFICATE_HEADER_BYTES + content.len()..);
    if padding.unwrap_or_default().iter().any(|byte| *byte != 0) {
        return Err(Error::SignatureInvalid);
    }
    let key = message::public_key(certificate)?;
    let split = content.len().checked_sub(key.modulus_bytes);
    let signature = split
        .and_then(|at| content.get(at..))
        .ok_or(Error::SignatureInvalid)?;
    let message = SignedMessage::new(digest(executable, &SHA256)?.as_ref(), certificate)?;
    if message.encode(signature) != content {
        return Err(Error::SignatureInvalid);
    }
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.pkcs1)
        .verify(&message.signed_bytes(), signature)
        .map_err(|_| Error::SignatureInvalid)
}

/// The executable without its signature: what a rebuild gives.
///
/// # Errors
/// `executable_malformed`, or `signature_invalid` if bytes follow the
/// signature.
pub fn unsigned(executable: &[u8]) -> Result<Vec<u8>, Error> {
    let Some((begin, end)) = table(executable)? else {
        return Ok(executable.to_vec());
    };
    if end != executable.len() {
        return Err(Error::SignatureInvalid);
    }
    let mut bytes = executable
        .get(..begin)
        .ok_or(Error::SignatureInvalid)?
        .to_vec();
    write_directory(&mut bytes, 0, 0)?;
    Ok(bytes)
}

fn attach(executable: &[u8], content: &[u8]) -> Result<Vec<u8>, Error> {
    let large = || Error::TooLarge("signature");
    let length = u32::try_from(CERTIFICATE_HEADER_BYTES + content.len()).map_err(|_| large())?;
    let begin = u32::try_from(executable.len()).map_err(|_| large())?;
    let mut bytes = executable.to_vec();
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&REVISION_2_0.to_le_bytes());
    bytes.extend_from_slice(&TYPE_PKCS_SIGNED_DATA.to_le_bytes());
    bytes.extend_from_slice(content);
    crate::bytes::pad(&mut bytes, ALIGNMENT);
    let size = u32::try_from(bytes.len() - executable.len()).map_err(|_| large())?;
    write_directory(&mut bytes, begin, size)?;
    Ok(bytes)
}

fn directory_place(executable: &[u8]) -> Option<usize> {
    let header = usize::try_from(u32_at(executable, 0x3c)?).ok()?;
    header.checked_add(24 + DIRECTORY)
}

fn write_directory(executable: &mut [u8], begin: u32, size: u32) -> Result<(), Error> {
    let malformed = Error::Executable {
        file: FILE,
        part: "its header",
    };
    let place = directory_place(executable).ok_or(malformed.clone())?;
    put(executable, place, &begin.to_le_bytes()).ok_or(malformed.clone())?;
    put(executable, place + 4, &size.to_le_bytes()).ok_or(malformed)
}

/// Where the signature begins and ends.
fn table(executable: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    pe::read(executable, FILE)?;
    let malformed = || Error::Executable {
        file: FILE,
        part: "its signature's place",
    };
    let number = |offset| {
        let value = u32_at(executable, offset)?;
        usize::try_from(value).ok()
    };
    let place = directory_place(executable).ok_or_else(malformed)?;
    let begin = number(place).ok_or_else(malformed)?;
    let size = number(place + 4).ok_or_else(malformed)?;
    if (begin, size) == (0, 0) {
        return Ok(None);
    }
    let end = begin
        .checked_add(size)
        .filter(|end| *end <= executable.len());
    end.map(|end| Some((begin, end))).ok_or_else(malformed)
}
