//! What platforms sign: quotes of a TPM, evidence around them, documents in
//! COSE. Raw, and genuine ones of the stored sets that were altered: only the
//! genuine may come out verified.
#![no_main]

use attest::nitro::{self, Document, Root};
use attest::offline::verify_document_archived;
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
    extension: Vec<u8>,
    quote: Vec<u8>,
    ak: AkPublic,
    expectation: Expectation,
    roots: TrustRoots,
    policy: Policy,
    now: UnixMs,
    document: Vec<u8>,
    says: Document,
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

fn world() -> World {
    let machines = set(include_str!("../../../attest/vectors/tpm2.json"));
    let documents = set(include_str!("../../../attest/vectors/nitro.json"));
    let genuine = &machines["cases"][0];
    let id = |name: &str| genuine[name].as_str().expect("an identifier");
    let certificate = hex(&genuine["certificate"]);
    let extension = x509::extension(&certificate, x509::EVIDENCE_OID)
        .expect("a certificate")
        .expect("evidence");
    let Ok(Evidence::Tpm2(evidence)) = Evidence::from_extension(&extension) else {
        panic!("the first case is genuine evidence of a TPM");
    };
    let statement = evidence.statement.statement().expect("a statement");
    let root = machines["root"].as_str().expect("a root");
    let desk = SpkiHash::from_hex(genuine["operators"][0].as_str().expect("a desk"));
    let document = hex(&documents["cases"][0]["document"]);
    let own = Root::development(&hex(&documents["platform_root"])).expect("a root");
    let says = nitro::verify_archived(&document, &own)
        .expect("the first case is genuine")
        .document()
        .clone();
    let world = World {
        relay: SigningKey::from_seed(RELAY_SEED),
        quote: evidence.boot_quote.to_vec(),
        ak: AkPublic::parse(&statement.ak_public).expect("a key"),
        expectation: Expectation::new(
            SpkiHash::from_hex(id("spki")).expect("a key's hash"),
            OrderId::from_hex(id("order")).expect("an order"),
        ),
        roots: TrustRoots::from_root_file(root.as_bytes()).expect("roots"),
        policy: Policy::default().with_operator(desk.expect("a desk")),
        now: UnixMs(genuine["now_ms"].as_u64().expect("a time")),
        extension,
        document,
        says,
        own,
        aws: Root::aws().expect("the pinned root"),
    };
    assert!(accepted(&world, &world.extension), "the genuine must pass");
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
        assert_eq!(extension, world.extension, "altered evidence was accepted");
    }
}

fn quote(bytes: &[u8]) {
    let world = &*WORLD;
    let _ = Attested::parse(bytes);
    if let Ok(quote) = Quote::parse(bytes)
        && quote.signed_by(world.ak.point()).is_ok()
    {
        let genuine = Quote::parse(&world.quote).expect("the genuine quote");
        assert_eq!(
            quote.attested(),
            genuine.attested(),
            "an altered quote holds"
        );
    }
}

fn document(bytes: &[u8]) {
    let world = &*WORLD;
    if let Ok(archived) = nitro::verify_archived(bytes, &world.own) {
        assert_eq!(
            archived.document(),
            &world.says,
            "an altered document holds"
        );
    }
    if let Ok(live) = nitro::verify_live(bytes, &world.own, world.says.at, &[0x4e; 32]) {
        assert_eq!(live.document(), &world.says, "an altered document holds");
    }
    let _ = nitro::verify_archived(bytes, &world.aws);
    let _ = verify_document_archived(bytes, None, &world.roots, &world.policy);
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    let world = &*WORLD;
    match kind % 6 {
        0 => quote(rest),
        1 => quote(&altered(&world.quote, rest)),
        2 => evidence(rest),
        3 => evidence(&altered(&world.extension, rest)),
        4 => document(rest),
        _ => document(&altered(&world.document, rest)),
    }
});
