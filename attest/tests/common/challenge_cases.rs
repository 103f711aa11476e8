//! Answers of a machine to a live challenge and the verdict that each must get.

use super::tpm::{Machine, ak, altered, machine};
use attest::live::{AGE_MS_MAX, Batch, Connection, Leaf, TlsSide};
use attest::tpm2::Bank;
use wire::codec::List;
use wire::message::live::Response;
use wire::{Nonce, SpkiHash};

pub const NONCE: Nonce = Nonce([7; 32]);
/// When the challenge was sent, on the verifier's monotonic clock.
pub const SENT_MS: u64 = 10_000;
const EXPORTER: [u8; 32] = [0x42; 32];
const VERIFIER: SpkiHash = SpkiHash([0x21; 32]);

/// One answer, the connection that it came over, and the verdict.
pub struct ChallengeCase {
    pub name: &'static str,
    pub connection: Connection,
    pub response: Response,
    pub answered_ms: u64,
    /// None: the machine is at the other end.
    pub reason: Option<&'static str>,
}

fn connection() -> Connection {
    Connection {
        exporter: EXPORTER,
        own: VERIFIER,
        peer: Machine::default().world.spki(),
        peer_side: TlsSide::Server,
    }
}

/// The machine's leaf, as it computes it from its own connection.
fn leaf() -> Leaf {
    let world = Machine::default().world;
    Leaf {
        attester_side: TlsSide::Server,
        nonce: NONCE,
        exporter: EXPORTER,
        attester: world.spki(),
        verifier: VERIFIER,
        order: super::tpm::ordered(),
        parameters: certs::order::parameters_digest(&world.parameters),
        release: super::sha256(&world.release_json()),
    }
}

/// The answer to `leaf` as the second of two, quoted by a machine.
fn answer(leaf: &Leaf, machine: &Machine) -> Response {
    let other = Leaf {
        nonce: Nonce([1; 32]),
        ..leaf.clone()
    };
    let batch = Batch::new(&[other.digest().unwrap(), leaf.digest().unwrap()]).unwrap();
    batch.response(1, &machine.quote(&batch.digest())).unwrap()
}

fn case(
    name: &'static str,
    reason: impl Into<Option<&'static str>>,
    change: impl FnOnce(&mut ChallengeCase),
) -> ChallengeCase {
    let mut case = ChallengeCase {
        name,
        connection: connection(),
        response: answer(&leaf(), &Machine::default()),
        answered_ms: SENT_MS + 5,
        reason: reason.into(),
    };
    change(&mut case);
    case
}

/// Answered by a machine that has changed since its boot.
fn since_boot(
    name: &'static str,
    reason: &'static str,
    change: impl FnOnce(&mut Machine),
) -> ChallengeCase {
    let changed = machine(change);
    case(name, reason, |c| c.response = answer(&leaf(), &changed))
}

/// Every verdict about an answer.
pub fn all() -> Vec<ChallengeCase> {
    let mut cases = vec![case("genuine", None, |_| ())];
    cases.extend(connections());
    cases.extend(forms());
    cases.extend(machines());
    cases
}

fn connections() -> Vec<ChallengeCase> {
    let elsewhere = |name, other: Leaf| {
        case(name, "live_binding_mismatch", |c| {
            c.response = answer(&other, &Machine::default());
        })
    };
    vec![
        case("no exporter", "live_exporter_missing", |c| {
            c.connection.exporter = [0; 32];
        }),
        case("our own key", "live_reflection", |c| {
            c.connection.own = c.connection.peer;
        }),
        case("too late", "live_too_old", |c| {
            c.answered_ms = SENT_MS + AGE_MS_MAX + 1;
        }),
        case("before it was asked", "live_too_old", |c| {
            c.answered_ms = SENT_MS - 1;
        }),
        case("another key than appraised", "live_binding_mismatch", |c| {
            c.connection.peer = SpkiHash([0x77; 32]);
        }),
        elsewhere(
            "of another connection",
            Leaf {
                exporter: [0x43; 32],
                ..leaf()
            },
        ),
        elsewhere(
            "to another verifier",
            Leaf {
                verifier: SpkiHash([0x66; 32]),
                ..leaf()
            },
        ),
        elsewhere(
            "of the other direction",
            Leaf {
                attester_side: TlsSide::Client,
                ..leaf()
            },
        ),
    ]
}

fn forms() -> Vec<ChallengeCase> {
    vec![
        case("no leaves", "live_malformed", |c| c.response.count = 0),
        case("past the last leaf", "live_malformed", |c| {
            c.response.index = 2;
        }),
        case("no path", "live_malformed", |c| {
            c.response.path = List::default();
        }),
        case("the other leaf", "live_binding_mismatch", |c| {
            c.response.index = 0;
        }),
    ]
}

fn machines() -> Vec<ChallengeCase> {
    vec![
        since_boot("another key's quote", "quote_signature_invalid", |m| {
            m.ak = ak(41);
        }),
        since_boot("not made by a TPM", "quote_magic", |m| m.fields.magic ^= 1),
        since_boot("changed registers", "live_pcr_mismatch", |m| {
            m.pcrs = altered(Bank::Sha256, 11);
        }),
        since_boot("fewer registers", "live_pcr_selection_mismatch", |m| {
            m.fields.selections[0].1 = [0x90, 0x2a, 0];
        }),
        since_boot("another bank", "live_pcr_selection_mismatch", |m| {
            m.fields.selections[0].0 = 0x000c;
        }),
        since_boot("reset", "live_reset", |m| m.fields.reset_count += 1),
        since_boot("resumed", "live_reset", |m| m.fields.restart_count += 1),
        since_boot("a clock that went back", "live_reset", |m| {
            m.fields.clock_ms -= 1;
        }),
    ]
}
