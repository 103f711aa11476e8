//! Real documents of real platforms, which belong to other projects and are
//! not kept in this repository: each of a supported kind verifies at its own
//! time and is refused by policy, because none is our image; the others are
//! refused as unknown; and no byte of them can be changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
// A folder of files is what this test is about.
#![allow(clippy::disallowed_methods)]

mod common;

use attest::nitro::{self, Root};
use attest::offline::verify_document_archived;
use attest::tpm2::{AkRoot, ArchivedAk, Bank, Pcrs, Quote};
use attest::{Check, Evidence, Policy};
use common::tpm::{AK_ATTRIBUTES, Machine, machine, public, with_signature};
use data_encoding::{BASE64, HEXLOWER};
use p256::ecdsa::Signature;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use wire::UnixMs;

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

#[test]
fn google_certified_the_attestation_key_at_its_own_time() {
    let file = "test-gcp-amd-fixture.json";
    let Some(genuine) = Genuine::load("gcp-vtpm-vaportpm", file, Bank::Sha256) else {
        return;
    };
    let chain = pem(&genuine
        .fixture
        .attestation
        .gcp
        .as_ref()
        .unwrap()
        .ak_cert_chain);
    let [leaf, between, _root] = chain.as_slice() else {
        unreachable!("three certificates")
    };
    let root = AkRoot::google().unwrap();
    let at = UnixMs(1_770_100_000_000);
    let ak = ArchivedAk::verify(leaf, &[between], &root, at).unwrap();
    let attested = ak.archived_quote(&genuine.quote).unwrap();
    assert!(!attested.selects_released());
    let reason = |leaf: &[u8], between: &[&[u8]], at| {
        let refused = ArchivedAk::verify(leaf, between, &root, at);
        refused.unwrap_err().reason()
    };
    assert_eq!(reason(leaf, &[between], UnixMs(0)), "clock_wrong");
    assert_eq!(
        reason(leaf, &[between], UnixMs(9_000_000_000_000)),
        "chain_expired"
    );
    assert_eq!(reason(leaf, &[], at), "chain_root_unknown");
    for position in 0..leaf.len() {
        let mut changed = leaf.clone();
        changed[position] ^= 1;
        let refused = ArchivedAk::verify(&changed, &[between], &root, at);
        assert!(refused.is_err(), "byte {position} of the certificate");
    }
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
    let root = Root::aws().unwrap();
    let documents = nitro_tpm()
        .into_iter()
        .chain(enclaves().into_iter().flatten());
    for genuine in documents {
        // Half of the positions each: a changed payload costs a signature.
        std::thread::scope(|scope| {
            for start in 0..2 {
                let (genuine, root) = (&genuine, &root);
                scope.spawn(move || {
                    for position in (start..genuine.len()).step_by(2) {
                        for mask in [0x01, 0x80, 0xff] {
                            let mut changed = genuine.clone();
                            changed[position] ^= mask;
                            let refused = nitro::verify_archived(&changed, root).is_err();
                            assert!(refused, "byte {position} ^ {mask:#x}");
                        }
                    }
                });
            }
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
