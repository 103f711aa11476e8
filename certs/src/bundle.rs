//! A member's secrets on their way to it: HPKE (RFC 9180) in base mode with
//! DHKEM(X25519, HKDF-SHA-256), HKDF-SHA-256 and AES-128-GCM.
//!
//! HPKE's base mode says nothing about who sealed; bundles come over the
//! control link, where TLS has proven the coordinator's key.

use crate::Error;
use crate::receipt::ReceiptKey;
use crate::seal::EpochSecret;
use hpke::aead::AesGcm128;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, rand_core};
use ring::rand::SecureRandom;
use wire::codec::{Decode, Encode, Reader};
use wire::message::control::Sealed;
use wire::{Epoch, Scope, SpkiHash};
use zeroize::Zeroizing;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

const INFO_LABEL: &[u8] = b"roundcast/member-secrets/v1\0";
/// Length of the encapsulated key ahead of the ciphertext, in bytes.
const ENCAPSULATED_BYTES: usize = 32;

/// What the coordinator tells a member at admission and at each new epoch.
#[derive(Debug, Clone)]
pub struct MemberSecrets {
    /// The epoch of the secret.
    pub epoch: Epoch,
    /// Opens the epoch's chunks.
    pub epoch_secret: EpochSecret,
    /// Authenticates the member's receipts.
    pub receipt_key: ReceiptKey,
}

/// A member's X25519 key pair; the private key is zeroed on drop and never
/// printed.
#[derive(Clone)]
pub struct SealingKeyPair {
    private: PrivateKey,
    public: [u8; 32],
}

impl SealingKeyPair {
    /// A fresh pair.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, Error> {
        Ok(Self::from_seed(&*fresh(rng)?))
    }

    /// The pair that RFC 9180's `DeriveKeyPair` makes of a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(seed);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&public.to_bytes());
        Self {
            private,
            public: bytes,
        }
    }

    /// The public key, as it goes into a join.
    #[must_use]
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl std::fmt::Debug for SealingKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Seals a member's secrets to its key. Of `scope`, stream and run are bound.
///
/// # Errors
/// `randomness_unavailable`, `sealing_key_invalid`.
pub fn seal(
    secrets: &MemberSecrets,
    recipient: &[u8; 32],
    scope: &Scope,
    member: &SpkiHash,
    rng: &dyn SecureRandom,
) -> Result<Sealed, Error> {
    seal_with(secrets, recipient, scope, member, &*fresh(rng)?)
}

/// Opens a bundle that was sealed to this member, stream and run.
///
/// # Errors
/// `bundle_invalid`.
pub fn open(
    sealed: &[u8],
    key: &SealingKeyPair,
    scope: &Scope,
    member: &SpkiHash,
) -> Result<MemberSecrets, Error> {
    let (encapsulated, ciphertext) = sealed
        .split_at_checked(ENCAPSULATED_BYTES)
        .ok_or(Error::BundleInvalid)?;
    let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| Error::BundleInvalid)?;
    let plaintext = hpke::single_shot_open::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key.private,
        &encapsulated,
        &info(scope, member),
        ciphertext,
        &[],
    )
    .map_err(|_| Error::BundleInvalid)?;
    decode(&Zeroizing::new(plaintext))
}

fn decode(plaintext: &[u8]) -> Result<MemberSecrets, Error> {
    let mut r = Reader::new(plaintext);
    let epoch = Epoch::decode(&mut r)?;
    let epoch_secret = EpochSecret::new(<[u8; 32]>::decode(&mut r)?);
    let receipt_key = ReceiptKey::new(<[u8; 32]>::decode(&mut r)?);
    r.finish()?;
    Ok(MemberSecrets {
        epoch,
        epoch_secret,
        receipt_key,
    })
}

fn seal_with(
    secrets: &MemberSecrets,
    recipient: &[u8; 32],
    scope: &Scope,
    member: &SpkiHash,
    seed: &[u8; 32],
) -> Result<Sealed, Error> {
    // Room for all of it, so that no copy is left behind by growing.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(8 + 32 + 32));
    secrets.epoch.encode(&mut plaintext);
    plaintext.extend_from_slice(secrets.epoch_secret.expose());
    plaintext.extend_from_slice(secrets.receipt_key.expose());
    let bytes = encrypt(recipient, &info(scope, member), &[], &plaintext, seed)?;
    Ok(Sealed::new(bytes)?)
}

/// Encapsulated key ‖ ciphertext; `seed` makes the ephemeral key.
fn encrypt(
    recipient: &[u8; 32],
    info: &[u8],
    associated_data: &[u8],
    plaintext: &[u8],
    seed: &[u8; 32],
) -> Result<Vec<u8>, Error> {
    let recipient = PublicKey::from_bytes(recipient).map_err(|_| Error::SealingKeyInvalid)?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal::<AesGcm128, HkdfSha256, X25519HkdfSha256, _>(
            &OpModeS::Base,
            &recipient,
            info,
            plaintext,
            associated_data,
            &mut SeedOnce(Zeroizing::new(*seed)),
        )
        .map_err(|_| Error::SealingKeyInvalid)?;
    let mut out = encapsulated.to_bytes().to_vec();
    out.extend_from_slice(&ciphertext);
    Ok(out)
}

fn info(scope: &Scope, member: &SpkiHash) -> Vec<u8> {
    let mut out = INFO_LABEL.to_vec();
    scope.stream.encode(&mut out);
    scope.run.encode(&mut out);
    member.encode(&mut out);
    out
}

fn fresh(rng: &dyn SecureRandom) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill(seed.as_mut()).map_err(|_| Error::Randomness)?;
    Ok(seed)
}

/// Hands the seed of the ephemeral key to HPKE, whose own source of randomness
/// could not report a failure. HPKE draws exactly once, 32 bytes (RFC 9180
/// section 7.1.3); the vector of the RFC in the tests would notice otherwise.
struct SeedOnce(Zeroizing<[u8; 32]>);

impl rand_core::RngCore for SeedOnce {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        for (to, from) in out.iter_mut().zip(self.0.iter()) {
            *to = *from;
        }
    }
}

impl rand_core::CryptoRng for SeedOnce {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use wire::{RunId, StreamId};

    fn bytes32(hex: &str) -> [u8; 32] {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 9180 appendix A.1.1, first encryption.
    #[test]
    fn agrees_with_the_vector_of_rfc_9180() {
        let recipient = SealingKeyPair::from_seed(&bytes32(
            "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
        ));
        assert_eq!(
            recipient.public(),
            bytes32("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
        );
        let sealed = encrypt(
            &recipient.public(),
            b"Ode on a Grecian Urn",
            b"Count-0",
            b"Beauty is truth, truth beauty",
            &bytes32("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"),
        )
        .unwrap();
        let expected = [
            "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
            "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9",
            "6d8770ac83d07bea87e13c512a",
        ];
        assert_eq!(HEXLOWER.encode(&sealed), expected.concat());
    }

    /// Holds the framing: encapsulated key, epoch, epoch secret, receipt key.
    /// The bytes come from another implementation of RFC 9180.
    #[test]
    fn a_bundle_keeps_its_bytes() {
        let secrets = MemberSecrets {
            epoch: Epoch(300),
            epoch_secret: EpochSecret::new([5; 32]),
            receipt_key: ReceiptKey::new([6; 32]),
        };
        let scope = Scope {
            stream: StreamId([0x11; 32]),
            run: RunId([0x22; 16]),
            epoch: Epoch(0),
        };
        let pair = SealingKeyPair::from_seed(&[1; 32]);
        let member = SpkiHash([0x33; 32]);
        let sealed = seal_with(&secrets, &pair.public(), &scope, &member, &[2; 32]).unwrap();
        assert_eq!(sealed.len(), 32 + 2 + 32 + 32 + 16);
        let expected = [
            "6080bbe51005ea9acc863580ce57317d46bef6333558d5bfa97e461342985005",
            "961d1061f2b1cace48b9c49f122d8bbac86599975112a496502f2546e60e3269",
            "b6b7e02403f43f3dd3be66d2869b6584f8405eafc3e8da040236cb98645749fa",
            "39b13b10e79d894af2855b41f5f5a0f5f905",
        ];
        assert_eq!(HEXLOWER.encode(&sealed), expected.concat());
        assert_eq!(
            open(&sealed, &pair, &scope, &member).unwrap().epoch,
            Epoch(300)
        );
    }
}
