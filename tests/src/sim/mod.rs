//! A whole audience in virtual time: the planner, the forwarder, the uplinks
//! and the proven capacity are those of the programs (`overlay`); people,
//! links and the programs around them are drawn from a seed. Equal seed and
//! equal commit give equal runs.
//!
//! What stands between the state machines is kept small and beside what it
//! stands for: `coordinator` for `peer/src/station`, `links` for
//! `overlay/link/src/edge`, `flow` for `overlay/link/src/{node,group}`,
//! `uplink` for `overlay/link/src/pace`, `mesh` and `repair` for
//! `overlay/link/src/mesh`. Not simulated: cryptography, packets
//! and their headers, congestion, CPU time, the picture of the tree.

mod arguments;
mod check;
mod coordinator;
mod digest;
mod error;
mod flow;
mod links;
mod measure;
mod mesh;
mod message;
mod nearness;
mod network;
mod node;
mod optimum;
mod outcome;
mod people;
mod permits;
mod plan;
mod playout;
mod queue;
mod repair;
mod report;
mod rng;
pub mod scenario;
mod sizes;
mod stream;
mod svg;
mod uplink;
mod watch;
mod world;

pub use arguments::Arguments;
pub use check::{Broken, Invariant};
pub use error::Error;
pub use scenario::Scenario;

use std::process::ExitCode;
use std::time::Instant;
use world::World;

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match simulate(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ Error::Broken(_)) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// What a run comes to, in a few figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// SHA-256 over all that was decided and seen.
    pub digest: String,
    /// Mean continuity over all viewers, from 0 to 1; 0 if nobody watched.
    pub continuity: f64,
    /// The same of those who were there, in the minute after the event.
    pub continuity_after: Option<f64>,
    /// The longest run of missed chunks of any of them in that time, in ms.
    pub gap_ms_after: u64,
    /// How many viewers missed any chunk in that time.
    pub missed_after: usize,
    /// How long the planned way of the median viewer is at the end by the lines
    /// alone, one way, in ms.
    pub way_ms_p50: u64,
}

/// Runs a scenario to its end.
///
/// # Errors
/// What it says cannot be, or an invariant is broken.
pub fn figures(scenario: &Scenario) -> Result<Figures, Error> {
    let mut world = World::new(scenario)?;
    world.run()?;
    let outcome = world.outcome();
    Ok(Figures {
        digest: world.digest.to_hex(),
        continuity: outcome.overall.map_or(0.0, |c| c.mean),
        continuity_after: outcome.after.map(|c| c.mean),
        gap_ms_after: outcome.gap_ms_after,
        missed_after: outcome.missed_after,
        way_ms_p50: outcome::ranked(&world.ways_ms(), 500).unwrap_or(0),
    })
}

/// The scenario that the command line says.
fn scenario(arguments: &Arguments) -> Result<Scenario, Error> {
    let mut scenario = Scenario::read(&arguments.scenario)?;
    scenario.viewers = arguments.viewers.unwrap_or(scenario.viewers);
    scenario.seconds = arguments.seconds.unwrap_or(scenario.seconds);
    scenario.seed = arguments.seed.unwrap_or(scenario.seed);
    if let Some(stripes) = &arguments.stripes {
        scenario.stripes.clone_from(stripes);
    }
    if arguments.without_nearness {
        scenario.rules.nears_max = 0;
    }
    scenario.check()?;
    Ok(scenario)
}

fn simulate(arguments: &Arguments) -> Result<(), Error> {
    let scenario = scenario(arguments)?;
    let begin = Instant::now();
    let mut world = World::new(&scenario)?;
    world.run()?;
    let wall_s = begin.elapsed().as_secs_f64();
    let outcome = world.outcome();
    if let Some(path) = &arguments.svg {
        let written = std::fs::write(path, world.svg(&outcome));
        written.map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })?;
    }
    if arguments.json {
        let commit = arguments.commit.as_deref();
        println!("{:#}", world.json(&outcome, commit, wall_s));
    } else {
        println!("{}", world.summary(&outcome));
    }
    Ok(())
}
