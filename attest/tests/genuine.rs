//! Real documents of real platforms, which belong to other projects and are
//! not kept in this repository: each of a supported kind verifies at its own
//! time and is refused by policy, because none is our image; the others are
//! refused as unknown; and no byte of them can be changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
// A folder of files is what this test is about.
#![allow(clippy::disallowed_methods)]

mod common;
mod enclave;

use attest::nitro::{self, Root};
use attest::offline::{
    AK_QUOTE_SCHEMA, AkQuoteForm, verify_ak_quote_archived, verify_document_archived,
};
use attest::tpm2::{Bank, Pcrs, Quote};
use attest::{Check, Evidence, Outcome, Policy, TrustRoots};
use common::tpm::{AK_ATTRIBUTES, Machine, machine, public, with_signature};
use data_encoding::{BASE64, HEXLOWER};
use p256::ecdsa::Signature;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::UnixMs;

/// When Google's quote was made, as far as its file tells.
const GOOGLE_AT: UnixMs = UnixMs(1_770_100_000_000);

/// What a byte is altered with: each of its bits by itself, or, in the long
/// tier, every other value.
fn masks() -> Vec<u8> {
    if std::env::var_os("ROUNDCAST_EVERY_VALUE").is_some_and(|v| v == "1") {
        (1..=u8::MAX).collect()
    } else {
        (0..8).map(|bit| 1 << bit).collect()
    }
}

/// Hands out every position with every mask to two threads: a changed payload
/// costs a signature.
fn every_change(genuine: &[u8], masks: &[u8], refused: impl Fn(&[u8]) -> bool + Sync) {
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for start in 0..2 {
            let (made, refused) = (&made, &refused);
            scope.spawn(move || {
                for position in (start..genuine.len()).step_by(2) {
                    for mask in masks {
                        let mut changed = genuine.to_vec();
                        changed[position] ^= mask;
                        assert!(refused(&changed), "byte {position} ^ {mask:#x}");
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(made.into_inner(), genuine.len() * masks.len());
}

/// The vectors' folder, or `None` where they are not at hand.
fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ROUNDCAST_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let in_ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty());
    assert!(!in_ci, "vectors missing at {}", folder.display());
    // Past the test harness, which keeps what a passing test prints.
    let mut out = std::io::stdout();
    writeln!(out, "\nnot run: no vectors at {}", folder.display()).unwrap();
    None
}

fn nitro_tpm() -> Option<Vec<u8>> {
    folder("nitrotpm-vaportpm")
        .map(|folder| std::fs::read(folder.join("nitrotpm-doc.cbor")).unwrap())
}

fn enclaves() -> Option<[Vec<u8>; 2]> {
    folder("nitro-enclave-anjuna").map(|folder| {
        ["sample_prod_doc.bin", "sample_prod_doc_with_publickey.bin"]
            .map(|name| std::fs::read(folder.join(name)).unwrap())
    })
}

#[derive(Deserialize)]
struct Fixture {
    nonce: String,
    pcrs: BTreeMap<String, BTreeMap<u8, String>>,
    ak_pubkeys: BTreeMap<String, Coordinates>,
    attestation: Attestation,
}

#[derive(Deserialize)]
struct Coordinates {
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct Attestation {
    tpm: BTreeMap<String, TpmQuote>,
    gcp: Option<Chain>,
}

#[derive(Deserialize)]
struct TpmQuote {
    attest_data: String,
    signature: String,
}

#[derive(Deserialize)]
struct Chain {
    ak_cert_chain: String,
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// A quote that a real TPM made, with what belongs to it.
struct Genuine {
    fixture: Fixture,
    bank: Bank,
    /// `TPM2B_ATTEST ‖ TPMT_SIGNATURE`.
    quote: Vec<u8>,
}

impl Genuine {
    fn load(folder_name: &str, file: &str, bank: Bank) -> Option<Self> {
        let text = std::fs::read_to_string(folder(folder_name)?.join(file)).unwrap();
        let fixture: Fixture = serde_json::from_str(&text).unwrap();
        let quote = &fixture.attestation.tpm["ecc_p256"];
        let signature = Signature::from_der(&hex(&quote.signature))
            .unwrap()
            .to_bytes();
        let (r, s) = signature.split_at(32);
        Some(Self {
            quote: with_signature(&hex(&quote.attest_data), r, s),
            fixture,
            bank,
        })
    }

    fn both() -> Vec<Self> {
        let google = Self::load(
            "gcp-vtpm-vaportpm",
            "test-gcp-amd-fixture.json",
            Bank::Sha256,
        );
        let amazon = Self::load("nitrotpm-vaportpm", "test-nitro-fixture.json", Bank::Sha384);
        google.into_iter().chain(amazon).collect()
    }

    fn point(&self) -> Vec<u8> {
        let key = &self.fixture.ak_pubkeys["ecc_p256"];
        [vec![4], hex(&key.x), hex(&key.y)].concat()
    }

    fn registers(&self) -> &BTreeMap<u8, String> {
        &self.fixture.pcrs[self.bank.name()]
    }

    fn pcrs(&self) -> Pcrs {
        let values = attest::tpm2::PCRS.map(|pcr| hex(&self.registers()[&pcr]));
        Pcrs::new(self.bank, values).unwrap()
    }

    /// A machine of ours that shows this quote as its boot's.
    fn shown(&self) -> (Machine, Evidence) {
        let machine = machine(|m| {
            m.certified = Some(public(&self.point(), AK_ATTRIBUTES));
            m.shown = Some(self.pcrs());
        });
        let evidence = machine.evidence_with(&machine.statement(), self.quote.clone());
        (machine, evidence)
    }
}

#[test]
fn a_nitro_tpm_document_is_genuine_at_its_own_time_and_expired_now() {
    let Some(bytes) = nitro_tpm() else { return };
    let root = Root::aws().unwrap();
    let archived = nitro::verify_archived(&bytes, &root).unwrap();
    let document = archived.document();
    assert_eq!(document.at, UnixMs(1_770_113_522_437));
    assert_eq!(document.registers.len(), 24);
    let nonce = document.nonce.clone().unwrap();
    let soon = document.at.plus_ms(1_000);
    let live = nitro::verify_live(&bytes, &root, soon, &nonce).unwrap();
    assert_eq!(live.document(), document);
    let reason = |now, nonce: &[u8]| {
        let refused = nitro::verify_live(&bytes, &root, now, nonce);
        refused.unwrap_err().reason()
    };
    assert_eq!(reason(soon, &[0; 32]), "document_nonce_mismatch");
    let later = document.at.plus_ms(nitro::AGE_MS_MAX + 1);
    assert_eq!(reason(later, &nonce), "document_stale");
    let behind = UnixMs(document.at.0 - 3_600_000);
    assert_eq!(reason(behind, &nonce), "clock_wrong");
}

#[test]
fn a_nitro_tpm_document_is_refused_by_policy_for_its_image() {
    let Some(bytes) = nitro_tpm() else { return };
    let document = nitro::verify_archived(&bytes, &Root::aws().unwrap()).unwrap();
    // In date when the document was made.
    let machine = machine(|m| {
        m.world.release.issued_ms = document.document().at.0 - 1;
        m.world.root = common::key_ring()
            .first_root(document.document().at.plus_ms(common::YEAR_MS))
            .unwrap();
    });
    let release = machine.world.release_json();
    let roots = machine.world.roots();
    let explain = |release| verify_document_archived(&bytes, release, &roots, &Policy::default());
    let refused = explain(Some(release.as_slice()));
    assert_eq!(refused.reason, Some("pcr_mismatch"), "{refused}");
    let last = refused.steps.last().unwrap();
    assert!(
        last.check == Check::Measurement && last.detail.contains("PCR 4 "),
        "{}",
        last.detail
    );
    assert_eq!(refused.subject.judged, Some("archived"));
    assert_eq!(refused.subject.assurance, Some("platform"));
    let alone = explain(None);
    assert_eq!(
        (alone.status.exit_code(), alone.reason),
        (4, Some("release_missing"))
    );
}

#[test]
fn documents_of_enclaves_are_unknown_by_name() {
    let Some(documents) = enclaves() else { return };
    for bytes in documents {
        let refused = nitro::verify_archived(&bytes, &Root::aws().unwrap()).unwrap_err();
        assert_eq!(refused.reason(), "evidence_kind_unknown");
        assert_eq!(refused.status(), attest::Status::Unknown);
        assert!(refused.to_string().contains("nitro_enclave"), "{refused}");
    }
}

#[test]
fn quotes_of_two_clouds_are_signed_over_their_registers_and_refused_by_policy() {
    for genuine in Genuine::both() {
        let quote = Quote::parse(&genuine.quote).unwrap();
        let attested = quote.attested();
        assert_eq!(attested.nonce.as_slice(), hex(&genuine.fixture.nonce));
        let all: Vec<u8> = genuine
            .registers()
            .values()
            .flat_map(|value| hex(value))
            .collect();
        assert_eq!(attested.pcr_digest, common::sha256(&all));
        let (machine, evidence) = genuine.shown();
        let refusal = machine.world.verdict(&evidence).unwrap_err();
        assert_eq!(refusal.reason(), "pcr_selection_mismatch");
        let signed = refusal
            .steps()
            .iter()
            .any(|s| s.check == Check::QuoteSignature);
        assert!(signed, "its signature holds");
    }
}

/// Google's document: the key's certificate, the one between, the quote.
struct Google {
    genuine: Genuine,
    leaf: Vec<u8>,
    between: Vec<u8>,
}

impl Google {
    fn load() -> Option<Self> {
        let file = "test-gcp-amd-fixture.json";
        let genuine = Genuine::load("gcp-vtpm-vaportpm", file, Bank::Sha256)?;
        let google = genuine.fixture.attestation.gcp.as_ref().unwrap();
        let chain = pem(&google.ak_cert_chain);
        let [leaf, between, _root] = chain.try_into().unwrap();
        Some(Self {
            genuine,
            leaf,
            between,
        })
    }

    /// The document as `roundcast verify` takes it.
    fn form(&self) -> AkQuoteForm {
        AkQuoteForm {
            schema: AK_QUOTE_SCHEMA.into(),
            cloud: "google".into(),
            at_ms: GOOGLE_AT.0,
            certificate: HEXLOWER.encode(&self.leaf),
            between: vec![HEXLOWER.encode(&self.between)],
            quote: HEXLOWER.encode(&self.genuine.quote),
            bank: "sha256".into(),
            pcrs: (&self.genuine.pcrs()).into(),
        }
    }
}

/// Why `roundcast verify` refuses Google's document, or a change of it.
fn reason(form: &AkQuoteForm) -> Option<&'static str> {
    let file = serde_json::to_vec(form).unwrap();
    let (roots, policy) = (TrustRoots::default(), Policy::default());
    verify_ak_quote_archived(&file, None, &roots, &policy).reason
}

/// Genuine, but no image of ours: what policy refuses it for.
const FOREIGN_IMAGE: Option<&str> = Some("pcr_selection_mismatch");

#[test]
fn google_certified_the_attestation_key_at_its_own_time() {
    let Some(google) = Google::load() else { return };
    let at = |at_ms| {
        let form = google.form();
        reason(&AkQuoteForm { at_ms, ..form })
    };
    assert_eq!(at(GOOGLE_AT.0), FOREIGN_IMAGE);
    assert_eq!(at(0), Some("clock_wrong"));
    assert_eq!(at(9_000_000_000_000), Some("chain_expired"));
    let alone = AkQuoteForm {
        between: vec![],
        ..google.form()
    };
    assert_eq!(reason(&alone), Some("chain_root_unknown"));
}

#[test]
fn google_s_document_is_genuine_and_refused_by_policy_for_its_registers() {
    let Some(google) = Google::load() else { return };
    let world = common::World::default();
    let release = world.release_json();
    let judge = |form: &AkQuoteForm| {
        let file = serde_json::to_vec(form).unwrap();
        let policy = Policy::default();
        verify_ak_quote_archived(&file, Some(&release), &world.roots(), &policy)
    };
    let refused = judge(&google.form());
    assert_eq!(refused.reason, FOREIGN_IMAGE, "{refused}");
    assert_eq!(refused.subject.judged, Some("archived"));
    assert_eq!(refused.subject.evidence, Some("gcp_tpm"));
    assert_eq!(refused.subject.assurance, Some("platform"));
    let passed = |check| {
        let step = refused.steps.iter().find(|step| step.check == check);
        step.is_some_and(|step| step.result == Outcome::Passed)
    };
    // Whose word it is holds; the last step alone is what policy refuses.
    for check in [
        Check::QuoteSignature,
        Check::DocumentChain,
        Check::Assurance,
    ] {
        assert!(passed(check), "{check}: {refused}");
    }
    let failed = refused
        .steps
        .iter()
        .filter(|step| step.result == Outcome::Failed);
    assert_eq!(failed.count(), 1);
    let foreign = AkQuoteForm {
        cloud: "azure".into(),
        ..google.form()
    };
    // Azure's authorities name the other purpose, and that is found first.
    assert_eq!(judge(&foreign).reason, Some("chain_invalid"));
}

#[test]
fn every_single_byte_change_of_google_s_certificates_is_refused() {
    let Some(google) = Google::load() else { return };
    let form = google.form();
    assert_eq!(reason(&form), FOREIGN_IMAGE);
    // Of a changed one policy is not even asked.
    let refused = |changed: AkQuoteForm| reason(&changed).is_some_and(|r| Some(r) != FOREIGN_IMAGE);
    every_change(&google.leaf, &masks(), |leaf| {
        refused(AkQuoteForm {
            certificate: HEXLOWER.encode(leaf),
            ..form.clone()
        })
    });
    every_change(&google.between, &masks(), |between| {
        refused(AkQuoteForm {
            between: vec![HEXLOWER.encode(between)],
            ..form.clone()
        })
    });
}

/// The certificates of a PEM file, in its order.
fn pem(text: &str) -> Vec<Vec<u8>> {
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|part| {
            let body = part.split("-----END").next().unwrap();
            let body: String = body.split_whitespace().collect();
            BASE64.decode(body.as_bytes()).unwrap()
        })
        .collect()
}

#[test]
fn every_single_byte_change_of_a_document_is_refused() {
    let Some(genuine) = nitro_tpm() else { return };
    let root = Root::aws().unwrap();
    every_change(&genuine, &masks(), |changed| {
        nitro::verify_archived(changed, &root).is_err()
    });
}

/// The kind of an enclave's document is refused before its signature is
/// looked at: whether that holds is asked here by other code.
#[test]
fn documents_of_enclaves_are_genuine_and_no_change_of_them_is() {
    let root = Root::aws().unwrap();
    let long = masks().len() > 8;
    for genuine in enclaves().into_iter().flatten() {
        assert_eq!(enclave::genuine(&genuine), Some(true));
        let every: Vec<u8> = (1..=u8::MAX).collect();
        every_change(&genuine, &every, |changed| {
            nitro::verify_archived(changed, &root).is_err()
        });
        // A signature each: one bit, unless there is time for all.
        let masks = if long { every } else { vec![0x01] };
        every_change(&genuine, &masks, |changed| {
            enclave::genuine(changed) != Some(true)
        });
    }
}

#[test]
fn every_single_byte_change_of_a_quote_is_refused() {
    for genuine in Genuine::both() {
        let certified = public(&genuine.point(), AK_ATTRIBUTES);
        let ak = attest::tpm2::public::AkPublic::parse(&certified).unwrap();
        let holds = |bytes: &[u8]| {
            Quote::parse(bytes).is_ok_and(|quote| quote.signed_by(ak.point()).is_ok())
        };
        assert!(holds(&genuine.quote));
        for position in 0..genuine.quote.len() {
            for mask in 1..=u8::MAX {
                let mut changed = genuine.quote.clone();
                changed[position] ^= mask;
                assert!(!holds(&changed), "byte {position} ^ {mask:#x}");
            }
        }
        for len in 0..genuine.quote.len() {
            assert!(!holds(&genuine.quote[..len]));
        }
    }
}

#[test]
fn truncated_and_lengthened_documents_are_refused() {
    let root = Root::aws().unwrap();
    for genuine in nitro_tpm()
        .into_iter()
        .chain(enclaves().into_iter().flatten())
    {
        for len in 0..genuine.len() {
            assert!(
                nitro::verify_archived(&genuine[..len], &root).is_err(),
                "{len} bytes"
            );
        }
        let longer = [genuine.as_slice(), &[0]].concat();
        let refused = nitro::verify_archived(&longer, &root).unwrap_err();
        assert_eq!(refused.reason(), "document_malformed");
    }
}

/// A real document with `more` at the end of its map: the container's length
/// fits, the signature does not.
fn spliced(genuine: &[u8], more: &[u8]) -> Vec<u8> {
    // The payload's length in two bytes, then the map; the signature has a
    // head of two bytes, and 96.
    let (payload, end) = (enclave::HEAD + 3, genuine.len() - 98);
    let entries = match genuine[payload] {
        0xbf => &genuine[payload + 1..end - 1],
        _ => &genuine[payload + 1..end],
    };
    let body = [&[0xbf], entries, more, &[0xff]].concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    let head = match u16::try_from(body.len()) {
        Ok(_) => [&[0x59], &len[2..]].concat(),
        Err(_) => [&[0x5a], &len[..]].concat(),
    };
    [&genuine[..enclave::HEAD], &head, &body, &genuine[end..]].concat()
}

#[test]
fn repeated_nested_and_oversized_parts_of_documents_are_malformed() {
    let root = Root::aws().unwrap();
    for genuine in nitro_tpm()
        .into_iter()
        .chain(enclaves().into_iter().flatten())
    {
        let reason = |more: &[u8]| {
            let verdict = nitro::verify_archived(&spliced(&genuine, more), &root);
            verdict.err().map(|error| error.reason())
        };
        let text = |name: &str| [&[0x60 | name.len() as u8], name.as_bytes()].concat();
        let entry = |name: &str, value: &[u8]| [&text(name), value].concat();
        // Nothing spliced in is the document itself, or at least in form.
        assert_ne!(reason(&[]), Some("document_malformed"));
        for (what, more) in [
            ("digest twice", entry("digest", &text("SHA384"))),
            ("nonce twice", entry("nonce", &[0xf6])),
            ("unknown field", entry("any", &[0xf6])),
            ("nested arrays", entry("any", &[0x81; 4096])),
            ("nested maps", entry("nonce", &[0xa1; 4096])),
            ("a name of arrays", vec![0x81; 4096]),
            ("over the bound", vec![0; nitro::DOCUMENT_BYTES_MAX]),
            ("over 64 KiB", vec![0; 70_000]),
        ] {
            assert_eq!(reason(&more), Some("document_malformed"), "{what}");
        }
    }
}

#[test]
fn malformed_variants_of_google_s_document_are_refused_by_name() {
    let Some(google) = Google::load() else { return };
    let world = common::World::default();
    let whole = serde_json::to_string(&google.form()).unwrap();
    let reason = |file: &str| {
        let policy = Policy::default();
        verify_ak_quote_archived(file.as_bytes(), None, &world.roots(), &policy).reason
    };
    assert_eq!(reason(&whole), Some("pcr_selection_mismatch"));
    for len in 0..whole.len() {
        assert_eq!(reason(&whole[..len]), Some("evidence_malformed"), "{len}");
    }
    let nested = whole.replacen(
        "\"between\":[",
        &format!("\"between\":{}", "[".repeat(4096)),
        1,
    );
    let long = format!("\"certificate\":\"{}", "00".repeat(100_000));
    for changed in [
        format!("{whole}{{}}"),
        whole.replacen('{', "{\"at_ms\":0,", 1),
        whole.replacen('{', "{\"any\":0,", 1),
        whole.replacen("\"certificate\":\"", &long, 1),
        nested,
    ] {
        assert_eq!(reason(&changed), Some("evidence_malformed"));
    }
    let quote = &google.form().quote;
    let longer = whole.replace(quote, &format!("{quote}00"));
    assert_eq!(reason(&longer), Some("quote_malformed"));
    let oversized = whole.replace(quote, &"00".repeat(5_000));
    assert_eq!(reason(&oversized), Some("quote_malformed"));
    let leaf = &google.form().certificate;
    let oversized = whole.replace(leaf, &format!("{leaf}{}", "00".repeat(3_000)));
    assert_eq!(reason(&oversized), Some("chain_invalid"));
}
