//! Public areas of TPM keys (`TPMT_PUBLIC`; TPM 2.0 Library, Part 2, section
//! 12.2.4): what the two keys of a relay's TPM must promise.
//!
//! - [`EkPublic`], the endorsement key: exactly what the TCG EK Credential
//!   Profile's templates L-1 (RSA 2048) and L-2 (P-256) give.
//! - [`AkPublic`], the attestation key: restricted, so that the TPM signs
//!   with it only what the TPM itself made; fixed, so that it cannot leave.
//!
//! The parser knows these two shapes of key alone: SHA-256 names, RSA 2048
//! and P-256. Everything else is refused as malformed.

use super::fields::Fields;
use crate::error::Error;
use crate::signature::sha256;
use wire::codec::DecodeError;

/// `TPM_ALG_RSA` (Part 2, section 6.3), and so on below.
const ALG_RSA: u16 = 0x0001;
const ALG_AES: u16 = 0x0006;
const ALG_SHA256: u16 = 0x000b;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;
const ALG_CFB: u16 = 0x0043;
/// `TPM_ECC_NIST_P256`.
const CURVE_P256: u16 = 0x0003;

/// Longest public area that is read: an RSA-2048 key's has 314 bytes.
pub const PUBLIC_BYTES_MAX: usize = 512;
/// Bytes of an RSA-2048 modulus.
pub const RSA_MODULUS_BYTES: usize = 256;
/// Bytes of a policy: SHA-256.
const POLICY_BYTES: usize = 32;
/// Bytes of a name: the algorithm and a SHA-256.
pub const NAME_BYTES: usize = 34;

/// The policy of templates L-1 and L-2: `PolicySecret(TPM_RH_ENDORSEMENT)`
/// (EK Credential Profile, annex B.3).
const EK_POLICY: [u8; POLICY_BYTES] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// `TPMA_OBJECT` (Part 2, section 8.3): what a TPM lets a key be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes(u32);

impl Attributes {
    /// The key cannot be moved to another TPM.
    pub const FIXED_TPM: Self = Self(1 << 1);
    /// The key cannot be given another parent.
    pub const FIXED_PARENT: Self = Self(1 << 4);
    /// The TPM made the private part itself.
    pub const SENSITIVE_DATA_ORIGIN: Self = Self(1 << 5);
    /// Using it takes its authorisation value, which may be empty.
    pub const USER_WITH_AUTH: Self = Self(1 << 6);
    /// Administration takes its policy.
    pub const ADMIN_WITH_POLICY: Self = Self(1 << 7);
    /// Failed attempts do not lock the TPM.
    pub const NO_DA: Self = Self(1 << 10);
    /// Only for what the TPM itself made.
    pub const RESTRICTED: Self = Self(1 << 16);
    /// Decrypts.
    pub const DECRYPT: Self = Self(1 << 17);
    /// Signs.
    pub const SIGN: Self = Self(1 << 18);

    /// What an endorsement key has, no more and no less.
    const EK: Self = Self(
        Self::FIXED_TPM.0
            | Self::FIXED_PARENT.0
            | Self::SENSITIVE_DATA_ORIGIN.0
            | Self::ADMIN_WITH_POLICY.0
            | Self::RESTRICTED.0
            | Self::DECRYPT.0,
    );
    /// What an attestation key must have, with a name for each refusal.
    const AK_NEEDED: [(Self, &'static str); 5] = [
        (Self::RESTRICTED, "not restricted"),
        (Self::SIGN, "not for signing"),
        (Self::FIXED_TPM, "not fixed to its TPM"),
        (Self::FIXED_PARENT, "not fixed to its parent"),
        (Self::SENSITIVE_DATA_ORIGIN, "not made by the TPM"),
    ];
    /// What it may have besides.
    const AK_ALLOWED: Self =
        Self(Self::USER_WITH_AUTH.0 | Self::ADMIN_WITH_POLICY.0 | Self::NO_DA.0);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A key's name: the hash algorithm and the hash of its public area (TPM 2.0
/// Library, Part 1, section 16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name([u8; NAME_BYTES]);

impl Name {
    fn of(public: &[u8]) -> Self {
        let mut name = [0; NAME_BYTES];
        let [high, low] = ALG_SHA256.to_be_bytes();
        let bytes = [high, low].into_iter().chain(sha256(&[public]).0);
        name.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Self(name)
    }

    /// The 34 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; NAME_BYTES] {
        &self.0
    }
}

/// A point of P-256, as two big-endian numbers. Not checked to be on the
/// curve: who computes with it does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The first coordinate.
    pub x: [u8; 32],
    /// The second coordinate.
    pub y: [u8; 32],
}

impl Point {
    /// The two numbers one after the other.
    pub(crate) fn from_coordinates(bytes: &[u8; 64]) -> Self {
        let mut point = Self {
            x: [0; 32],
            y: [0; 32],
        };
        let numbers = point.x.iter_mut().chain(&mut point.y);
        numbers.zip(bytes).for_each(|(to, from)| *to = *from);
        point
    }

    /// The uncompressed form of SEC 1, section 2.3.3: 4, x, y.
    #[must_use]
    pub fn to_uncompressed(&self) -> [u8; 65] {
        let mut out = [4; 65];
        let coordinates = self.x.iter().chain(&self.y);
        out.iter_mut()
            .skip(1)
            .zip(coordinates)
            .for_each(|(to, from)| *to = *from);
        out
    }
}

/// The key of an endorsement key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EkKey {
    /// RSA 2048 with the exponent 65537; the modulus, big endian.
    Rsa2048(Box<[u8; RSA_MODULUS_BYTES]>),
    /// A point of P-256.
    P256(Point),
}

/// The public area of an endorsement key of template L-1 or L-2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkPublic {
    key: EkKey,
    name: Name,
}

impl EkPublic {
    /// Reads a `TPMT_PUBLIC` and checks it against the templates.
    ///
    /// # Errors
    /// `tpm_public_malformed`, `ek_unsuitable`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let public = Public::parse(bytes).map_err(Error::TpmPublicMalformed)?;
        let unsuitable = |why| Err(Error::EkUnsuitable(why));
        if public.attributes != Attributes::EK {
            return unsuitable("its attributes are not the template's");
        }
        if public.policy != EK_POLICY {
            return unsuitable("its policy is not the template's");
        }
        if public.symmetric != Symmetric::Aes128Cfb || public.scheme != Scheme::Null {
            return unsuitable("its algorithms are not the template's");
        }
        // The AES key's size stands in the template too, and 128 is the only
        // one that the parser knows.
        Ok(Self {
            key: public.key,
            name: Name::of(bytes),
        })
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &EkKey {
        &self.key
    }

    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }
}

/// The public area of an attestation key: restricted, for signing, made by
/// and fixed to its TPM, ECDSA over P-256 with SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AkPublic {
    point: Point,
    name: Name,
}

impl AkPublic {
    /// Reads a `TPMT_PUBLIC` and checks that only the TPM's own statements
    /// can be signed with the key.
    ///
    /// # Errors
    /// `tpm_public_malformed`, `ak_unsuitable`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let public = Public::parse(bytes).map_err(Error::TpmPublicMalformed)?;
        let unsuitable = |why| Err(Error::AkUnsuitable(why));
        let mut known = Attributes::AK_ALLOWED.0;
        for (needed, why) in Attributes::AK_NEEDED {
            if !public.attributes.has(needed) {
                return unsuitable(why);
            }
            known |= needed.0;
        }
        if public.attributes.0 & !known != 0 {
            return unsuitable("for more than signing");
        }
        if public.symmetric != Symmetric::Null || public.scheme != Scheme::EcdsaSha256 {
            return unsuitable("not for ECDSA with SHA-256");
        }
        match public.key {
            EkKey::P256(point) => Ok(Self {
                point,
                name: Name::of(bytes),
            }),
            EkKey::Rsa2048(_) => unsuitable("not of P-256"),
        }
    }

    /// The public key.
    #[must_use]
    pub const fn point(&self) -> &Point {
        &self.point
    }

    /// The key's name, to which a credential is bound.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }
}

#[derive(PartialEq, Eq)]
enum Symmetric {
    Null,
    Aes128Cfb,
}

#[derive(PartialEq, Eq)]
enum Scheme {
    Null,
    EcdsaSha256,
}

/// Both shapes of key, before it is asked what they are for.
struct Public {
    attributes: Attributes,
    policy: Vec<u8>,
    symmetric: Symmetric,
    scheme: Scheme,
    key: EkKey,
}

impl Public {
    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > PUBLIC_BYTES_MAX {
            return Err(DecodeError::TooLong {
                what: "public area",
                len: bytes.len() as u64,
                max: PUBLIC_BYTES_MAX as u64,
            });
        }
        let mut fields = Fields::new(bytes);
        let kind = fields.u16("key type")?;
        fields.exactly(ALG_SHA256, "name algorithm")?;
        let attributes = Attributes(fields.u32("attributes")?);
        let policy = fields.sized(POLICY_BYTES, "policy")?.to_vec();
        let symmetric = symmetric(&mut fields)?;
        let scheme = scheme(&mut fields)?;
        let key = match kind {
            ALG_RSA => rsa(&mut fields)?,
            ALG_ECC => ecc(&mut fields)?,
            _ => return Err(DecodeError::Invalid("key type")),
        };
        fields.finish()?;
        Ok(Self {
            attributes,
            policy,
            symmetric,
            scheme,
            key,
        })
    }
}

/// `TPMT_SYM_DEF_OBJECT`.
fn symmetric(fields: &mut Fields) -> Result<Symmetric, DecodeError> {
    match fields.u16("symmetric algorithm")? {
        ALG_NULL => Ok(Symmetric::Null),
        ALG_AES => {
            fields.exactly(128, "symmetric key size")?;
            fields.exactly(ALG_CFB, "symmetric mode")?;
            Ok(Symmetric::Aes128Cfb)
        }
        _ => Err(DecodeError::Invalid("symmetric algorithm")),
    }
}

/// `TPMT_RSA_SCHEME` or `TPMT_ECC_SCHEME`.
fn scheme(fields: &mut Fields) -> Result<Scheme, DecodeError> {
    match fields.u16("scheme")? {
        ALG_NULL => Ok(Scheme::Null),
        ALG_ECDSA => {
            fields.exactly(ALG_SHA256, "scheme's hash")?;
            Ok(Scheme::EcdsaSha256)
        }
        _ => Err(DecodeError::Invalid("scheme")),
    }
}

/// The rest of `TPMS_RSA_PARMS`, and the modulus.
fn rsa(fields: &mut Fields) -> Result<EkKey, DecodeError> {
    fields.exactly(2048, "RSA key size")?;
    // Zero stands for 65537.
    if fields.u32("RSA exponent")? != 0 {
        return Err(DecodeError::Invalid("RSA exponent"));
    }
    let modulus: [u8; RSA_MODULUS_BYTES] = fields.sized_array("RSA modulus")?;
    let top_bit = modulus.first().is_some_and(|byte| byte & 0x80 != 0);
    let odd = modulus.last().is_some_and(|byte| byte & 1 == 1);
    if top_bit && odd {
        Ok(EkKey::Rsa2048(Box::new(modulus)))
    } else {
        Err(DecodeError::Invalid("RSA modulus"))
    }
}

/// The rest of `TPMS_ECC_PARMS`, and the point.
fn ecc(fields: &mut Fields) -> Result<EkKey, DecodeError> {
    fields.exactly(CURVE_P256, "curve")?;
    fields.exactly(ALG_NULL, "key derivation")?;
    Ok(EkKey::P256(Point {
        x: fields.sized_array("point's x")?,
        y: fields.sized_array("point's y")?,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sized(bytes: &[u8]) -> Vec<u8> {
        let len = u16::try_from(bytes.len()).unwrap();
        [&len.to_be_bytes(), bytes].concat()
    }

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn rsa_ek(attributes: u32, policy: &[u8]) -> Vec<u8> {
        let modulus = [0xc1; RSA_MODULUS_BYTES];
        [
            words(&[ALG_RSA, ALG_SHA256]),
            attributes.to_be_bytes().to_vec(),
            sized(policy),
            words(&[ALG_AES, 128, ALG_CFB, ALG_NULL, 2048, 0, 0]),
            sized(&modulus),
        ]
        .concat()
    }

    fn p256(attributes: u32, policy: &[u8], algorithms: &[u16]) -> Vec<u8> {
        [
            words(&[ALG_ECC, ALG_SHA256]),
            attributes.to_be_bytes().to_vec(),
            sized(policy),
            words(algorithms),
            words(&[CURVE_P256, ALG_NULL]),
            sized(&[2; 32]),
            sized(&[3; 32]),
        ]
        .concat()
    }

    const AK: u32 = 0x0005_0072;
    const EK: u32 = 0x0003_00b2;
    const AK_ALGORITHMS: [u16; 3] = [ALG_NULL, ALG_ECDSA, ALG_SHA256];
    const EK_ALGORITHMS: [u16; 4] = [ALG_AES, 128, ALG_CFB, ALG_NULL];

    fn ak() -> Vec<u8> {
        p256(AK, &[], &AK_ALGORITHMS)
    }

    #[test]
    fn both_templates_are_endorsement_keys() {
        let rsa = EkPublic::parse(&rsa_ek(EK, &EK_POLICY)).unwrap();
        assert_eq!(rsa.key(), &EkKey::Rsa2048(Box::new([0xc1; 256])));
        let ecc = EkPublic::parse(&p256(EK, &EK_POLICY, &EK_ALGORITHMS)).unwrap();
        assert!(matches!(ecc.key(), EkKey::P256(_)));
        assert_ne!(rsa.name(), ecc.name());
    }

    #[test]
    fn an_endorsement_key_off_the_template_is_refused() {
        for bit in 0..32 {
            let refused = EkPublic::parse(&rsa_ek(EK ^ (1 << bit), &EK_POLICY));
            assert_eq!(refused.unwrap_err().reason(), "ek_unsuitable", "bit {bit}");
        }
        for policy in [&[][..], &[0; 32], &EK_POLICY[..31]] {
            let refused = EkPublic::parse(&rsa_ek(EK, policy));
            assert_eq!(refused.unwrap_err().reason(), "ek_unsuitable");
        }
        let refused = EkPublic::parse(&p256(EK, &EK_POLICY, &AK_ALGORITHMS));
        assert_eq!(refused.unwrap_err().reason(), "ek_unsuitable");
    }

    #[test]
    fn an_attestation_key_needs_each_of_its_attributes() {
        let key = AkPublic::parse(&ak()).unwrap();
        assert_eq!(key.point().to_uncompressed()[..2], [4, 2]);
        assert_eq!(key.point().to_uncompressed()[33], 3);
        assert_eq!(&key.name().as_bytes()[..2], [0, 0x0b]);
        for bit in 0..32 {
            let altered = p256(AK ^ (1 << bit), &[], &AK_ALGORITHMS);
            // userWithAuth, adminWithPolicy and noDA do not touch what is signed.
            if [6, 7, 10].contains(&bit) {
                AkPublic::parse(&altered).unwrap();
            } else {
                let refused = AkPublic::parse(&altered).unwrap_err();
                assert_eq!(refused.reason(), "ak_unsuitable", "bit {bit}");
            }
        }
        let unsigned = p256(AK, &[], &[ALG_NULL, ALG_NULL]);
        assert_eq!(
            AkPublic::parse(&unsigned).unwrap_err(),
            Error::AkUnsuitable("not for ECDSA with SHA-256")
        );
    }

    #[test]
    fn an_endorsement_key_is_no_attestation_key() {
        for ek in [rsa_ek(EK, &EK_POLICY), p256(EK, &EK_POLICY, &EK_ALGORITHMS)] {
            assert_eq!(AkPublic::parse(&ek).unwrap_err().reason(), "ak_unsuitable");
        }
        assert_eq!(
            EkPublic::parse(&ak()).unwrap_err().reason(),
            "ek_unsuitable"
        );
    }

    #[test]
    fn every_shortened_or_lengthened_area_is_malformed() {
        for whole in [ak(), rsa_ek(EK, &EK_POLICY)] {
            for len in 0..whole.len() {
                let refused = Public::parse(&whole[..len]);
                assert!(refused.is_err(), "{len} bytes");
            }
            let long = [whole.as_slice(), &[0]].concat();
            assert_eq!(
                AkPublic::parse(&long).unwrap_err().reason(),
                "tpm_public_malformed"
            );
        }
        assert!(Public::parse(&vec![0; PUBLIC_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_modulus_of_fewer_bits_and_another_exponent_are_malformed() {
        let mut small = rsa_ek(EK, &EK_POLICY);
        let at = small.len() - RSA_MODULUS_BYTES;
        small[at] = 0x41;
        assert!(Public::parse(&small).is_err());
        let mut three = rsa_ek(EK, &EK_POLICY);
        three[at - 3] = 3;
        assert!(Public::parse(&three).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = EkPublic::parse(&bytes);
            let _ = AkPublic::parse(&bytes);
        }

        #[test]
        fn an_altered_area_is_refused_or_has_another_name(at in 0usize..88, with in 1u8..) {
            let whole = ak();
            let mut altered = whole.clone();
            let at = at % whole.len();
            altered[at] ^= with;
            if let Ok(key) = AkPublic::parse(&altered) {
                prop_assert_ne!(key.name(), &Name::of(&whole));
            }
        }
    }
}
