//! One node of the tree: the pure forwarder, its edges and its limits. The
//! station, every viewer and every relay run the same one.

use crate::controls::{Controls, Reverification};
use crate::edge::{self, Edges};
use crate::equivocation::Origin;
use crate::group::Framed;
use crate::mesh::Mesh;
use crate::pace::Pace;
use crate::playing::Playing;
use crate::trust::{Proof, Verification};
use crate::{Channel, Clock, Endpoint, Error, Link};
use attest::offline::{Live, Verdict};
use bytes::Bytes;
use certs::Verified;
use certs::block::VerifiedBlock;
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::seal::Piece;
use overlay::forwarder::{Forwarder, Kept};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use wire::codec::List;
use wire::limits::BLOCK_PATH_MAX;
use wire::message::control::{EdgeOrder, NodeKind, NodeRef};
use wire::message::edge::{Equivocation, Resume};
use wire::message::group::{Block, Dropped};
use wire::statement::{
    ChunkHeader, ChunkKey, HeadBeacon, Priority, Revocation, RunStatement, Signed,
};
use wire::{Digest, Epoch, Reason, Rendition, Sequence, SpkiHash, StripeSet};

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// This node's key.
    pub me: SpkiHash,
    /// What it is.
    pub kind: NodeKind,
    /// What it may send in all, in bit/s.
    pub upload_bps: u64,
    /// Bytes of the stream that it may send in its life; none: no cap.
    pub byte_cap: Option<u64>,
    /// Chunks kept for catching up, and queues per child.
    pub forwarder: overlay::forwarder::Config,
    /// What it checks of the other end of an edge.
    pub verification: Verification,
    /// A relay may dial loopback and private addresses (development runs).
    pub private_networks: bool,
}

/// What a node tells its driver. Events come per chunk and per edge, never
/// per block, so that the queue needs no bound of its own.
#[derive(Debug)]
pub enum NodeEvent {
    /// A relay was verified by this node on this link.
    RelayVerified {
        /// The relay.
        relay: NodeRef,
        /// What convinced us.
        proof: Arc<Proof>,
    },
    /// The metadata of a relay that was verified have expired: no new link to
    /// it is made, and this one stays for the relay's lease. Told once.
    RelayExpired {
        /// The relay.
        relay: NodeRef,
        /// Which ones, as a stable name.
        reason: &'static str,
    },
    /// A relay no longer answers challenges. The edge goes on for a while, so
    /// that another parent can be found, and then ends.
    RelayUnresponsive {
        /// The relay.
        relay: NodeRef,
        /// Whether this node is the child.
        child: bool,
    },
    /// An edge works: at the child, the first block of a stripe has come from
    /// this parent (told for each stripe); at the parent, the child has said
    /// where to start (told once).
    EdgeUp {
        /// Who is at the other end.
        other: NodeRef,
        /// Whether this node is the child.
        child: bool,
        /// The rendition that comes.
        rendition: Rendition,
        /// Which stripes work.
        stripes: StripeSet,
        /// Where the child resumed, if it did.
        resume: Option<Resume>,
    },
    /// An edge has ended or never came about.
    EdgeDown {
        /// Who is at the other end.
        other: SpkiHash,
        /// Whether this node was the child.
        child: bool,
        /// The rendition of its newest permit.
        rendition: Rendition,
        /// Why, as a code.
        reason: Reason,
        /// Why, by name.
        name: String,
        /// Why, in words.
        detail: String,
        /// Whether this node refused the other end.
        refusal: bool,
        /// Of a relay that this node refused for its evidence or its answer:
        /// every check up to the one that failed.
        verdict: Option<Box<Verdict<Live>>>,
    },
    /// A link of neighbours works.
    NeighbourUp {
        /// Who is at the other end.
        other: NodeRef,
        /// Whether this node may pull there.
        child: bool,
    },
    /// A link of neighbours has ended or never came about.
    NeighbourDown {
        /// Who is at the other end.
        other: SpkiHash,
        /// Whether this node pulled there.
        child: bool,
        /// Why, as a code.
        reason: Reason,
        /// Why, by name.
        name: String,
        /// Why, in words.
        detail: String,
        /// Whether this node refused the other end.
        refusal: bool,
    },
    /// A chunk is here: any k blocks of each of its rows.
    Chunk {
        /// The chunk.
        key: ChunkKey,
        /// Who gave the last block; none at the station.
        from: Option<SpkiHash>,
    },
    /// Chunks will not come: parents left out more of their stripes than
    /// parity makes up for.
    Dropped {
        /// The parent that did so last.
        from: SpkiHash,
        /// What, and why.
        dropped: Dropped,
    },
    /// Chunks are left out for a child: here, because it or the uplink is too
    /// slow, or above.
    LeftOut {
        /// The child.
        child: SpkiHash,
        /// What, and why.
        dropped: Dropped,
    },
    /// How far the stream is: a beacon that is news, from whichever path was
    /// the first to bring it.
    Beacon(Verified<HeadBeacon>),
    /// A parent does not send what it should: it has let this node fall
    /// behind what a beacon says and does not catch up, or a stripe of its is
    /// silent while others bring the chunks. Told again for as long as that
    /// lasts.
    Withheld {
        /// The parent.
        from: SpkiHash,
        /// The rendition.
        rendition: Rendition,
        /// Which of its stripes.
        stripes: StripeSet,
        /// The newest published chunk that is known here.
        head: Sequence,
        /// The newest one that is whole in these stripes, if there is any.
        newest: Option<Sequence>,
    },
    /// The sender has signed two headers that contradict each other. The node
    /// keeps the one that came first, leaves no parent for it, and has passed
    /// the proof on. Told once for each chunk, and a few times in a run.
    SenderEquivocated {
        /// Both headers, checked.
        proof: Box<Equivocation>,
        /// The chunk that they differ about.
        chunk: ChunkKey,
        /// The digests of the two, in the proof's order.
        digests: [Digest; 2],
        /// Whether both came here, rather than the proof.
        found: bool,
    },
    /// The byte cap is reached.
    ByteCapReached,
}

/// What a node carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeLoad {
    /// Children of which the edges are up.
    pub children: u32,
    /// Bytes of the stream that were sent in all: blocks with their proofs,
    /// headers and marks.
    pub sent_bytes: u64,
    /// Chunks that were left out because a child, or the uplink, was too slow.
    pub left_out_chunks: u64,
    /// Times that this began.
    pub left_out_times: u64,
}

/// A block that is here, and how it came.
#[derive(Debug, Clone)]
pub struct Came {
    /// Index within the chunk.
    pub index: u16,
    /// Who was the first to send it; none at the station.
    pub from: Option<SpkiHash>,
    /// When, on the node's monotonic clock, in milliseconds.
    pub at_ms: u64,
    /// The data.
    pub data: Bytes,
}

/// A chunk's header and those of its blocks that are here, by index.
pub type BySender = (Arc<Verified<ChunkHeader>>, Vec<Came>);

/// The run that a node takes part in.
pub(crate) struct Run {
    pub(crate) statement: Arc<Verified<RunStatement>>,
    headers: HeaderVerifier,
}

/// One node of the tree.
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) controls: Controls,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) clock: Clock,
    pub(crate) edges: Edges,
    pub(crate) mesh: Mesh,
    pub(crate) paths: crate::measuring::Paths,
    pub(crate) playing: Playing,
    pub(crate) events: mpsc::UnboundedSender<NodeEvent>,
    pub(crate) forwarder: Mutex<Forwarder<Framed, edge::ChildId>>,
    run: Mutex<Option<Run>>,
    pace: Pace,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({} {})", self.config.kind, self.config.me.short())
    }
}

/// A poisoned lock means that another task panicked while it held plain data;
/// the data are still whole, and forwarding goes on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// When this node verifies relays again; for its other links to them.
    #[must_use]
    pub const fn reverification(&self) -> Reverification {
        self.controls.reverification
    }

    /// A node on this endpoint; events arrive at the receiver.
    #[must_use]
    pub fn new(
        config: NodeConfig,
        endpoint: Arc<Endpoint>,
        clock: Clock,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<NodeEvent>) {
        Self::with_controls(config, Controls::default(), endpoint, clock)
    }

    /// As [`Node::new`], with the controls of the caller's making.
    #[must_use]
    pub fn with_controls(
        config: NodeConfig,
        controls: Controls,
        endpoint: Arc<Endpoint>,
        clock: Clock,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<NodeEvent>) {
        let (events, receiver) = mpsc::unbounded_channel();
        let node = Self {
            pace: Pace::new(config.upload_bps, clock.clone()),
            forwarder: Mutex::new(Forwarder::new(config.forwarder)),
            run: Mutex::new(None),
            edges: Edges::default(),
            mesh: Mesh::new(config.me),
            paths: crate::measuring::Paths::default(),
            playing: Playing::default(),
            config,
            controls,
            endpoint,
            clock,
            events,
        };
        (Arc::new(node), receiver)
    }

    /// Takes part in this run from now on.
    pub fn enter_run(&self, statement: Verified<RunStatement>) {
        let headers = HeaderVerifier::new(&statement, HeaderLimits::default());
        *lock(&self.run) = Some(Run {
            statement: Arc::new(statement),
            headers,
        });
    }

    /// As [`Node::enter_run`], with a verifier of the caller's making.
    pub fn enter_run_with(&self, statement: Verified<RunStatement>, headers: HeaderVerifier) {
        *lock(&self.run) = Some(Run {
            statement: Arc::new(statement),
            headers,
        });
    }

    /// The run, if there is one yet.
    #[must_use]
    pub fn run(&self) -> Option<Arc<Verified<RunStatement>>> {
        lock(&self.run).as_ref().map(|r| r.statement.clone())
    }

    /// Lowers or raises the upload limit, in bit/s.
    pub fn limit_upload(&self, rate_bps: u64) {
        self.pace.limit(rate_bps);
    }

    /// Counts bytes that the driver sends itself against the upload limit:
    /// they go at once, and the stream waits for them.
    pub fn charge(&self, bytes: usize) {
        self.pace.charge(bytes);
    }

    /// Makes, accepts or renews an edge that the coordinator ordered.
    ///
    /// # Errors
    /// The permit is refused.
    pub fn order_edge(self: &Arc<Self>, order: EdgeOrder) -> Result<(), Error> {
        edge::order(self, order)
    }

    /// Ends an edge; the other end reads the reason.
    pub fn end_edge(&self, other: SpkiHash, child: bool, reason: Reason) {
        self.edges.end(other, child, reason);
    }

    /// Ends the edge that carries this rendition, where the two ends have
    /// several.
    pub fn end_one_edge(&self, other: SpkiHash, child: bool, which: Rendition, reason: Reason) {
        self.edges.end_one(other, child, which, reason);
    }

    /// Serves an edge stream that the other end opened on `link`.
    pub async fn accept_edge(self: &Arc<Self>, link: Link, channel: Channel) {
        edge::accept(self, link, channel).await;
    }

    /// Lets nobody of a lower epoch in, and the member out, at once.
    ///
    /// # Errors
    /// The revocation is not the coordinator's.
    pub fn revoke(&self, revocation: &Signed<Revocation>) -> Result<(), Error> {
        let run = self.run().ok_or(Error::OutOfTurn("no run yet"))?;
        let revocation = certs::revocation::verify(revocation, &run)?;
        self.edges.revoke(revocation.member, revocation.scope.epoch);
        self.mesh.revoke(revocation.member);
        Ok(())
    }

    /// Takes a head beacon that came with the control link, as those on edges
    /// are taken: if it is news, the children and the driver hear of it, and
    /// a clock that beacons raise is raised.
    ///
    /// # Errors
    /// It is not of this run: `beacon_signature_invalid`, `beacon_wrong_run`,
    /// `beacon_time_invalid`. Close the link that brought it.
    pub fn take_beacon(&self, signed: &Signed<HeadBeacon>) -> Result<(), Error> {
        self.edges.beacons.take(self, signed)
    }

    /// Takes a proof that came with the control link, as those on edges are
    /// taken: if it is news, the edges and the driver hear of it.
    ///
    /// # Errors
    /// It proves nothing: `equivocation_unproven` and the names of refused
    /// headers. Close the link that brought it.
    pub fn take_equivocation(&self, proof: &Equivocation) -> Result<(), Error> {
        let stories = &self.edges.equivocations;
        stories.take(self, proof, Origin::Control)
    }

    /// Permits of lower epochs are refused from now on.
    pub fn raise_epoch(&self, epoch: Epoch) {
        self.edges.raise_epoch(epoch);
    }

    /// The station's own chunks enter here.
    pub fn publish(
        &self,
        header: Verified<ChunkHeader>,
        signed: Signed<ChunkHeader>,
        blocks: Vec<(VerifiedBlock, List<Digest, BLOCK_PATH_MAX>, Bytes)>,
    ) {
        let now_ms = self.clock.mono_ms();
        let key = header.key();
        {
            let mut forwarder = lock(&self.forwarder);
            forwarder.header(now_ms, header, signed);
            for (block, path, data) in blocks {
                let len = data.len();
                let framed = Framed::new((key, block.index()), &path, &data, None, now_ms);
                forwarder.block(now_ms, block, path, framed, len);
            }
        }
        self.edges.wake_children(StripeSet::ALL);
        let _ = self.events.send(NodeEvent::Chunk { key, from: None });
    }

    /// The header and blocks of a kept chunk that is complete, for
    /// `certs::seal::assemble`.
    #[must_use]
    pub fn chunk(&self, key: ChunkKey) -> Option<(Arc<Verified<ChunkHeader>>, Vec<Piece>)> {
        let (header, blocks) = lock(&self.forwarder).chunk(key)?;
        let piece = |kept: Kept<Framed>| Piece {
            index: kept.index,
            path: kept.path,
            data: kept.payload.data(),
        };
        Some((header, blocks.into_iter().map(piece).collect()))
    }

    /// As [`Node::chunk`], each block with how it came.
    #[must_use]
    pub fn chunk_by_sender(&self, key: ChunkKey) -> Option<BySender> {
        let (header, blocks) = lock(&self.forwarder).chunk(key)?;
        let came = |kept: Kept<Framed>| Came {
            index: kept.index,
            from: kept.payload.from(),
            at_ms: kept.payload.at_ms(),
            data: kept.payload.data(),
        };
        Some((header, blocks.into_iter().map(came).collect()))
    }

    /// What this node already has, for a new parent of these stripes.
    #[must_use]
    pub fn resume(&self, rendition: Rendition, stripes: StripeSet) -> Option<Resume> {
        lock(&self.forwarder).resume(rendition, stripes)
    }

    /// Where to go on for who still lacks `next`, if nobody can bring it any
    /// more; see [`Forwarder::passed`].
    #[must_use]
    pub fn passed(&self, rendition: Rendition, next: Sequence) -> Option<Sequence> {
        lock(&self.forwarder).passed(rendition, next)
    }

    /// The newest media chunk that is complete here, or whole in `stripes`.
    pub(crate) fn newest(&self, rendition: Rendition, stripes: StripeSet) -> Option<Sequence> {
        lock(&self.forwarder).newest(rendition, stripes)
    }

    /// The newest media chunk that is whole in `stripes`.
    pub(crate) fn whole(&self, rendition: Rendition, stripes: StripeSet) -> Option<Sequence> {
        lock(&self.forwarder).whole(rendition, stripes)
    }

    /// See [`Forwarder::overdue`]; and the newest chunk of which a header is
    /// here.
    pub(crate) fn overdue(
        &self,
        rendition: Rendition,
        stripes: StripeSet,
        from: Sequence,
        before_ms: u64,
    ) -> (StripeSet, Option<Sequence>) {
        let forwarder = lock(&self.forwarder);
        let overdue = forwarder.overdue(rendition, stripes, from, before_ms);
        (overdue, forwarder.newest(rendition, StripeSet::EMPTY))
    }

    /// What the node carries now, and has carried in all.
    #[must_use]
    pub fn load(&self) -> NodeLoad {
        let (children, sent_bytes) = self.edges.load();
        let left_out = lock(&self.forwarder).left_out();
        NodeLoad {
            children,
            sent_bytes,
            left_out_chunks: left_out.chunks,
            left_out_times: left_out.times,
        }
    }

    /// The stripes that this parent sends by its newest permit.
    #[must_use]
    pub fn stripes_from(&self, parent: SpkiHash) -> StripeSet {
        self.edges.stripes_of(parent)
    }

    /// Block bytes that wait for this child.
    #[must_use]
    pub fn queued_bytes(&self, child: SpkiHash) -> u64 {
        let stats = lock(&self.forwarder).stats((child, Rendition(0)));
        stats.map_or(0, |stats| stats.queued_bytes)
    }

    /// Whether there is an edge with this node.
    #[must_use]
    pub fn has_edge(&self, other: SpkiHash, child: bool) -> bool {
        self.edges.has(other, child)
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(crate) fn spend(&self, child: edge::ChildId, bytes: usize) -> Result<Priority, Error> {
        let now = self.controls.permits.time(self.clock.unix());
        let cap = self.config.byte_cap;
        let spent = self.edges.spend(child, bytes as u64, cap, now);
        if matches!(spent, Err(Error::Remote(Reason::ByteCapReached))) {
            let _ = self.events.send(NodeEvent::ByteCapReached);
        }
        spent
    }

    pub(crate) fn take_header(&self, signed: &Signed<ChunkHeader>) -> Result<(), Error> {
        let header = {
            let mut run = lock(&self.run);
            let run = run.as_mut().ok_or(Error::OutOfTurn("no run yet"))?;
            run.headers.verify(signed)?
        };
        let now_ms = self.clock.mono_ms();
        let key = header.key();
        let rival = {
            let mut forwarder = lock(&self.forwarder);
            let rival = forwarder.contradicted(&header);
            // It goes out with the first block: alone it would cost each child
            // a packet, and tell nothing yet.
            forwarder.header(now_ms, header, signed.clone());
            rival
        };
        if let Some((of, first)) = rival {
            let same_chunk = (of == key).then_some(key);
            let stories = &self.edges.equivocations;
            stories.found(self, first, signed, same_chunk);
        }
        Ok(())
    }

    pub(crate) fn take_block(&self, parent: SpkiHash, block: Block) -> Result<(), Error> {
        let header = lock(&self.forwarder).header_of(block.chunk);
        let Some(header) = header else {
            // Its chunk has left the window, or the header never came.
            return Ok(());
        };
        let verified = match self.controls.blocks.verify(&header, &block) {
            Err(_) if self.edges.equivocations.contests(block.chunk) => return Ok(()),
            checked => checked?,
        };
        let (len, now_ms) = (block.data.len(), self.clock.mono_ms());
        let stripe = verified.stripe();
        let of = (block.chunk.rendition, stripe);
        self.edges.note_block(self, parent, of, now_ms)?;
        let place = (block.chunk, block.index);
        let framed = Framed::new(place, &block.path, &block.data, Some(parent), now_ms);
        let taken = lock(&self.forwarder).block(now_ms, verified, block.path, framed, len);
        if taken.fresh {
            self.edges.wake_children(stripe.into());
        }
        if taken.complete {
            let _ = self.events.send(NodeEvent::Chunk {
                key: block.chunk,
                from: Some(parent),
            });
        }
        Ok(())
    }
}
