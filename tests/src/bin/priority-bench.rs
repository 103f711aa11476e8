//! What children of each standing get of a full uplink, as one JSON object.

use clap::Parser;
use std::process::ExitCode;
use tests::bench::priority::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
