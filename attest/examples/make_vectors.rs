//! Prints a file of `vectors`: `make_vectors appraisal|tpm2|nitro`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use data_encoding::HEXLOWER;

fn main() {
    let set = match std::env::args().nth(1).as_deref() {
        Some("appraisal") => appraisal(),
        Some("tpm2") => common::sets::tpm2(),
        Some("nitro") => common::sets::nitro(),
        _ => {
            eprintln!("make_vectors appraisal|tpm2|nitro");
            std::process::exit(2)
        }
    };
    print!("{}", common::sets::file(&set));
}

fn appraisal() -> serde_json::Value {
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
    serde_json::json!({
        "root": String::from_utf8(common::World::default().root).unwrap(),
        "cases": cases,
    })
}
