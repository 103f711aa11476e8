//! Makes what an evening outside the demo needs: a development root and a
//! release of a relay that was just built, signed under it.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use tests::demo::error::Error;
use tests::demo::release;

/// Sign a relay into `OUT/release`, under a fresh root in `OUT/root.json`.
#[derive(Debug, Parser)]
#[command(name = "bundle", version)]
struct Arguments {
    /// The relay's executable.
    #[arg(long, value_name = "FILE")]
    relay: PathBuf,
    /// The folder that is made.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match make(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make(arguments: &Arguments) -> Result<(), Error> {
    let folder = arguments.out.join("release");
    std::fs::create_dir_all(&folder).map_err(|source| Error::folder(&folder, source))?;
    release::make(&arguments.relay, &folder, &arguments.out.join("root.json"))
}
