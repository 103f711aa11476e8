//! Load for moq-relay: one publisher, or many subscribers, each driven by lines
//! on standard input. `relay-bench` starts both and reads what they tell; the
//! lines are those of its own children (`tests/src/bench/plan.rs`).

mod children;
mod client;
mod clock;
mod error;
mod lines;
mod publish;

use clap::{Parser, Subcommand};
use error::Error;
use std::process::ExitCode;

/// Load moq-relay for the relay's bench, which starts this.
#[derive(Debug, Parser)]
#[command(name = "moq-load", version)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Part {
    /// Send the stream, each block at its time.
    Publish,
    /// Receive it, many times over.
    Children,
}

fn main() -> ExitCode {
    let part = Arguments::parse().part;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::new("error"))
        .init();
    match run(part) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("moq-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(part: Part) -> Result<(), Error> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().map_err(|_| Error::Provider)?;
    // One thread, as the load of the other contenders.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Lines)?;
    let outcome = runtime.block_on(async {
        match part {
            Part::Publish => publish::serve().await,
            Part::Children => children::serve().await,
        }
    });
    // Standard input is read on a thread that cannot be stopped.
    runtime.shutdown_background();
    outcome
}
