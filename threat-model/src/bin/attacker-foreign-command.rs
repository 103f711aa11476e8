//! A command to somebody else's relay.

use std::process::ExitCode;
use threat_model::attackers::command::foreign_command;
use threat_model::attackers::program::run;

fn main() -> ExitCode {
    run(foreign_command)
}
