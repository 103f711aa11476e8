use crate::world::{NOW, key, spki};
use certs::x509::{
    EVIDENCE_OID, MemberRequest, StreamCa, extension, public_key, self_signed, spki_der, spki_hash,
    spki_of_public, verify_ca, verify_member, verify_self_signed,
};
use certs::{Error, SigningKey};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::time::Duration;
use wire::UnixMs;

fn ca() -> StreamCa {
    ca_of(key(2))
}

fn ca_of(key: SigningKey) -> StreamCa {
    StreamCa::new(
        key,
        [0xff; 16],
        UnixMs(NOW.0 - 1000),
        UnixMs(NOW.0 + 3_600_000),
    )
    .unwrap()
}

fn request(name: &str) -> MemberRequest<'_> {
    MemberRequest {
        key: key(100).public(),
        name,
        serial: [0x81; 16],
        not_before: UnixMs(NOW.0 - 1000),
        not_after: UnixMs(NOW.0 + 600_000),
    }
}

#[test]
fn accepts_a_certificate_of_the_stream_ca() {
    let der = ca().issue(&request("Bea")).unwrap();
    let member = verify_member(&der, &key(2).public(), NOW).unwrap();
    assert_eq!(member.spki, spki(100));
    assert_eq!(member.not_after, UnixMs(NOW.0 + 600_000));
    assert_eq!(member.serial, [&[0][..], &[0x81; 16]].concat());
    assert_eq!(spki_hash(&der).unwrap(), spki(100));
    assert_eq!(public_key(&der).unwrap(), key(100).public());
}

#[test]
fn accepts_any_name_a_person_gives_himself() {
    let long = "ß".repeat(32);
    for name in ["", "Bea", "B\u{2603}", &long] {
        let der = ca().issue(&request(name)).unwrap();
        verify_member(&der, &key(2).public(), NOW).unwrap();
    }
}

#[test]
fn refuses_another_ca() {
    let der = ca_of(key(9)).issue(&request("Bea")).unwrap();
    let error = verify_member(&der, &key(2).public(), NOW).unwrap_err();
    assert_eq!(error.reason(), "certificate_signature_invalid");
}

#[test]
fn refuses_a_self_signed_certificate_for_membership() {
    let der = self_signed(&key(100), Vec::new()).unwrap();
    let error = verify_member(&der, &key(2).public(), NOW).unwrap_err();
    assert_eq!(error, Error::CertificateIssuerUnknown);
}

#[test]
fn refuses_a_certificate_outside_its_time() {
    let der = ca().issue(&request("Bea")).unwrap();
    let late = verify_member(&der, &key(2).public(), UnixMs(NOW.0 + 601_000));
    assert_eq!(late.unwrap_err().reason(), "certificate_expired");
    let early = verify_member(&der, &key(2).public(), UnixMs(NOW.0 - 2000));
    assert_eq!(early.unwrap_err().reason(), "certificate_not_yet_valid");
}

#[test]
fn refuses_the_ca_itself_as_a_member() {
    let ca = ca();
    let error = verify_member(ca.certificate(), &key(2).public(), NOW).unwrap_err();
    assert_eq!(error, Error::CertificateNotEndEntity);
}

#[test]
fn refuses_a_member_that_issues_members() {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "roundcast stream CA");
    let member = key(100);
    let pair = KeyPair::try_from(member.pkcs8_der().as_slice()).unwrap();
    let der = forged(|_| (), &Issuer::new(params, pair));
    let error = verify_member(&der, &key(2).public(), NOW).unwrap_err();
    assert_eq!(error, Error::CertificateSignatureInvalid);
}

/// An end-entity certificate by the given issuer, for what our own issuer
/// never makes.
fn forged(change: impl Fn(&mut CertificateParams), issuer: &Issuer<'_, KeyPair>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(NOW.0);
    params.not_before = now;
    params.not_after = now + Duration::from_secs(60);
    params.serial_number = Some(rcgen::SerialNumber::from(1));
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    change(&mut params);
    let subject = KeyPair::try_from(key(100).pkcs8_der().as_slice()).unwrap();
    params.signed_by(&subject, issuer).unwrap().der().to_vec()
}

fn true_issuer() -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "roundcast stream CA");
    let pair = KeyPair::try_from(key(2).pkcs8_der().as_slice()).unwrap();
    Issuer::new(params, pair)
}

#[test]
fn refuses_purposes_that_are_not_both_ends_of_a_link() {
    let check = |change: fn(&mut CertificateParams)| {
        let der = forged(change, &true_issuer());
        verify_member(&der, &key(2).public(), NOW).map(|_| ())
    };
    assert_eq!(check(|_| ()), Ok(()));
    let wrong = Err(Error::CertificatePurposeWrong);
    assert_eq!(
        check(|params| params.extended_key_usages.truncate(1)),
        wrong
    );
    assert_eq!(check(|params| params.extended_key_usages.clear()), wrong);
    let signing = check(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    assert_eq!(signing, wrong);
    let authority = check(|params| {
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    assert_eq!(authority, Err(Error::CertificateNotEndEntity));
}

#[test]
fn refuses_keys_of_another_algorithm() {
    let params = CertificateParams::default();
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let der = params.self_signed(&pair).unwrap().der().to_vec();
    assert_eq!(spki_hash(&der), Err(Error::CertificateKeyUnsupported));
    let error = verify_member(&der, &key(2).public(), NOW).unwrap_err();
    assert_eq!(error, Error::CertificateKeyUnsupported);
}

#[test]
fn refuses_every_single_altered_byte_of_a_membership() {
    let der = ca().issue(&request("Bea")).unwrap();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        let result = verify_member(&changed, &key(2).public(), NOW);
        assert!(result.is_err(), "byte {at} of {}", der.len());
    }
}

#[test]
fn refuses_bytes_after_a_certificate_and_oversized_ones() {
    let mut der = ca().issue(&request("Bea")).unwrap();
    der.push(0);
    assert_eq!(spki_hash(&der), Err(Error::CertificateMalformed));
    let large = self_signed(&key(1), vec![(EVIDENCE_OID.to_vec(), vec![4; 50_000])]).unwrap();
    assert_eq!(spki_hash(&large), Err(Error::CertificateMalformed));
}

#[test]
fn a_ca_certificate_must_carry_the_runs_key() {
    let ca = ca();
    let check = |key_of: u8, now| verify_ca(ca.certificate(), &key(key_of).public(), now);
    assert_eq!(check(2, NOW), Ok(()));
    assert_eq!(check(3, NOW), Err(Error::CertificateCaMismatch));
    assert_eq!(
        check(2, UnixMs(NOW.0 + 3_601_000)),
        Err(Error::CertificateExpired)
    );
    assert_eq!(
        check(2, UnixMs(NOW.0 - 2000)),
        Err(Error::CertificateNotYetValid)
    );
    let own = self_signed(&key(2), Vec::new()).unwrap();
    let no_ca = verify_ca(&own, &key(2).public(), NOW);
    assert_eq!(no_ca, Err(Error::CertificateCaMismatch));
    let mut changed = ca.certificate().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let forged = verify_ca(&changed, &key(2).public(), NOW);
    assert_eq!(forged, Err(Error::CertificateSignatureInvalid));
}

#[test]
fn self_signed_certificates_carry_extensions() {
    let content = vec![4, 3, 1, 2, 3];
    let der = self_signed(&key(8), vec![(EVIDENCE_OID.to_vec(), content.clone())]).unwrap();
    assert_eq!(extension(&der, EVIDENCE_OID), Ok(Some(content)));
    assert_eq!(extension(&der, &[1, 3, 6, 1, 4, 1, 99]), Ok(None));
    assert_eq!(spki_hash(&der).unwrap(), spki(8));
}

#[test]
fn refuses_an_extension_that_is_there_twice() {
    let twice = vec![(EVIDENCE_OID.to_vec(), vec![4, 0]); 2];
    let der = self_signed(&key(8), twice).unwrap();
    assert!(extension(&der, EVIDENCE_OID).is_err());
}

#[test]
fn a_link_proves_the_certificates_key() {
    let der = self_signed(&key(8), Vec::new()).unwrap();
    let der = pki_types::CertificateDer::from(der);
    let leaf = webpki::EndEntityCert::try_from(&der).unwrap();
    let signature = key(8).sign_raw(b"transcript");
    let check = |message: &[u8]| leaf.verify_signature(webpki::ring::ED25519, message, &signature);
    assert!(check(b"transcript").is_ok());
    assert!(check(b"another").is_err());
}

#[test]
fn times_that_no_certificate_can_carry_are_not_issued() {
    let mut wanted = request("Bea");
    wanted.not_after = UnixMs(u64::MAX);
    assert_eq!(ca().issue(&wanted), Err(Error::CertificateNotIssued));
    wanted.not_after = wanted.not_before;
    assert_eq!(ca().issue(&wanted), Err(Error::CertificateNotIssued));
}

#[test]
fn the_spki_of_a_key_is_the_spki_of_its_certificate() {
    let ring_spki = KeyPair::try_from(key(8).pkcs8_der().as_slice()).unwrap();
    let der = rcgen::PublicKeyData::subject_public_key_info(&ring_spki);
    assert_eq!(der, spki_der(&key(8).public()));
    assert_eq!(spki_of_public(&key(8).public()), spki(8));
}

#[test]
fn any_changed_byte_of_a_self_signed_certificate_is_refused() {
    let genuine = self_signed(&key(2), Vec::new()).unwrap();
    let spki = spki_of_public(&key(2).public());
    assert_eq!(verify_self_signed(&genuine).unwrap(), spki);
    for position in 0..genuine.len() {
        for bit in 0..8 {
            let mut changed = genuine.clone();
            changed[position] ^= 1 << bit;
            assert!(verify_self_signed(&changed).is_err(), "{position} {bit}");
        }
    }
    // The key alone tells nothing of what was changed around it.
    let mut changed = genuine.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert_eq!(spki_hash(&changed).unwrap(), spki);
}
