//! The live challenge: only an answer made for this connection holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::live::{AGE_MS_MAX, Batch, Challenge, Connection, Leaf, TlsSide};
use attest::{Quoter, Refusal, live::LiveVerdict};
use common::{World, key};
use wire::codec::Blob;
use wire::message::live::Response;
use wire::{Digest, Nonce, OrderId, SpkiHash};

const NONCE: Nonce = Nonce([7; 32]);
const VERIFIER: SpkiHash = SpkiHash([0x21; 32]);
const SENT_MS: u64 = 10_000;

fn connection(world: &World) -> Connection {
    Connection {
        exporter: [0x42; 32],
        own: VERIFIER,
        peer: world.spki(),
        peer_side: TlsSide::Server,
    }
}

/// The leaf as the genuine relay computes it from its own connection.
fn leaf(world: &World) -> Leaf {
    Leaf {
        attester_side: TlsSide::Server,
        nonce: NONCE,
        exporter: [0x42; 32],
        attester: world.spki(),
        verifier: VERIFIER,
        order: certs::order::id(&world.order),
        parameters: certs::order::parameters_digest(&world.parameters),
        release: common::sha256(&world.release_json()),
    }
}

/// An answer to `leaf` as the second of three.
fn answer(world: &World, leaf: &Leaf) -> Response {
    let other = |nonce: u8| {
        Leaf {
            nonce: Nonce([nonce; 32]),
            ..leaf.clone()
        }
        .digest()
        .unwrap()
    };
    let batch = Batch::new(&[other(1), leaf.digest().unwrap(), other(3)]).unwrap();
    let quote = world.boot.quote(&batch.digest()).unwrap();
    batch.response(1, &quote).unwrap()
}

fn verify(
    world: &World,
    response: &Response,
    connection: &Connection,
    now_ms: u64,
) -> Result<LiveVerdict, Refusal> {
    Challenge::new(NONCE, SENT_MS).verify(
        response,
        connection,
        &world.appraised(),
        &world.policy,
        now_ms,
    )
}

fn reason(response: &Response, connection: &Connection) -> &'static str {
    let world = World::default();
    verify(&world, response, connection, SENT_MS + 5)
        .unwrap_err()
        .reason()
}

#[test]
fn verifies_the_answer_of_the_attested_relay() {
    let world = World::default();
    let response = answer(&world, &leaf(&world));
    let verdict = verify(&world, &response, &connection(&world), SENT_MS + AGE_MS_MAX).unwrap();
    assert_eq!(verdict.spki(), world.spki());
    let order = certs::order::id(&world.order).to_hex();
    assert_eq!(verdict.subject().order, Some(order));
    assert_eq!(verdict.steps().len(), 5);
}

#[test]
fn refuses_an_answer_to_anything_else() {
    let world = World::default();
    let genuine = leaf(&world);
    let others = [
        Leaf {
            attester_side: TlsSide::Client,
            ..genuine.clone()
        },
        Leaf {
            nonce: Nonce([8; 32]),
            ..genuine.clone()
        },
        Leaf {
            exporter: [0x43; 32],
            ..genuine.clone()
        },
        Leaf {
            attester: SpkiHash([1; 32]),
            ..genuine.clone()
        },
        Leaf {
            verifier: SpkiHash([1; 32]),
            ..genuine.clone()
        },
        Leaf {
            order: OrderId([1; 32]),
            ..genuine.clone()
        },
        Leaf {
            parameters: Digest([1; 32]),
            ..genuine.clone()
        },
        Leaf {
            release: Digest([1; 32]),
            ..genuine
        },
    ];
    for other in others {
        let response = answer(&world, &other);
        assert_eq!(
            reason(&response, &connection(&world)),
            "live_binding_mismatch"
        );
    }
}

#[test]
fn refuses_an_answer_that_a_front_fetched_from_the_genuine_relay() {
    // The front forwards the nonce; the genuine relay answers for *its*
    // connection to the front: another exporter, another verifier.
    let world = World::default();
    let fetched = Leaf {
        exporter: [0x99; 32],
        verifier: SpkiHash([0x66; 32]),
        ..leaf(&world)
    };
    let response = answer(&world, &fetched);
    assert_eq!(
        reason(&response, &connection(&world)),
        "live_binding_mismatch"
    );
}

#[test]
fn refuses_an_appraisal_of_another_key_than_the_connection_has() {
    let world = World::default();
    let response = answer(&world, &leaf(&world));
    let elsewhere = Connection {
        peer: SpkiHash([0x77; 32]),
        ..connection(&world)
    };
    assert_eq!(reason(&response, &elsewhere), "live_binding_mismatch");
}

#[test]
fn refuses_a_quote_of_another_key_and_a_boot_quote() {
    let world = World::default();
    let genuine = leaf(&world);
    let other = World {
        boot: key(20).into(),
        ..World::default()
    };
    let response = answer(&other, &genuine);
    assert_eq!(
        reason(&response, &connection(&world)),
        "live_binding_mismatch"
    );
    let attest::Evidence::Software(evidence) = world.evidence() else {
        unreachable!("the world makes software evidence")
    };
    let replayed = Response {
        quote: Blob::new(evidence.boot_quote.to_vec()).unwrap(),
        ..answer(&world, &genuine)
    };
    assert_eq!(
        reason(&replayed, &connection(&world)),
        "live_binding_mismatch"
    );
}

#[test]
fn refuses_a_late_answer_and_a_clock_that_went_back() {
    let world = World::default();
    let response = answer(&world, &leaf(&world));
    for now_ms in [SENT_MS + AGE_MS_MAX + 1, SENT_MS - 1, 0, u64::MAX] {
        let refusal = verify(&world, &response, &connection(&world), now_ms).unwrap_err();
        assert_eq!(refusal.reason(), "live_too_old");
    }
}

#[test]
fn refuses_a_connection_without_an_exporter() {
    let world = World::default();
    let response = answer(&world, &leaf(&world));
    let unbound = Connection {
        exporter: [0; 32],
        ..connection(&world)
    };
    assert_eq!(reason(&response, &unbound), "live_exporter_missing");
    let attester = Leaf {
        exporter: [0; 32],
        ..leaf(&world)
    };
    assert_eq!(
        attester.digest().unwrap_err().reason(),
        "live_exporter_missing"
    );
}

#[test]
fn refuses_its_own_reflection() {
    let world = World::default();
    let response = answer(&world, &leaf(&world));
    let mirror = Connection {
        own: world.spki(),
        ..connection(&world)
    };
    assert_eq!(reason(&response, &mirror), "live_reflection");
    let attester = Leaf {
        verifier: world.spki(),
        ..leaf(&world)
    };
    assert_eq!(attester.digest().unwrap_err().reason(), "live_reflection");
}

#[test]
fn refuses_index_count_and_path_that_do_not_fit() {
    let world = World::default();
    let genuine = answer(&world, &leaf(&world));
    let cases = [
        Response {
            count: 0,
            ..genuine.clone()
        },
        Response {
            index: 3,
            ..genuine.clone()
        },
        Response {
            count: 1025,
            ..genuine.clone()
        },
        Response {
            index: 2,
            ..genuine.clone()
        },
        Response {
            path: wire::codec::List::default(),
            ..genuine.clone()
        },
    ];
    for case in cases {
        assert_eq!(reason(&case, &connection(&world)), "live_malformed");
    }
    // A count of the same depth fits in form, but was not quoted.
    let four = Response {
        count: 4,
        ..genuine
    };
    assert_eq!(reason(&four, &connection(&world)), "live_binding_mismatch");
}
