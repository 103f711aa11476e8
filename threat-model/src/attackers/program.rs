//! What an attacker's program is: an attack between its events, its command
//! `quit` and its exit code.

use super::options::Options;
use crate::Failure;
use clap::Parser;
use link::Emitter;
use serde_json::json;
use std::future::Future;
use std::process::ExitCode;
use tokio::io::{AsyncBufReadExt, BufReader};
use wire::{OrderId, SpkiHash};

/// Exit code of an attack that was refused.
const REFUSED: u8 = 3;
/// Exit code of an attack that could not be tried.
const NOT_TRIED: u8 = 1;

/// How an attack on an evening ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The victim refused it, for this reason.
    Refused(String),
    /// It did what it was for.
    Succeeded,
}

/// What an attack has to work with.
#[derive(Debug, Clone)]
pub struct Attacker {
    /// The command line.
    pub options: Options,
    emit: Emitter,
}

impl Attacker {
    /// It runs; `spki` is the key that it uses.
    pub fn ready(&self, spki: SpkiHash) {
        self.emit
            .tell("attacker_ready", json!({"spki": spki.to_hex()}));
    }

    /// It was admitted as a member.
    pub fn joined(&self, spki: SpkiHash) {
        self.emit.tell("joined", json!({"spki": spki.to_hex()}));
    }

    /// A relay of its own runs.
    pub fn relay_started(&self, relay: SpkiHash, order: OrderId) {
        let fields = json!({"relay": relay.to_hex(), "order": order.to_hex()});
        self.emit.tell("relay_started", fields);
    }

    /// The first forged byte, request or introduction goes out.
    pub fn begun(&self) {
        self.emit.tell("attack_begun", json!({}));
    }
}

/// Runs an attack as a program.
pub fn run<F>(attack: impl FnOnce(Attacker) -> F) -> ExitCode
where
    F: Future<Output = Result<End, Failure>>,
{
    let options = Options::parse();
    let emit = Emitter::new(&options.name, options.json);
    let attacker = Attacker {
        options,
        emit: emit.clone(),
    };
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match built {
        Ok(runtime) => {
            let outcome = runtime.block_on(async {
                tokio::select! {
                    outcome = attack(attacker) => outcome,
                    () = quit() => Err(Failure::Stage("told to quit before the attack's end")),
                }
            });
            // The thread that waits for standard input cannot be stopped.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(End::Refused(reason)) => {
            emit.tell("refused", json!({"reason": reason}));
            ExitCode::from(REFUSED)
        }
        Ok(End::Succeeded) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("attacker: {failure}");
            ExitCode::from(NOT_TRIED)
        }
    }
}

/// Waits for the line `quit`; a closed input is none.
async fn quit() {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.trim() == "quit" {
            return;
        }
    }
    std::future::pending::<()>().await;
}
