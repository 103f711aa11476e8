//! The end of an evening: everybody leaves, leaves of the tree first, and every
//! process ends.

use super::cast::{ATTACKER, DESK, SPONSOR, STATION};
use super::error::Error;
use super::log::Log;
use super::patience;
use super::prompts::Act;
use super::provider::Cloud;
use super::report::{ExitReport, expected_exit, relay_exit};
use super::world::{World, monotonic_us};
use crate::process::Exit;

/// Who leaves in which order: a child before its parent, the sponsor of the
/// relay that still runs last.
const LEAVING: [&str; 5] = ["E", "C", "A", "B", "D"];

/// Ends what still runs and notes how each process ended. A failure of one
/// step is noted, and the next is taken.
pub async fn fall(world: &mut World, cloud: Cloud) {
    world.act = Act::Farewell;
    for name in world.running() {
        world.may_leave(&name);
    }
    for name in LEAVING {
        if let Some(relay) = relay_at_the_end(name, cloud)
            && world.runs(name)
        {
            stop_relay(world, name, relay).await;
        }
        quit(world, name, cloud).await;
    }
    quit(world, ATTACKER, cloud).await;
    quit(world, STATION, cloud).await;
    quit(world, DESK, cloud).await;
    note_relays(world, cloud);
}

/// The relay that this holder still has when the evening is over.
fn relay_at_the_end(holder: &str, cloud: Cloud) -> Option<&'static str> {
    match (holder, cloud) {
        ("D", Cloud::Believed) => Some("R2"),
        (SPONSOR, Cloud::Doubted) => Some("R1"),
        _ => None,
    }
}

/// The holder stops the relay. The first relay's holder has none any more.
async fn stop_relay(world: &mut World, holder: &str, relay: &str) {
    let started = |log: &Log| log.naming(DESK, "relay_started", "relay", relay).is_some();
    if !started(&world.log) || ended(&world.log, relay) {
        return;
    }
    let told = world.tell(holder, "stop").await;
    let awaited = format!("{relay} ends after {holder} told it to stop");
    let stopped = match told {
        Ok(()) => {
            let stopped = |log: &Log| ended(log, relay);
            world.wait(&awaited, patience::RELAY_STOP, stopped).await
        }
        Err(error) => Err(error),
    };
    note(world, stopped);
}

fn ended(log: &Log, relay: &str) -> bool {
    relay_end(log, relay).is_some()
}

/// How the desk saw a relay's process end.
fn relay_end(log: &Log, relay: &str) -> Option<Option<Exit>> {
    let order = log
        .naming(DESK, "relay_started", "relay", relay)
        .and_then(|started| started.text("order"))?;
    let mut ends = log.of(DESK, "relay_ended");
    let end = ends.find(|end| end.text("order") == Some(order))?;
    Some(relay_exit(end))
}

async fn quit(world: &mut World, name: &str, cloud: Cloud) {
    if world.runs(name) {
        world.log.leaves(name, monotonic_us());
        // A desk has no reader at its standard input.
        let told = if name == DESK {
            world.terminate(name)
        } else {
            world.tell(name, "quit").await
        };
        note(world, told);
    }
    let expected = expected_exit(name, cloud);
    let ended = world.end(name, expected, patience::LEAVING).await;
    note(world, ended);
}

fn note(world: &mut World, step: Result<(), Error>) {
    if let Err(error) = step {
        world.failures.push(error.to_string());
    }
}

/// The relays are the desk's children: it tells how they ended.
fn note_relays(world: &mut World, cloud: Cloud) {
    let relays = world.log.names.relays();
    let of_desk = relays.into_iter().filter(|relay| relay.starts_with('R'));
    for relay in of_desk.collect::<Vec<_>>() {
        let got = relay_end(&world.log, &relay).flatten();
        let expected = expected_exit(&relay, cloud);
        world.exits.insert(relay, ExitReport { got, expected });
    }
}
