//! The live challenge over a link: the verifier's side, and the relay's
//! service that collects nonces into batches so that one quote serves many.

use crate::framing::{open_channel, recv, send};
use crate::{Clock, Error, Link};
use attest::live::{AGE_MS_MAX, BATCH_WAIT_MS, Batch, Challenge, Connection, Leaf, LiveVerdict};
use attest::{Appraised, Policy};
use quinn::{RecvStream, SendStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use wire::limits::CHALLENGES_PER_QUOTE_MAX;
use wire::message::StreamKind;
use wire::message::live::{self, Response};
use wire::{Digest, Nonce, OrderId, SpkiHash};

/// Nonces that may wait for the next batch.
const QUEUE_MAX: usize = 4 * CHALLENGES_PER_QUOTE_MAX;

/// Challenges the relay at the other end and checks its answer.
///
/// # Errors
/// No answer in time, or a refusal with its reason.
pub async fn challenge(
    link: &Link,
    me: SpkiHash,
    boot: &Appraised,
    policy: &Policy,
    clock: &Clock,
) -> Result<LiveVerdict, Error> {
    let mut nonce = [0u8; 32];
    getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
    let _turn = link.turns.begin(|| clock.mono_ms()).await;
    let challenge = Challenge::new(Nonce(nonce), clock.mono_ms());
    // Older answers are refused anyway.
    let patience = Duration::from_millis(AGE_MS_MAX);
    let response = tokio::time::timeout(patience, ask(link, Nonce(nonce)))
        .await
        .map_err(|_| Error::Timeout("answer to the live challenge"))??;
    let connection = Connection {
        exporter: link.exporter()?,
        own: me,
        peer: link.peer,
        peer_side: link.side.other(),
    };
    challenge
        .verify(&response, &connection, boot, policy, clock.mono_ms())
        .map_err(|refusal| Error::Evidence(Box::new(refusal)))
}

async fn ask(link: &Link, nonce: Nonce) -> Result<Response, Error> {
    let mut channel = open_channel(link, StreamKind::Challenge).await?;
    channel.send(&live::Challenge { nonce }).await?;
    let _ = channel.send.finish();
    // A relay that is too busy ends the stream without an answer.
    let answer = channel.recv().await?;
    answer.ok_or(Error::Timeout("answer to the live challenge"))
}

/// What never changes in a relay's leaves.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The relay's key.
    pub spki: SpkiHash,
    /// Its order.
    pub order: OrderId,
    /// Digest of its parameters.
    pub parameters: Digest,
    /// Digest of its release.
    pub release: Digest,
}

/// The relay's quoting service.
#[derive(Debug, Clone)]
pub struct Attester {
    queue: mpsc::Sender<Waiting>,
    binding: Binding,
}

struct Waiting {
    leaf: Digest,
    answer: oneshot::Sender<Response>,
}

impl Attester {
    /// Starts the service on this runtime.
    #[must_use]
    pub fn start(quoter: Arc<dyn attest::Quoter + Send + Sync>, binding: Binding) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(serve(waiting, quoter));
        Self { queue, binding }
    }

    /// Answers one challenge stream. The leaf is computed here, from this
    /// connection and this relay's own facts: nothing that the verifier sends
    /// but its nonce enters it (threat B7).
    ///
    /// # Errors
    /// The link has ended, or the challenge is not well formed.
    pub async fn answer(
        &self,
        link: &Link,
        stream: &mut SendStream,
        from: &mut RecvStream,
    ) -> Result<(), Error> {
        let challenge: live::Challenge =
            recv(from).await?.ok_or(Error::OutOfTurn("no challenge"))?;
        let leaf = Leaf {
            attester_side: link.side,
            nonce: challenge.nonce,
            exporter: link.exporter()?,
            attester: self.binding.spki,
            verifier: link.peer,
            order: self.binding.order,
            parameters: self.binding.parameters,
            release: self.binding.release,
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            leaf: leaf.digest().map_err(|_| Error::OutOfTurn("no two ends"))?,
            answer,
        };
        // A full queue drops the challenge; the verifier tries again later.
        self.queue
            .try_send(waiting)
            .map_err(|_| Error::Timeout("place in the challenge queue"))?;
        // Whoever waits no more may ask again: one challenge of his may be
        // outstanding, and this one no longer is.
        let response = tokio::select! {
            answer = answered => answer.map_err(|_| Error::Timeout("quote"))?,
            _ = stream.stopped() => return Err(Error::Timeout("patience of the verifier")),
            () = tokio::time::sleep(Duration::from_millis(AGE_MS_MAX)) => {
                return Err(Error::Timeout("quote"));
            }
        };
        send(stream, &response).await?;
        let _ = stream.finish();
        Ok(())
    }
}

async fn serve(
    mut waiting: mpsc::Receiver<Waiting>,
    quoter: Arc<dyn attest::Quoter + Send + Sync>,
) {
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        let window = tokio::time::sleep(Duration::from_millis(BATCH_WAIT_MS));
        tokio::pin!(window);
        while batch.len() < CHALLENGES_PER_QUOTE_MAX {
            tokio::select! {
                () = &mut window => break,
                next = waiting.recv() => match next {
                    Some(next) => batch.push(next),
                    None => break,
                },
            }
        }
        let quoter = quoter.clone();
        // A TPM's quote takes milliseconds: not on the forwarding thread.
        let _ = tokio::task::spawn_blocking(move || quote(batch, quoter.as_ref())).await;
    }
}

fn quote(waiting: Vec<Waiting>, quoter: &(dyn attest::Quoter + Send + Sync)) {
    let leaves: Vec<Digest> = waiting.iter().map(|w| w.leaf).collect();
    let Ok(batch) = Batch::new(&leaves) else {
        return;
    };
    let quote = match quoter.quote(&batch.digest()) {
        Ok(quote) => quote,
        Err(e) => {
            tracing::warn!("the platform refuses to quote: {e}");
            return;
        }
    };
    for (index, waiting) in (0u16..).zip(waiting) {
        if let Ok(response) = batch.response(index, &quote) {
            let _ = waiting.answer.send(response);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// A platform that signs everything.
    struct Willing;

    impl attest::Quoter for Willing {
        fn quote(&self, _: &attest::QuoteDigest) -> Result<Vec<u8>, attest::Error> {
            Ok(vec![7])
        }
    }

    /// A batch over the limit could not be quoted, and nobody would be answered.
    #[tokio::test]
    async fn who_finds_a_batch_full_is_in_the_next_one() {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let ask = |number: u16| {
            let (answer, answered) = oneshot::channel();
            let mut leaf = [0; 32];
            leaf[..2].copy_from_slice(&number.to_be_bytes());
            let leaf = Digest(leaf);
            assert!(queue.try_send(Waiting { leaf, answer }).is_ok());
            answered
        };
        let most = u16::try_from(CHALLENGES_PER_QUOTE_MAX).unwrap();
        // All wait before the first is looked at.
        let asked: Vec<_> = (0..=most).map(ask).collect();
        tokio::spawn(serve(waiting, Arc::new(Willing)));
        let mut answers = Vec::new();
        for answered in asked {
            answers.push(answered.await.unwrap());
        }
        assert!(answers.iter().all(|answer| answer.count <= most));
        assert!(answers.iter().any(|answer| answer.count > 1));
        let first_of_a_batch = answers.iter().filter(|answer| answer.index == 0);
        assert!(first_of_a_batch.count() > 1);
    }
}
