//! Making certificates.

use super::{CA_NAME, SERVER_NAME};
use crate::limits::CERTIFICATE_TIME_MS_MAX;
use crate::{Error, SigningKey};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, PublicKeyData, SerialNumber,
    SignatureAlgorithm,
};
use std::time::Duration;
use wire::{PublicKey, UnixMs};

/// What a membership certificate says.
#[derive(Debug, Clone, Copy)]
pub struct MemberRequest<'a> {
    /// The key that the member proved in TLS.
    pub key: PublicKey,
    /// The name that it gave itself; may be empty.
    pub name: &'a str,
    /// Random.
    pub serial: [u8; 16],
    /// Begin, to the second.
    pub not_before: UnixMs,
    /// End, to the second.
    pub not_after: UnixMs,
}

/// The CA of one run. Its key is the run statement's `ca_key`.
#[derive(Debug)]
pub struct StreamCa {
    key: SigningKey,
    der: Vec<u8>,
}

impl StreamCa {
    /// A CA and its self-signed certificate.
    ///
    /// # Errors
    /// `certificate_not_issued`.
    pub fn new(
        key: SigningKey,
        serial: [u8; 16],
        not_before: UnixMs,
        not_after: UnixMs,
    ) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(CA_NAME);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        valid(&mut params, not_before, not_after)?;
        let der = params
            .self_signed(&Signer(&key))
            .map_err(|_| Error::CertificateNotIssued)?
            .der()
            .to_vec();
        Ok(Self { key, der })
    }

    /// The CA's certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.der
    }

    #[cfg(feature = "ablation")]
    pub(crate) const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The CA's public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Issues a membership certificate, DER, for both ends of TLS.
    ///
    /// # Errors
    /// `certificate_not_issued`.
    pub fn issue(&self, request: &MemberRequest<'_>) -> Result<Vec<u8>, Error> {
        let mut params = end_entity(request.name)?;
        params.serial_number = Some(SerialNumber::from_slice(&request.serial));
        valid(&mut params, request.not_before, request.not_after)?;
        let mut ca = CertificateParams::default();
        ca.distinguished_name = name(CA_NAME);
        let issuer = Issuer::new(ca, Signer(&self.key));
        params
            .signed_by(&Subject(request.key), &issuer)
            .map(|certificate| certificate.der().to_vec())
            .map_err(|_| Error::CertificateNotIssued)
    }
}

/// A self-signed certificate, DER, that says nothing but its key and the given
/// extensions (OID, DER content; none of them critical). It has no end, since
/// nothing is concluded from its dates (RFC 5280 section 4.1.2.5).
///
/// # Errors
/// `certificate_not_issued`.
pub fn self_signed(
    key: &SigningKey,
    extensions: Vec<(Vec<u64>, Vec<u8>)>,
) -> Result<Vec<u8>, Error> {
    let mut params = end_entity("")?;
    valid(&mut params, UnixMs(0), UnixMs(CERTIFICATE_TIME_MS_MAX))?;
    params.custom_extensions = extensions
        .into_iter()
        .map(|(oid, content)| CustomExtension::from_oid_content(&oid, content))
        .collect();
    params
        .self_signed(&Signer(key))
        .map(|certificate| certificate.der().to_vec())
        .map_err(|_| Error::CertificateNotIssued)
}

fn end_entity(subject: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(vec![SERVER_NAME.to_owned()])
        .map_err(|_| Error::CertificateNotIssued)?;
    params.distinguished_name = name(subject);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    Ok(params)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if !common_name.is_empty() {
        name.push(DnType::CommonName, common_name);
    }
    name
}

fn valid(
    params: &mut CertificateParams,
    not_before: UnixMs,
    not_after: UnixMs,
) -> Result<(), Error> {
    if not_before >= not_after || not_after.0 > CERTIFICATE_TIME_MS_MAX {
        return Err(Error::CertificateNotIssued);
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(not_before.0 / 1000);
    params.not_after = epoch + Duration::from_secs(not_after.0 / 1000);
    Ok(())
}

/// A [`SigningKey`] as rcgen wants to see it: the seed is not copied.
struct Signer<'a>(&'a SigningKey);

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_ref().as_bytes()
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign_raw(message).to_vec())
    }
}

/// A key that a certificate is about.
struct Subject(PublicKey);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}
