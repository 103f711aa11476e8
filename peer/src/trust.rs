//! What the user believes: from his own command line, never from an invite,
//! a coordinator, a relay, a configuration file or the environment.

mod kept;

#[cfg(test)]
mod tests;

use crate::Error;
use crate::config::read_bounded;
use attest::release::{self, RELEASE_BYTES_MAX};
use attest::{Policy, Revocations, TrustRoots};
use clap::Args;
use kept::Kept;
use link::RelayTrust;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use voucher::DeskUri;
use wire::{SpkiHash, UnixMs};

/// A root file, in bytes: a few keys and signatures.
const ROOT_BYTES_MAX: u64 = 64 * 1024;

/// An operator's name on the command line, in bytes.
const OPERATOR_NAME_BYTES_MAX: usize = 64;

/// A desk whose word about its own hosts is believed: `NAME=KEY`, where KEY
/// is the desk's URI or the 64 digits of its key's hash. The name is the
/// viewer's own, for the banner; only the key counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    name: String,
    desk: SpkiHash,
}

impl FromStr for Operator {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, key) = text
            .split_once('=')
            .ok_or("say whose key you trust: NAME=DESK_URI or NAME=KEY in 64 hexadecimal digits")?;
        let graphic = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || name.len() > OPERATOR_NAME_BYTES_MAX || !name.chars().all(graphic) {
            return Err("an operator's name has up to 64 letters, digits, dots and dashes");
        }
        let desk = SpkiHash::from_hex(key)
            .or_else(|| key.parse::<DeskUri>().ok().map(|uri| uri.key()))
            .ok_or("an operator's key is its desk's URI or 64 lower-case hexadecimal digits")?;
        Ok(Self {
            name: name.to_owned(),
            desk,
        })
    }
}

/// `--trust-root`, `--trust-operator`, `--trust-development`.
#[derive(Debug, Clone, Default, Args)]
pub struct TrustOptions {
    /// Believe releases signed under this root.
    #[arg(long, value_name = "FILE")]
    pub trust_root: Option<PathBuf>,
    /// Believe this desk about the TPMs of its own hosts; repeatable.
    #[arg(long, value_name = "NAME=KEY")]
    pub trust_operator: Vec<Operator>,
    /// Accept software evidence, which proves nothing about the machine.
    #[arg(long)]
    pub trust_development: bool,
}

/// Resolved trust, and the banner that stays while it is unusual.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Roots and policy.
    pub relays: Arc<RelayTrust>,
    /// What the user must not forget.
    pub banner: Option<String>,
}

impl TrustOptions {
    /// Reads the root, sets the policy, and takes over what was learnt into
    /// `data`, where anything was. Nothing is written.
    ///
    /// # Errors
    /// The root cannot be read or does not verify;
    /// [`Error::RevocationsDamaged`].
    pub fn resolve(&self, data: Option<&Path>) -> Result<Trust, Error> {
        let kept = data.map(kept::read).transpose()?.unwrap_or_default();
        Ok(Trust {
            relays: Arc::new(self.relays(&kept)?),
            banner: self.banner(),
        })
    }

    /// As [`TrustOptions::resolve`], and learns: from the release in the file
    /// `newest` now, and from every good relay later; what it learns is kept
    /// in `data`.
    ///
    /// # Errors
    /// As [`TrustOptions::resolve`]; the file's release does not verify now.
    pub fn resolve_learning(
        &self,
        data: &Path,
        newest: Option<&Path>,
        now: UnixMs,
    ) -> Result<Trust, Error> {
        let relays = self.relays(&kept::read(data)?)?.kept_by(Kept::new(data));
        if let Some(path) = newest {
            let json = read_bounded(path, RELEASE_BYTES_MAX as u64, "newest release")?;
            let root = relays.roots().release().ok_or(attest::Error::RootMissing)?;
            relays.learn(&release::verify(&json, root, now)?);
        }
        Ok(Trust {
            relays: Arc::new(relays),
            banner: self.banner(),
        })
    }

    fn relays(&self, kept: &Revocations) -> Result<RelayTrust, Error> {
        let roots = match &self.trust_root {
            Some(path) => {
                TrustRoots::from_root_file(&read_bounded(path, ROOT_BYTES_MAX, "trust root")?)?
            }
            None => TrustRoots::compiled_in()?,
        };
        let mut policy = Policy::default().with_revocations(kept);
        for operator in &self.trust_operator {
            policy = policy.with_operator(operator.desk);
        }
        if self.trust_development {
            policy = policy.with_development();
        }
        Ok(RelayTrust::new(roots, policy))
    }

    /// What stands over everything that is said while trust is unusual.
    pub(crate) fn banner(&self) -> Option<String> {
        let mut notes = Vec::new();
        if let Some(path) = &self.trust_root {
            notes.push(format!("releases are believed under {}", path.display()));
        }
        for operator in &self.trust_operator {
            let (name, key) = (&operator.name, operator.desk.short());
            notes.push(format!(
                "TPMs of {name} ({key}) are accepted: they prove nothing against {name}"
            ));
        }
        if self.trust_development {
            notes.push("software evidence is accepted: relays prove nothing".to_owned());
        }
        (!notes.is_empty()).then(|| format!("DEVELOPMENT: {}", notes.join("; ")))
    }
}
