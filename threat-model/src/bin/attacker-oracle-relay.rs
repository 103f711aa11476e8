//! A front that lets a genuine relay answer the challenges.

use std::process::ExitCode;
use threat_model::attackers::fronts::oracle;
use threat_model::attackers::program::run;

fn main() -> ExitCode {
    run(oracle)
}
