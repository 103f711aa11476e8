//! Priority while an uplink is full, measured and not told: a real node with
//! an upload limit pushes to children of every standing, and in a second scene
//! the same children pull all of it from a real neighbour. All are nodes of
//! `overlay/link` on loopback sockets; standing is what their permits say.

mod report;
mod scene;

use super::Error;
use clap::Parser;
use report::Report;
use scene::{Scene, Way};
use std::process::ExitCode;

/// Children of each standing.
const CHILDREN: usize = 2;
/// The uplink carries so many of the children, in percent of one: the first two
/// standings, a part of the third, and nobody else.
const UPLINK_PERCENT: u64 = 520;
/// A chunk, in bytes and in milliseconds: 1 Mbit/s, so little that the uplink
/// and not the machine is what is full.
const CHUNK_BYTES: usize = 25_000;
/// See [`CHUNK_BYTES`].
const CHUNK_MS: u64 = 200;

/// Saturate a sender that pushes and a neighbour that repairs, with children of
/// each standing; prints JSON (roundcast.priority-bench/1). Exits 1 if a lower
/// standing gets more than a higher one, or the uplink was not full.
#[derive(Debug, Parser)]
#[command(name = "priority-bench", version)]
pub struct Arguments {
    /// A few seconds, to see that it works.
    #[arg(long)]
    pub smoke: bool,
    /// Every permit names a free rider, to see that standing is what does it;
    /// what comes out is not judged.
    #[arg(long)]
    pub without_standing: bool,
    /// The commit that is measured, for the report.
    #[arg(long)]
    pub commit: Option<String>,
}

/// Runs the bench.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    super::finish("priority-bench", runtime, bench(arguments))
}

async fn bench(arguments: &Arguments) -> Result<bool, Error> {
    let chunks = if arguments.smoke { 60 } else { 300 };
    let mut report = Report::new(arguments, chunks);
    for way in [Way::Push, Way::Pull] {
        let scene = Scene::begin(way, !arguments.without_standing).await?;
        report.add(way, scene.saturate(chunks).await?);
    }
    println!("{:#}", report.json());
    let faults = report.faults();
    for fault in &faults {
        eprintln!("priority-bench: {fault}");
    }
    Ok(arguments.without_standing || faults.is_empty())
}
