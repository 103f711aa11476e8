//! What a document says.

use super::KIND;
use crate::cbor::Items;
use crate::error::Error;
use crate::tpm2::{Bank, PCRS, Pcrs};
use std::collections::BTreeMap;
use wire::{DecodeError, UnixMs};

/// A document, in bytes: genuine ones have about five thousand, with all of
/// their optional fields eight.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024;
/// Name of an instance and its TPM, in bytes.
const MODULE_BYTES_MAX: usize = 128;
/// One certificate, in bytes (the platform's manual).
const CERTIFICATE_BYTES_MAX: usize = 1024;
/// Root, region, zone and instance; the leaf is apart.
const BUNDLE_MAX: u64 = 6;
/// `public_key`, `user_data`, `nonce`, in bytes (the platform's manual).
const FIELD_BYTES_MAX: usize = 1024;
/// Registers of a TPM; the document has 24.
const PCR_MAX: u64 = 32;
/// Fields of a document.
const FIELDS_MAX: u64 = 9;

/// A document's statement. By itself it is nobody's word: see
/// [`verify_live`](super::verify_live) and
/// [`verify_archived`](super::verify_archived).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The instance and its TPM.
    pub module: String,
    /// When the platform made it.
    pub at: UnixMs,
    /// The registers of the SHA-384 bank, by number.
    pub registers: BTreeMap<u8, Vec<u8>>,
    /// What the instance asked to have bound in.
    pub public_key: Option<Vec<u8>>,
    /// What the instance asked to have bound in.
    pub user_data: Option<Vec<u8>>,
    /// What the verifier asked for.
    pub nonce: Option<Vec<u8>>,
}

/// The certificates of a document.
pub(super) struct Certificates<'a> {
    pub(super) leaf: &'a [u8],
    /// The root first.
    pub(super) bundle: Vec<&'a [u8]>,
}

impl Document {
    /// The registers that releases measure.
    ///
    /// # Errors
    /// [`Error::PcrSelectionMismatch`] if one is not there.
    pub fn pcrs(&self) -> Result<Pcrs, Error> {
        let mut values: [Vec<u8>; PCRS.len()] = Default::default();
        for (value, pcr) in values.iter_mut().zip(PCRS) {
            value.clone_from(
                self.registers
                    .get(&pcr)
                    .ok_or(Error::PcrSelectionMismatch)?,
            );
        }
        Pcrs::new(Bank::Sha384, values)
    }

    pub(super) fn parse(payload: &[u8]) -> Result<(Self, Certificates<'_>), Error> {
        let fields = Fields::read(payload).map_err(Error::DocumentMalformed)?;
        // A different kind under the same root, whatever else it may be.
        if fields.enclave.is_some() {
            return Err(Error::EvidenceKindUnknown("nitro_enclave".into()));
        }
        fields.document().map_err(Error::DocumentMalformed)
    }

    /// [`Self::parse`] that reads an enclave's registers as a TPM's.
    #[cfg(feature = "ablation")]
    pub(super) fn parse_any_kind(payload: &[u8]) -> Result<(Self, Certificates<'_>), Error> {
        let mut fields = Fields::read(payload).map_err(Error::DocumentMalformed)?;
        fields.registers = fields.enclave.take().or(fields.registers);
        fields.document().map_err(Error::DocumentMalformed)
    }
}

/// The fields as they come; none may come twice.
#[derive(Default)]
struct Fields<'a> {
    seen: Vec<&'a str>,
    /// Of an enclave, whose numbers mean something else.
    enclave: Option<BTreeMap<u8, Vec<u8>>>,
    module: Option<&'a str>,
    digest: Option<&'a str>,
    at: Option<u64>,
    registers: Option<BTreeMap<u8, Vec<u8>>>,
    leaf: Option<&'a [u8]>,
    bundle: Option<Vec<&'a [u8]>>,
    public_key: Option<&'a [u8]>,
    user_data: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut items = Items::new(payload);
        let mut fields = Self::default();
        let mut entries = items.open_map(FIELDS_MAX, "document")?;
        while items.more(&mut entries, "document")? {
            let key = items.text(MODULE_BYTES_MAX, "field name")?;
            if fields.seen.contains(&key) {
                return Err(DecodeError::Invalid("field that comes twice"));
            }
            fields.seen.push(key);
            fields.field(key, &mut items)?;
        }
        items.finish()?;
        Ok(fields)
    }

    fn field(&mut self, key: &str, items: &mut Items<'a>) -> Result<(), DecodeError> {
        match key {
            "module_id" => self.module = Some(items.text(MODULE_BYTES_MAX, "module_id")?),
            "digest" => self.digest = Some(items.text(MODULE_BYTES_MAX, "digest")?),
            "timestamp" => self.at = Some(items.unsigned("timestamp")?),
            "nitrotpm_pcrs" => self.registers = Some(registers(items)?),
            "pcrs" => self.enclave = Some(registers(items)?),
            "certificate" => self.leaf = Some(certificate(items)?),
            "cabundle" => {
                let len = items.array(BUNDLE_MAX, "cabundle")?;
                let bundle: Result<_, _> = (0..len).map(|_| certificate(items)).collect();
                self.bundle = Some(bundle?);
            }
            "public_key" => {
                self.public_key = items.optional_bytes(FIELD_BYTES_MAX, "public_key")?
            }
            "user_data" => self.user_data = items.optional_bytes(FIELD_BYTES_MAX, "user_data")?,
            "nonce" => self.nonce = items.optional_bytes(FIELD_BYTES_MAX, "nonce")?,
            _ => return Err(DecodeError::Invalid("unknown field")),
        }
        Ok(())
    }

    fn document(self) -> Result<(Document, Certificates<'a>), DecodeError> {
        let missing = DecodeError::Truncated;
        if self.digest.ok_or(missing("digest"))? != "SHA384" {
            return Err(DecodeError::Invalid("digest"));
        }
        let module = self.module.ok_or(missing("module_id"))?;
        if !module.starts_with("i-") || !module.contains("-tpm") {
            return Err(DecodeError::Invalid("module_id"));
        }
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let document = Document {
            module: module.to_owned(),
            at: UnixMs(self.at.ok_or(missing("timestamp"))?),
            registers: self.registers.ok_or(missing(KIND))?,
            public_key: owned(self.public_key),
            user_data: owned(self.user_data),
            nonce: owned(self.nonce),
        };
        let certificates = Certificates {
            leaf: self.leaf.ok_or(missing("certificate"))?,
            bundle: self.bundle.ok_or(missing("cabundle"))?,
        };
        Ok((document, certificates))
    }
}

fn certificate<'a>(items: &mut Items<'a>) -> Result<&'a [u8], DecodeError> {
    items.bytes(CERTIFICATE_BYTES_MAX, "certificate")
}

/// `{number: value}`, no number twice, each value of SHA-384's length.
fn registers(items: &mut Items<'_>) -> Result<BTreeMap<u8, Vec<u8>>, DecodeError> {
    let mut registers = BTreeMap::new();
    for _ in 0..items.map(PCR_MAX, "registers")? {
        let number = items.unsigned("register")?;
        let number = u8::try_from(number)
            .ok()
            .filter(|number| u64::from(*number) < PCR_MAX)
            .ok_or(DecodeError::Invalid("register"))?;
        let value = items.bytes(Bank::Sha384.bytes(), "register")?;
        if value.len() != Bank::Sha384.bytes() || registers.insert(number, value.to_vec()).is_some()
        {
            return Err(DecodeError::Invalid("register"));
        }
    }
    Ok(registers)
}
