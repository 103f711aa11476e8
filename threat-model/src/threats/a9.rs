//! A9: a member who is not the coordinator asks another to buy a round, and
//! grants it himself.
//!
//! The control is the signature of the run's permit key on asks and grants.
//! It is removed by taking their bodies for verified.

use crate::attack::attack;
use crate::scene::stream::Stream;
use crate::scene::{now, rng, shop};
use crate::{Control, Failure, Outcome};
use certs::{SigningKey, Verified};
use wire::AskId;
use wire::statement::{Ask, Cause, Grant, Step};

attack!("A9", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let victim = stream.member("B")?.spki();
    let forger = SigningKey::generate(&rng())?;
    let id = AskId(1);
    let ask = Ask {
        scope: stream.run.scope.clone(),
        ask: id,
        member: victim,
        cause: Cause::Join,
        step: Step::Affected,
        deficit_bps: 14_000_000,
        viewers_short: 3,
        rounds_wanted: 1,
        deadline_ms: 20_000,
        issued: now(),
    };
    let grant = Grant {
        scope: stream.run.scope.clone(),
        ask: id,
        member: victim,
        expiry: now().plus_ms(60_000),
    };
    let (ask, grant) = (certs::sign(&forger, &ask), certs::sign(&forger, &grant));
    let run = &stream.run;
    let asked = match control {
        Control::On => certs::asking::verify_ask(&ask, run, &victim, now()),
        Control::Removed => Verified::dangerously_unsigned(&ask),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(refusal) => return Ok(Outcome::stopped(refusal.reason())),
    };
    let granted = match control {
        Control::On => certs::asking::verify_grant(&grant, run, &victim, asked.ask, now()),
        Control::Removed => Verified::dangerously_unsigned(&grant),
    };
    match granted {
        Ok(granted) if granted.member == victim && granted.ask == asked.ask => {
            // What a client does with a grant: it signs the redemption.
            let voucher = shop::buy()?;
            let desk = SigningKey::generate(&rng())?;
            let redemption = shop::redemption(&voucher, desk.public())?;
            let order = certs::order::id(&redemption.order()?);
            Ok(Outcome::succeeded(format!(
                "the viewer signed away a voucher for order {} that the coordinator never asked for",
                order.short()
            )))
        }
        Ok(_) => Err(Failure::Stage("the grant is for somebody else")),
        Err(refusal) => Ok(Outcome::stopped(refusal.reason())),
    }
}
