//! The signed container: a DSSE envelope in strict JSON.

use super::hex32::Hex32;
use crate::signature::holds;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wire::PublicKey;

/// Signatures on one document: two thresholds of a rotation, and some.
const SIGNATURES_MAX: usize = 16;

/// One signature as it stands in JSON. `keyid` is the public key itself:
/// a name for it could be given twice, to count one key as two.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureForm {
    keyid: Hex32,
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeForm {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<SignatureForm>,
}

/// A parsed envelope; nothing in it is verified.
pub(super) struct Envelope {
    signed_string: Vec<u8>,
    payload: Vec<u8>,
    signatures: Vec<(PublicKey, Vec<u8>)>,
}

impl Envelope {
    /// Parses an envelope of `payload_type`; the error names what is wrong.
    pub(super) fn parse(
        json: &[u8],
        payload_type: &str,
        bytes_max: usize,
    ) -> Result<Self, &'static str> {
        if json.len() > bytes_max {
            return Err("size");
        }
        let form: EnvelopeForm = serde_json::from_slice(json).map_err(|_| "envelope")?;
        if form.payload_type != payload_type {
            return Err("payload type");
        }
        if form.signatures.len() > SIGNATURES_MAX {
            return Err("signatures: too many");
        }
        let payload = BASE64
            .decode(form.payload.as_bytes())
            .map_err(|_| "payload")?;
        let mut seen = BTreeSet::new();
        let mut signatures = Vec::new();
        for signature in form.signatures {
            if !seen.insert(signature.keyid) {
                return Err("signatures: one key twice");
            }
            let bytes = BASE64
                .decode(signature.sig.as_bytes())
                .map_err(|_| "signature")?;
            signatures.push((PublicKey(signature.keyid.0), bytes));
        }
        Ok(Self {
            signed_string: signed_string(payload_type, &payload),
            payload,
            signatures,
        })
    }

    /// How many of `keys` signed; none if a signature of one of them does
    /// not hold. Signatures of other keys are of other roles.
    pub(super) fn signers(&self, keys: &[Hex32]) -> Option<usize> {
        let mut found = 0;
        for (key, signature) in &self.signatures {
            if keys.contains(&Hex32(key.0)) {
                if !holds(key, &self.signed_string, signature) {
                    return None;
                }
                found += 1;
            }
        }
        Some(found)
    }

    /// The exact signed bytes.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// DSSE's pre-authentication encoding: `"DSSEv1" SP len(type) SP type SP
/// len(payload) SP payload`, lengths in decimal.
pub(super) fn signed_string(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    let mut out = head.into_bytes();
    out.extend_from_slice(payload);
    out
}

/// The JSON of an envelope.
pub(super) fn write(
    payload_type: &str,
    payload: &[u8],
    signatures: &[(PublicKey, [u8; 64])],
) -> Result<Vec<u8>, serde_json::Error> {
    let form = EnvelopeForm {
        payload_type: payload_type.to_owned(),
        payload: BASE64.encode(payload),
        signatures: signatures
            .iter()
            .map(|(key, signature)| SignatureForm {
                keyid: (*key).into(),
                sig: BASE64.encode(signature),
            })
            .collect(),
    };
    serde_json::to_vec(&form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_example_of_the_dsse_specification() {
        let encoded = signed_string("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            encoded,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
