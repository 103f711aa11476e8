//! `roundcast-image`: builds, measures, signs and verifies images of relays.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roundcast-image: {error}");
            ExitCode::FAILURE
        }
    }
}
