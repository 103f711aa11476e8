//! A8: a stranger sends `stop` to a sponsor's relay.
//!
//! The control is the relay's own word on whom it obeys: the holder key of
//! its order. It is removed by starting the relay with another word.

use crate::attack::attack;
use crate::attackers::command::{Answer, stop};
use crate::scene::cloud::{Cloud, lifeline, start};
use crate::scene::{self, loopback, rng, stream, within};
use crate::{Control, Failure, Outcome};
use certs::SigningKey;
use relay_vm::Commanders;
use wire::Reason;

attack!("A8", run);

/// The relay gives ten seconds of notice before it stops.
const STOP_MS_MAX: u64 = 20_000;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(command_anothers_relay(control))
}

async fn command_anothers_relay(control: Control) -> Result<Outcome, Failure> {
    let cloud = Cloud::new()?;
    let holder = SigningKey::generate(&rng())?;
    let booted = cloud.boot(&cloud.order(&holder)?, loopback())?;
    let commanders = match control {
        Control::On => Commanders::default(),
        Control::Removed => Commanders::dangerously_anyone(),
    };
    let (_alive, life) = lifeline();
    let relay = start(booted, commanders, life)?;
    match stop(&stream::stranger()?, relay.address, Some(relay.spki)).await? {
        Answer::Obeyed => {
            let reason = within(STOP_MS_MAX, "end of the relay", relay.ended)
                .await?
                .map_err(|_| Failure::Stage("the relay broke"))?;
            if reason == Reason::StoppedByHolder {
                Ok(Outcome::succeeded(
                    "the relay obeyed a stranger and has ended",
                ))
            } else {
                Err(Failure::Stage("the relay ended for another reason"))
            }
        }
        Answer::Refused(reason) if !relay.ended.is_finished() => {
            Ok(Outcome::stopped(reason.name()))
        }
        Answer::Refused(_) => Err(Failure::Stage("the relay refused, and ended")),
    }
}
