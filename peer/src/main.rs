//! `roundcast`: broadcast, watch, buy a round, verify.

use clap::Parser;
use peer::cli::Cli;
use std::process::ExitCode;

const _: () = assert!(!certs::ABLATION, "a shipped client has every control");
const _: () = assert!(!media::ABLATION, "a shipped client has every control");
const _: () = assert!(!page::ABLATION, "a shipped client has every control");
const _: () = assert!(!wire::ABLATION, "a shipped client has every control");

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ROUNDCAST_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error")),
        )
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("roundcast: start: no event loop ({e}); check the process limits");
            return ExitCode::from(1);
        }
    };
    let code = match runtime.block_on(peer::run(cli)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("roundcast: {e}");
            e.exit_code()
        }
    };
    runtime.shutdown_background();
    ExitCode::from(code)
}
