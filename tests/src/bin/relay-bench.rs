//! What the relay costs beside a bare QUIC fan-out, as one JSON object.

use clap::Parser;
use std::process::ExitCode;
use tests::bench::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
