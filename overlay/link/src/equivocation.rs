//! A sender that tells two stories (threat D10): two headers that contradict
//! each other, both with its signature. The first one stays; the two together
//! are a proof, which goes once to everybody that edges and control links lead
//! to. Who brought the second header is not to blame for it.

use crate::Error;
use crate::node::{Node, NodeEvent, lock};
use certs::chunk::verify_equivocation;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use wire::SpkiHash;
use wire::message::edge::Equivocation;
use wire::statement::{ChunkHeader, ChunkKey, Signed};

/// Proofs that a node keeps and passes on in a run. One convicts; a few more
/// show that it was no single accident. A sender that goes on and on costs
/// nobody more than this.
const PROOFS_MAX: usize = 8;
/// Chunks of which two headers came, and of which blocks are therefore no
/// parent's fault: more than any node keeps of one rendition.
const CONTESTED_MAX: usize = 1024;

/// Who told a node of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody: both headers came here.
    Found,
    /// The other end of an edge.
    Edge(SpkiHash),
    /// The other end of a control link.
    Control,
}

#[derive(Debug)]
struct Known {
    proof: Equivocation,
    origin: Origin,
    /// The later of the two chunks: one proof is enough for each.
    at: ChunkKey,
}

impl Known {
    /// Whether it is this proof, either way round.
    fn is(&self, proof: &Equivocation) -> bool {
        let (a, b) = (&self.proof.a, &self.proof.b);
        (a == &proof.a && b == &proof.b) || (a == &proof.b && b == &proof.a)
    }
}

/// What a node knows of its sender's contradictions.
#[derive(Debug)]
pub(crate) struct Equivocations {
    /// They are added to and never removed: each edge has its place in them.
    known: watch::Sender<Vec<Arc<Known>>>,
    contested: Mutex<BTreeSet<ChunkKey>>,
}

impl Default for Equivocations {
    fn default() -> Self {
        Self {
            known: watch::Sender::new(Vec::new()),
            contested: Mutex::default(),
        }
    }
}

impl Equivocations {
    /// Notes that `second` came, and contradicts the kept header `first`.
    pub(crate) fn found(
        &self,
        node: &Node,
        first: Signed<ChunkHeader>,
        second: &Signed<ChunkHeader>,
        same_chunk: Option<ChunkKey>,
    ) {
        if !node.controls.equivocations.is_on() {
            return;
        }
        if let Some(key) = same_chunk {
            let mut contested = lock(&self.contested);
            contested.insert(key);
            while contested.len() > CONTESTED_MAX {
                contested.pop_first();
            }
        }
        let proof = Equivocation {
            a: first,
            b: second.clone(),
        };
        if let Err(e) = self.take(node, &proof, Origin::Found) {
            tracing::warn!("two headers that were verified: {e}");
        }
    }

    /// Whether two headers of this chunk came here.
    pub(crate) fn contests(&self, key: ChunkKey) -> bool {
        lock(&self.contested).contains(&key)
    }

    /// Takes a proof from anybody: checks it, and tells the driver and the
    /// other edges if it is news.
    ///
    /// # Errors
    /// There is no run yet, or it proves nothing: nobody hears of it, and
    /// whoever sent it has to go.
    pub(crate) fn take(
        &self,
        node: &Node,
        proof: &Equivocation,
        origin: Origin,
    ) -> Result<(), Error> {
        if !node.controls.equivocations.is_on() {
            return Ok(());
        }
        let old = |known: &Vec<Arc<Known>>| {
            known.len() >= PROOFS_MAX || known.iter().any(|k| k.is(proof))
        };
        if old(&self.known.borrow()) {
            return Ok(());
        }
        let run = node
            .run()
            .ok_or(Error::OutOfTurn("a proof before the run"))?;
        let [a, b] = verify_equivocation(proof, &run)?;
        let at = a.key().max(b.key());
        let fresh = self.known.send_if_modified(|known| {
            let fresh = !old(known) && known.iter().all(|k| k.at != at);
            if fresh {
                known.push(Arc::new(Known {
                    proof: proof.clone(),
                    origin,
                    at,
                }));
            }
            fresh
        });
        if fresh {
            let _ = node.events.send(NodeEvent::SenderEquivocated {
                proof: Box::new(proof.clone()),
                chunk: at,
                digests: [a.digest(), b.digest()],
                found: origin == Origin::Found,
            });
        }
        Ok(())
    }

    /// What an edge still has to tell its other end.
    pub(crate) fn untold(&self, other: SpkiHash) -> Untold {
        Untold {
            known: self.known.subscribe(),
            next: 0,
            other,
        }
    }
}

/// The proofs that one edge has not passed on yet.
pub(crate) struct Untold {
    known: watch::Receiver<Vec<Arc<Known>>>,
    next: usize,
    other: SpkiHash,
}

impl Untold {
    /// Waits for the next one. May be cancelled.
    pub(crate) async fn next(&mut self) -> Equivocation {
        loop {
            {
                let known = self.known.borrow_and_update();
                while let Some(one) = known.get(self.next) {
                    self.next += 1;
                    // Not back to who told it.
                    if one.origin != Origin::Edge(self.other) {
                        return one.proof.clone();
                    }
                }
            }
            if self.known.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}
