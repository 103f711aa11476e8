//! A relay as a viewer verified it, saved: its certificate, the order that it
//! was admitted for, and its answer to the viewer's challenge, with what the
//! answer is bound to. Whoever has the file can check all of it again; the
//! time is the saver's word, and the only thing that nobody signed.

use super::{Archived, Now, Verdict, own_time};
use crate::appraise::{order_check, run};
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Explanation, Refusal, Trace};
use crate::live::{Answer, Connection, EXPORTER_BYTES, TlsSide};
use crate::policy::{Policy, TrustRoots};
use crate::release::Hex32;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use wire::codec::{Blob, List};
use wire::limits::CERTIFICATE_BYTES_MAX;
use wire::message::live::Response;
use wire::{Digest, Nonce, OrderId, SpkiHash, UnixMs};

/// A saved file, in bytes: certificate and quote in base64, and small values.
pub const SAVED_BYTES_MAX: usize = 80 * 1024;
/// The `schema` of a saved file.
const SCHEMA: &str = "roundcast.evidence/1";
const _: () = assert!(CERTIFICATE_BYTES_MAX / 3 * 4 < SAVED_BYTES_MAX);

/// What is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedEvidence {
    /// When, on the saver's own clock.
    pub saved: UnixMs,
    /// The order that the relay was admitted for.
    pub order: OrderId,
    /// The relay's certificate, DER.
    pub certificate: Vec<u8>,
    /// Its answer.
    pub answer: Answer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    schema: String,
    saved_ms: u64,
    order: Hex32,
    certificate: String,
    answer: AnswerForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerForm {
    nonce: Hex32,
    exporter: Hex32,
    verifier: Hex32,
    relay_side: TlsSide,
    index: u16,
    count: u16,
    path: Vec<Hex32>,
    quote: String,
}

impl SavedEvidence {
    /// How every saved file begins, and no other JSON that `verify` takes.
    pub const BEGINNING: &'static [u8] = br#"{"schema":"roundcast.evidence/"#;

    /// One line of JSON.
    ///
    /// # Errors
    /// `evidence_malformed`: the certificate is longer than any may be.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let Answer {
            nonce,
            connection,
            response,
        } = &self.answer;
        let form = Form {
            schema: SCHEMA.into(),
            saved_ms: self.saved.0,
            order: Hex32(self.order.0),
            certificate: BASE64.encode(&self.certificate),
            answer: AnswerForm {
                nonce: Hex32(nonce.0),
                exporter: Hex32(connection.exporter),
                verifier: Hex32(connection.own.0),
                relay_side: connection.peer_side,
                index: response.index,
                count: response.count,
                path: response.path.iter().copied().map(Hex32::from).collect(),
                quote: BASE64.encode(&response.quote),
            },
        };
        serde_json::to_vec(&form)
            .ok()
            .filter(|json| json.len() <= SAVED_BYTES_MAX)
            .ok_or(Error::EvidenceMalformed("saved length"))
    }

    /// Reads what [`SavedEvidence::to_json`] writes, and no other spelling.
    ///
    /// # Errors
    /// `evidence_malformed`; `certificate_invalid`.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > SAVED_BYTES_MAX {
            return Err(Error::EvidenceMalformed("saved length"));
        }
        let form: Form =
            serde_json::from_slice(json).map_err(|_| Error::EvidenceMalformed("saved form"))?;
        if form.schema != SCHEMA {
            return Err(Error::EvidenceMalformed("saved schema"));
        }
        let certificate = base64(&form.certificate, "saved certificate")?;
        let saved = Self {
            saved: UnixMs(form.saved_ms),
            order: OrderId(form.order.0),
            answer: form.answer.answer(&certificate)?,
            certificate,
        };
        if saved.to_json()? != json {
            return Err(Error::EvidenceMalformed("saved spelling"));
        }
        Ok(saved)
    }
}

impl AnswerForm {
    fn answer(self, certificate: &[u8]) -> Result<Answer, Error> {
        let peer = certs::x509::spki_hash(certificate).map_err(|_| Error::CertificateInvalid)?;
        let path = self.path.iter().map(|hex| Digest(hex.0)).collect();
        let quote = base64(&self.quote, "saved quote")?;
        let exporter: [u8; EXPORTER_BYTES] = self.exporter.0;
        Ok(Answer {
            nonce: Nonce(self.nonce.0),
            connection: Connection {
                exporter,
                own: SpkiHash(self.verifier.0),
                peer,
                peer_side: self.relay_side,
            },
            response: Response {
                index: self.index,
                count: self.count,
                path: List::new(path).map_err(|_| Error::EvidenceMalformed("saved path"))?,
                quote: Blob::new(quote).map_err(|_| Error::EvidenceMalformed("saved quote"))?,
            },
        })
    }
}

fn base64(text: &str, field: &'static str) -> Result<Vec<u8>, Error> {
    BASE64
        .decode(text.as_bytes())
        .map_err(|_| Error::EvidenceMalformed(field))
}

/// The verdict about saved evidence, now: whether its dates hold today. The
/// answer in it is one of then.
#[must_use]
pub fn verify_saved(json: &[u8], roots: &TrustRoots, policy: &Policy, now: UnixMs) -> Verdict<Now> {
    Verdict::of(checked(json, roots, policy, Some(now)))
}

/// The verdict about saved evidence, at its own time: that of the platform's
/// statement.
#[must_use]
pub fn verify_saved_archived(
    json: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    Verdict::of(checked(json, roots, policy, None))
}

fn checked(
    json: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
    now: Option<UnixMs>,
) -> Result<Explanation, Refusal> {
    let mut trace = Trace::new(policy);
    let saved = trace.derive(Check::EvidenceForm, || {
        let saved = SavedEvidence::parse(json)?;
        let detail = format!("saved evidence, {} bytes", json.len());
        Ok((saved, detail))
    })?;
    let at = match now {
        Some(now) => now,
        None => own_time(&mut trace, || super::evidence(&saved.certificate))?,
    };
    let boot = run(trace, &saved.certificate, None, roots, policy, at)?;
    let mut trace = Trace::resumed(policy, boot.subject().clone(), boot.steps().to_vec());
    trace.require(Check::Order, || order_check(&saved.order, &boot.order()))?;
    let told = format!(
        "the connection is over; it was at {} by the saver's own clock",
        saved.saved
    );
    saved.answer.check(&mut trace, &boot, |trace| {
        trace.skip(Check::LiveAge, &told);
        Ok(())
    })?;
    let (subject, steps) = trace.finish();
    Ok(Explanation::verified(subject, steps))
}
