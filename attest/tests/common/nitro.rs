//! A platform of our own that makes documents as NitroTPM does: authorities,
//! a writer of CBOR in which every part can be wrong.

use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{DerSignature, Signature, SigningKey};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose, PublicKeyData,
    SerialNumber, SignatureAlgorithm,
};
use std::time::Duration;
use wire::UnixMs;

/// When a document is made, if nothing else is said.
pub const AT: UnixMs = UnixMs(1_790_000_000_000);
pub const NONCE: [u8; 32] = [0x4e; 32];
const DAY_MS: u64 = 24 * 3_600_000;

/// A P-384 key as rcgen wants to see it, with signatures that come out the
/// same every time.
struct Key {
    key: SigningKey,
    point: Vec<u8>,
}

impl Key {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_slice(&[seed; 48]).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self { key, point }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P384_SHA384
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self.key.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

pub fn params(name: &str, serial: u64, ca: bool, from: UnixMs, until: UnixMs) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.is_ca = if ca {
        IsCa::Ca(BasicConstraints::Unconstrained)
    } else {
        IsCa::ExplicitNoCa
    };
    params.key_usages = if ca {
        vec![KeyUsagePurpose::KeyCertSign]
    } else {
        vec![KeyUsagePurpose::DigitalSignature]
    };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(from.0);
    params.not_after = epoch + Duration::from_millis(until.0);
    params
}

/// Root, zone and instance: the keys of a platform.
pub struct Platform {
    pub root: Vec<u8>,
    pub zone: Vec<u8>,
    pub leaf: Vec<u8>,
    leaf_key: Key,
}

impl Platform {
    /// From seeds `seed`, `seed + 1`, `seed + 2`; the leaf is valid for an
    /// hour before and three after `leaf_at`.
    pub fn new(seed: u8, leaf_at: UnixMs) -> Self {
        let [root_key, zone_key, leaf_key] = [0, 1, 2].map(|i| Key::new(seed + i));
        let long = (UnixMs(AT.0 - 900 * DAY_MS), AT.plus_ms(900 * DAY_MS));
        let root = params("root of a platform", 1, true, long.0, long.1);
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let root = Issuer::new(root, root_key);
        let zone = params("zone of a platform", 2, true, long.0, long.1);
        let zone_der = zone.signed_by(&zone_key, &root).unwrap().der().to_vec();
        let zone = Issuer::new(zone, zone_key);
        let from = UnixMs(leaf_at.0 - 3_600_000);
        let leaf = params(
            "an instance",
            3,
            false,
            from,
            leaf_at.plus_ms(3 * 3_600_000),
        );
        let leaf_der = leaf.signed_by(&leaf_key, &zone).unwrap().der().to_vec();
        Self {
            root: root_der,
            zone: zone_der,
            leaf: leaf_der,
            leaf_key,
        }
    }
}

/// A head of CBOR in its shortest form.
pub fn head(major: u8, value: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..=23 => vec![major | bytes[7]],
        24..=0xff => vec![major | 24, bytes[7]],
        0x100..=0xffff => [&[major | 25], &bytes[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26], &bytes[4..]].concat(),
        _ => [&[major | 27], &bytes[..]].concat(),
    }
}

pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len() as u64), bytes.to_vec()].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    [head(3, text.len() as u64), text.as_bytes().to_vec()].concat()
}

pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

/// `{number: value}`.
pub fn registers(values: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut out = head(5, values.len() as u64);
    for (number, value) in values {
        out.extend(head(0, *number));
        out.extend(bytes(value));
    }
    out
}

/// A document whose every part can be changed before it is signed.
pub struct Parts {
    pub platform: Platform,
    /// Names and encoded values, in their order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The length stands at the map's end, as the platform writes it.
    pub open_map: bool,
    pub protected: Vec<u8>,
    pub unprotected: Vec<u8>,
    pub tag: Vec<u8>,
    pub payload_trailing: Vec<u8>,
    pub trailing: Vec<u8>,
}

impl Default for Parts {
    fn default() -> Self {
        Self::of(Platform::new(0x10, AT))
    }
}

/// All 24 registers, those of the release among them.
pub fn released() -> Vec<(u64, Vec<u8>)> {
    let pcrs = super::tpm::pcrs(attest::tpm2::Bank::Sha384);
    (0_u8..24)
        .map(|number| {
            let value = pcrs.iter().find(|(pcr, _)| *pcr == number);
            let value = value.map_or_else(|| vec![0xcc; 48], |(_, value)| value.to_vec());
            (u64::from(number), value)
        })
        .collect()
}

impl Parts {
    pub fn of(platform: Platform) -> Self {
        let bundle = array(&[bytes(&platform.root), bytes(&platform.zone)]);
        let fields = [
            ("module_id", text("i-0123456789abcdef0-tpm0000000000000000")),
            ("digest", text("SHA384")),
            ("timestamp", head(0, AT.0)),
            ("nitrotpm_pcrs", registers(&released())),
            ("certificate", bytes(&platform.leaf)),
            ("cabundle", bundle),
            ("public_key", vec![0xf6]),
            ("user_data", vec![0xf6]),
            ("nonce", bytes(&NONCE)),
        ];
        Self {
            platform,
            fields: fields.map(|(name, value)| (name.to_owned(), value)).into(),
            open_map: true,
            protected: vec![0xa1, 0x01, 0x38, 0x22],
            unprotected: vec![0xa0],
            tag: vec![],
            payload_trailing: vec![],
            trailing: vec![],
        }
    }

    /// Another value for a field.
    pub fn set(&mut self, name: &str, value: Vec<u8>) {
        let field = self.fields.iter_mut().find(|(found, _)| found == name);
        field.unwrap().1 = value;
    }

    pub fn add(&mut self, name: &str, value: Vec<u8>) {
        self.fields.push((name.to_owned(), value));
    }

    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(found, _)| found != name);
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = if self.open_map {
            vec![0xbf]
        } else {
            head(5, self.fields.len() as u64)
        };
        for (name, value) in &self.fields {
            payload.extend(text(name));
            payload.extend(value);
        }
        if self.open_map {
            payload.push(0xff);
        }
        payload.extend(&self.payload_trailing);
        payload
    }

    /// Signed by the leaf's key.
    pub fn document(&self) -> Vec<u8> {
        self.signed_by(&self.platform)
    }

    /// Signed by another leaf's key than its certificate names.
    pub fn signed_by(&self, platform: &Platform) -> Vec<u8> {
        let payload = bytes(&self.payload());
        let signed = [
            head(4, 4),
            text("Signature1"),
            bytes(&self.protected),
            bytes(&[]),
            payload.clone(),
        ]
        .concat();
        let signature: Signature = platform.leaf_key.key.sign(&signed);
        [
            self.tag.clone(),
            head(4, 4),
            bytes(&self.protected),
            self.unprotected.clone(),
            payload,
            bytes(&signature.to_bytes()),
            self.trailing.clone(),
        ]
        .concat()
    }
}
