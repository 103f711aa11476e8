//! The verifier's side of a live challenge.

use super::batch::claimed_digest;
use super::leaf::{Leaf, TlsSide};
use super::{AGE_MS_MAX, EXPORTER_BYTES};
use crate::appraise::Appraised;
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Refusal, Step, Subject, Trace};
use crate::policy::Policy;
use wire::message::live::Response;
use wire::{Nonce, SpkiHash};

/// This end's view of the connection to the relay.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    /// The connection's exporter, see [`super::EXPORTER_LABEL`].
    pub exporter: [u8; EXPORTER_BYTES],
    /// This end's key.
    pub own: SpkiHash,
    /// The key that the other end proved in the handshake.
    pub peer: SpkiHash,
    /// Which side the other end is.
    pub peer_side: TlsSide,
}

/// Without the exporter: a log is no place for it.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (own, peer) = (self.own.short(), self.peer.short());
        write!(f, "Connection({own} to {peer}, {:?})", self.peer_side)
    }
}

/// An answer with all that it must be bound to: enough to check it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The verifier's 32 random bytes.
    pub nonce: Nonce,
    /// The verifier's end of the connection.
    pub connection: Connection,
    /// What the relay said.
    pub response: Response,
}

impl Answer {
    /// Whether this relay gave it on this connection for this nonce; how old
    /// it is, is `age`'s to say.
    pub(crate) fn check(
        &self,
        trace: &mut Trace<'_>,
        appraised: &Appraised,
        age: impl FnOnce(&mut Trace<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let leaf = self.leaf(appraised);
        trace.require(Check::LiveExporter, || {
            leaf.bound()
                .map(|()| "the connection has an exporter".into())
        })?;
        trace.require(Check::LiveReflection, || {
            let keys = format!(
                "keys {} and {}",
                leaf.verifier.short(),
                leaf.attester.short()
            );
            leaf.two_ended().map(|()| keys)
        })?;
        age(trace)?;
        let (response, quote_key) = (&self.response, appraised.quote_key());
        let digest = trace.derive(Check::LiveForm, || {
            let digest = claimed_digest(leaf.hash(), response).ok_or(Error::LiveMalformed)?;
            let detail = format!("answer {} of {}", response.index, response.count);
            Ok((digest, detail))
        })?;
        trace.require(Check::LiveBinding, || {
            // The appraised key and the key of this handshake are one: else
            // the evidence is somebody else's.
            let same_key = self.connection.peer == appraised.spki();
            if same_key && quote_key.signed(&digest, &response.quote)? {
                Ok("the attested key answered for this connection, both keys and order".into())
            } else {
                Err(Error::LiveBindingMismatch)
            }
        })?;
        if let Some(boot) = quote_key.boot() {
            trace.require(Check::LiveMeasurement, || boot.unchanged(&response.quote))?;
            trace.require(Check::LiveReset, || boot.running(&response.quote))?;
        }
        Ok(())
    }

    fn leaf(&self, appraised: &Appraised) -> Leaf {
        let connection = &self.connection;
        Leaf {
            attester_side: connection.peer_side,
            nonce: self.nonce,
            exporter: connection.exporter,
            attester: connection.peer,
            verifier: connection.own,
            order: appraised.order(),
            parameters: appraised.parameters_digest(),
            release: appraised.release_digest(),
        }
    }
}

/// A challenge that was sent. It is used up by its answer.
#[derive(Debug)]
pub struct Challenge {
    nonce: Nonce,
    sent_mono_ms: u64,
}

impl Challenge {
    /// A challenge with 32 fresh random bytes, sent at `sent_mono_ms` of the
    /// caller's monotonic clock.
    #[must_use]
    pub const fn new(nonce: Nonce, sent_mono_ms: u64) -> Self {
        Self {
            nonce,
            sent_mono_ms,
        }
    }

    /// Checks an answer that arrived at `now_mono_ms`.
    ///
    /// # Errors
    /// `live_exporter_missing`, `live_reflection`, `live_too_old`,
    /// `live_malformed` or `live_binding_mismatch`; with a TPM also what is
    /// wrong with its quote, `live_pcr_selection_mismatch`, `live_pcr_mismatch`
    /// and `live_reset`.
    pub fn verify(
        self,
        response: &Response,
        connection: &Connection,
        appraised: &Appraised,
        policy: &Policy,
        now_mono_ms: u64,
    ) -> Result<LiveVerdict, Refusal> {
        let answer = Answer {
            nonce: self.nonce,
            connection: connection.clone(),
            response: response.clone(),
        };
        let mut trace = Trace::resumed(policy, appraised.subject().clone(), Vec::new());
        answer
            .check(&mut trace, appraised, |trace| {
                trace.require(Check::LiveAge, || self.age(now_mono_ms))
            })
            .map_err(|refusal| refusal.after(appraised.steps()))?;
        let (subject, steps) = trace.finish();
        Ok(LiveVerdict {
            answer,
            subject,
            steps,
        })
    }

    fn age(&self, now_mono_ms: u64) -> Result<String, Error> {
        // A monotonic clock that went back belongs to another boot: no age.
        match now_mono_ms.checked_sub(self.sent_mono_ms) {
            Some(age_ms) if age_ms <= AGE_MS_MAX => Ok(format!("answered within {age_ms} ms")),
            _ => Err(Error::LiveTooOld {
                limit_ms: AGE_MS_MAX,
            }),
        }
    }
}

/// The relay at the other end of one connection holds the attested key.
/// Only [`Challenge::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveVerdict {
    answer: Answer,
    subject: Subject,
    steps: Vec<Step>,
}

impl LiveVerdict {
    /// The relay.
    #[must_use]
    pub const fn spki(&self) -> SpkiHash {
        self.answer.connection.peer
    }

    /// The answer, to be saved.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What the verdict speaks of.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The checks that were made.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
