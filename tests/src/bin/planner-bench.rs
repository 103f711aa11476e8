//! What the coordinator's planner costs alone, as one JSON object.

use clap::Parser;
use std::process::ExitCode;
use tests::planner_bench::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
