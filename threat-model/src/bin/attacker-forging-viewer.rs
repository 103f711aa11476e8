//! An inner viewer that makes up chunks.

use std::process::ExitCode;
use threat_model::attackers::forger::forging_viewer;
use threat_model::attackers::program::run;

fn main() -> ExitCode {
    run(forging_viewer)
}
