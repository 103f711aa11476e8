//! Prints `vectors/appraisal.json`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use data_encoding::HEXLOWER;

fn main() {
    let cases: Vec<_> = common::cases::all()
        .into_iter()
        .map(|case| {
            serde_json::json!({
                "name": case.name,
                "certificate": HEXLOWER.encode(&case.certificate),
                "spki": case.expectation.spki().to_hex(),
                "order": case.expectation.order().to_hex(),
                "now_ms": case.world.now.0,
                "development": case.development,
                "security_version_min": case.security_version_min,
                "reason": case.reason,
            })
        })
        .collect();
    let vectors = serde_json::json!({
        "root": String::from_utf8(common::World::default().root).unwrap(),
        "cases": cases,
    });
    println!("{}", serde_json::to_string_pretty(&vectors).unwrap());
}
