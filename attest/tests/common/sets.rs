//! The stored sets `tpm2.json` and `nitro.json`, as they are made.

use super::nitro::Platform;
use super::nitro_cases::{self, When};
use super::tpm::Machine;
use super::{nitro, tpm_cases};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

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

/// The text of a set's file.
pub fn file(set: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(set).unwrap())
}
