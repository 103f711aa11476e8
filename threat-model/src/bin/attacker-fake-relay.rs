//! A relay without evidence.

use std::process::ExitCode;
use threat_model::attackers::fronts::fake;
use threat_model::attackers::program::run;

fn main() -> ExitCode {
    run(fake)
}
