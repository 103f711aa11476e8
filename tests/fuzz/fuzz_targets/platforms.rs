//! What platforms sign: quotes of a TPM, evidence around them, documents in
//! COSE. Raw, and genuine ones of the stored sets that were altered: nothing
//! may come out verified but what the sets' keys have signed.
#![no_main]

use attest::nitro::{self, Document, Root};
use attest::offline::{verify_ak_quote_archived, verify_document_archived};
use attest::tpm2::ek::{Development, Pinned};
use attest::tpm2::public::AkPublic;
use attest::tpm2::{Attested, Quote};
use attest::{Evidence, Expectation, Policy, TrustRoots, appraise};
use certs::{SigningKey, x509};
use data_encoding::HEXLOWER;
use fuzz::altered;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;
use wire::{OrderId, SpkiHash, UnixMs};

/// The seed of the key of the set's genuine relay.
const RELAY_SEED: [u8; 32] = [8; 32];

struct World {
    relay: SigningKey,
    /// The first is the genuine one; so below.
    extensions: Vec<Vec<u8>>,
    quotes: Vec<Vec<u8>>,
    ak: AkPublic,
    expectation: Expectation,
    roots: TrustRoots,
    policy: Policy,
    now: UnixMs,
    documents: Vec<Vec<u8>>,
    says: Vec<Document>,
    own: Root<Development>,
    aws: Root<Pinned>,
}

static WORLD: LazyLock<World> = LazyLock::new(world);

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a text");
    HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")
}

fn set(text: &str) -> Value {
    serde_json::from_str(text).expect("a stored set")
}

fn cases(set: &Value) -> impl Iterator<Item = &Value> {
    set["cases"].as_array().expect("cases").iter()
}

fn world() -> World {
    let machines = set(include_str!("../../../attest/vectors/tpm2.json"));
    let documents = set(include_str!("../../../attest/vectors/nitro.json"));
    let genuine = &machines["cases"][0];
    let id = |name: &str| genuine[name].as_str().expect("an identifier");
    let extensions: Vec<_> = cases(&machines)
        .filter_map(|case| x509::extension(&hex(&case["certificate"]), x509::EVIDENCE_OID).ok()?)
        .collect();
    let machine = |extension: &Vec<u8>| match Evidence::from_extension(extension) {
        Ok(Evidence::Tpm2(evidence)) => Some(evidence),
        _ => None,
    };
    let evidence = extensions
        .first()
        .and_then(machine)
        .expect("evidence of a TPM");
    let quotes = extensions.iter().filter_map(machine);
    let quotes = quotes
        .map(|evidence| evidence.boot_quote.to_vec())
        .collect();
    let statement = evidence.statement.statement().expect("a statement");
    let root = machines["root"].as_str().expect("a root");
    let desk = SpkiHash::from_hex(genuine["operators"][0].as_str().expect("a desk"));
    let own = Root::development(&hex(&documents["platform_root"])).expect("a root");
    let documents: Vec<_> = cases(&documents)
        .map(|case| hex(&case["document"]))
        .collect();
    let says = documents
        .iter()
        .filter_map(|bytes| nitro::verify_archived(bytes, &own).ok())
        .map(|archived| archived.document().clone())
        .collect();
    let world = World {
        relay: SigningKey::from_seed(RELAY_SEED),
        quotes,
        ak: AkPublic::parse(&statement.ak_public).expect("a key"),
        expectation: Expectation::new(
            SpkiHash::from_hex(id("spki")).expect("a key's hash"),
            OrderId::from_hex(id("order")).expect("an order"),
        ),
        roots: TrustRoots::from_root_file(root.as_bytes()).expect("roots"),
        policy: Policy::default().with_operator(desk.expect("a desk")),
        now: UnixMs(genuine["now_ms"].as_u64().expect("a time")),
        extensions,
        documents,
        says,
        own,
        aws: Root::aws().expect("the pinned root"),
    };
    assert!(
        accepted(&world, &world.extensions[0]),
        "the genuine must pass"
    );
    world
}

/// Whether the relay's certificate with this evidence is accepted.
fn accepted(world: &World, extension: &[u8]) -> bool {
    let extensions = vec![(x509::EVIDENCE_OID.to_vec(), extension.to_vec())];
    x509::self_signed(&world.relay, extensions).is_ok_and(|der| {
        let (wanted, roots) = (&world.expectation, &world.roots);
        appraise(&der, wanted, roots, &world.policy, world.now).is_ok()
    })
}

fn evidence(extension: &[u8]) {
    let world = &*WORLD;
    let Ok(evidence) = Evidence::from_extension(extension) else {
        return;
    };
    assert_eq!(evidence.to_extension(), extension, "a second spelling");
    if accepted(world, extension) {
        let known = world.extensions.iter().any(|known| known == extension);
        assert!(known, "altered evidence was accepted");
    }
}

fn quote(bytes: &[u8]) {
    let world = &*WORLD;
    let _ = Attested::parse(bytes);
    if let Ok(quote) = Quote::parse(bytes)
        && quote.signed_by(world.ak.point()).is_ok()
    {
        let mut known = world
            .quotes
            .iter()
            .filter_map(|known| Quote::parse(known).ok());
        let known = known.any(|known| known.attested() == quote.attested());
        assert!(known, "an altered quote holds");
    }
}

fn document(bytes: &[u8]) {
    let world = &*WORLD;
    if let Ok(archived) = nitro::verify_archived(bytes, &world.own) {
        let known = world.says.contains(archived.document());
        assert!(known, "an altered document holds");
        let at = archived.document().at;
        let live = nitro::verify_live(bytes, &world.own, at, &[0x77; 32]);
        assert!(live.is_err(), "a nonce that nobody signed is answered");
    }
    let _ = nitro::verify_archived(bytes, &world.aws);
    let _ = verify_document_archived(bytes, None, &world.roots, &world.policy);
}

/// None of the fuzzer's keys is under a cloud's root.
fn ak_quote(json: &[u8]) {
    let world = &*WORLD;
    let verdict = verify_ak_quote_archived(json, None, &world.roots, &world.policy);
    assert!(verdict.reason.is_some(), "a saved quote of nobody's holds");
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    let world = &*WORLD;
    match kind % 7 {
        0 => quote(rest),
        1 => quote(&altered(&world.quotes[0], rest)),
        2 => evidence(rest),
        3 => evidence(&altered(&world.extensions[0], rest)),
        4 => document(rest),
        5 => document(&altered(&world.documents[0], rest)),
        _ => ak_quote(rest),
    }
});
