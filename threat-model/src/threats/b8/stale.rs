//! Evidence of another time: of an hour that is over, on a machine that serves
//! on; and from the future, which tells a viewer that his clock is wrong.

use crate::attackers::turncoat::Turncoat;
use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::cloud::{Cloud, HOUR_MS, Word, parameters};
use crate::scene::machine::Machine;
use crate::scene::round::Round;
use crate::scene::{self, loopback, now};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};
use link::Endpoint;
use std::time::Duration;
use wire::UnixMs;

/// More than clocks may differ, in milliseconds.
const APART_MS: u64 = 10 * 60 * 1000;

/// When the hour began that is over since.
fn over() -> UnixMs {
    UnixMs(now().0.saturating_sub(HOUR_MS + APART_MS))
}

/// Now, to a desk whose clock the viewer's is behind of.
fn ahead() -> UnixMs {
    now().plus_ms(APART_MS)
}

async fn serve_as_of(issued: UnixMs, control: Control) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let told = parameters(loopback(), issued)?;
    let word = Word {
        order: &round.order,
        certified: &told,
        issued,
    };
    let platform = Box::new(Machine::genuine()?.platform());
    let booted = round.cloud.boot_as(platform, &told, &word)?;
    // The program itself would end with its hour: its owner keeps it on.
    let endpoint = Endpoint::bind(loopback(), &booted.identity)?;
    let (relay, address) = (booted.binding.spki, endpoint.address()?);
    tokio::spawn(Turncoat::new(endpoint, &booted)?.serve(Vec::new(), Duration::ZERO));
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::Freshness),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit_at(relay, address).await?;
    let damage = "evidence of another time passes";
    Ok(visit.judged(&trust, damage).await)
}

#[test]
fn evidence_of_another_time_is_stopped() {
    assert_refused(
        "lease_ended",
        scene::stage(serve_as_of(over(), Control::On)),
    );
    assert_refused(
        "platform_from_future",
        scene::stage(serve_as_of(ahead(), Control::On)),
    );
}

#[test]
fn evidence_of_another_time_passes_without_the_control() {
    for issued in [over(), ahead()] {
        assert_succeeds(scene::stage(serve_as_of(issued, Control::Removed)));
    }
}
