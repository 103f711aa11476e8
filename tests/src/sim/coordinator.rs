//! The coordinator's driver around the planner, as
//! `peer/src/station/{coordinator,edges,receipts}.rs` are.

use super::Error;
use super::check::Invariant;
use super::message::{Down, Up, Why};
use super::node::{Edge, EdgeIx, End, Id, Kind, STATION, Step};
use super::permits::{Change, Pair, Permitted};
use super::world::{Event, World};
use overlay::planner::{Action, EdgeFault};
use overlay::room::Pressure;
use overlay::slots::Summary;
use overlay::suspicion::Report;
use wire::Stripe;
use wire::statement::Priority;

/// See `peer/src/station/coordinator.rs`.
const TICK_US: u64 = 50_000;
/// See `peer/src/station/coordinator.rs`.
const SUSPECT_US: u64 = 700_000;
/// See `peer/src/station/edges.rs`.
const PERMIT_LIFE_MS: u64 = 4 * 60 * 1_000;
/// A round is an hour.
const LEASE_MS: u64 = 3_600_000;
/// See `peer/src/station/beacon.rs`.
const BEACONS_MAX: usize = 1_000;

impl World {
    /// A message to the coordinator sets out.
    pub(super) fn say_up(&mut self, from: Id, up: Up) {
        let bytes = self.sizes.up(&up);
        self.node_mut(from).control_bytes += bytes;
        self.measure.control_up(up.name(), bytes);
        let after_us = self.one_way_us(from, STATION);
        self.queue.after(after_us, Event::Up { from, up });
    }

    /// A message to a member sets out. It goes at once, and the stream pays.
    pub(super) fn say_down(&mut self, to: Id, down: Down) {
        let now_us = self.now_us();
        let relay = match down {
            Down::Edge { edge, end, .. } => {
                let other = self.edge(edge).node_at(end.other());
                matches!(self.node(other).kind, Kind::Relay { .. })
            }
            _ => false,
        };
        let bytes = self.sizes.down(&down, relay);
        self.node_mut(to).control_bytes += bytes;
        self.measure.control_down(down.name(), bytes);
        self.node_mut(STATION).uplink.charge(bytes, now_us);
        let after_us = self.one_way_us(STATION, to);
        self.queue.after(after_us, Event::Down { to, down });
    }

    /// The coordinator hears a message.
    pub(super) fn hear(&mut self, from: Id, up: Up) -> Result<(), Error> {
        let now_ms = self.now_ms();
        if !matches!(up, Up::Join | Up::Introduce { .. }) && !self.members.contains_key(&from) {
            return Ok(());
        }
        match up {
            Up::Join => {
                self.members.insert(from, false);
                self.say_down(from, Down::Admitted);
            }
            Up::Claim => self.claimed(from),
            Up::Answer { ask, choice } => self.plan.answer(now_ms, ask, from, choice),
            Up::Introduce { relay } => self.relay_admitted(relay, from),
            Up::Works { parent, stripe } => self.plan.edge_up(from, parent, stripe),
            Up::EdgeDown { .. }
            | Up::ChildGone { .. }
            | Up::Withheld { .. }
            | Up::NeighbourDown { .. }
                if !self.scenario.rules.mends => {}
            Up::EdgeDown { parent, why } => self.edge_down(from, parent, why),
            Up::ChildGone { child } => self.child_gone(child),
            Up::Withheld { parent, stripe } => {
                let report = Report {
                    child: from,
                    parent,
                    stripe: Stripe(stripe),
                };
                self.suspicion.report(now_ms, report);
            }
            Up::NeighbourDown { child, parent } => {
                self.neighbours.broke(child, parent);
                self.neighbour_changes();
            }
            Up::Receipt { parent, summary } => self.receipted(from, parent, summary),
            Up::Lines { .. } => self.measured(from),
            Up::Leave => return self.member_gone(from, true),
        }
        self.act()
    }

    /// Edges by claim and receipts.
    fn edges_of(&self, node: Id) -> u32 {
        let now_ms = self.now_ms();
        self.ledger.edges(now_ms, node, self.edge_bps, self.stripes)
    }

    /// A claim places its maker.
    fn claimed(&mut self, from: Id) {
        let now_ms = self.now_ms();
        let claim_bps = self.node(from).claim_bps;
        self.ledger.claim(from, claim_bps, None);
        let edges = self.edges_of(from);
        self.members.insert(from, true);
        self.shadow.joined(from);
        self.plan.join(now_ms, from, edges, false);
        self.neighbours.join(from);
    }

    fn relay_admitted(&mut self, relay: Id, sponsor: Id) {
        let now_ms = self.now_ms();
        if !self.node(relay).alive {
            return;
        }
        let claim_bps = self.node(relay).claim_bps;
        self.ledger.claim(relay, claim_bps, Some(claim_bps));
        let edges = self.edges_of(relay);
        self.members.insert(relay, true);
        self.shadow.joined(relay);
        self.node_mut(sponsor).has_paid = true;
        self.measure.relay_admitted();
        let lease_end_ms = now_ms + LEASE_MS;
        self.plan
            .relay_admitted(now_ms, (relay, sponsor), edges, lease_end_ms);
    }

    fn edge_down(&mut self, child: Id, parent: Id, why: Why) {
        let now_ms = self.now_ms();
        let is_relay = matches!(self.node(parent).kind, Kind::Relay { .. });
        if why == Why::Gone {
            self.look_after(parent);
        }
        let fault = match why {
            Why::Reparented => return,
            Why::Gone if is_relay && self.members.contains_key(&parent) => {
                self.queue
                    .after(SUSPECT_US, Event::Suspect { child, parent });
                return;
            }
            Why::Gone => EdgeFault::Unreachable,
            Why::PermitMissing => EdgeFault::Refused,
        };
        self.plan.edge_failed(now_ms, child, parent, fault);
    }

    /// Others call a member gone; its control link says soon whether it is.
    pub(super) fn child_gone(&mut self, child: Id) {
        self.look_after(child);
    }

    /// The station's own link to a relay is gone: it is out for all; see
    /// `puts_out` in `peer/src/station/doubt.rs`.
    pub(super) fn own_child_gone(&mut self, child: Id) {
        if matches!(self.node(child).kind, Kind::Relay { .. }) {
            self.queue.after(0, Event::ControlIdle(child));
        } else {
            self.look_after(child);
        }
    }

    /// Gives a member up as soon as its control link has been silent for long
    /// enough, now that there is a reason to look.
    fn look_after(&mut self, node: Id) {
        let suspect_us = self.scenario.rules.suspect_ms * 1_000;
        if suspect_us > 0
            && let Some(died_us) = self.node(node).died_us
        {
            let at_us = died_us + suspect_us;
            self.queue.at(at_us, Event::ControlIdle(node));
        }
    }

    pub(super) fn suspect(&mut self, child: Id, parent: Id) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let fault = EdgeFault::Unreachable;
        self.plan.edge_failed(now_ms, child, parent, fault);
        self.act()
    }

    /// Reports of silence have waited: if nobody above is silent, too, it is the
    /// parent's own. As `peer/src/station/blame.rs` does.
    fn blame(&mut self) {
        let now_ms = self.now_ms();
        while let Some(report) = self.suspicion.poll_due(now_ms) {
            let (child, parent, stripe) = (report.child, report.parent, report.stripe.0);
            let plan = &self.plan;
            let parent_of = |node| plan.parent(node, stripe);
            let above = self.suspicion.is_above(now_ms, report, parent_of);
            if !above && parent_of(child) == Some(parent) {
                self.look_after(parent);
                self.plan.withheld(now_ms, child, parent, stripe);
            }
        }
    }

    /// A member's word about its parent, turned into edges; receipts only
    /// raise them.
    fn receipted(&mut self, _from: Id, parent: Id, summary: Summary) {
        let now_ms = self.now_ms();
        self.ledger.receipt(now_ms, parent, summary);
        if parent == STATION {
            return;
        }
        let edges = self.edges_of(parent);
        if self.plan.seat(parent).is_some_and(|s| edges > s.edges) {
            self.plan.claim(now_ms, parent, edges);
        }
    }

    /// A member has left, or its control link is given up.
    pub(super) fn member_gone(&mut self, node: Id, graceful: bool) -> Result<(), Error> {
        if !(graceful || self.scenario.rules.mends) {
            return Ok(());
        }
        let Some(placed) = self.members.remove(&node) else {
            return Ok(());
        };
        let now_ms = self.now_ms();
        if placed {
            self.plan.gone(now_ms, node, graceful);
        }
        self.forget(node);
        self.act()
    }

    /// Who is not in the coordinator's books gets no permits any more.
    fn forget(&mut self, node: Id) {
        self.ledger.forget(node);
        self.shadow.gone(node);
        self.nearness.forget(node);
        self.permits.forget(node);
        self.neighbours.leave(node);
        self.neighbour_changes();
        for stripe in self.stripes.all() {
            self.suspicion.forget(stripe, node);
        }
    }

    /// Does what the planner wants, until it wants nothing more.
    pub(super) fn act(&mut self) -> Result<(), Error> {
        let mut asked = false;
        while let Some(action) = self.plan.poll() {
            self.digest.decided(self.queue.now_us(), &action);
            asked |= matches!(action, Action::Ask { .. });
            self.perform(action);
        }
        for (pair, change) in self.permits.changes() {
            match change {
                Change::Permit(permitted) => self.mint(pair, &permitted)?,
                Change::End(edge) => self.end_edge(pair, edge)?,
            }
        }
        let plan = &self.plan;
        let edges_of = |node| plan.seat(node).map(|seat| seat.edges);
        let checked = self
            .shadow
            .check_changes(plan.handover_edges_max(), edges_of);
        checked.map_err(|invariant| self.broken(invariant))?;
        if asked { self.check_room() } else { Ok(()) }
    }

    fn perform(&mut self, action: Action<Id>) {
        match action {
            Action::Attach {
                stripe,
                child,
                parent,
                priority,
                ..
            } => self.attach(stripe, child, parent, priority),
            Action::Detach {
                stripe,
                child,
                parent,
            } => self.detach(stripe, child, parent),
            Action::Ask { to, question, .. } => {
                self.measure.asked(question.step, question.cause);
                let ask = question.ask;
                self.say_down(to, Down::Ask { ask });
            }
            Action::Grant { to, .. } => {
                self.measure.granted();
                self.say_down(to, Down::Granted);
            }
            Action::NotNeeded { to, .. }
            | Action::TimedOut { to, .. }
            | Action::GrantExpired { to, .. } => self.say_down(to, Down::NotNeeded),
            Action::Refuse { node, .. } => {
                self.members.remove(&node);
                self.forget(node);
                self.say_down(node, Down::Refused);
            }
            Action::Orphaned { .. } => self.measure.orphaned(),
            Action::CapacityShort { .. } => self.measure.short(),
        }
    }

    fn attach(&mut self, stripe: Stripe, child: Id, parent: Id, priority: Priority) {
        self.shadow.attach(stripe.0, child, parent);
        self.suspicion.forget(stripe, child);
        self.measure.attached();
        self.permits.attach((child, parent), stripe, priority);
    }

    fn detach(&mut self, stripe: Stripe, child: Id, parent: Id) {
        self.shadow.detach(stripe.0, child, parent);
        self.permits.detach((child, parent), stripe);
    }

    /// Permits an edge to both ends: a new one, or one that runs and carries
    /// other stripes from now on.
    fn mint(&mut self, pair: Pair, permitted: &Permitted) -> Result<(), Error> {
        let (child, parent) = pair;
        let runs = |edge: &EdgeIx| {
            let edge = self.edge(*edge);
            edge.at_child != Step::Ended && edge.at_parent != Step::Ended
        };
        let edge = match permitted.edge.filter(runs) {
            Some(edge) => edge,
            None => {
                let width = self.stripes.count();
                self.new_edge(Edge::new((parent, child), permitted.priority, width))
            }
        };
        self.edge_mut(edge).priority = permitted.priority;
        let now_ms = self.now_ms();
        self.permits.minted(pair, edge, now_ms);
        let stripes = permitted.stripes;
        for (to, end) in [(child, End::Child), (parent, End::Parent)] {
            self.order(to, Down::Edge { edge, end, stripes })?;
        }
        Ok(())
    }

    fn end_edge(&mut self, (child, parent): Pair, edge: Option<EdgeIx>) -> Result<(), Error> {
        let Some(edge) = edge else { return Ok(()) };
        for (to, end) in [(child, End::Child), (parent, End::Parent)] {
            self.order(to, Down::EdgeEnd { edge, end })?;
        }
        Ok(())
    }

    /// The station's own edges need no message.
    fn order(&mut self, to: Id, down: Down) -> Result<(), Error> {
        if to == STATION {
            self.obey(to, down)
        } else {
            if self.members.contains_key(&to) {
                self.say_down(to, down);
            }
            Ok(())
        }
    }

    /// Nobody is asked to pay while there is room for who waits. With stripes
    /// not every edge fits every child: then it is measured how much was used.
    fn check_room(&mut self) -> Result<(), Error> {
        let seats = self.plan.seats();
        let rooted = seats.iter().filter(|seat| seat.depth.is_some());
        let (mut used, mut edges) = (0, 0);
        for seat in rooted {
            used += u64::from(seat.edges_used);
            edges += u64::from(seat.edges);
        }
        self.measure.asked_at(used as f64 / edges.max(1) as f64);
        let waiting = seats.iter().find(|seat| seat.waiting);
        match waiting {
            Some(seat)
                if self.stripes.count() == 1
                    && seats.iter().any(|at| {
                        let free = at.depth.is_some() && at.edges_used < at.edges;
                        free && !self.plan.avoids(seat.node, at.node)
                    }) =>
            {
                Err(self.broken(Invariant::AskedWithRoom {
                    used,
                    edges,
                    waiting: seat.node,
                }))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn tick(&mut self) -> Result<(), Error> {
        let now_ms = self.now_ms();
        self.blame();
        self.plan.tick(now_ms);
        if self.neighbours.is_behind() {
            self.tend_neighbours();
        }
        self.queue.after(TICK_US, Event::Tick);
        self.act()
    }

    /// What happens once a second.
    pub(super) fn second(&mut self) -> Result<(), Error> {
        self.queue.after(1_000_000, Event::Second);
        self.send_beacons();
        self.tend_neighbours();
        self.lower_edges();
        self.make_room();
        self.locate();
        self.renew_permits()?;
        self.act()?;
        self.observe()
    }

    fn send_beacons(&mut self) {
        let Some(head) = self.stream.head().checked_sub(1) else {
            return;
        };
        for member in self.beacon_turns.take(&self.members, BEACONS_MAX) {
            self.say_down(member, Down::Beacon { head });
        }
    }

    /// Takes edges back that nothing proves any more, but never one that a
    /// child hangs on.
    fn lower_edges(&mut self) {
        let now_ms = self.now_ms();
        let lower = |node: &Id| {
            let seat = self.plan.seat(*node)?;
            let proven = self.edges_of(*node);
            let edges = proven.max(seat.edges_used);
            (edges < seat.edges).then_some((*node, edges))
        };
        let lower: Vec<(Id, u32)> = self.members.keys().filter_map(lower).collect();
        for (node, edges) in lower {
            self.plan.claim(now_ms, node, edges);
        }
    }

    /// What the station says on control links, its stream has to do without:
    /// it takes on so many edges less.
    fn make_room(&mut self) {
        if !self.scenario.rules.makes_room {
            return;
        }
        let now_ms = self.now_ms();
        let said = self.measure.counts.control_down_bytes;
        let left_bps = self.room.left_bps(self.scenario.station.upload_bps, said);
        let hurried = self.room.pressure() > Pressure::Little;
        self.plan.hold_nearing(hurried);
        let edges = left_bps / self.edge_bps;
        let edges = u32::try_from(edges).unwrap_or(u32::MAX);
        if self.plan.seat(STATION).is_some_and(|s| s.edges != edges) {
            self.plan.claim(now_ms, STATION, edges);
        }
    }

    fn renew_permits(&mut self) -> Result<(), Error> {
        let now_ms = self.now_ms();
        for (pair, permitted) in self.permits.older_than(PERMIT_LIFE_MS / 2, now_ms) {
            self.mint(pair, &permitted)?;
        }
        Ok(())
    }
}
