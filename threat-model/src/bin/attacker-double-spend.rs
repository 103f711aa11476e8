//! A voucher for a second order.

use std::process::ExitCode;
use threat_model::attackers::program::run;
use threat_model::attackers::spend::double_spend;

fn main() -> ExitCode {
    run(double_spend)
}
