//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Simulate an audience in virtual time with the planner and the forwarder
/// that the programs run. Exits 1 if an invariant does not hold; equal seed
/// and equal commit give equal results.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
pub struct Arguments {
    /// The scenario.
    #[arg(long, value_name = "FILE")]
    pub scenario: PathBuf,
    /// Another number of viewers.
    #[arg(long)]
    pub viewers: Option<u32>,
    /// Another length, in virtual seconds.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Another seed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Other stripes.
    #[arg(long, value_name = "K+M")]
    pub stripes: Option<String>,
    /// No place is chosen by round trip, to see what that is worth.
    #[arg(long)]
    pub without_nearness: bool,
    /// Print JSON (roundcast.sim/1) instead of a few lines.
    #[arg(long)]
    pub json: bool,
    /// Draw the run here.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// The commit that is run, for the report.
    #[arg(long)]
    pub commit: Option<String>,
}
