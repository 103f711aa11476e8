//! Links of neighbours as they are ordered, made and ended, as
//! `peer/src/station/neighbours.rs` and `overlay/link/src/mesh.rs` do it. What
//! goes over them is in `repair`.

use super::links::{DIAL_TRIES_MAX, EDGE_IDLE_US, GREETING_HALVES};
use super::message::{Down, Up};
use super::node::{End, Id, STATION, Step};
use super::repair::Word;
use super::uplink::Sender;
use super::world::{Event, World};
use overlay::mesh::{News, Served};
use overlay::planner::NeighbourChange;
use overlay::room::Pressure;
use std::collections::VecDeque;
use wire::message::mesh::Pull;
use wire::statement::Priority;

/// Names a link of neighbours; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkIx(pub(super) u32);

/// A link over which `child` pulls from `parent`.
pub(super) struct Link {
    pub(super) parent: Id,
    pub(super) child: Id,
    pub(super) priority: Priority,
    pub(super) at_child: Step,
    pub(super) at_parent: Step,
    pub(super) news: News,
    pub(super) served: Served,
    /// What the child asked for and has not got; the first one may wait for
    /// the uplink, since then.
    pub(super) pulls: VecDeque<Pull>,
    pub(super) waits_since_us: Option<u64>,
    /// On their way to the child, and to the parent, by arrival.
    pub(super) down: VecDeque<(u64, Word)>,
    pub(super) up: VecDeque<(u64, Pull)>,
}

impl Link {
    const fn step(&self, end: End) -> Step {
        match end {
            End::Child => self.at_child,
            End::Parent => self.at_parent,
        }
    }

    const fn set_step(&mut self, end: End, step: Step) {
        match end {
            End::Child => self.at_child = step,
            End::Parent => self.at_parent = step,
        }
    }

    const fn node_at(&self, end: End) -> Id {
        match end {
            End::Child => self.child,
            End::Parent => self.parent,
        }
    }
}

impl World {
    #[expect(clippy::indexing_slicing, reason = "links are never removed")]
    pub(super) fn link(&self, ix: LinkIx) -> &Link {
        &self.mesh[ix.0 as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "links are never removed")]
    pub(super) fn link_mut(&mut self, ix: LinkIx) -> &mut Link {
        &mut self.mesh[ix.0 as usize]
    }

    /// The coordinator looks at who lacks neighbours, in turn.
    pub(super) fn tend_neighbours(&mut self) {
        if self.scenario.rules.repairs && self.room.pressure() < Pressure::Most {
            self.plan.tend(&mut self.neighbours);
            self.neighbour_changes();
        }
    }

    /// Gives leave to both ends of new links, and takes it from old ones.
    pub(super) fn neighbour_changes(&mut self) {
        while let Some(change) = self.neighbours.poll_change() {
            match change {
                NeighbourChange::Link { child, parent } => self.order_neighbours(child, parent),
                NeighbourChange::End { child, parent } => {
                    let Some(link) = self.leave_given.remove(&(child, parent)) else {
                        continue;
                    };
                    for (to, end) in [(child, End::Child), (parent, End::Parent)] {
                        if self.members.contains_key(&to) {
                            self.say_down(to, Down::NeighbourEnd { link, end });
                        }
                    }
                }
            }
        }
    }

    fn order_neighbours(&mut self, child: Id, parent: Id) {
        let link = LinkIx(u32::try_from(self.mesh.len()).unwrap_or(u32::MAX));
        self.mesh.push(Link {
            parent,
            child,
            priority: self.plan.priority(child, parent),
            at_child: Step::None,
            at_parent: Step::None,
            news: News::default(),
            served: Served::default(),
            pulls: VecDeque::new(),
            waits_since_us: None,
            down: VecDeque::new(),
            up: VecDeque::new(),
        });
        self.leave_given.insert((child, parent), link);
        for (to, end) in [(child, End::Child), (parent, End::Parent)] {
            self.say_down(to, Down::Neighbour { link, end });
        }
    }

    /// The order for a link reaches one end; the child dials.
    pub(super) fn neighbour_ordered(&mut self, ix: LinkIx, end: End) {
        if self.link(ix).step(end) != Step::None {
            return;
        }
        self.link_mut(ix).set_step(end, Step::Ordered);
        let id = self.link(ix).node_at(end);
        self.node_mut(id).links.push((ix, end));
        let both = self.link(ix).step(end.other()) != Step::None;
        let one_way_us = self.one_way_us(self.link(ix).parent, self.link(ix).child);
        if end == End::Child {
            let after_us = GREETING_HALVES * one_way_us;
            self.queue.after(after_us, Event::MeshGreet(ix));
        } else if both && std::mem::take(&mut self.link_mut(ix).waits_since_us).is_some() {
            self.queue.after(one_way_us, Event::MeshMade(ix));
        }
    }

    /// The child's greeting is at the other end, which may not be there, or not
    /// know of it yet.
    pub(super) fn mesh_greet(&mut self, ix: LinkIx) {
        let (parent, child) = (self.link(ix).parent, self.link(ix).child);
        let one_way_us = self.one_way_us(parent, child);
        let end = End::Child;
        match self.link(ix).at_parent {
            _ if !self.node(parent).alive => {
                let patience_us = DIAL_TRIES_MAX * EDGE_IDLE_US;
                self.queue
                    .after(patience_us, Event::MeshOver { link: ix, end });
            }
            Step::Ordered => self.queue.after(one_way_us, Event::MeshMade(ix)),
            Step::None => self.link_mut(ix).waits_since_us = Some(self.queue.now_us()),
            Step::Running | Step::Ended => {
                self.queue
                    .after(one_way_us, Event::MeshOver { link: ix, end });
            }
        }
    }

    /// Both ends are there: maps and pulls begin.
    pub(super) fn mesh_made(&mut self, ix: LinkIx) {
        let (parent, child) = (self.link(ix).parent, self.link(ix).child);
        let ordered =
            self.link(ix).at_child == Step::Ordered && self.link(ix).at_parent == Step::Ordered;
        if !ordered || !self.node(child).alive || !self.node(parent).alive {
            return;
        }
        self.link_mut(ix).at_child = Step::Running;
        self.link_mut(ix).at_parent = Step::Running;
        self.node_mut(child).puller.add(parent, false);
        self.begin_saying(parent);
        self.begin_looking(child);
    }

    /// One end is over; the other one hears of it. What was lost the
    /// coordinator hears from both.
    pub(super) fn mesh_end(&mut self, ix: LinkIx, end: End) {
        if matches!(self.link(ix).step(end), Step::None | Step::Ended) {
            self.link_mut(ix).set_step(end, Step::Ended);
            return;
        }
        self.link_mut(ix).set_step(end, Step::Ended);
        let (parent, child) = (self.link(ix).parent, self.link(ix).child);
        let id = self.link(ix).node_at(end);
        self.node_mut(id)
            .links
            .retain(|(l, e)| (*l, *e) != (ix, end));
        match end {
            End::Child => self.node_mut(child).puller.remove(parent),
            End::Parent => {
                self.link_mut(ix).pulls.clear();
                self.link_mut(ix).waits_since_us = None;
                self.node_mut(parent).uplink.forget(Sender::Link(ix));
            }
        }
        let other = end.other();
        if self.link(ix).step(other) != Step::Ended {
            let after_us = self.one_way_us(parent, child);
            let over = Event::MeshOver {
                link: ix,
                end: other,
            };
            self.queue.after(after_us, over);
        }
    }

    /// The link is found to be gone, or given up, at one end.
    pub(super) fn mesh_over(&mut self, ix: LinkIx, end: End) {
        let id = self.link(ix).node_at(end);
        let known = !matches!(self.link(ix).step(end), Step::None | Step::Ended);
        self.mesh_end(ix, end);
        if known && self.node(id).alive && id != STATION {
            let (child, parent) = (self.link(ix).child, self.link(ix).parent);
            self.say_up(id, Up::NeighbourDown { child, parent });
        }
    }

    /// The node is gone: the other ends notice after so long.
    pub(super) fn leave_neighbours(&mut self, id: Id, after_us: u64) {
        for (link, end) in std::mem::take(&mut self.node_mut(id).links) {
            self.link_mut(link).set_step(end, Step::Ended);
            let (parent, child) = (self.link(link).parent, self.link(link).child);
            let patience_us = after_us + self.one_way_us(parent, child);
            let end = end.other();
            self.queue.after(patience_us, Event::MeshOver { link, end });
        }
    }
}
