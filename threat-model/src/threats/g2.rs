//! G2: the relay on which most of the audience hangs dies.
//!
//! As E7, with a relay: it feeds one stripe before others, so that parity makes
//! up for it with everybody but its sponsor, who hangs under it in all.

use super::e7::ends;
use crate::attack::attack;
use crate::{Control, Failure, Outcome};
use wire::message::control::NodeKind;

attack!("G2", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    ends(
        control,
        NodeKind::Relay,
        "a relay dies, and viewers below lose the picture",
    )
}
