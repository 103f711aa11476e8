//! `roundcast`: broadcast, watch, buy a round, verify.

use clap::Parser;
use peer::cli::Cli;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

const _: () = assert!(!certs::ABLATION, "a shipped client has every control");
const _: () = assert!(!media::ABLATION, "a shipped client has every control");
const _: () = assert!(!page::ABLATION, "a shipped client has every control");
const _: () = assert!(!wire::ABLATION, "a shipped client has every control");

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
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
            say(&format!(
                "start: no event loop ({e}); check the process limits"
            ));
            return ExitCode::from(1);
        }
    };
    let code = match runtime.block_on(peer::run(cli)) {
        Ok(code) => code,
        Err(e) => {
            say(&e.to_string());
            e.exit_code()
        }
    };
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Says why it ends, if somebody still listens.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "roundcast: {text}");
}
