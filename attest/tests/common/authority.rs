//! Authorities with keys of P-256, and a key of RSA, whose signatures come out
//! the same every time.

use super::nitro::params;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, PublicKeyData, SignatureAlgorithm,
};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use wire::UnixMs;

/// `tcg-kp-EKCertificate` and `tcg-kp-AIKCertificate`.
pub const EK_PURPOSE: &[u64] = &[2, 23, 133, 8, 1];
pub const AIK_PURPOSE: &[u64] = &[2, 23, 133, 8, 3];
/// An authority is valid for so long before and after.
const YEARS_MS: u64 = 3 * super::YEAR_MS;
/// 2048 bits, made for these tests and used nowhere else.
const RSA: &[u8] = include_bytes!("rsa-2048.pk8");

/// A key of P-256.
pub struct Key {
    key: SigningKey,
    point: Vec<u8>,
}

impl Key {
    pub fn new(seed: u8) -> Self {
        Self::of(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub fn of(key: SigningKey) -> Self {
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self { key, point }
    }

    pub fn point(&self) -> &[u8] {
        &self.point
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self.key.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

/// The key of RSA.
pub struct RsaKey {
    pair: RsaKeyPair,
    public: Vec<u8>,
}

impl Default for RsaKey {
    fn default() -> Self {
        let pair = RsaKeyPair::from_pkcs8(RSA).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        Self { pair, public }
    }
}

impl RsaKey {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .unwrap();
        signature
    }
}

impl PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// Whoever signs certificates.
pub struct Authority {
    pub der: Vec<u8>,
    issuer: Issuer<'static, Key>,
}

/// An authority's certificate, before it is signed.
fn authority(name: &str, serial: u64, at: UnixMs) -> CertificateParams {
    params(
        name,
        serial,
        true,
        UnixMs(at.0 - YEARS_MS),
        at.plus_ms(YEARS_MS),
    )
}

/// A key's certificate, before it is signed: valid for an hour before and
/// after.
pub fn leaf(name: &str, at: UnixMs, purposes: &[&[u64]]) -> CertificateParams {
    let hour_ms = super::HOUR_MS;
    let mut params = params(name, 3, false, UnixMs(at.0 - hour_ms), at.plus_ms(hour_ms));
    params.extended_key_usages = purposes
        .iter()
        .map(|oid| ExtendedKeyUsagePurpose::Other(oid.to_vec()))
        .collect();
    params
}

impl Authority {
    pub fn root(seed: u8, at: UnixMs) -> Self {
        let (key, params) = (Key::new(seed), authority("a root", 1, at));
        Self {
            der: params.self_signed(&key).unwrap().der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    /// An authority under this one.
    pub fn between(&self, seed: u8, at: UnixMs) -> Self {
        let (key, params) = (Key::new(seed), authority("between", 2, at));
        Self {
            der: params.signed_by(&key, &self.issuer).unwrap().der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    pub fn certify(&self, key: &impl PublicKeyData, params: &CertificateParams) -> Vec<u8> {
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }
}
