//! What the whole verification of a relay with a TPM costs a viewer, in processor
//! time: `verify_bench [--processes N] [--commit ID]` prints one JSON object
//! (roundcast.verify-bench/1). Verified are the developer's root, the certificate with its
//! release, statement and boot quote, the policy, and an answer to a live
//! challenge.
//!
//! The first verification of a fresh process is the cold one; processes are
//! started one after another. The relay is the genuine one of the stored set
//! `attest/vectors/challenges.json`.

use attest::live::{Challenge, Connection, TlsSide};
use attest::{Expectation, Policy, TrustRoots, appraise};
use clap::Parser;
use data_encoding::HEXLOWER;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io;
use std::process::{Command, ExitCode};
use thiserror::Error;
use wire::message::live::Response;
use wire::{Decode, Nonce, OrderId, SpkiHash, UnixMs};

const SET: &str = include_str!("../../attest/vectors/challenges.json");
/// The figure that is promised.
const COLD_US_MAX: f64 = 2_000.0;
/// Verifications of one process after its first.
const WARM: usize = 50;

/// Fresh processes, if nothing else is said.
const PROCESSES: u16 = 200;
/// What a process is told that verifies by itself.
const ONE: &str = "--one";

/// Measure what verifying a relay costs.
#[derive(Debug, Parser)]
#[command(name = "verify_bench")]
struct Arguments {
    /// Fresh processes.
    #[arg(long, default_value_t = PROCESSES, value_parser = clap::value_parser!(u16).range(1..))]
    processes: u16,
    /// The commit that is measured, for the report.
    #[arg(long)]
    commit: Option<String>,
    /// This process verifies, and tells what that took.
    #[arg(long, hide = true)]
    one: bool,
}

/// Why there is no figure.
#[derive(Debug, Error)]
enum Failure {
    /// A process of its own.
    #[error("start: {0}")]
    Start(#[from] io::Error),
    /// The stored set.
    #[error("stored set: malformed {0}; make it again with make_vectors challenges")]
    Set(&'static str),
    /// JSON of the set, or of a process.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The genuine relay is refused.
    #[error("verify: {0}")]
    Refused(String),
}

#[derive(Deserialize)]
struct Set {
    root: String,
    certificate: String,
    spki: String,
    order: String,
    operator: String,
    now_ms: u64,
    nonce: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    exporter: String,
    own: String,
    peer: String,
    response: String,
    answered_ms: u64,
}

/// What a viewer has when the relay's answer arrives.
struct Relay {
    root: Vec<u8>,
    certificate: Vec<u8>,
    expectation: Expectation,
    policy: Policy,
    now: UnixMs,
    nonce: Nonce,
    connection: Connection,
    response: Vec<u8>,
    answered_ms: u64,
}

impl Relay {
    fn stored() -> Result<Self, Failure> {
        let set: Set = serde_json::from_str(SET)?;
        let genuine = set.cases.first().ok_or(Failure::Set("cases"))?;
        let hash = |text: &str| SpkiHash::from_hex(text).ok_or(Failure::Set("key"));
        let order = OrderId::from_hex(&set.order).ok_or(Failure::Set("order"))?;
        Ok(Self {
            root: set.root.into_bytes(),
            certificate: bytes(&set.certificate)?,
            expectation: Expectation::new(hash(&set.spki)?, order),
            policy: Policy::default().with_operator(hash(&set.operator)?),
            now: UnixMs(set.now_ms),
            nonce: Nonce(array(&set.nonce)?),
            connection: Connection {
                exporter: array(&genuine.exporter)?,
                own: hash(&genuine.own)?,
                peer: hash(&genuine.peer)?,
                peer_side: TlsSide::Server,
            },
            response: bytes(&genuine.response)?,
            answered_ms: genuine.answered_ms,
        })
    }

    /// The whole verification, and the processor time of this thread that it
    /// took, in microseconds.
    fn verify(&self) -> Result<f64, Failure> {
        let refused = |why: &dyn std::fmt::Display| Failure::Refused(why.to_string());
        let begun = cpu_us();
        let roots = TrustRoots::from_root_file(&self.root).map_err(|e| refused(&e))?;
        let (wanted, policy) = (&self.expectation, &self.policy);
        let appraised = appraise(&self.certificate, wanted, &roots, policy, self.now)
            .map_err(|e| refused(&e))?;
        let response = Response::from_bytes(&self.response).map_err(|e| refused(&e))?;
        Challenge::new(self.nonce, self.answered_ms)
            .verify(
                &response,
                &self.connection,
                &appraised,
                policy,
                self.answered_ms,
            )
            .map_err(|e| refused(&e))?;
        Ok(cpu_us() - begun)
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    HEXLOWER
        .decode(text.as_bytes())
        .map_err(|_| Failure::Set("bytes"))
}

fn array(text: &str) -> Result<[u8; 32], Failure> {
    bytes(text)?
        .try_into()
        .map_err(|_| Failure::Set("32 bytes"))
}

/// Processor time of this thread, in microseconds.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// What one process saw, in microseconds.
#[derive(Serialize, Deserialize)]
struct Seen {
    cold_us: f64,
    warm_us: f64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("verify_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the bench, or one of its processes.
fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.one {
        println!("{}", serde_json::to_string(&one()?)?);
        return Ok(());
    }
    let own = std::env::current_exe()?;
    let mut seen = Vec::new();
    for _ in 0..arguments.processes {
        let output = Command::new(&own).arg(ONE).output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::Refused(why));
        }
        seen.push(serde_json::from_slice(&output.stdout)?);
    }
    println!("{}", report(arguments, &seen));
    Ok(())
}

fn one() -> Result<Seen, Failure> {
    let relay = Relay::stored()?;
    let cold_us = relay.verify()?;
    let warm: Result<Vec<f64>, Failure> = (0..WARM).map(|_| relay.verify()).collect();
    Ok(Seen {
        cold_us,
        warm_us: percentile(warm?, 50),
    })
}

fn report(arguments: &Arguments, seen: &[Seen]) -> serde_json::Value {
    let cold = |percent| percentile(seen.iter().map(|s| s.cold_us).collect(), percent);
    let warm = percentile(seen.iter().map(|s| s.warm_us).collect(), 50);
    json!({
        "schema": "roundcast.verify-bench/1",
        "commit": arguments.commit,
        "optimised": !cfg!(debug_assertions),
        "evidence": "tpm2",
        "processes": arguments.processes,
        "cold_cpu_us": {"p50": cold(50), "p99": cold(99), "max": cold(100)},
        "warm_cpu_us": {"p50": warm},
        "goal": {"cold_cpu_us_p99_max": COLD_US_MAX},
        "goal_met": cold(99) <= COLD_US_MAX,
    })
}

/// The value that so many in a hundred do not exceed, to a tenth.
fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    let value = values.get(rank - 1).copied().unwrap_or(f64::NAN);
    (value * 10.0).round() / 10.0
}
