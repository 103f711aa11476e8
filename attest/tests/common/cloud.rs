//! Instances of clouds of our own, whose TPMs' keys are certified as Google's
//! and Azure's are.

use super::authority::{AIK_PURPOSE, Authority, Key, RsaKey, leaf};
use super::tpm::{Machine, sized};
use super::{NOW, tpm};
use attest::offline::{AK_QUOTE_SCHEMA, AkQuoteForm};
use attest::tpm2::{Cloud, Pcrs};
use data_encoding::HEXLOWER;
use wire::UnixMs;

pub const ROOT_SEED: u8 = 50;
pub const NONCE: [u8; 32] = [0x4e; 32];

/// A saved quote whose every part can be changed before it is written.
pub struct Instance {
    pub cloud: Cloud,
    /// Who certifies, and who certified that.
    pub root: Authority,
    pub leaf_at: UnixMs,
    pub purposes: Vec<&'static [u64]>,
    /// Registers, fields of the quote, release.
    pub machine: Machine,
    /// Whose certificate is shown, if not the quoting key's.
    pub certified: Option<Key>,
    pub shown: Option<Pcrs>,
    /// How often the certificate between is shown.
    pub between: usize,
    pub at: UnixMs,
}

impl Instance {
    pub fn of(cloud: Cloud) -> Self {
        let mut machine = Machine::default();
        machine.world.policy = attest::Policy::default().with_development();
        Self {
            cloud,
            root: Authority::root(ROOT_SEED, NOW),
            leaf_at: NOW,
            purposes: match cloud {
                Cloud::Google => vec![],
                Cloud::Azure => vec![AIK_PURPOSE],
            },
            machine,
            certified: None,
            shown: None,
            between: 1,
            at: NOW,
        }
    }

    /// Certificate of the key, and the quote by it.
    fn quoted(&self, between: &Authority) -> (Vec<u8>, Vec<u8>) {
        let params = leaf("an instance", self.leaf_at, &self.purposes);
        let attest = self.machine.fields.attest(&NONCE, &self.machine.pcrs);
        match self.cloud {
            Cloud::Google => {
                let own = Key::of(self.machine.ak.clone());
                let certified = self.certified.as_ref().unwrap_or(&own);
                let certificate = between.certify(certified, &params);
                (certificate, tpm::sign(&self.machine.ak, &attest))
            }
            Cloud::Azure => {
                let key = RsaKey::default();
                let signature = sized(&key.sign(&attest));
                let head = [0x00, 0x14, 0x00, 0x0b];
                let quote = [sized(&attest), head.to_vec(), signature].concat();
                (between.certify(&key, &params), quote)
            }
        }
    }

    pub fn form(&self) -> AkQuoteForm {
        let between = self.root.between(ROOT_SEED + 1, NOW);
        let (certificate, quote) = self.quoted(&between);
        let pcrs = self.shown.as_ref().unwrap_or(&self.machine.pcrs);
        AkQuoteForm {
            schema: AK_QUOTE_SCHEMA.into(),
            cloud: self.cloud.name().into(),
            at_ms: self.at.0,
            certificate: HEXLOWER.encode(&certificate),
            between: vec![HEXLOWER.encode(&between.der); self.between],
            quote: HEXLOWER.encode(&quote),
            bank: pcrs.bank().name().into(),
            pcrs: pcrs.into(),
        }
    }

    pub fn file(&self) -> String {
        serde_json::to_string(&self.form()).unwrap()
    }
}
