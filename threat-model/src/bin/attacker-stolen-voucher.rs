//! A voucher without its holder key.

use std::process::ExitCode;
use threat_model::attackers::program::run;
use threat_model::attackers::spend::stolen_voucher;

fn main() -> ExitCode {
    run(stolen_voucher)
}
