//! What the user believes: from his own command line, never from an invite,
//! a coordinator, a relay, a configuration file or the environment.

use crate::Error;
use crate::config::read_bounded;
use attest::{Policy, TrustRoots};
use clap::Args;
use link::RelayTrust;
use std::path::PathBuf;
use std::sync::Arc;

/// A root file, in bytes: a few keys and signatures.
const ROOT_BYTES_MAX: u64 = 64 * 1024;

/// `--trust-root`, `--trust-development`.
#[derive(Debug, Clone, Default, Args)]
pub struct TrustOptions {
    /// Believe releases signed under this root.
    #[arg(long, value_name = "FILE")]
    pub trust_root: Option<PathBuf>,
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
    /// Reads the root and sets the policy.
    ///
    /// # Errors
    /// The root cannot be read or does not verify.
    pub fn resolve(&self) -> Result<Trust, Error> {
        let roots = match &self.trust_root {
            Some(path) => {
                TrustRoots::from_root_file(&read_bounded(path, ROOT_BYTES_MAX, "trust root")?)?
            }
            None => TrustRoots::compiled_in()?,
        };
        let mut policy = Policy::default();
        let mut notes = Vec::new();
        if let Some(path) = &self.trust_root {
            notes.push(format!("releases are believed under {}", path.display()));
        }
        if self.trust_development {
            policy = policy.with_development();
            notes.push("software evidence is accepted: relays prove nothing".to_owned());
        }
        let banner = (!notes.is_empty()).then(|| format!("DEVELOPMENT: {}", notes.join("; ")));
        Ok(Trust {
            relays: Arc::new(RelayTrust { roots, policy }),
            banner,
        })
    }
}
