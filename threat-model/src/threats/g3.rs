//! G3: half of the audience rides free, and a quarter of all nodes, relays too,
//! is gone at the same moment. How many lie, and what is missed meanwhile, is
//! for the simulation to say.
//!
//! The control is the coordinator's repair: whoever is left gets another place.
//! It is removed by letting it hear of nothing.

use crate::attack::attack;
use crate::scene::audience::Audience;
use crate::{Control, Failure, Outcome};
use wire::Stripes;

attack!("G3", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    let stripes = Stripes::new(4, 1).ok_or(Failure::Stage("stripes"))?;
    let mut audience = Audience::half_riding_free(stripes)?;
    let gone = audience.a_quarter();
    let without = audience.lose_all(&gone, control.is_on())?;
    Ok(if without == 0 {
        Outcome::stopped("reparented")
    } else {
        Outcome::succeeded("viewers above whom a node has died stay without the picture")
    })
}
