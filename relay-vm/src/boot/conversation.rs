//! The relay's end of the boot protocol.

use super::Booted;
use super::line::{self, Opening};
use super::platform::{Keys, Platform, Subject, Vouched};
use crate::Error;
use certs::SigningKey;
use link::{Binding, Identity};
use std::sync::Arc;
use wire::{Digest, SpkiHash};

/// A boot that waits for a line of its desk.
#[derive(Debug)]
pub struct Conversation {
    key: SigningKey,
    platform: Box<dyn Platform>,
    waits: Waits,
}

/// What the next line has to be.
#[derive(Debug)]
enum Waits {
    Opening,
    Credential(Box<Opening>),
    Statement(Box<Opening>),
}

/// What a line led to.
#[derive(Debug)]
pub enum Turn {
    /// An answer, without its line end; another line has to come.
    Say {
        /// What the desk is told.
        line: String,
        /// Who waits for the desk's answer.
        then: Box<Conversation>,
    },
    /// The desk has said all that it has to.
    Booted(Box<Booted>),
}

impl Conversation {
    /// A boot of `key` on `platform`.
    #[must_use]
    pub fn new(key: SigningKey, platform: Box<dyn Platform>) -> Self {
        Self {
            key,
            platform,
            waits: Waits::Opening,
        }
    }

    /// Takes the desk's next line. A line that is not the expected one ends
    /// the boot: there is no second try with the same keys.
    ///
    /// # Errors
    /// The line is not well formed or not in turn, or the platform fails.
    pub fn hear(mut self, line: &str) -> Result<Turn, Error> {
        match self.waits {
            Waits::Opening => {
                let opening = Box::new(Opening::parse(line)?);
                let keys = self.platform.keys()?;
                let answer = line::request(&self.spki(), &keys);
                self.waits = match keys {
                    Keys::Software { .. } => Waits::Statement(opening),
                    Keys::Tpm2(_) => Waits::Credential(opening),
                };
                Ok(self.say(answer))
            }
            Waits::Credential(opening) => {
                let credential = line::credential(line)?;
                let secret = self.platform.activate(&credential)?;
                self.waits = Waits::Statement(opening);
                Ok(self.say(line::activated(&secret)))
            }
            Waits::Statement(opening) => {
                let statement = line::statement(line)?;
                finish(self.key, self.platform, *opening, &statement)
            }
        }
    }

    fn say(self, line: String) -> Turn {
        Turn::Say {
            line,
            then: Box::new(self),
        }
    }

    fn spki(&self) -> SpkiHash {
        certs::x509::spki_of_public(&self.key.public())
    }
}

/// Has the platform vouch, and makes the certificate.
fn finish(
    key: SigningKey,
    platform: Box<dyn Platform>,
    opening: Opening,
    statement: &[u8],
) -> Result<Turn, Error> {
    let Opening {
        order,
        parameters,
        release,
        network: _,
    } = opening;
    let binding = Binding {
        spki: certs::x509::spki_of_public(&key.public()),
        order: certs::order::id(&order),
        parameters: certs::order::parameters_digest(&parameters),
        release: sha256(release.as_bytes()),
    };
    let subject = Subject {
        spki: binding.spki,
        order: order.clone(),
        parameters: parameters.clone(),
        release,
    };
    let kept_ms_max = platform.kept_ms_max();
    let Vouched { evidence, quoter } = platform.vouch(subject, statement)?;
    let extension = (certs::x509::EVIDENCE_OID.to_vec(), evidence.to_extension());
    let certificate = certs::x509::self_signed(&key, vec![extension])?;
    Ok(Turn::Booted(Box::new(Booted {
        identity: Identity {
            key: Arc::new(key),
            certificate,
        },
        quoter,
        order_id: binding.order,
        binding,
        order,
        parameters,
        kept_ms_max,
    })))
}

fn sha256(bytes: &[u8]) -> Digest {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(digest.as_ref().try_into().unwrap_or([0; 32]))
}
