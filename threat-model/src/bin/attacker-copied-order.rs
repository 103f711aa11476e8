//! A genuine relay that another one booted with the same order.

use std::process::ExitCode;
use threat_model::attackers::fronts::copied_order;
use threat_model::attackers::program::run;

fn main() -> ExitCode {
    run(copied_order)
}
