//! `roundcast-relay`: forwards blocks under permits, proves what it is, obeys
//! its holder, and ends with the paid time.

use clap::Parser;
use relay_vm::{Options, run};
use std::process::ExitCode;

const _: () = assert!(!certs::ABLATION, "a shipped relay has every control");

/// A relay, started by a desk that speaks to it on standard input.
#[derive(Debug, Parser)]
#[command(name = "roundcast-relay", version, about)]
struct Cli {
    /// Boot by the desk's lines on standard input.
    #[arg(long, required = true)]
    boot_stdio: bool,
    /// Tell events as JSON lines on standard output.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    // One thread forwards: a shared runtime costs more than it gives.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("roundcast-relay: start: no event loop ({e}); check the process limits");
            return ExitCode::from(1);
        }
    };
    let outcome = runtime.block_on(run(Options { json: cli.json }));
    // Standard input is read on a thread that cannot be stopped: it must not
    // keep a relay alive that has ended.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("roundcast-relay: {e}");
            ExitCode::from(1)
        }
    }
}
