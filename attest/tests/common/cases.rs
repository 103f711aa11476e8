//! Relays and the verdict that each must get: the stored vectors are made of
//! these.

use super::{HOUR_MS, NOW, World, YEAR_MS, key, order};
use attest::{Evidence, Expectation, Policy};
use wire::codec::Text;
use wire::{Digest, OrderId, UnixMs};

/// One certificate, what it is judged with, and the verdict.
pub struct Case {
    pub name: &'static str,
    pub world: World,
    pub certificate: Vec<u8>,
    pub expectation: Expectation,
    pub development: bool,
    pub security_version_min: u64,
    pub denied: Vec<Digest>,
    /// None: verified.
    pub reason: Option<&'static str>,
}

fn case(name: &'static str, world: World, reason: Option<&'static str>) -> Case {
    let evidence = world.evidence();
    shown(name, world, &evidence, reason)
}

fn shown(
    name: &'static str,
    world: World,
    evidence: &Evidence,
    reason: Option<&'static str>,
) -> Case {
    Case {
        name,
        certificate: world.certificate(evidence.to_extension()),
        expectation: world.expectation(),
        world,
        development: true,
        security_version_min: 0,
        denied: vec![],
        reason,
    }
}

fn world(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::default();
    change(&mut world);
    world
}

/// Every verdict that a whole certificate can show.
pub fn all() -> Vec<Case> {
    let mut cases = vec![case("genuine", World::default(), None)];
    cases.extend(admissions());
    cases.extend(releases());
    cases.extend(platforms());
    cases
}

fn admissions() -> Vec<Case> {
    let genuine = World::default();
    let bare = certs::x509::self_signed(&genuine.relay, vec![]).unwrap();
    let copier = world(|w| w.relay = key(20));
    let copied = genuine.evidence();
    let whole = genuine.certificate(copied.to_extension());
    let cut = copied.to_extension();
    vec![
        Case {
            certificate: whole[..whole.len() - 1].to_vec(),
            ..case("cut short", World::default(), Some("certificate_invalid"))
        },
        Case {
            certificate: genuine.certificate(cut[..cut.len() - 1].to_vec()),
            ..case(
                "evidence cut short",
                World::default(),
                Some("evidence_malformed"),
            )
        },
        Case {
            certificate: bare,
            ..case("no evidence", World::default(), Some("evidence_missing"))
        },
        Case {
            expectation: Expectation::of_order(copier.spki(), &order()),
            ..case("another key", World::default(), Some("spki_not_admitted"))
        },
        Case {
            expectation: Expectation::new(genuine.spki(), OrderId([9; 32])),
            ..case("another order", World::default(), Some("order_mismatch"))
        },
        shown("copied", copier, &copied, Some("boot_binding_mismatch")),
        Case {
            development: false,
            ..case(
                "default policy",
                World::default(),
                Some("assurance_not_accepted"),
            )
        },
    ]
}

fn releases() -> Vec<Case> {
    let stranger = world(|w| w.release_keys = vec![key(20)]);
    let channel = world(|w| w.order.channel = Text::new("nightly").unwrap());
    let expired = world(|w| w.release.expires_ms = NOW.0);
    let root_expired = world(|w| w.now = UnixMs(NOW.0 + YEAR_MS));
    let early = world(|w| w.now = UnixMs(NOW.0 - 2 * HOUR_MS));
    let unmeasured = world(|w| w.release.measurements.software = None);
    vec![
        case(
            "release of a stranger",
            stranger,
            Some("release_signature_invalid"),
        ),
        case("another channel", channel, Some("release_channel_mismatch")),
        case("release expired", expired, Some("release_expired")),
        case("root expired", root_expired, Some("root_expired")),
        case("clock behind", early, Some("clock_wrong")),
        case("no measurement", unmeasured, Some("measurement_missing")),
        Case {
            denied: vec![Digest([0xee; 32])],
            ..case(
                "a revoked program",
                World::default(),
                Some("release_denied"),
            )
        },
        Case {
            security_version_min: 6,
            ..case("rolled back", World::default(), Some("release_rolled_back"))
        },
    ]
}

fn platforms() -> Vec<Case> {
    let genuine = World::default();
    let mut program = genuine.statement();
    program.executable_sha256 = Digest([0xef; 32]);
    let program = genuine.evidence_of(&program);
    let mut file = genuine.statement();
    file.release = Digest([1; 32]);
    let file = genuine.evidence_of(&file);
    let mut order = genuine.statement();
    order.order = OrderId([1; 32]);
    let order = genuine.evidence_of(&order);
    let mut early = genuine.statement();
    early.issued = NOW.plus_ms(HOUR_MS);
    let early = genuine.evidence_of(&early);
    let parameters = genuine.changed(|evidence| evidence.parameters.rate_bps += 1);
    let desk = world(|w| w.desk = key(20));
    let terms = world(|w| w.parameters.byte_cap /= 2);
    let ended = world(|w| {
        w.release.expires_ms = NOW.0 + YEAR_MS;
        w.now = NOW.plus_ms(HOUR_MS);
    });
    let default = World::default;
    vec![
        shown(
            "changed program",
            default(),
            &program,
            Some("measurement_mismatch"),
        ),
        shown(
            "other release file",
            default(),
            &file,
            Some("release_mismatch"),
        ),
        shown(
            "statement of another order",
            default(),
            &order,
            Some("platform_order_mismatch"),
        ),
        shown(
            "statement from the future",
            default(),
            &early,
            Some("platform_from_future"),
        ),
        shown(
            "other parameters",
            default(),
            &parameters,
            Some("parameters_mismatch"),
        ),
        case("another desk", desk, Some("platform_signature_invalid")),
        case("half the bytes", terms, Some("terms_mismatch")),
        case("lease over", ended, Some("lease_ended")),
    ]
}

/// The policy of a case.
pub fn policy(development: bool, security_version_min: u64, denied: &[Digest]) -> Policy {
    let floor = Policy::default().with_security_version_min(security_version_min);
    let denying = |policy: Policy, digest: &Digest| policy.with_denied(*digest);
    let policy = denied.iter().fold(floor, denying);
    if development {
        policy.with_development()
    } else {
        policy
    }
}
