//! The command line that all attackers share; each uses what it needs.

use crate::Failure;
use crate::scene::cloud::Cloud;
use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;
use voucher::DeskUri;
use wire::SpkiHash;
use wire::invite::Invite;

/// An attacker of the demo.
#[derive(Debug, Clone, Parser)]
#[command(version, about)]
pub struct Options {
    /// Tell events as JSON lines on standard output.
    #[arg(long)]
    pub json: bool,
    /// The attacker's name.
    #[arg(long, default_value = "X")]
    pub name: String,
    /// The stream's invite: the attacker is a guest.
    #[arg(long, value_name = "URI")]
    pub invite: Option<String>,
    /// Where it listens as a member.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where a relay of its own listens.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub relay_listen: SocketAddr,
    /// Its own folder.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The developer's root that its victims use.
    #[arg(long, value_name = "FILE")]
    pub trust_root: Option<PathBuf>,
    /// The genuine release bundle.
    #[arg(long, value_name = "DIR")]
    pub release: Option<PathBuf>,
    /// The desk of the evening.
    #[arg(long, value_name = "URI")]
    pub desk: Option<String>,
    /// What it got hold of.
    #[arg(long, value_name = "DIR")]
    pub loot: Option<PathBuf>,
    /// The relay that carries the evening.
    #[arg(long, value_name = "IP:PORT")]
    pub relay: Option<SocketAddr>,
    /// That relay's key.
    #[arg(long, value_name = "HEX")]
    pub relay_spki: Option<String>,
}

impl Options {
    /// The invite, parsed.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn invite(&self) -> Result<Invite, Failure> {
        let text = given(self.invite.as_ref(), "say --invite URI")?;
        Ok(Invite::parse(text)?)
    }

    /// A desk of the attacker's own, with the genuine release.
    ///
    /// # Errors
    /// The bundle is missing or cannot be read.
    pub fn own_desk(&self) -> Result<Cloud, Failure> {
        let release = given(self.release.as_ref(), "say --release DIR")?;
        let root = given(self.trust_root.as_ref(), "say --trust-root FILE")?;
        Cloud::of_bundle(release, root)
    }

    /// The desk of the evening.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn desk(&self) -> Result<DeskUri, Failure> {
        Ok(given(self.desk.as_ref(), "say --desk URI")?.parse()?)
    }

    /// What the attacker got hold of.
    ///
    /// # Errors
    /// It is missing.
    pub fn loot(&self) -> Result<&PathBuf, Failure> {
        given(self.loot.as_ref(), "say --loot DIR")
    }

    /// The relay that carries the evening: where it is and its key.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn target(&self) -> Result<(SocketAddr, SpkiHash), Failure> {
        let address = given(self.relay.as_ref(), "say --relay IP:PORT")?;
        let spki = given(self.relay_spki.as_ref(), "say --relay-spki HEX")?;
        let spki = SpkiHash::from_hex(spki).ok_or(Failure::Stage("--relay-spki is no hash"))?;
        Ok((*address, spki))
    }
}

fn given<'a, T>(value: Option<&'a T>, say: &'static str) -> Result<&'a T, Failure> {
    value.ok_or(Failure::Stage(say))
}
