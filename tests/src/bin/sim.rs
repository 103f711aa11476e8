//! A whole audience in virtual time; see `tests::sim`.

use clap::Parser;
use std::process::ExitCode;
use tests::sim::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
