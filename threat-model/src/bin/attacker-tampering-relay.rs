//! A relay that changes what it forwards.

use std::process::ExitCode;
use threat_model::attackers::program::run;
use threat_model::attackers::tamper::tampering_relay;

fn main() -> ExitCode {
    run(tampering_relay)
}
