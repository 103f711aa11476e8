//! What keys the TPM is asked for, as `TPMT_PUBLIC` (TPM 2.0 Library, Part 2,
//! section 12.2.4).

/// The two templates of endorsement keys that are known here (TCG EK
/// Credential Profile, annexes B.3.3 and B.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EkTemplate {
    /// L-1: RSA 2048.
    Rsa2048,
    /// L-2: P-256.
    P256,
}

impl EkTemplate {
    /// The NV index of the certificate (EK Credential Profile, section 2.2.1.4).
    pub(crate) const fn certificate_index(self) -> u32 {
        match self {
            Self::Rsa2048 => 0x01c0_0002,
            Self::P256 => 0x01c0_000a,
        }
    }

    pub(crate) fn public(self) -> Vec<u8> {
        let (kind, parameters, unique): (_, &[u16], _) = match self {
            // 2048 bits, exponent 0 in two halves; 256 zeros.
            Self::Rsa2048 => (ALG_RSA, &[2048, 0, 0], sized(&[0; 256])),
            Self::P256 => (
                ALG_ECC,
                &[CURVE_P256, ALG_NULL],
                [sized(&[0; 32]), sized(&[0; 32])].concat(),
            ),
        };
        [
            words(&[kind, ALG_SHA256]),
            EK_ATTRIBUTES.to_be_bytes().to_vec(),
            sized(&EK_POLICY),
            words(&[ALG_AES, 128, ALG_CFB, ALG_NULL]),
            words(parameters),
            unique,
        ]
        .concat()
    }
}

/// An attestation key: restricted, for signing, ECDSA over P-256 with
/// SHA-256. A primary key is always the same for the same template: `unique`
/// makes it another one for each boot, which no later boot can make again.
pub(crate) fn ak(unique: &[u8; 32]) -> Vec<u8> {
    [
        words(&[ALG_ECC, ALG_SHA256]),
        AK_ATTRIBUTES.to_be_bytes().to_vec(),
        sized(&[]),
        words(&[ALG_NULL, ALG_ECDSA, ALG_SHA256, CURVE_P256, ALG_NULL]),
        sized(unique),
        sized(&[0; 32]),
    ]
    .concat()
}

const ALG_RSA: u16 = 0x0001;
const ALG_AES: u16 = 0x0006;
const ALG_SHA256: u16 = 0x000b;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;
const ALG_CFB: u16 = 0x0043;
const CURVE_P256: u16 = 0x0003;

/// fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted,
/// decrypt.
const EK_ATTRIBUTES: u32 = 0x0003_00b2;
/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
const AK_ATTRIBUTES: u32 = 0x0005_0072;

/// `PolicySecret(TPM_RH_ENDORSEMENT)`.
const EK_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A `TPM2B` of at most 256 bytes, which all of the above are.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes(), bytes].concat()
}
