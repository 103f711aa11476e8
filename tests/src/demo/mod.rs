//! `cargo demo`: one evening of home TV, with real programs on this machine.
//!
//! The station has upload for two viewers and B for one. A, B and C find room;
//! D does not. Somebody buys a round, a relay is started, verified by all who
//! link to it, and carries the evening, until it is killed; then it is the
//! next one's round. Everything that the report says was measured: it is made
//! of what the programs printed, of their exit codes, and of the streams.

pub mod arguments;
pub mod attack;
pub mod cast;
pub mod command;
pub mod curtain;
pub mod error;
pub mod evening;
pub mod image;
pub mod kept;
pub mod log;
pub mod market;
pub mod media;
pub mod names;
pub mod narrator;
pub mod patience;
pub mod prompts;
pub mod provider;
pub mod relays;
pub mod release;
pub mod report;
pub mod stage;
pub mod story;
pub mod verdict;
pub mod world;

#[cfg(test)]
mod evenings;

use crate::programs::Programs;
use arguments::Arguments;
use cast::{STATION, VIEWERS};
use error::Error;
use evening::Plan;
use media::Stream;
use narrator::Narrator;
use provider::Provider;
use report::{Evening, Report};
use stage::Stage;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use world::{World, monotonic_us};

/// Plays an evening and reports on it.
///
/// # Errors
/// What kept the evening from beginning at all: afterwards a failure is part
/// of the report.
pub async fn run(arguments: &Arguments) -> Result<Report, Error> {
    let narrator = Narrator::new(arguments.json);
    narrator.say("Building the programs ...");
    let programs = Programs::find(arguments.provider == Provider::Qemu)?;
    let plan = Plan {
        length: Duration::from_secs(arguments.seconds),
        cloud: arguments.cloud(),
        attack: evening::cast_attack(arguments.attack)?,
    };
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let mut stage = Stage::set(
        programs,
        seed,
        arguments.keep.as_deref(),
        arguments.provider,
        arguments.stripes,
    )?;
    if stage.provider == Provider::Qemu {
        narrator.say("Building and signing the relay's image ...");
        image::make(&stage).await?;
    }
    let mut world = World::new(arguments.attack, narrator);
    let report = until_interrupted(perform(&mut world, &mut stage, &plan, seed)).await?;
    world.narrator.conclude(&report);
    Ok(report)
}

/// The whole evening, from the desk's opening to the report.
async fn perform(
    world: &mut World,
    stage: &mut Stage,
    plan: &Plan,
    seed: u64,
) -> Result<Report, Error> {
    if plan.cloud.has_desk() {
        market::open(world, stage, plan.cloud).await?;
        stage.keep_trust()?;
    }
    evening::lay_out_loot(stage, plan.attack.as_ref().map(|(attack, _)| *attack))?;
    let started_us = monotonic_us();
    world.narrator.start(started_us);
    if let Err(error) = evening::play(world, stage, plan).await {
        world.failures.push(error.to_string());
    }
    let ended_us = monotonic_us();
    curtain::fall(world, plan.cloud).await;
    let log = std::mem::take(&mut world.log);
    let evening = Evening {
        seed,
        cloud: plan.cloud,
        started_us,
        ended_us,
        kept: kept(stage, &log),
        log,
        exits: std::mem::take(&mut world.exits),
        failures: std::mem::take(&mut world.failures),
    };
    Ok(Report::of(&evening))
}

/// Breaks off on Ctrl-C or SIGTERM; the processes die with the world.
async fn until_interrupted<T>(evening: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let listen = |kind| signal(kind).map_err(|source| Error::folder("signals".as_ref(), source));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        outcome = evening => outcome,
        _ = interrupt.recv() => Err(Error::Interrupted),
        _ = terminate.recv() => Err(Error::Interrupted),
    }
}

/// Compares the files that `--keep` left.
fn kept(stage: &Stage, log: &log::Log) -> BTreeMap<String, bool> {
    let published = Stream::published(log);
    let compare = |name: &&str| {
        let original = stage.kept_stream(STATION)?;
        let file = stage.kept_stream(name)?;
        let received = Stream::received(log, name);
        let same = kept::same(&original, &file, &published, &received);
        Some(((*name).to_owned(), same))
    };
    VIEWERS.iter().filter_map(compare).collect()
}

fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the release's keys cannot be made either: that fails
    // by name, and right after.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    // A number that every JSON reader keeps exactly.
    u64::from_be_bytes(bytes) >> 16
}
