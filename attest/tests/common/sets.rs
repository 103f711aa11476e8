//! The stored sets, as they are made.

use super::authority::Authority;
use super::nitro::Platform;
use super::nitro_cases::{self, When};
use super::tpm::Machine;
use super::{NOW, World, cases, cloud, cloud_cases, nitro, tpm_cases};
use super::{challenge_cases, key_cases, release_cases};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use wire::Encode;

/// A stored set's name, and how it is made.
pub type Set = (&'static str, fn() -> Value);

/// Every set whose cases name a reason.
pub const ALL: [Set; 7] = [
    ("appraisal", appraisal),
    ("tpm2", tpm2),
    ("nitro", nitro),
    ("clouds", clouds),
    ("releases", releases),
    ("keys", keys),
    ("challenges", challenges),
];

/// Certificates with evidence `software`.
pub fn appraisal() -> Value {
    let cases: Vec<_> = cases::all()
        .into_iter()
        .map(|case| {
            let denied: Vec<_> = case.denied.iter().map(|digest| digest.to_hex()).collect();
            json!({
                "name": case.name,
                "certificate": HEXLOWER.encode(&case.certificate),
                "spki": case.expectation.spki().to_hex(),
                "order": case.expectation.order().to_hex(),
                "now_ms": case.world.now.0,
                "development": case.development,
                "security_version_min": case.security_version_min,
                "denied": denied,
                "reason": case.reason,
            })
        })
        .collect();
    json!({
        "root": String::from_utf8(World::default().root).unwrap(),
        "cases": cases,
    })
}

/// Certificates with evidence `tpm2`.
pub fn tpm2() -> Value {
    let cases: Vec<_> = tpm_cases::all()
        .into_iter()
        .map(|case| {
            let operators: Vec<_> = case.operators.iter().map(|desk| desk.to_hex()).collect();
            json!({
                "name": case.name,
                "certificate": HEXLOWER.encode(&case.certificate),
                "spki": case.expectation.spki().to_hex(),
                "order": case.expectation.order().to_hex(),
                "now_ms": case.machine.world.now.0,
                "operators": operators,
                "reason": case.reason,
            })
        })
        .collect();
    let root = Machine::default().world.root;
    json!({ "root": String::from_utf8(root).unwrap(), "cases": cases })
}

/// Documents of a platform of our own.
pub fn nitro() -> Value {
    let cases: Vec<_> = nitro_cases::all()
        .into_iter()
        .map(|case| {
            let live = match case.when {
                When::Archived => Value::Null,
                When::Live(now, nonce) => {
                    json!({ "now_ms": now.0, "nonce": HEXLOWER.encode(&nonce) })
                }
            };
            json!({
                "name": case.name,
                "document": HEXLOWER.encode(&case.document),
                "live": live,
                "reason": case.reason,
            })
        })
        .collect();
    let world = Machine::default().world;
    json!({
        "platform_root": HEXLOWER.encode(&Platform::new(0x10, nitro::AT).root),
        "release_root": String::from_utf8(world.root.clone()).unwrap(),
        "release": String::from_utf8(world.release_json()).unwrap(),
        "cases": cases,
    })
}

/// Saved quotes of clouds of our own.
pub fn clouds() -> Value {
    let cases: Vec<_> = cloud_cases::all()
        .into_iter()
        .map(|case| {
            let denied: Vec<_> = case.denied.iter().map(|digest| digest.to_hex()).collect();
            json!({
                "name": case.name,
                "cloud": case.cloud.name(),
                "file": case.file,
                "release": case.release,
                "development": case.development,
                "denied": denied,
                "reason": case.reason,
            })
        })
        .collect();
    let world = Machine::default().world;
    json!({
        "cloud_root": HEXLOWER.encode(&Authority::root(cloud::ROOT_SEED, NOW).der),
        "release_root": String::from_utf8(world.root.clone()).unwrap(),
        "release": String::from_utf8(world.release_json()).unwrap(),
        "cases": cases,
    })
}

/// Releases, roots, and roots that shall follow.
pub fn releases() -> Value {
    let cases: Vec<_> = release_cases::all()
        .into_iter()
        .map(|case| {
            let text = |json: Vec<u8>| String::from_utf8(json).unwrap();
            let denied: Vec<_> = case.denied.iter().map(|digest| digest.to_hex()).collect();
            json!({
                "name": case.name,
                "file": text(case.file),
                "root": case.root.map(text),
                "is": case.is.name(),
                "now_ms": case.now.0,
                "security_version_min": case.security_version_min,
                "denied": denied,
                "reason": case.reason,
            })
        })
        .collect();
    json!({ "cases": cases })
}

/// Endorsement keys with their certificates, and credentials.
pub fn keys() -> Value {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let certificates = key_cases::certificates().into_iter().map(|case| {
        json!({
            "name": case.name,
            "certificate": hex(&case.certificate),
            "ek_public": hex(&case.ek_public),
            "reason": case.reason,
        })
    });
    let credentials = key_cases::credentials().into_iter().map(|case| {
        json!({
            "name": case.name,
            "ek_public": hex(&case.ek_public),
            "ak_public": hex(&case.ak_public),
            "answer": hex(&case.answer),
            "reason": case.reason,
        })
    });
    json!({
        "maker": hex(&key_cases::maker().der),
        "now_ms": NOW.0,
        "certificates": certificates.collect::<Vec<_>>(),
        "credentials": credentials.collect::<Vec<_>>(),
    })
}

/// Answers of a machine to a live challenge.
pub fn challenges() -> Value {
    let cases: Vec<_> = challenge_cases::all()
        .into_iter()
        .map(|case| {
            let connection = &case.connection;
            json!({
                "name": case.name,
                "exporter": HEXLOWER.encode(&connection.exporter),
                "own": connection.own.to_hex(),
                "peer": connection.peer.to_hex(),
                "response": HEXLOWER.encode(&case.response.to_bytes()),
                "answered_ms": case.answered_ms,
                "reason": case.reason,
            })
        })
        .collect();
    let machine = Machine::default();
    let world = &machine.world;
    json!({
        "root": String::from_utf8(world.root.clone()).unwrap(),
        "certificate": HEXLOWER.encode(&world.certificate(machine.evidence().to_extension())),
        "spki": world.spki().to_hex(),
        "order": super::tpm::ordered().to_hex(),
        "operator": super::tpm::desk().to_hex(),
        "now_ms": NOW.0,
        "nonce": HEXLOWER.encode(challenge_cases::NONCE.as_bytes()),
        "cases": cases,
    })
}

/// The text of a set's file.
pub fn file(set: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(set).unwrap())
}
