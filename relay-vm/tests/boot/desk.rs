//! What a desk says and knows.

use attest::software::{PlatformStatement, certify};
use certs::SigningKey;
use relay_vm::boot::Opening;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::codec::Text;
use wire::order::{Order, Parameters};
use wire::{Digest, Encode, PublicKey, UnixMs};

/// A release that nobody here reads.
pub(crate) const RELEASE: &str = "{\"signed\":{}}";

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(&SystemRandom::new()).unwrap()
}

#[allow(clippy::disallowed_methods, reason = "a desk of flesh and blood")]
pub(crate) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixMs(u64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn opening(desk: &SigningKey) -> Opening {
    Opening {
        order: Order {
            holder_key: key().public(),
            voucher_nonce: Digest([7; 32]),
            class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
            channel: Text::new("stable").unwrap(),
            desk_key: desk.public(),
            lease_ms: 3_600_000,
            byte_cap: 1 << 40,
        },
        parameters: Parameters {
            listen: Text::new("127.0.0.1:0").unwrap(),
            rate_bps: 100_000_000,
            lease_end: now().plus_ms(3_600_000),
            byte_cap: 1 << 40,
            private_networks: true,
        },
        release: RELEASE.to_owned(),
        network: None,
    }
}

/// The desk's last line to a process.
pub(crate) fn software(desk: &SigningKey, opening: &Opening, request: &str) -> String {
    let request: Value = serde_json::from_str(request).unwrap();
    let release = ring::digest::digest(&ring::digest::SHA256, opening.release.as_bytes());
    let statement = PlatformStatement {
        executable_sha256: Digest([0xee; 32]),
        order: certs::order::id(&opening.order),
        parameters: certs::order::parameters_digest(&opening.parameters),
        release: Digest(release.as_ref().try_into().unwrap()),
        boot_key: PublicKey::from_hex(request["boot_key"].as_str().unwrap()).unwrap(),
        issued: now(),
    };
    let platform = certify(desk, &statement).unwrap().to_bytes();
    json!({"platform": hex(&platform)}).to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
