//! Edges as they are made and end, as `overlay/link/src/edge.rs` and
//! `edge/roles.rs` do it: the dialler greets with its permit, the other end
//! waits for its own order, relays are verified, the child says where to
//! start, and the parent sends.

use super::Error;
use super::message::{Up, Why};
use super::node::{Edge, EdgeIx, End, Id, Kind, STATION, Step};
use super::stream::RENDITION;
use super::uplink::Sender;
use super::world::{Event, World};
use overlay::forwarder::Begin;
use wire::StripeSet;
use wire::message::edge::{Resume, Start};

/// See `overlay/link/src/endpoint.rs`.
pub(super) const EDGE_IDLE_US: u64 = 1_000_000;
/// See `overlay/link/src/edge.rs`.
pub(super) const DIAL_TRIES_MAX: u64 = 2;
/// See `overlay/link/src/edge.rs`.
const TURN_US_MAX: u64 = 8_000_000;
/// A relay's live challenge beside its round trip: nonces are collected for
/// 50 ms, and a TPM needs about a quarter of a second for a quote.
const CHALLENGE_US: u64 = 300_000;
/// Half round trips from the first packet to the greeting at the other end:
/// the address is validated, the handshake, the greeting.
pub(super) const GREETING_HALVES: u64 = 5;

impl World {
    /// The coordinator's order for an edge reaches one end.
    ///
    /// # Errors
    /// An invariant is broken by what the parent then sends.
    pub(super) fn ordered(
        &mut self,
        ix: EdgeIx,
        end: End,
        stripes: StripeSet,
    ) -> Result<(), Error> {
        let id = self.edge(ix).node_at(end);
        if !self.node(id).alive || self.edge(ix).step(end) == Step::Ended {
            return Ok(());
        }
        if self.edge(ix).step(end) != Step::None {
            return self.changed(ix, end, stripes);
        }
        match end {
            End::Child => self.edge_mut(ix).wanted = stripes,
            End::Parent => self.edge_mut(ix).granted = stripes,
        }
        self.edge_mut(ix).set_step(end, Step::Ordered);
        let node = self.node_mut(id);
        match end {
            End::Child => node.parents.push(ix),
            End::Parent => node.children.push(ix),
        }
        let one_way_us = self.one_way_us(self.edge(ix).parent, self.edge(ix).child);
        if self.dialler(ix) == end {
            let after_us = GREETING_HALVES * one_way_us;
            self.queue.after(after_us, Event::Greet(ix));
        } else if self.edge(ix).greeted {
            self.welcome(ix);
        }
        Ok(())
    }

    /// Everybody dials a relay, else the child dials; as
    /// `peer/src/station/edges.rs` says it.
    fn dialler(&self, ix: EdgeIx) -> End {
        let is_relay = |id| matches!(self.node(id).kind, Kind::Relay { .. });
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if is_relay(child) && !is_relay(parent) {
            End::Parent
        } else {
            End::Child
        }
    }

    /// The dialler's greeting is at the other end.
    pub(super) fn greet(&mut self, ix: EdgeIx) {
        let dialler = self.dialler(ix);
        let other = dialler.other();
        let dials = self.edge(ix).step(dialler) == Step::Ordered;
        if !dials || !self.node(self.edge(ix).node_at(dialler)).alive {
            return;
        }
        if !self.node(self.edge(ix).node_at(other)).alive {
            let patience_us = DIAL_TRIES_MAX * EDGE_IDLE_US;
            self.queue.after(patience_us, Event::DialFailed(ix));
            return;
        }
        match self.edge(ix).step(other) {
            Step::Ordered => self.welcome(ix),
            Step::None => {
                self.edge_mut(ix).greeted = true;
                self.queue.after(TURN_US_MAX, Event::PermitMissing(ix));
            }
            Step::Running | Step::Ended => {
                let one_way_us = self.one_way_us(self.edge(ix).parent, self.edge(ix).child);
                self.queue.after(one_way_us, Event::PermitMissing(ix));
            }
        }
    }

    /// Both ends hold the edge for permitted: they verify each other.
    fn welcome(&mut self, ix: EdgeIx) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        let one_way_us = self.one_way_us(parent, child);
        let is_relay = |id| matches!(self.node(id).kind, Kind::Relay { .. });
        let verified_us = if is_relay(parent) || is_relay(child) {
            2 * one_way_us + CHALLENGE_US
        } else {
            0
        };
        self.queue.after(one_way_us + verified_us, Event::Made(ix));
    }

    pub(super) fn dial_failed(&mut self, ix: EdgeIx) {
        let dialler = self.dialler(ix);
        if self.edge(ix).step(dialler) == Step::Ordered {
            self.end(ix, dialler, false);
            self.tell_down(ix, dialler, Why::Gone);
        }
    }

    pub(super) fn permit_missing(&mut self, ix: EdgeIx) {
        let dialler = self.dialler(ix);
        let welcomed = self.edge(ix).step(dialler.other()) == Step::Ordered;
        if self.edge(ix).step(dialler) == Step::Ordered && !welcomed {
            self.end(ix, dialler, false);
            self.tell_down(ix, dialler, Why::PermitMissing);
        }
    }

    /// Only a child's word moves anybody; see
    /// `peer/src/station/coordinator.rs`. A parent's makes the coordinator look
    /// whether the child is still there.
    fn tell_down(&mut self, ix: EdgeIx, end: End, why: Why) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        match end {
            End::Child => self.say_up(child, Up::EdgeDown { parent, why }),
            End::Parent if why == Why::Gone && parent == STATION => self.own_child_gone(child),
            End::Parent if why == Why::Gone => self.say_up(parent, Up::ChildGone { child }),
            End::Parent => {}
        }
    }

    /// The child has verified its parent, and says where to start.
    pub(super) fn made(&mut self, ix: EdgeIx) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if self.edge(ix).at_child != Step::Ordered || !self.node(child).alive {
            return;
        }
        if !self.node(parent).alive || self.edge(ix).at_parent != Step::Ordered {
            // Whoever closed it says so, and who died is found by its silence.
            if !self.node(parent).alive {
                let end = End::Child;
                self.queue
                    .after(EDGE_IDLE_US, Event::Idle { edge: ix, end });
            }
            return;
        }
        self.edge_mut(ix).at_child = Step::Running;
        let wanted = self.edge(ix).wanted;
        self.ask(ix, wanted, Event::Start(ix));
        self.watch(ix);
    }

    /// The child says where these stripes are to begin.
    fn ask(&mut self, ix: EdgeIx, stripes: StripeSet, event: Event) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        let now_us = self.now_us();
        let one_way_us = self.one_way_us(parent, child);
        let resume = self.resume(child, stripes);
        let edge = self.edge_mut(ix);
        for stripe in stripes.iter() {
            if let Some(heard_us) = edge.heard_us.get_mut(usize::from(stripe.0)) {
                *heard_us = now_us + 2 * one_way_us;
            }
        }
        edge.start = Some(Start {
            rendition: RENDITION,
            stripes: edge.wanted,
            resume,
        });
        self.queue.after(one_way_us, event);
    }

    /// A permit for other stripes reaches one end of an edge that runs.
    fn changed(&mut self, ix: EdgeIx, end: End, stripes: StripeSet) -> Result<(), Error> {
        match end {
            End::Child => {
                let before = std::mem::replace(&mut self.edge_mut(ix).wanted, stripes);
                for stripe in before.minus(stripes).iter() {
                    self.receipt(ix, stripe.0);
                    self.edge_mut(ix).up = self.edge(ix).up.without(stripe);
                }
                if self.edge(ix).at_child == Step::Running {
                    let fresh = stripes.minus(before);
                    let asked = if fresh.is_empty() { stripes } else { fresh };
                    self.ask(ix, asked, Event::Again(ix));
                }
            }
            End::Parent => {
                self.edge_mut(ix).granted = stripes;
                if self.edge(ix).at_parent == Step::Running {
                    return self.begin(ix);
                }
            }
        }
        Ok(())
    }

    /// The parent takes the child on.
    pub(super) fn start(&mut self, ix: EdgeIx) -> Result<(), Error> {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if self.edge(ix).at_parent != Step::Ordered || !self.node(parent).alive {
            return Ok(());
        }
        self.edge_mut(ix).at_parent = Step::Running;
        self.node_mut(parent).forwarder.remove_child(child);
        self.begin(ix)
    }

    /// The child says anew where to start.
    pub(super) fn again(&mut self, ix: EdgeIx) -> Result<(), Error> {
        if self.edge(ix).at_parent != Step::Running || !self.node(self.edge(ix).parent).alive {
            return Ok(());
        }
        self.begin(ix)
    }

    /// Gives the child what it asked for, as far as its permit goes.
    fn begin(&mut self, ix: EdgeIx) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        let Some(start) = self.edge(ix).start.clone() else {
            return Ok(());
        };
        let stripes = start.stripes.both(self.edge(ix).granted);
        let forwarder = &mut self.node_mut(parent).forwarder;
        if stripes.is_empty() {
            forwarder.set_stripes(child, stripes);
            return Ok(());
        }
        let begin = forwarder.add_child(child, start, stripes, now_ms);
        if matches!(begin, Begin::Awaiting(_)) {
            // It awaits what this node does not have; its own parents may.
            self.start_again(parent);
        }
        self.pump(ix)
    }

    /// Where a node wants to begin: where it lacks something, if that can
    /// still be played in time; all below play live, too.
    fn resume(&mut self, id: Id, stripes: StripeSet) -> Option<Resume> {
        let live = self
            .live(id)
            .map(|(live, head, chunk_us)| live.resumes_from(head, chunk_us));
        let forwarder = &mut self.node_mut(id).forwarder;
        forwarder.resume_all_live(RENDITION, stripes, live)
    }

    fn start_again(&mut self, id: Id) {
        for ix in self.node(id).parents.clone() {
            if self.edge(ix).at_child == Step::Running {
                let wanted = self.edge(ix).wanted;
                self.ask(ix, wanted, Event::Again(ix));
            }
        }
    }

    /// One end of an edge is over; the other hears of it, or finds out.
    pub(super) fn end(&mut self, ix: EdgeIx, end: End, told: bool) {
        if self.edge(ix).step(end) == Step::Ended {
            return;
        }
        if end == End::Child {
            self.receipts(ix);
        }
        let was = self.edge(ix).step(end);
        self.edge_mut(ix).set_step(end, Step::Ended);
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        match end {
            End::Child => self.node_mut(child).parents.retain(|e| *e != ix),
            End::Parent => self.end_parent(ix, was),
        }
        let other = end.other();
        let open = self.edge(ix).step(other) != Step::Ended;
        if open && self.node(self.edge(ix).node_at(other)).alive {
            let after_us = self.one_way_us(parent, child);
            let closed = Event::Closed {
                edge: ix,
                end: other,
                told,
            };
            self.queue.after(after_us, closed);
        }
    }

    fn end_parent(&mut self, ix: EdgeIx, was: Step) {
        let (edge, node) = self.sender(ix);
        edge.pending = None;
        let child = edge.child;
        node.children.retain(|e| *e != ix);
        node.uplink.forget(Sender::Edge(ix));
        if was == Step::Running {
            node.forwarder.remove_child(child);
        }
    }

    /// The link was closed from the other end; `told` by the coordinator's
    /// order.
    pub(super) fn closed(&mut self, ix: EdgeIx, end: End, told: bool) {
        let id = self.edge(ix).node_at(end);
        let known = !matches!(self.edge(ix).step(end), Step::None | Step::Ended);
        if known && self.node(id).alive {
            self.end(ix, end, told);
            let why = if told { Why::Reparented } else { Why::Gone };
            self.tell_down(ix, end, why);
        }
    }

    /// Nothing has come over the link, not even a sign of life.
    pub(super) fn idle(&mut self, ix: EdgeIx, end: End) {
        let id = self.edge(ix).node_at(end);
        let other = self.edge(ix).node_at(end.other());
        let open = !matches!(self.edge(ix).step(end), Step::None | Step::Ended);
        if open && self.node(id).alive && !self.node(other).alive {
            self.end(ix, end, false);
            self.tell_down(ix, end, Why::Gone);
        }
    }

    /// The node is dead: those at the other ends notice when nothing comes.
    pub(super) fn fall_silent(&mut self, id: Id) {
        let node = self.node(id);
        let below = node.children.iter().map(|e| (*e, End::Child));
        let above = node.parents.iter().map(|e| (*e, End::Parent));
        let ends: Vec<(EdgeIx, End)> = below.chain(above).collect();
        for (edge, end) in ends {
            let patience_us =
                EDGE_IDLE_US + self.one_way_us(self.edge(edge).parent, self.edge(edge).child);
            self.queue.after(patience_us, Event::Idle { edge, end });
        }
        self.leave_neighbours(id, EDGE_IDLE_US);
    }

    /// A new edge in the world; nobody knows of it yet.
    pub(super) fn new_edge(&mut self, edge: Edge) -> EdgeIx {
        let ix = EdgeIx(u32::try_from(self.edges.len()).unwrap_or(u32::MAX));
        self.edges.push(edge);
        ix
    }
}
