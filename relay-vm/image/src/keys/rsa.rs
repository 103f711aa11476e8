//! Keys of Secure Boot: RSA-2048 with SHA-256, which is what firmware of every
//! age checks, each with a self-signed certificate.

use crate::Error;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber};
use ring::rand::SecureRandom;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use std::time::Duration;
use wire::UnixMs;
use zeroize::Zeroizing;

const MODULUS_BITS: usize = 2048;
/// Firmware looks at no date; people and tools do.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A private key (PKCS#8) and its certificate (DER) for the role `name`.
pub(super) fn generate(
    name: &str,
    now: UnixMs,
    rng: &dyn SecureRandom,
) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), Error> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill(seed.as_mut()).map_err(|_| Error::Randomness)?;
    let mut serial = [0; 16];
    rng.fill(&mut serial).map_err(|_| Error::Randomness)?;
    let not_made = || Error::KeyNotMade("the keys of Secure Boot");
    let mut stream = ChaCha20Rng::from_seed(*seed);
    let key = RsaPrivateKey::new(&mut stream, MODULUS_BITS).map_err(|_| not_made())?;
    let key = key.to_pkcs8_der().map_err(|_| not_made())?;
    let pair = KeyPair::try_from(key.as_bytes()).map_err(|_| not_made())?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Roundcast Secure Boot {name}"));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let begin = std::time::UNIX_EPOCH + Duration::from_secs(now.0 / 1000);
    params.not_before = begin.into();
    params.not_after = (begin + CERTIFICATE_LIFE).into();
    let certificate = params.self_signed(&pair).map_err(|_| not_made())?;
    Ok((
        Zeroizing::new(key.as_bytes().to_vec()),
        certificate.der().to_vec(),
    ))
}
