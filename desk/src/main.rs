//! `roundcast-desk`: see the library.

use clap::Parser;
use std::io::IsTerminal;
use std::process::ExitCode;

// A shipped program holds no constructor that leaves a check out.
const _: () = assert!(!certs::ABLATION);
const _: () = assert!(!wire::ABLATION);

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing::Level::INFO.into())
                .from_env_lossy(),
        )
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr)
        .init();
    desk::cli::Cli::parse().main()
}
