//! C7: a member introduces another sponsor's relay as his own, to sit under
//! it in the sponsor's place.
//!
//! The control is the holder's signature on the introduction. It is removed
//! by taking the introduction's body for verified.

use crate::attack::attack;
use crate::scene::cloud::Cloud;
use crate::scene::stream::Stream;
use crate::scene::{loopback, now, rng};
use crate::{Control, Failure, Outcome};
use certs::{SigningKey, Verified};
use overlay::planner::{Action, Config, Peer, Planner, Relay};
use wire::codec::Text;
use wire::statement::{Introduction, Priority};

attack!("C7", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let holder = SigningKey::generate(&rng())?;
    let order = cloud.order(&holder)?;
    let relay = cloud.boot(&order, loopback())?.binding.spki;
    let thief = stream.member("thief")?;
    // He saw the relay's admission when he was given it as a parent.
    let introduction = Introduction {
        scope: stream.run.scope.clone(),
        order: certs::order::id(&order),
        relay,
        sponsor: thief.spki(),
        address: Text::new("127.0.0.1:1")?,
        issued: now(),
    };
    let signed = certs::sign(&thief.key, &introduction);
    let introduced = match control {
        Control::On => {
            certs::introduction::verify(&signed, &stream.run, &order, Some(&thief.spki()))
        }
        Control::Removed => Verified::dangerously_unsigned(&signed),
    };
    let introduced = match introduced {
        Ok(introduced) => introduced,
        Err(refusal) => return Ok(Outcome::stopped(refusal.reason())),
    };
    // What the coordinator does with an introduction that is good.
    let station = stream.station.spki();
    let mut planner = Planner::new(station, 2, Config::default(), 1);
    planner.join(0, thief.spki(), Peer::default())?;
    let admitted = Relay {
        sponsor: introduced.sponsor,
        order: introduced.order,
        slots: 20,
        lease_end_ms: 3_600_000,
    };
    planner.relay_admitted(1, introduced.relay, admitted)?;
    let mut place = None;
    while let Some(action) = planner.poll_action() {
        if let Action::Attach {
            child,
            parent,
            priority,
            ..
        } = action
            && child == thief.spki()
        {
            place = Some((parent, priority));
        }
    }
    match place {
        Some((parent, Priority::OwnSponsor)) if parent == relay => Ok(Outcome::succeeded(
            "the thief sits under the relay with the sponsor's priority",
        )),
        _ => Err(Failure::Stage("the thief got another place")),
    }
}
