//! The demo's command line.

use super::attack::Attack;
use clap::Parser;
use std::path::PathBuf;

/// Play one evening of home TV with real programs on this machine: a station,
/// five viewers, an overload, a sponsor, a verified relay, and its death.
#[derive(Debug, Clone, Parser)]
#[command(name = "demo", version)]
pub struct Arguments {
    /// How long the evening lasts at least, in seconds.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3000))]
    pub seconds: u64,
    /// Print one JSON object (schema roundcast.demo/1) on standard output.
    #[arg(long)]
    pub json: bool,
    /// The same evening without any desk: who finds no place is refused.
    #[arg(long, conflicts_with = "attack")]
    pub no_cloud: bool,
    /// The same evening with an attack, and how it is stopped.
    #[arg(long, value_name = "NAME")]
    pub attack: Option<Attack>,
    /// Leave the published and every received stream in this folder.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Chooses the addresses of the evening; random by default.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_every_option() {
        let words = "demo --seconds 30 --json --attack stolen-voucher --keep k --seed 7";
        let read = Arguments::try_parse_from(words.split(' ')).unwrap();
        assert_eq!((read.seconds, read.seed), (30, Some(7)));
        assert_eq!(read.attack, Some(Attack::StolenVoucher));
        assert!(read.json && !read.no_cloud);
    }

    #[test]
    fn refuses_what_it_does_not_know_with_code_2() {
        for words in [
            "demo --nonsense",
            "demo --attack nonsense",
            "demo --seconds 0",
            "demo --seconds -1",
            "demo --no-cloud --attack double-spend",
            "demo extra",
        ] {
            let error = Arguments::try_parse_from(words.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words}");
        }
    }
}
