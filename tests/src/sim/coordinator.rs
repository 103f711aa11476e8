//! The coordinator's driver around the planner, as
//! `peer/src/station/{coordinator,edges,receipts}.rs` are.

use super::Error;
use super::check::Invariant;
use super::message::{Down, Up, Why};
use super::node::{Edge, End, Id, Kind, STATION};
use super::world::{Event, Permit, World};
use overlay::planner::{Action, EdgeFault};
use overlay::slots::Summary;
use wire::statement::Priority;

/// See `peer/src/station/coordinator.rs`.
const TICK_US: u64 = 50_000;
/// See `peer/src/station/coordinator.rs`.
const SUSPECT_US: u64 = 700_000;
/// See `peer/src/station/edges.rs`.
const PERMIT_LIFE_MS: u64 = 4 * 60 * 1_000;
/// A round is an hour.
const LEASE_MS: u64 = 3_600_000;
/// Free edges that may be left when somebody is asked, with stripes, where
/// not every edge fits every child (per hundred).
const USED_PERCENT_MIN: u64 = 90;

impl World {
    /// A message to the coordinator sets out.
    pub(super) fn say_up(&mut self, from: Id, up: Up) {
        let bytes = self.sizes.up(&up);
        self.node_mut(from).control_bytes += bytes;
        self.measure.control_up(bytes);
        let after_us = self.one_way_us(from, STATION);
        self.queue.after(after_us, Event::Up { from, up });
    }

    /// A message to a member sets out. It goes at once, and the stream pays.
    pub(super) fn say_down(&mut self, to: Id, down: Down) {
        let now_us = self.now_us();
        let relay = match down {
            Down::Edge { edge, end } => {
                let other = self.edge(edge).node_at(end.other());
                matches!(self.node(other).kind, Kind::Relay { .. })
            }
            _ => false,
        };
        let bytes = self.sizes.down(&down, relay);
        self.node_mut(to).control_bytes += bytes;
        self.measure.control_down(bytes);
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
            Up::EdgeUp { parent, stripe } => self.plan.edge_up(from, parent, stripe),
            Up::EdgeDown { parent, why } => self.edge_down(from, parent, why),
            Up::ChildGone { child } => self.child_gone(child),
            Up::Withheld { parent, stripe } => {
                self.suspicion.report(now_ms, stripe, from);
                let blame = Event::Blame {
                    child: from,
                    parent,
                    stripe,
                };
                self.queue
                    .after(self.scenario.rules.blame_ms * 1_000, blame);
            }
            Up::Receipt { parent, summary } => self.receipted(from, parent, summary),
            Up::Leave => return self.member_gone(from, true),
        }
        self.act()
    }

    /// A claim places its maker.
    fn claimed(&mut self, from: Id) {
        let now_ms = self.now_ms();
        let claim_bps = self.node(from).claim_bps;
        self.ledger.claim(from, claim_bps, None);
        let edges = self.ledger.slots(now_ms, from, self.edge_bps);
        self.members.insert(from, true);
        self.shadow.joined(from);
        self.plan.join(now_ms, from, edges, false);
    }

    fn relay_admitted(&mut self, relay: Id, sponsor: Id) {
        let now_ms = self.now_ms();
        if !self.node(relay).alive {
            return;
        }
        let claim_bps = self.node(relay).claim_bps;
        self.ledger.claim(relay, claim_bps, Some(claim_bps));
        let edges = self.ledger.slots(now_ms, relay, self.edge_bps);
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

    /// A report of silence has waited: if nobody above is silent, too, it is
    /// the parent's own.
    pub(super) fn blame(&mut self, child: Id, parent: Id, stripe: u8) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let plan = &self.plan;
        let parent_of = |node| plan.parent(node, stripe);
        let above = self.suspicion.is_above(now_ms, stripe, parent, parent_of);
        if !above && parent_of(child) == Some(parent) {
            self.look_after(parent);
            self.plan.withheld(now_ms, child, parent, stripe);
            return self.act();
        }
        Ok(())
    }

    /// A member's word about its parent, turned into edges; receipts only
    /// raise them.
    fn receipted(&mut self, _from: Id, parent: Id, summary: Summary) {
        let now_ms = self.now_ms();
        self.ledger.receipt(now_ms, parent, summary);
        if parent == STATION {
            return;
        }
        let edges = self.ledger.slots(now_ms, parent, self.edge_bps);
        if self.plan.seat(parent).is_some_and(|s| edges > s.edges) {
            self.plan.claim(now_ms, parent, edges);
        }
    }

    /// A member has left, or its control link is given up.
    pub(super) fn member_gone(&mut self, node: Id, graceful: bool) -> Result<(), Error> {
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
        for stripe in 0..self.stream.width() {
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
            } => self.attach(stripe.0, child, parent, priority),
            Action::Detach {
                stripe,
                child,
                parent,
            } => self.detach(stripe.0, child, parent),
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

    fn attach(&mut self, stripe: u8, child: Id, parent: Id, priority: Priority) {
        self.shadow.attach(stripe, child, parent);
        self.suspicion.forget(stripe, child);
        self.measure.attached();
        let minted_ms = self.now_ms();
        let bit = 1 << stripe;
        let live = self.permits.get(&(child, parent)).copied().filter(|p| {
            let edge = self.edge(p.edge);
            edge.at_child != super::node::Step::Ended && edge.at_parent != super::node::Step::Ended
        });
        let edge = match live {
            Some(permit) => {
                // Renewed, with more stripes: the edge goes on.
                self.edge_mut(permit.edge).priority = priority;
                permit.edge
            }
            None => {
                let width = self.stream.width();
                self.new_edge(Edge::new((parent, child), priority, width))
            }
        };
        let stripes = live.map_or(0, |p| p.stripes) | bit;
        self.edge_mut(edge).stripes = stripes;
        let permit = Permit {
            edge,
            minted_ms,
            stripes,
        };
        self.permits.insert((child, parent), permit);
        self.order(
            child,
            Down::Edge {
                edge,
                end: End::Child,
            },
        );
        self.order(
            parent,
            Down::Edge {
                edge,
                end: End::Parent,
            },
        );
    }

    fn detach(&mut self, stripe: u8, child: Id, parent: Id) {
        self.shadow.detach(stripe, child, parent);
        let Some(permit) = self.permits.get_mut(&(child, parent)) else {
            return;
        };
        permit.stripes &= !(1 << stripe);
        let edge = permit.edge;
        let stripes = permit.stripes;
        self.edge_mut(edge).stripes = stripes;
        if stripes != 0 {
            // The other stripes go on under a new permit.
            self.order(
                child,
                Down::Edge {
                    edge,
                    end: End::Child,
                },
            );
            self.order(
                parent,
                Down::Edge {
                    edge,
                    end: End::Parent,
                },
            );
            return;
        }
        self.permits.remove(&(child, parent));
        self.order(
            child,
            Down::EdgeEnd {
                edge,
                end: End::Child,
            },
        );
        self.order(
            parent,
            Down::EdgeEnd {
                edge,
                end: End::Parent,
            },
        );
    }

    /// The station's own edges need no message.
    fn order(&mut self, to: Id, down: Down) {
        if to == STATION {
            self.obey(to, down);
        } else if self.members.contains_key(&to) {
            self.say_down(to, down);
        }
    }

    /// Nobody is asked to pay while there is room for who waits.
    fn check_room(&self) -> Result<(), Error> {
        let seats = self.plan.seats();
        let rooted = seats.iter().filter(|seat| seat.depth.is_some());
        let (mut used, mut edges) = (0, 0);
        for seat in rooted {
            used += u64::from(seat.edges_used);
            edges += u64::from(seat.edges);
        }
        let waiting = seats.iter().find(|seat| seat.waiting);
        let room = if self.stream.width() == 1 {
            used < edges
        } else {
            used * 100 < edges * USED_PERCENT_MIN
        };
        match waiting {
            Some(seat) if room => Err(self.broken(Invariant::AskedWithRoom {
                used,
                edges,
                waiting: seat.node,
            })),
            _ => Ok(()),
        }
    }

    pub(super) fn tick(&mut self) -> Result<(), Error> {
        let now_ms = self.now_ms();
        self.plan.tick(now_ms);
        self.queue.after(TICK_US, Event::Tick);
        self.act()
    }

    /// What happens once a second.
    pub(super) fn second(&mut self) -> Result<(), Error> {
        self.queue.after(1_000_000, Event::Second);
        self.send_beacons();
        self.lower_edges();
        self.renew_permits();
        self.act()?;
        self.observe()
    }

    fn send_beacons(&mut self) {
        let Some(head) = self.stream.head().checked_sub(1) else {
            return;
        };
        let members: Vec<Id> = self.members.keys().copied().collect();
        for member in members {
            self.say_down(member, Down::Beacon { head });
        }
    }

    /// Takes edges back that nothing proves any more, but never one that a
    /// child hangs on.
    fn lower_edges(&mut self) {
        let now_ms = self.now_ms();
        let lower = |node: &Id| {
            let seat = self.plan.seat(*node)?;
            let proven = self.ledger.slots(now_ms, *node, self.edge_bps);
            let edges = proven.max(seat.edges_used);
            (edges < seat.edges).then_some((*node, edges))
        };
        let lower: Vec<(Id, u32)> = self.members.keys().filter_map(lower).collect();
        for (node, edges) in lower {
            self.plan.claim(now_ms, node, edges);
        }
    }

    fn renew_permits(&mut self) {
        let now_ms = self.now_ms();
        let old: Vec<(Id, Id)> = self
            .permits
            .iter()
            .filter(|(_, permit)| now_ms.saturating_sub(permit.minted_ms) > PERMIT_LIFE_MS / 2)
            .map(|(pair, _)| *pair)
            .collect();
        for (child, parent) in old {
            if let Some(permit) = self.permits.get_mut(&(child, parent)) {
                permit.minted_ms = now_ms;
                let edge = permit.edge;
                self.order(
                    child,
                    Down::Edge {
                        edge,
                        end: End::Child,
                    },
                );
                self.order(
                    parent,
                    Down::Edge {
                        edge,
                        end: End::Parent,
                    },
                );
            }
        }
    }
}
