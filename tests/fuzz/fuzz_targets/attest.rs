//! Evidence, releases and trust roots: as raw bytes, and as genuine ones that
//! were altered. Nothing altered may come out verified as something else.
#![no_main]

use attest::release::{KeyRing, Measurements, Release, SoftwareMeasurement, TrustRoot};
use attest::software::{self, BootKey, PlatformStatement};
use attest::{Evidence, Expectation, Policy, Revocations, TrustRoots, appraise, offline, release};
use certs::{SigningKey, order, x509};
use fuzz::altered;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::codec::Text;
use wire::order::{Order, Parameters};
use wire::{Decode, Digest, Encode, UnixMs};

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const END: UnixMs = UnixMs(NOW.0 + 3_600_000);

struct World {
    relay: SigningKey,
    extension: Vec<u8>,
    certificate: Vec<u8>,
    release: Vec<u8>,
    root: Vec<u8>,
    roots: TrustRoots,
    policy: Policy,
    expectation: Expectation,
}

static WORLD: LazyLock<World> = LazyLock::new(world);

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("a text")
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

fn world() -> World {
    let ring = KeyRing {
        root: [key(1), key(2), key(3)],
        release: [key(4), key(5)],
    };
    let root = ring.first_root(END).expect("a root");
    let mut genuine = Release::new("stable", "0.1.0", &"0".repeat(40), "a recipe", NOW, END);
    genuine.measurements = Measurements {
        software: Some(SoftwareMeasurement {
            executable_sha256: Digest([6; 32]).into(),
        }),
        ..Measurements::default()
    };
    let release = ring.sign_release(&genuine).expect("a release");
    let (desk, boot, relay) = (key(7), key(8), key(9));
    let order = Order {
        holder_key: key(10).public(),
        voucher_nonce: Digest([11; 32]),
        class: text("small"),
        channel: text("stable"),
        desk_key: desk.public(),
        lease_ms: 3_600_000,
        byte_cap: 1_000_000,
    };
    let parameters = Parameters {
        listen: text("127.0.0.1:4433"),
        rate_bps: 1_000_000,
        lease_end: END,
        byte_cap: 1_000_000,
        private_networks: true,
    };
    let roots = TrustRoots::from_root_file(&root).expect("roots");
    let verified =
        release::verify(&release, roots.release().expect("a root"), NOW).expect("genuine");
    let statement = PlatformStatement {
        executable_sha256: Digest([6; 32]),
        order: order::id(&order),
        parameters: order::parameters_digest(&parameters),
        release: verified.digest(),
        boot_key: boot.public(),
        issued: NOW,
    };
    let platform = software::certify(&desk, &statement).expect("a statement");
    let spki = x509::spki_of_public(&relay.public());
    let expectation = Expectation::of_order(spki, &order);
    let evidence = BootKey::from(boot)
        .evidence(&spki, order, parameters, platform, &release)
        .expect("evidence");
    let extension = evidence.to_extension();
    let world = World {
        certificate: certificate(&relay, &extension),
        relay,
        extension,
        release,
        root,
        roots,
        policy: Policy::default().with_development(),
        expectation,
    };
    let genuine = appraise(
        &world.certificate,
        &world.expectation,
        &world.roots,
        &world.policy,
        NOW,
    );
    assert!(
        genuine.is_ok(),
        "the unaltered evidence must pass: {genuine:?}"
    );
    world
}

fn certificate(relay: &SigningKey, extension: &[u8]) -> Vec<u8> {
    let extensions = vec![(x509::EVIDENCE_OID.to_vec(), extension.to_vec())];
    x509::self_signed(relay, extensions).expect("a certificate")
}

/// A certificate by the relay's key around the fuzzer's evidence.
fn evidence(extension: &[u8]) {
    let world = &*WORLD;
    if let Ok(evidence) = Evidence::from_extension(extension) {
        assert_eq!(evidence.to_extension(), extension, "a second spelling");
    }
    if extension.is_empty() || extension.len() > 40_000 {
        return;
    }
    let der = certificate(&world.relay, extension);
    let got = appraise(&der, &world.expectation, &world.roots, &world.policy, NOW);
    let _ = offline::verify_evidence(extension, &world.roots, &world.policy, NOW);
    if got.is_ok() {
        assert_eq!(extension, world.extension, "altered evidence was accepted");
    }
}

fn raw_certificate(der: &[u8]) {
    let world = &*WORLD;
    let _ = appraise(der, &world.expectation, &world.roots, &world.policy, NOW);
    let _ = offline::verify_certificate(der, &world.roots, &world.policy, NOW);
}

/// JSON has many spellings of one envelope; the payload that comes out must be
/// the signed one.
fn release_file(json: &[u8]) {
    let world = &*WORLD;
    let Some(root) = world.roots.release() else {
        return;
    };
    if let Ok(got) = release::verify(json, root, NOW) {
        assert_eq!(
            got.name(),
            "stable 0.1.0",
            "an altered release was accepted"
        );
        let software = got
            .measurements
            .software
            .as_ref()
            .map(|s| s.executable_sha256.0);
        assert_eq!(
            software,
            Some([6; 32]),
            "an altered measurement was accepted"
        );
    }
    let _ = offline::verify_release(json, None, &world.roots, &world.policy, NOW);
    let _ = offline::verify_saved(json, &world.roots, &world.policy, NOW);
    if let Ok(revocations) = Revocations::parse(json) {
        let again = revocations.to_json().expect("within the bound");
        assert_eq!(Revocations::parse(&again), Ok(revocations));
    }
}

fn root_file(json: &[u8]) {
    let world = &*WORLD;
    if let Ok(root) = TrustRoot::parse(json) {
        assert!(root.version() >= 1);
    }
    if let Some(root) = world.roots.release() {
        let _ = root.rotate(json);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    let world = &*WORLD;
    match kind % 7 {
        0 => evidence(rest),
        1 => evidence(&altered(&world.extension, rest)),
        2 => raw_certificate(rest),
        3 => raw_certificate(&altered(&world.certificate, rest)),
        4 => release_file(rest),
        5 => release_file(&altered(&world.release, rest)),
        _ => root_file(&altered(&world.root, rest)),
    }
    let _ = software::SoftwareEvidence::from_bytes(rest).map(|e| assert_eq!(e.to_bytes(), rest));
});
