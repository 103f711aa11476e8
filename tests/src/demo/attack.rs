//! The attacks of `--attack NAME`, and how their programs are started.
//!
//! # The attackers' convention
//! An attacker is a program `attacker-NAME` of threat-model. All take the same
//! arguments, and each uses what it needs:
//!
//! ```text
//! attacker-NAME --json --name X
//!   --invite URI              the stream's invite: the attacker is a guest
//!   --listen IP:0             where it listens as a member
//!   --relay-listen IP:0       where a relay of its own listens
//!   --data DIR                its own empty folder
//!   --trust-root FILE         the developer's root that its victims use
//!   --release DIR             the genuine release bundle
//!   --desk URI                the desk of the evening
//!   --loot DIR                what it got hold of (see Attack::loot)
//!   [--relay ADDR --relay-spki HEX]   the relay that carries the evening,
//!                             once there is one
//! ```
//!
//! It prints events of the programs' schema (`roundcast.event/1`), `who` X:
//! - `attacker_ready{spki}` when it runs (`spki`: the key it uses as a member,
//!   or as a client);
//! - `joined{spki}` when it was admitted as a member;
//! - `relay_started{relay, order?}` for a relay of its own, `relay` being the
//!   key hash that it introduces;
//! - `attack_begun{}` when its first forged byte, request or introduction goes
//!   out;
//! - `refused{reason}` with what its victim answered (a close code's or a
//!   refusal's name), as the last one.
//!
//! It answers asks by itself (those that need a round accept at once), ends by
//! itself, at the latest on `quit` on its standard input, and exits with 3
//! when its attack was refused, 0 when it succeeded, 1 when it could not try.
//!
//! Who is in whose place:
//! - the four relay attacks: X joins after C, when every slot is taken; X is
//!   asked, accepts, is granted, and introduces a relay of its own. fake-relay
//!   is a program with a certificate without evidence. oracle-relay holds the
//!   TLS key of a genuine relay and forwards the challenges to it over a
//!   connection of its own. copied-order is a genuine relay that somebody else
//!   booted with the order; its key is not the one that was introduced.
//!   tampering-relay is attached (its operator signs false evidence) and
//!   changes a block on the way to its child A.
//! - forging-viewer: X joins before C with one slot to give, so that somebody hangs
//!   under X, and sends C a chunk that X made with the epoch's key.
//! - stolen-voucher: X has a copy of B's wallet, but uses a holder key of its
//!   own, since the wallet's is sealed to its owner.
//! - double-spend: X has a copy of B's wallet from before B's round with the
//!   holder key, and redeems the voucher again for another order.
//! - foreign-command: X sends `stop` to B's relay with a key of its own.

use super::cast::ATTACKER;
use super::stage::{Host, Stage};
use crate::process::Launch;
use clap::ValueEnum;
use serde::Serialize;
use std::path::Path;

/// An attack of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// A relay without evidence.
    FakeRelay,
    /// A front that lets a genuine relay answer.
    OracleRelay,
    /// A genuine relay that another one booted with the same order.
    CopiedOrder,
    /// A relay that changes what it forwards.
    TamperingRelay,
    /// An inner viewer that makes up chunks.
    ForgingViewer,
    /// A voucher without its holder key.
    StolenVoucher,
    /// A voucher for a second order.
    DoubleSpend,
    /// A command to somebody else's relay.
    ForeignCommand,
}

/// When in the evening an attack takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before C comes; it is over when C has its picture.
    BeforeC,
    /// When every slot is taken, before D comes.
    BeforeD,
    /// When E has its picture, before the relay dies.
    AfterE,
}

/// What an attacker got hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loot {
    /// Nothing.
    None,
    /// A copy of B's wallet from before B's round.
    Wallet,
}

impl Attack {
    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FakeRelay => "fake-relay",
            Self::OracleRelay => "oracle-relay",
            Self::CopiedOrder => "copied-order",
            Self::TamperingRelay => "tampering-relay",
            Self::ForgingViewer => "forging-viewer",
            Self::StolenVoucher => "stolen-voucher",
            Self::DoubleSpend => "double-spend",
            Self::ForeignCommand => "foreign-command",
        }
    }

    /// The reason for which it has to be refused.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::FakeRelay => "evidence_missing",
            Self::OracleRelay => "live_binding_mismatch",
            Self::CopiedOrder => "spki_not_admitted",
            Self::TamperingRelay => "block_proof_mismatch",
            Self::ForgingViewer => "header_signature_invalid",
            Self::StolenVoucher => "holder_proof_invalid",
            Self::DoubleSpend => "spent",
            Self::ForeignCommand => "not_holder",
        }
    }

    /// When it takes place.
    #[must_use]
    pub const fn moment(self) -> Moment {
        match self {
            Self::ForgingViewer => Moment::BeforeC,
            Self::DoubleSpend | Self::ForeignCommand => Moment::AfterE,
            _ => Moment::BeforeD,
        }
    }

    /// What the attacker starts with.
    #[must_use]
    pub const fn loot(self) -> Loot {
        match self {
            Self::StolenVoucher | Self::DoubleSpend => Loot::Wallet,
            _ => Loot::None,
        }
    }

    /// The name of its program.
    #[must_use]
    pub fn program(self) -> String {
        format!("attacker-{}", self.name())
    }

    /// One sentence for people.
    #[must_use]
    pub const fn story(self) -> &'static str {
        match self {
            Self::FakeRelay => "X accepts the round, and brings a relay that proves nothing",
            Self::OracleRelay => "X brings a front that lets a genuine relay answer the challenges",
            Self::CopiedOrder => "X brings a genuine relay that was booted with a copied order",
            Self::TamperingRelay => "X brings a relay that changes what it forwards",
            Self::ForgingViewer => "X joins as a viewer with upload to give, and makes up chunks",
            Self::StolenVoucher => "X has stolen B's voucher, but not its key",
            Self::DoubleSpend => "X spends B's voucher a second time",
            Self::ForeignCommand => "X tells B's relay to stop",
        }
    }
}

/// The relay that carries the evening.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub address: String,
    /// The hash of its key.
    pub spki: String,
}

/// How the attacker is started.
#[must_use]
pub fn launch(program: &Path, stage: &Stage, invite: &str, target: Option<&Target>) -> Launch {
    let mut launch = Launch::new(program, stage.log(ATTACKER))
        .flag("--json")
        .option("--name", ATTACKER)
        .option("--invite", invite)
        .option("--listen", stage.listen(Host::Attacker))
        .option("--relay-listen", stage.listen(Host::AttackersRelay))
        .option("--data", stage.data(ATTACKER))
        .option("--trust-root", stage.trust_root())
        .option("--release", stage.release())
        .option("--loot", stage.loot());
    if let Some(desk) = &stage.desk_uri {
        launch = launch.option("--desk", desk);
    }
    if let Some(target) = target {
        launch = launch
            .option("--relay", &target.address)
            .option("--relay-spki", &target.spki);
    }
    launch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_has_a_name_and_a_reason_of_its_own() {
        let attacks = Attack::value_variants();
        assert_eq!(attacks.len(), 8);
        for attack in attacks {
            let spelled = attack.to_possible_value().map(|v| v.get_name().to_owned());
            assert_eq!(spelled.as_deref(), Some(attack.name()));
            let same = attacks.iter().filter(|a| a.reason() == attack.reason());
            assert_eq!(same.count(), 1, "{}", attack.reason());
        }
    }
}
