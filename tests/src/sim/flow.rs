//! The stream on its way: published, queued, sent, and received; as
//! `overlay/link/src/{node,group}.rs` drive the forwarder.

use super::Error;
use super::check::Invariant;
use super::message::Up;
use super::node::{Cheat, EdgeIx, Id, InFlight, Record, STATION, Step};
use super::stream::RENDITION;
use super::uplink::{Next, Sender};
use super::world::{Event, World};
use certs::block::Path;
use overlay::Outgoing;
use wire::Decode;
use wire::statement::{ChunkHeader, ChunkKey};

/// Bytes that open a group's stream, and that close it.
const GROUP_BYTES: u64 = 8;
/// Bytes of the word that chunks are left out.
const DROPPED_BYTES: u64 = 12;
/// A chunk that comes later than this behind its publishing is late; see
/// `peer/src/viewer/stream.rs`.
const IN_TIME_US: u64 = 2_000_000;

impl World {
    /// The init segment, at the station alone.
    pub(super) fn publish_init(&mut self) {
        let key = self.stream.init().header.key();
        self.enter(key);
    }

    /// The next chunk, and the time of the one after it.
    pub(super) fn publish(&mut self) -> Result<(), Error> {
        let now_us = self.now_us();
        let key = self.stream.publish(now_us)?;
        self.enter(key);
        self.node_mut(STATION).head = Some(key.sequence.0);
        self.pump_children(STATION)?;
        let chunk_us = self.scenario.stream.chunk_ms * 1_000;
        if self.stream.head() < self.scenario.chunks() {
            self.queue.after(chunk_us, Event::Publish);
        }
        Ok(())
    }

    /// Gives a chunk to the station's forwarder.
    #[expect(clippy::indexing_slicing, reason = "the station is the first node")]
    fn enter(&mut self, key: ChunkKey) {
        let now_ms = self.now_ms();
        let forwarder = &mut self.nodes[STATION as usize].forwarder;
        let Some(chunk) = self.stream.chunk(key) else {
            return;
        };
        forwarder.header(now_ms, chunk.header.clone(), chunk.signed.clone());
        for block in &chunk.blocks {
            forwarder.block(now_ms, *block, Path::default(), (), chunk.block_bytes);
        }
    }

    /// Sends what there is to send to each child.
    pub(super) fn pump_children(&mut self, node: Id) -> Result<(), Error> {
        for at in 0..self.node(node).children.len() {
            if let Some(edge) = self.node(node).children.get(at).copied() {
                self.pump(edge)?;
            }
        }
        Ok(())
    }

    /// Hands one child's queue to the uplink, record by record.
    pub(super) fn pump(&mut self, ix: EdgeIx) -> Result<(), Error> {
        let now_us = self.now_us();
        loop {
            let (edge, node) = self.sender(ix);
            let sends = edge.at_parent == Step::Running && node.alive;
            if !sends || edge.pending.is_some() || node.cheat == Some(Cheat::Silent) {
                return Ok(());
            }
            let child = edge.child;
            let Some(outgoing) = node.forwarder.poll(child) else {
                return Ok(());
            };
            let Some((record, bytes)) = self.record(outgoing) else {
                continue;
            };
            if let Record::Block { chunk, index } = record
                && !self.edge_mut(ix).note_sent(chunk, index)
            {
                let parent = self.edge(ix).parent;
                return Err(self.broken(Invariant::SentTwice { parent, child }));
            }
            let (edge, node) = self.sender(ix);
            edge.pending = Some((record, bytes));
            if node
                .uplink
                .acquire(Sender::Edge(ix), edge.priority, bytes, now_us)
            {
                self.transmit(ix);
            } else if node.uplink.look_us.is_none() {
                let parent = edge.parent;
                return self.serve(parent);
            } else {
                return Ok(());
            }
        }
    }

    /// Lets those go who wait for the node's uplink.
    pub(super) fn serve(&mut self, id: Id) -> Result<(), Error> {
        let now_us = self.now_us();
        self.node_mut(id).uplink.look_us = None;
        loop {
            match self.node_mut(id).uplink.next(now_us) {
                Next::Nobody => return Ok(()),
                Next::Go(sender) => {
                    // Whatever it looks after is looked after here.
                    self.node_mut(id).uplink.look_us = Some(now_us);
                    match sender {
                        Sender::Edge(edge) => {
                            self.transmit(edge);
                            self.pump(edge)?;
                        }
                        Sender::Link(link) => self.answer_now(link),
                    }
                    self.node_mut(id).uplink.look_us = None;
                }
                Next::Wait(us) => {
                    let at_us = now_us.saturating_add(us);
                    self.node_mut(id).uplink.look_us = Some(at_us);
                    self.queue.at(at_us, Event::Uplink(id));
                    return Ok(());
                }
            }
        }
    }

    /// A record as it travels, and its bytes; none if nothing travels.
    fn record(&self, outgoing: Outgoing<()>) -> Option<(Record, u64)> {
        match outgoing {
            Outgoing::GroupStart(_) => Some((Record::Group, GROUP_BYTES)),
            Outgoing::GroupEnd => None,
            Outgoing::Header(signed) => {
                let header = ChunkHeader::from_bytes(signed.body()).ok()?;
                let key = header.key();
                Some((Record::Header(key), self.stream.chunk(key)?.header_bytes))
            }
            Outgoing::Block { chunk, index, .. } => {
                let bytes = self.stream.chunk(chunk)?.record_bytes;
                Some((Record::Block { chunk, index }, bytes))
            }
            Outgoing::Dropped {
                from,
                to,
                stripes,
                reason,
            } => {
                let record = Record::Dropped {
                    from,
                    to,
                    stripes,
                    reason,
                };
                Some((record, DROPPED_BYTES))
            }
        }
    }

    /// So many bytes set out now; when they are there.
    pub(super) fn fly(&mut self, from: Id, to: Id, bytes: u64) -> u64 {
        let now_us = self.now_us();
        let places = (self.node(from).place, self.node(to).place);
        let mut at_us = now_us + self.network.delay_us(places.0, places.1, bytes);
        if let Some(Cheat::Late { us }) = self.node(from).cheat {
            at_us += us;
        }
        // What comes to one node shares its download.
        let receiver = self.node_mut(to);
        let line_us = bytes * 8_000_000 / receiver.download_bps.max(1);
        at_us = at_us.max(receiver.download_free_us) + line_us;
        receiver.download_free_us = (receiver.download_free_us + line_us).max(now_us);
        at_us
    }

    /// The uplink lets the pending record go.
    fn transmit(&mut self, ix: EdgeIx) {
        let Some((record, bytes)) = self.edge_mut(ix).pending.take() else {
            return;
        };
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        let mut at_us = self.fly(parent, child, bytes);
        let block_bytes = match record {
            Record::Block { chunk, .. } => self.stream.chunk(chunk).map_or(0, |c| c.block_bytes),
            _ => 0,
        };
        let edge = self.edge_mut(ix);
        at_us = at_us.max(edge.last_arrival_us);
        edge.last_arrival_us = at_us;
        edge.sent_bytes += bytes;
        edge.sent_block_bytes += block_bytes as u64;
        edge.in_flight.push_back(InFlight {
            arrives_us: at_us,
            bytes,
            record,
        });
        // A header goes out with its first block.
        if matches!(record, Record::Block { .. } | Record::Dropped { .. }) {
            self.queue.at(at_us, Event::Arrive(ix));
        }
    }

    /// What has come over a link by now.
    pub(super) fn arrive(&mut self, ix: EdgeIx) -> Result<(), Error> {
        let now_us = self.now_us();
        let child = self.edge(ix).child;
        let there = self.node(child).alive && self.edge(ix).at_child == Step::Running;
        let mut news = false;
        loop {
            let edge = self.edge_mut(ix);
            let due = edge
                .in_flight
                .front()
                .is_some_and(|f| f.arrives_us <= now_us);
            let Some(arrived) = due.then(|| edge.in_flight.pop_front()).flatten() else {
                break;
            };
            if there {
                edge.arrived_bytes += arrived.bytes;
                news |= self.take(ix, child, arrived.record);
            } else {
                edge.discarded_bytes += arrived.bytes;
            }
        }
        if news {
            self.pump_children(child)
        } else {
            Ok(())
        }
    }

    /// Gives a record to the child's forwarder; true if its children should
    /// hear of it.
    fn take(&mut self, ix: EdgeIx, child: Id, record: Record) -> bool {
        match record {
            Record::Group => false,
            Record::Header(key) => {
                self.take_header(child, key);
                false
            }
            Record::Block { chunk, index } => self.take_block(ix, child, chunk, index),
            Record::Dropped {
                from,
                to,
                stripes,
                reason,
            } => {
                let forwarder = &mut self.node_mut(child).forwarder;
                forwarder.dropped(RENDITION, (from, to), stripes, reason);
                self.measure.left_out(to.0.saturating_sub(from.0));
                true
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "nodes are never removed")]
    pub(super) fn take_header(&mut self, child: Id, key: ChunkKey) {
        let now_ms = self.now_ms();
        let node = &mut self.nodes[child as usize];
        if let Some(chunk) = self.stream.chunk(key) {
            node.forwarder
                .header(now_ms, chunk.header.clone(), chunk.signed.clone());
            if !key.init {
                node.head = node.head.max(Some(key.sequence.0));
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "nodes and edges are never removed")]
    fn take_block(&mut self, ix: EdgeIx, child: Id, key: ChunkKey, index: u16) -> bool {
        let (now_us, now_ms) = (self.now_us(), self.now_ms());
        let Some(chunk) = self.stream.chunk(key) else {
            return false;
        };
        let Some(block) = chunk.blocks.get(usize::from(index)).copied() else {
            return false;
        };
        let node = &mut self.nodes[child as usize];
        let edge = &mut self.edges[ix.0 as usize];
        let bytes = chunk.block_bytes;
        let taken = node
            .forwarder
            .block(now_ms, block, Path::default(), (), bytes);
        let stripe = block.stripe();
        if let Some(heard_us) = edge.heard_us.get_mut(usize::from(stripe.0)) {
            *heard_us = now_us;
        }
        let first = !edge.up.has(stripe);
        edge.up = edge.up.with(stripe);
        let age_us = now_us.saturating_sub(chunk.published_us);
        if taken.fresh
            && !key.init
            && let Some(account) = edge.accounts.get_mut(usize::from(stripe.0))
        {
            let rows = chunk.blocks.len() / usize::from(self.stripes.count());
            let rows = u16::try_from(rows).unwrap_or(u16::MAX);
            account.bytes += bytes as u64;
            if account.note_arrived(key.sequence.0, rows) {
                account.in_time += u64::from(age_us <= IN_TIME_US);
                let sequence = Some(key.sequence.0);
                account.first = account.first.map_or(sequence, |f| sequence.min(Some(f)));
                account.newest = account.newest.max(sequence);
            }
        }
        let parent = edge.parent;
        self.measure.block(taken.fresh, bytes as u64);
        if first {
            let stripe = stripe.0;
            self.say_up(child, Up::Works { parent, stripe });
        }
        if taken.complete && !key.init {
            self.complete(child, key.sequence.0, age_us);
        }
        taken.fresh
    }

    /// A chunk is whole at a node.
    pub(super) fn complete(&mut self, id: Id, sequence: u64, age_us: u64) {
        let now_us = self.now_us();
        let is_key = self.stream.is_key(sequence);
        let in_time = age_us <= self.scenario.stream.playout_delay_ms * 1_000;
        let node = self.node_mut(id);
        node.newest = node.newest.max(Some(sequence));
        if node.kind == super::node::Kind::Viewer {
            node.playout.complete(now_us, sequence, is_key, in_time);
            self.measure.delay(age_us / 1_000);
        }
        self.digest.complete(now_us, id, sequence);
    }
}
