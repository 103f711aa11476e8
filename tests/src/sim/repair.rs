//! What goes over links of neighbours: what each one has, pulls and answers, as
//! `overlay/link/src/mesh/{answering,pulling}.rs` drive the state machines of
//! `overlay::mesh`.

use super::Error;
use super::mesh::LinkIx;
use super::node::{Cheat, End, Id, Step};
use super::stream::RENDITION;
use super::uplink::Sender;
use super::world::{Event, World};
use certs::block::Path;
use overlay::live::Live;
use overlay::mesh::{Arrival, OncePerBlock};
use wire::message::mesh::{Map, Pull};
use wire::{Reason, Sequence};

/// See `overlay/link/src/mesh.rs`.
const MAP_US: u64 = 200_000;
/// See `overlay/link/src/mesh/pulling.rs`.
const LOOK_US: u64 = 50_000;
/// See `overlay/link/src/mesh/answering.rs`.
const UPLOAD_US_MAX: u64 = 400_000;

/// What the parent says.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Map(Map),
    Answer(Pull),
    Refused(Pull, Reason),
}

impl World {
    /// From now on the node tells what it has, a few times a second.
    pub(super) fn begin_saying(&mut self, id: Id) {
        if !std::mem::replace(&mut self.node_mut(id).says, true) {
            self.queue.after(0, Event::MeshSay(id));
        }
    }

    pub(super) fn begin_looking(&mut self, id: Id) {
        if !std::mem::replace(&mut self.node_mut(id).looks, true) {
            self.queue.after(LOOK_US, Event::MeshLook(id));
        }
    }

    /// The node tells those who pull from it what has changed.
    pub(super) fn mesh_say(&mut self, id: Id) {
        let node = self.node(id);
        let pulled: Vec<LinkIx> = node.links_at(End::Parent).collect();
        if !node.alive || pulled.is_empty() {
            self.node_mut(id).says = false;
            return;
        }
        let silent = node.cheat == Some(Cheat::Silent);
        self.queue.after(MAP_US, Event::MeshSay(id));
        if silent {
            return;
        }
        let Some(held) = self.node(id).forwarder.held(RENDITION) else {
            return;
        };
        for link in pulled {
            if self.link(link).at_parent != Step::Running {
                continue;
            }
            if let Some(map) = self.link_mut(link).news.since(held.clone()) {
                let bytes = self.sizes.map(&map);
                let now_us = self.now_us();
                self.node_mut(id).uplink.charge(bytes, now_us);
                self.measure.counts.mesh.said_bytes += bytes;
                self.send_word(link, Word::Map(map), bytes);
            }
        }
    }

    fn send_word(&mut self, ix: LinkIx, word: Word, bytes: u64) {
        let (parent, child) = (self.link(ix).parent, self.link(ix).child);
        let at_us = self.fly(parent, child, bytes);
        let down = &mut self.link_mut(ix).down;
        let at_us = down
            .back()
            .map_or(at_us, |(last_us, _)| at_us.max(*last_us));
        down.push_back((at_us, word));
        self.queue.at(at_us, Event::MeshHear(ix));
    }

    /// The viewer looks for what it lacks.
    pub(super) fn mesh_look(&mut self, id: Id) {
        let node = self.node(id);
        if !node.alive || node.links_at(End::Child).next().is_none() {
            self.node_mut(id).looks = false;
            return;
        }
        self.queue.after(LOOK_US, Event::MeshLook(id));
        self.pull(id);
    }

    /// Asks neighbours for what is missing now, and leaves those who do not
    /// answer.
    fn pull(&mut self, id: Id) {
        let now_ms = self.now_ms();
        let live = self
            .live(id)
            .map(|(live, head, chunk_us)| live.plays_from(head, chunk_us));
        let node = self.node_mut(id);
        node.puller.follow(now_ms, &node.forwarder, live);
        let pulls = node.puller.poll(now_ms, &node.forwarder);
        let unanswering = node.puller.unanswering();
        for (of, pull) in pulls {
            if let Some(link) = self.link_to(id, of) {
                let bytes = self.sizes.pull();
                self.measure.counts.mesh.said_bytes += bytes;
                let at_us = self.fly(id, of, bytes);
                self.link_mut(link).up.push_back((at_us, pull));
                self.queue.at(at_us, Event::MeshPulled(link));
            }
        }
        for of in unanswering {
            if let Some(link) = self.link_to(id, of) {
                self.mesh_over(link, End::Child);
            }
        }
    }

    /// How a node plays live, with the newest chunk it knows of and the length
    /// of each; none where everything is wanted.
    pub(super) fn live(&self, id: Id) -> Option<(Live, Sequence, u64)> {
        let node = self.node(id);
        let head = node.head.filter(|_| self.scenario.rules.skips_late)?;
        let chunk_us = node.forwarder.chunk_us(RENDITION)?;
        let live = Live::behind_ms(self.scenario.stream.playout_delay_ms);
        Some((live, Sequence(head), chunk_us))
    }

    fn link_to(&self, child: Id, parent: Id) -> Option<LinkIx> {
        let mut links = self.node(child).links_at(End::Child);
        links.find(|ix| self.link(*ix).parent == parent)
    }

    /// A pull reaches the parent, who answers one of a link at a time.
    pub(super) fn mesh_pulled(&mut self, ix: LinkIx) {
        let now_us = self.now_us();
        let link = self.link_mut(ix);
        while let Some((_, pull)) = link.up.pop_front_if(|(at_us, _)| *at_us <= now_us) {
            link.pulls.push_back(pull);
        }
        self.answer(ix);
    }

    /// Answers pulls until one has to wait for the uplink.
    fn answer(&mut self, ix: LinkIx) {
        let now_us = self.now_us();
        let parent = self.link(ix).parent;
        let node = self.node(parent);
        if !node.alive || node.cheat == Some(Cheat::Silent) {
            return;
        }
        while self.link(ix).waits_since_us.is_none()
            && self.link(ix).at_parent == Step::Running
            && let Some(pull) = self.link(ix).pulls.front().cloned()
        {
            if let Err(reason) = self.admit(ix, &pull) {
                self.link_mut(ix).pulls.pop_front();
                self.refuse_pull(ix, pull, reason);
                continue;
            }
            self.link_mut(ix).waits_since_us = Some(now_us);
            let (bytes, priority) = (self.answer_bytes(&pull), self.link(ix).priority);
            let sender = Sender::Link(ix);
            let uplink = &mut self.node_mut(parent).uplink;
            if uplink.acquire(sender, priority, bytes, now_us) {
                self.answer_now(ix);
            } else {
                if uplink.look_us.is_none() {
                    uplink.look_us = Some(now_us);
                    self.queue.after(0, Event::Uplink(parent));
                }
                let patience = Event::MeshPatience {
                    link: ix,
                    since_us: now_us,
                };
                self.queue.after(UPLOAD_US_MAX, patience);
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "neither is ever removed")]
    fn admit(&mut self, ix: LinkIx, pull: &Pull) -> Result<(), Reason> {
        let link = &mut self.mesh[ix.0 as usize];
        let forwarder = &self.nodes[link.parent as usize].forwarder;
        if forwarder.block_at(pull.chunk, pull.index).is_none() {
            return Err(Reason::RepairNotHere);
        }
        link.served.forget(|key| forwarder.is_past(key));
        let once = OncePerBlock::default();
        link.served.admit(once, pull.chunk, pull.index)
    }

    fn answer_bytes(&self, pull: &Pull) -> u64 {
        let chunk = self.stream.chunk(pull.chunk);
        chunk.map_or(0, |chunk| {
            let header = if pull.header { chunk.header_bytes } else { 0 };
            chunk.record_bytes + header
        })
    }

    fn refuse_pull(&mut self, ix: LinkIx, pull: Pull, reason: Reason) {
        let bytes = self.sizes.refusal();
        self.measure.counts.mesh.said_bytes += bytes;
        self.send_word(ix, Word::Refused(pull, reason), bytes);
    }

    /// The uplink lets the answer go that waited; the next pull is looked at
    /// when this call has returned.
    pub(super) fn answer_now(&mut self, ix: LinkIx) {
        if self.link_mut(ix).waits_since_us.take().is_none() {
            return;
        }
        if let Some(pull) = self.link_mut(ix).pulls.pop_front() {
            let bytes = self.answer_bytes(&pull);
            self.measure.counts.mesh.answered_bytes += bytes;
            self.send_word(ix, Word::Answer(pull), bytes);
            if !self.link(ix).pulls.is_empty() {
                self.queue.after(0, Event::MeshPulled(ix));
            }
        }
    }

    /// No upload was left for a pull in time.
    pub(super) fn mesh_patience(&mut self, ix: LinkIx, since_us: u64) {
        if self.link(ix).waits_since_us != Some(since_us) {
            return;
        }
        let parent = self.link(ix).parent;
        self.link_mut(ix).waits_since_us = None;
        self.node_mut(parent).uplink.forget(Sender::Link(ix));
        if let Some(pull) = self.link_mut(ix).pulls.pop_front() {
            self.link_mut(ix).served.take_back(pull.chunk, pull.index);
            self.refuse_pull(ix, pull, Reason::Timeout);
        }
        self.answer(ix);
    }

    /// What the parent said is there.
    pub(super) fn mesh_hear(&mut self, ix: LinkIx) -> Result<(), Error> {
        let (now_us, now_ms) = (self.now_us(), self.now_ms());
        let (parent, child) = (self.link(ix).parent, self.link(ix).child);
        let link = self.link_mut(ix);
        let Some((_, word)) = link.down.pop_front_if(|(at_us, _)| *at_us <= now_us) else {
            return Ok(());
        };
        if link.at_child != Step::Running || !self.node(child).alive {
            return Ok(());
        }
        let puller = &mut self.node_mut(child).puller;
        match word {
            Word::Map(map) => puller.map(now_ms, parent, &map),
            Word::Refused(pull, reason) => {
                let again = reason == Reason::Timeout;
                let _ = puller.refused(parent, pull.chunk, pull.index, again);
            }
            Word::Answer(pull) => return self.repaired(parent, child, pull),
        }
        Ok(())
    }

    /// A neighbour's block, which is played and sent on like a pushed one.
    #[expect(clippy::indexing_slicing, reason = "nodes are never removed")]
    fn repaired(&mut self, parent: Id, child: Id, pull: Pull) -> Result<(), Error> {
        let (now_us, now_ms) = (self.now_us(), self.now_ms());
        let (key, index) = (pull.chunk, pull.index);
        let puller = &mut self.node_mut(child).puller;
        if puller.answered(parent, key, index).is_err() {
            return Ok(());
        }
        if pull.header {
            self.take_header(child, key);
        }
        let Some(chunk) = self.stream.chunk(key) else {
            return Ok(());
        };
        let Some(block) = chunk.blocks.get(usize::from(index)).copied() else {
            return Ok(());
        };
        let age_us = now_us.saturating_sub(chunk.published_us);
        let node = &mut self.nodes[child as usize];
        let known = node.forwarder.header_of(key).is_some();
        let here = node.forwarder.block_at(key, index).is_some();
        let taken = (known && !here).then(|| {
            let bytes = chunk.block_bytes;
            let forwarder = &mut node.forwarder;
            forwarder.block(now_ms, block, Path::default(), (), bytes)
        });
        let fresh = taken.as_ref().is_some_and(|taken| taken.fresh);
        node.puller.arrived(if fresh {
            node.forwarder.note_repaired(key, index);
            Arrival::Repaired
        } else {
            Arrival::Wasted
        });
        if taken.is_some_and(|taken| taken.complete) && !key.init {
            self.complete(child, key.sequence.0, age_us);
        }
        self.pull(child);
        if fresh {
            self.pump_children(child)
        } else {
            Ok(())
        }
    }
}
