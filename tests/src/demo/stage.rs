//! Where the evening takes place: a folder, loopback addresses, the programs.

use super::error::Error;
use super::provider::Provider;
use super::release;
use crate::programs::Programs;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wire::Stripes;

/// The broadcast: ten seconds of our own making, played in a loop.
const CLIP: &[u8] = include_bytes!("../../media/clip.mp4");

/// A machine of the evening, on an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The station.
    Station,
    /// A viewer, counted from 0.
    Viewer(u8),
    /// The desk.
    Desk,
    /// A relay that the desk starts, counted from 0.
    Relay(u8),
    /// The attacker.
    Attacker,
    /// A relay of the attacker's own.
    AttackersRelay,
}

impl Host {
    const fn number(self) -> u8 {
        match self {
            Self::Station => 1,
            Self::Viewer(position) => position.saturating_add(2),
            Self::Desk => 100,
            Self::Relay(position) => position.saturating_add(101),
            Self::Attacker => 200,
            Self::AttackersRelay => 201,
        }
    }
}

/// Folder, addresses and programs of one evening.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    kept: Option<PathBuf>,
    network: [u8; 2],
    /// Where the relays run.
    pub provider: Provider,
    /// How the stream is cut into trees.
    pub stripes: Stripes,
    /// The operator that the viewers believe, with his key.
    pub operator: Option<String>,
    /// The executables.
    pub programs: Programs,
    /// The desk, once it is open.
    pub desk_uri: Option<String>,
}

impl Stage {
    /// Prepares folder, clip and, for relays that are processes, trust root and
    /// release. Two evenings with
    /// different seeds are on different addresses.
    ///
    /// # Errors
    /// [`Error::Folder`], [`Error::Release`].
    pub fn set(
        programs: Programs,
        seed: u64,
        keep: Option<&Path>,
        provider: Provider,
        stripes: Stripes,
    ) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("roundcast-demo-")
            .tempdir()
            .map_err(|source| Error::folder(&std::env::temp_dir(), source))?;
        let stage = Self {
            folder,
            kept: keep.map(Path::to_owned),
            network: network(seed),
            provider,
            stripes,
            operator: None,
            programs,
            desk_uri: None,
        };
        for folder in [
            Some(stage.release()),
            Some(stage.loot()),
            stage.kept.clone(),
        ] {
            let Some(folder) = folder else { continue };
            fs::create_dir_all(&folder).map_err(|source| Error::folder(&folder, source))?;
        }
        let clip = stage.clip();
        fs::write(&clip, CLIP).map_err(|source| Error::folder(&clip, source))?;
        if provider == Provider::Local {
            release::make(&stage.programs.relay, &stage.release(), &stage.trust_root())?;
        }
        Ok(stage)
    }

    /// The address of a host, with a port that the system chooses.
    #[must_use]
    pub fn listen(&self, host: Host) -> String {
        format!("{}:0", self.address(host))
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: Host) -> String {
        if self.provider == Provider::Qemu {
            // The emulator's own network answers whoever calls from a loopback
            // address at 127.0.0.1: here ports alone tell the programs apart.
            return Ipv4Addr::LOCALHOST.to_string();
        }
        let [second, third] = self.network;
        Ipv4Addr::new(127, second, third, host.number()).to_string()
    }

    /// A program's own folder.
    #[must_use]
    pub fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program's log; it stays with `--keep`.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        let folder = self.kept.as_deref().unwrap_or_else(|| self.folder.path());
        folder.join(format!("{name}.log"))
    }

    /// The stream as `name` published or received it, if it is to be kept.
    #[must_use]
    pub fn kept_stream(&self, name: &str) -> Option<PathBuf> {
        let folder = self.kept.as_deref()?;
        Some(folder.join(if name == super::cast::STATION {
            "published.mp4".to_owned()
        } else {
            format!("{name}.mp4")
        }))
    }

    /// Where a viewer's evidence is kept, with what is needed to verify it.
    #[must_use]
    pub fn kept_evidence(&self) -> Option<PathBuf> {
        self.kept.as_ref().map(|folder| folder.join("evidence"))
    }

    /// Leaves, beside the evidence, whom it was believed under.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn keep_trust(&self) -> Result<(), Error> {
        let Some(folder) = self.kept_evidence() else {
            return Ok(());
        };
        let failed = |source| Error::folder(&folder, source);
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::copy(self.trust_root(), folder.join("root.json")).map_err(failed)?;
        let operator = self.operator.as_deref().unwrap_or_default();
        fs::write(folder.join("operator"), operator).map_err(failed)
    }

    /// The clip.
    #[must_use]
    pub fn clip(&self) -> PathBuf {
        self.folder.path().join("clip.mp4")
    }

    /// The developer's root of this evening.
    #[must_use]
    pub fn trust_root(&self) -> PathBuf {
        self.folder.path().join("root.json")
    }

    /// The signed release: `release.json` and the relay.
    #[must_use]
    pub fn release(&self) -> PathBuf {
        self.folder.path().join("release")
    }

    /// What an attacker gets hold of.
    #[must_use]
    pub fn loot(&self) -> PathBuf {
        self.folder.path().join("loot")
    }

    /// Copies a program's folder as it is now into the loot.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn steal(&self, name: &str) -> Result<(), Error> {
        copy_folder(&self.data(name), &self.loot())
    }
}

/// Two octets within 127/8, away from where others usually listen.
fn network(seed: u64) -> [u8; 2] {
    let digest = ring::digest::digest(&ring::digest::SHA256, &seed.to_be_bytes());
    match digest.as_ref() {
        [second, third, ..] => [64 | (second & 0x3f), *third],
        _ => [64, 0],
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |source| Error::folder(from, source);
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn seeds_choose_loopback_networks() {
        let networks: std::collections::BTreeSet<_> = (0..50).map(network).collect();
        assert!(networks.len() > 45, "few seeds share a network");
        assert!(
            networks
                .iter()
                .all(|[second, _]| (64..128).contains(second))
        );
        assert_eq!(network(7), network(7));
    }

    #[test]
    fn copies_a_folder_with_what_is_below() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("B");
        fs::create_dir_all(from.join("wallet")).unwrap();
        fs::write(from.join("wallet/voucher.json"), "token").unwrap();
        copy_folder(&from, &place.path().join("loot")).unwrap();
        let copied = fs::read_to_string(place.path().join("loot/wallet/voucher.json"));
        assert_eq!(copied.unwrap(), "token");
    }
}
