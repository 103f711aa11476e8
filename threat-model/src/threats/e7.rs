//! E7: the peer on which most of the audience hangs goes without a word.
//!
//! The control is parity, and where the planner puts whom for it. It is
//! removed in the stripes of the run. Either way everybody has another place
//! in the plan as soon as the coordinator has heard of it.

use crate::attack::attack;
use crate::scene::audience::Audience;
use crate::{Control, Failure, Outcome};
use wire::Stripes;
use wire::message::control::NodeKind;

attack!("E7", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    ends(
        control,
        NodeKind::Peer,
        "the peer under whom most hang goes, and viewers below lose the picture",
    )
}

/// The busiest node of this kind ends.
///
/// # Errors
/// The audience could not be staged, or somebody is left without a place.
pub(super) fn ends(control: Control, kind: NodeKind, damage: &str) -> Result<Outcome, Failure> {
    let stripes = if control.is_on() {
        Stripes::new(4, 1)
    } else {
        Some(Stripes::SINGLE)
    };
    let mut audience = Audience::gather(stripes.ok_or(Failure::Stage("stripes"))?)?;
    let victim = audience.busiest(kind);
    let victim = victim.ok_or(Failure::Stage("nobody of this kind"))?;
    let without = audience.without(victim);
    if audience.lose(victim)? > 0 {
        return Err(Failure::Stage("somebody is left without a place"));
    }
    Ok(if without == 0 {
        Outcome::stopped("guaranteed")
    } else {
        Outcome::succeeded(damage)
    })
}
