//! What the user believes: from his own command line, never from an invite,
//! a coordinator, a relay, a configuration file or the environment.

use crate::Error;
use crate::config::read_bounded;
use attest::{Policy, TrustRoots};
use certs::introduction::IntroductionCheck;
use clap::Args;
use link::RelayTrust;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use voucher::DeskUri;
use wire::SpkiHash;

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
        for operator in &self.trust_operator {
            policy = policy.with_operator(operator.desk);
            let (name, key) = (&operator.name, operator.desk.short());
            notes.push(format!(
                "TPMs of {name} ({key}) are accepted: they prove nothing against {name}"
            ));
        }
        if self.trust_development {
            policy = policy.with_development();
            notes.push("software evidence is accepted: relays prove nothing".to_owned());
        }
        let banner = (!notes.is_empty()).then(|| format!("DEVELOPMENT: {}", notes.join("; ")));
        Ok(Trust {
            relays: Arc::new(RelayTrust {
                roots,
                policy,
                introductions: IntroductionCheck::default(),
            }),
            banner,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_operator_is_named_with_its_key_alone() {
        let hex = "ab".repeat(32);
        let desk = SpkiHash::from_hex(&hex).unwrap();
        let operator: Operator = format!("demo-desk={hex}").parse().unwrap();
        assert_eq!((operator.name.as_str(), operator.desk), ("demo-desk", desk));
        let uri = DeskUri::new("127.0.0.1", 4433, desk).unwrap();
        let by_uri: Operator = format!("demo-desk={uri}").parse().unwrap();
        assert_eq!(by_uri, operator);
        let wrong = ["demo-desk", "=", "a b=00", "demo-desk=zz", "demo-desk="];
        for text in wrong {
            assert!(text.parse::<Operator>().is_err(), "{text}");
        }
        assert!(format!("\u{1b}={hex}").parse::<Operator>().is_err());
    }

    #[test]
    fn only_named_operators_are_accepted_and_the_banner_names_them() {
        let hex = "ab".repeat(32);
        let desk = SpkiHash::from_hex(&hex).unwrap();
        let bare = TrustOptions::default().resolve().unwrap();
        assert!(!bare.relays.policy.accepts(attest::Assurance::Operator));
        assert_eq!(bare.banner, None);
        let options = TrustOptions {
            trust_operator: vec![format!("demo-desk={hex}").parse().unwrap()],
            ..TrustOptions::default()
        };
        let trust = options.resolve().unwrap();
        let policy = &trust.relays.policy;
        assert!(policy.accepts(attest::Assurance::Operator) && policy.trusts_operator(&desk));
        assert!(!policy.trusts_operator(&SpkiHash([1; 32])));
        assert!(!policy.accepts(attest::Assurance::Development));
        assert!(trust.banner.unwrap().contains("nothing against demo-desk"));
    }
}
