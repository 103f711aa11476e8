//! The demo's command line.

use super::attack::Attack;
use super::provider::{Cloud, Provider};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use wire::Stripes;

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
    /// Where the relays run. `qemu` builds and signs an image first, and boots
    /// it in virtual machines.
    #[arg(long, value_enum, default_value_t, value_name = "NAME", conflicts_with_all = ["no_cloud", "attack"])]
    pub provider: Provider,
    /// The operator whose word about his machines the viewers accept. Virtual
    /// machines of this machine prove nothing against it, so nobody believes
    /// them without this.
    #[arg(long, value_enum, value_name = "NAME")]
    pub trust_operator: Option<Operator>,
    /// How the stream is cut into trees.
    #[arg(long, value_name = "K+M", default_value_t = Stripes::SINGLE)]
    pub stripes: Stripes,
    /// Leave the published and every received stream in this folder.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Chooses the addresses of the evening; random by default.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// The operators of the evening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operator {
    /// Who runs the evening's desk.
    DemoDesk,
}

impl Arguments {
    /// What the evening has of the cloud.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        match (self.no_cloud, self.provider, self.trust_operator) {
            (true, ..) => Cloud::Nothing,
            (false, Provider::Qemu, None) => Cloud::Disbelieved,
            _ => Cloud::Believed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_every_option() {
        let words =
            "demo --seconds 30 --json --attack stolen-voucher --keep k --seed 7 --stripes 4+1";
        let read = Arguments::try_parse_from(words.split(' ')).unwrap();
        assert_eq!((read.seconds, read.seed), (30, Some(7)));
        assert_eq!(read.attack, Some(Attack::StolenVoucher));
        assert_eq!(read.stripes.to_string(), "4+1");
        assert!(read.json && !read.no_cloud);
    }

    #[test]
    fn a_virtual_machine_is_believed_with_the_trust_option_alone() {
        for (words, cloud) in [
            ("demo", Cloud::Believed),
            ("demo --no-cloud", Cloud::Nothing),
            ("demo --provider qemu", Cloud::Disbelieved),
            (
                "demo --provider qemu --trust-operator demo-desk",
                Cloud::Believed,
            ),
        ] {
            let read = Arguments::try_parse_from(words.split(' ')).unwrap();
            assert_eq!(read.cloud(), cloud, "{words}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_know_with_code_2() {
        for words in [
            "demo --nonsense",
            "demo --attack nonsense",
            "demo --seconds 0",
            "demo --seconds -1",
            "demo --stripes 0+1",
            "demo --no-cloud --attack double-spend",
            "demo extra",
            "demo --provider nonsense",
            "demo --provider qemu --no-cloud",
            "demo --provider qemu --trust-operator somebody",
        ] {
            let error = Arguments::try_parse_from(words.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words}");
        }
    }
}
