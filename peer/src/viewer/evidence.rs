//! What a viewer has seen of relays: the evidence of good ones, which is saved
//! if he wants it, and why others were refused.

use super::control::Session;
use crate::Error;
use crate::station::{VerifiedOn, verified_fields};
use crate::wallet::write_secret;
use attest::offline::{Live, Verdict};
use link::Proof;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::message::control::NodeRef;
use wire::{SpkiHash, UnixMs};

/// Refused relays that the page shows.
const REFUSED_MAX: usize = 8;

/// A relay that this viewer refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) relay: SpkiHash,
    pub(crate) verdict: Verdict<Live>,
    pub(crate) at: UnixMs,
}

/// A folder that takes each relay's evidence, with its newest answer.
#[derive(Debug)]
pub(super) struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// # Errors
    /// [`Error::File`].
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let opened = std::fs::create_dir_all(folder);
        opened.map_err(failed(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Saves the evidence as `KEY.evidence.json`, and whole if at all.
    fn save(&self, proof: &Proof) -> Result<PathBuf, Error> {
        let name = format!("{}.evidence.json", proof.boot.spki().to_hex());
        let path = self.folder.join(name);
        write_secret(&path, &proof.saved().to_json()?).map_err(failed(&path))?;
        Ok(path)
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    Error::file("save evidence", path)
}

impl Session {
    pub(super) fn relay_verified(&mut self, relay: &NodeRef, proof: Arc<Proof>) {
        let banner = self.options.shared.trust.banner.as_deref();
        let fields = verified_fields(relay.spki, &proof, VerifiedOn::Edge, banner);
        self.emit.tell("relay_verified", fields);
        if let Some(Err(error)) = self.archive.as_ref().map(|archive| archive.save(&proof)) {
            self.emit.say(&error.to_string());
            self.notice(page::Level::Warning, error.to_string());
        }
        self.refused.retain(|refused| refused.relay != relay.spki);
        self.proofs.insert(relay.spki, proof);
    }

    pub(super) fn relay_refused(&mut self, relay: SpkiHash, verdict: Verdict<Live>) {
        self.refused.retain(|refused| refused.relay != relay);
        let at = self.clock.unix();
        self.refused.insert(0, Refused { relay, verdict, at });
        self.refused.truncate(REFUSED_MAX);
    }
}

#[cfg(test)]
mod tests;
