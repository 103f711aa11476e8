//! The people: who comes with what, stays how long, goes how, pays, cheats,
//! and what befalls all of them at once.

use super::Error;
use super::message::{Down, Up};
use super::network::Place;
use super::node::{Cheat, End, Id, Kind, STATION};
use super::rng::{Purpose, Rng, exp};
use super::scenario::{Lost, Sessions};
use super::world::{Event, Newcomer, World};
use wire::AskId;
use wire::message::control::Choice;

/// Half round trips from the first packet to the coordinator's having read
/// the request to join: address validation, handshake, request.
const JOIN_HALVES: u64 = 5;
/// How long who goes serves on for his children; `peer/src/viewer/leaving.rs`.
const QUIT_US: u64 = 2_000_000;
/// See `overlay/link/src/endpoint.rs`.
const CONTROL_IDLE_US: u64 = 8_000_000;
/// See `peer/src/viewer/control.rs`.
const RECEIPT_US: u64 = 5_000_000;
/// How often a node looks whether it is late.
const LOOK_US: u64 = 500_000;
/// The access line of a relay in a data centre.
const RELAY_ACCESS_US: u64 = 500;
/// Downloads are faster than uploads by this factor where they are not equal.
const DOWNLOAD_FACTOR: u64 = 4;

impl World {
    /// Plans who comes when.
    pub(super) fn invite(&mut self) {
        let mut rng = Rng::new(self.scenario.seed, Purpose::Arrivals);
        let arrivals = self.scenario.arrivals;
        let over_us = arrivals.over_ms * 1_000;
        for _ in 0..self.scenario.viewers {
            let at_us = rng.below(over_us.max(1));
            let stay_us = arrivals
                .sessions
                .map(|sessions| over_us - at_us + rest_us(&mut rng, &sessions));
            self.queue.at(at_us, Event::Join { stay_us });
        }
        if let Some(sessions) = arrivals.sessions {
            self.invite_followers(&mut rng, &sessions);
        }
    }

    /// Whoever goes is followed by somebody: a Poisson process at the rate
    /// that keeps the audience, viewers / mean stay, in steps of 1 ms.
    fn invite_followers(&mut self, rng: &mut Rng, sessions: &Sessions) {
        let per_ms = f64::from(self.scenario.viewers) / mean_s(sessions) / 1_000.0;
        for at_ms in self.scenario.arrivals.over_ms..self.scenario.seconds * 1_000 {
            if rng.unit() < per_ms {
                let stay_us = seconds(rng.lognormal(sessions.mu, sessions.sigma));
                let stay_us = Some(stay_us);
                self.queue.at(at_ms * 1_000, Event::Join { stay_us });
            }
        }
    }

    /// A person opens the client.
    pub(super) fn arrive_viewer(&mut self, stay_us: Option<u64>) {
        let newcomer = self.draw_viewer();
        let id = self.spawn(newcomer);
        self.measure.joined();
        let after_us = JOIN_HALVES * self.one_way_us(id, STATION);
        let bytes = self.sizes.up(&Up::Join);
        self.node_mut(id).control_bytes += bytes;
        self.measure.control_up(Up::Join.name(), bytes);
        let up = Up::Join;
        self.queue.after(after_us, Event::Up { from: id, up });
        if let (Some(stay_us), Some(sessions)) = (stay_us, self.scenario.arrivals.sessions) {
            let event = if self.fate.permille(sessions.abrupt_permille) {
                Event::Die(id)
            } else {
                Event::Leave(id)
            };
            self.queue.after(stay_us, event);
        }
    }

    fn draw_viewer(&mut self) -> Newcomer {
        let scenario = &self.scenario;
        let rng = &mut self.audience;
        let region = draw_region(rng, &scenario.links.regions);
        let access_us = rng.within(scenario.links.access_ms) * 1_000;
        let free_rider = rng.permille(scenario.uploads.free_riders_permille);
        let line_bps = quantile(rng.below(1_000), &scenario.uploads.quantiles);
        let given_bps = line_bps * scenario.uploads.given_percent / 100;
        let cheats = scenario.cheats;
        let lot = u32::try_from(rng.below(1_000)).unwrap_or(0);
        let boasters = cheats.silent_permille + cheats.boasting_permille;
        let cheat = match lot {
            _ if free_rider => None,
            lot if lot < cheats.silent_permille => Some(Cheat::Silent),
            lot if lot < boasters => Some(Cheat::Boasting),
            lot if lot < boasters + cheats.late_permille => Some(Cheat::Late {
                us: cheats.late_ms * 1_000,
            }),
            _ => None,
        };
        let upload_bps = if free_rider { 0 } else { given_bps };
        let claim_bps = match cheat {
            Some(Cheat::Boasting) => upload_bps * cheats.boast.max(1),
            _ => upload_bps,
        };
        Newcomer {
            kind: Kind::Viewer,
            place: Place { region, access_us },
            upload_bps,
            claim_bps,
            download_bps: (line_bps * DOWNLOAD_FACTOR).max(scenario.links.download_bps_min),
            cheat,
        }
    }

    /// The coordinator's word reaches a member.
    pub(super) fn obey(&mut self, to: Id, down: Down) -> Result<(), Error> {
        if !self.node(to).alive {
            return Ok(());
        }
        match down {
            Down::Admitted => self.admitted(to),
            Down::Refused => {
                self.node_mut(to).refused = true;
                self.measure.refused();
                self.exit(to);
            }
            Down::Edge { edge, end, stripes } => return self.ordered(edge, end, stripes),
            Down::EdgeEnd { edge, end } => self.end(edge, end, true),
            Down::Neighbour { link, end } => self.neighbour_ordered(link, end),
            Down::NeighbourEnd { link, end } => self.mesh_end(link, end),
            Down::Ask { ask } => self.consider(to, ask),
            Down::Granted => {
                let boot_us = self.sponsors.within(self.scenario.sponsors.boot_ms) * 1_000;
                self.queue
                    .after(boot_us, Event::RelayBooted { sponsor: to });
            }
            Down::NotNeeded => {}
            Down::Beacon { head } => {
                let node = self.node_mut(to);
                node.head = node.head.max(Some(head));
            }
        }
        Ok(())
    }

    fn admitted(&mut self, id: Id) {
        self.say_up(id, Up::Claim);
        let spread_us = u64::from(id) * 7_919 % RECEIPT_US;
        self.queue
            .after(RECEIPT_US / 2 + spread_us, Event::Receipts(id));
        self.queue.after(LOOK_US, Event::Look(id));
        // In some scenarios every so many-th viewer brings a relay along.
        let permille = u64::from(self.scenario.sponsors.relays_at_start_permille);
        let (before, after) = (u64::from(id - 1) * permille, u64::from(id) * permille);
        if after / 1_000 > before / 1_000 {
            let boot_us = 2_000_000;
            self.queue
                .after(boot_us, Event::RelayBooted { sponsor: id });
        }
    }

    /// A person reads the question, and answers or does not.
    fn consider(&mut self, id: Id, ask: AskId) {
        self.node_mut(id).times_asked += 1;
        self.measure.asked_class(self.class(id));
        let sponsors = self.scenario.sponsors;
        if self.sponsors.permille(sponsors.silent_permille) {
            return;
        }
        let think_us = self.sponsors.within(sponsors.think_ms) * 1_000;
        let choice = if self.sponsors.permille(sponsors.accept_permille) {
            Choice::Accept
        } else {
            Choice::Decline
        };
        let up = Up::Answer { ask, choice };
        let bytes = self.sizes.up(&up);
        self.node_mut(id).control_bytes += bytes;
        self.measure.control_up(up.name(), bytes);
        let after_us = think_us + self.one_way_us(id, STATION);
        self.queue.after(after_us, Event::Up { from: id, up });
    }

    /// The sponsor's relay serves: he introduces it, and the coordinator
    /// verifies it over a connection of its own.
    pub(super) fn relay_booted(&mut self, sponsor: Id) {
        if !self.node(sponsor).alive {
            return;
        }
        let relay_bps = self.scenario.sponsors.relay_bps;
        let region = self.node(sponsor).place.region;
        let relay = self.spawn(Newcomer {
            kind: Kind::Relay { sponsor },
            place: Place {
                region,
                access_us: RELAY_ACCESS_US,
            },
            upload_bps: relay_bps,
            claim_bps: relay_bps,
            download_bps: relay_bps,
            cheat: None,
        });
        self.queue.after(LOOK_US, Event::Look(relay));
        let verify_us = 300_000 + 6 * self.one_way_us(relay, STATION);
        let bytes = self.sizes.up(&Up::Introduce { relay });
        self.node_mut(sponsor).control_bytes += bytes;
        self.measure.control_up("introduce", bytes);
        let after_us = verify_us + self.one_way_us(sponsor, STATION);
        let up = Up::Introduce { relay };
        let from = sponsor;
        self.queue.after(after_us, Event::Up { from, up });
    }

    /// Says goodbye, and serves on until its children have gone.
    pub(super) fn leave(&mut self, id: Id) {
        if !self.node(id).alive || self.node(id).leaving {
            return;
        }
        let now_us = self.now_us();
        let node = self.node_mut(id);
        node.leaving = true;
        node.playout.left_us.get_or_insert(now_us);
        self.say_up(id, Up::Leave);
        self.queue.after(QUIT_US, Event::Exit(id));
    }

    /// The program ends, and closes its links.
    pub(super) fn exit(&mut self, id: Id) {
        if !self.node(id).alive {
            return;
        }
        let now_us = self.now_us();
        self.node_mut(id).playout.left_us.get_or_insert(now_us);
        for ix in self.node(id).parents.clone() {
            self.end(ix, End::Child, false);
        }
        for ix in self.node(id).children.clone() {
            self.end(ix, End::Parent, false);
        }
        self.leave_neighbours(id, 0);
        self.bury(id);
    }

    /// The program is gone without a word.
    pub(super) fn die(&mut self, id: Id) {
        if !self.node(id).alive {
            return;
        }
        let now_us = self.now_us();
        let node = self.node_mut(id);
        node.died_us = Some(now_us);
        node.playout.left_us.get_or_insert(now_us);
        self.fall_silent(id);
        self.queue.after(CONTROL_IDLE_US, Event::ControlIdle(id));
        self.bury(id);
    }

    fn bury(&mut self, id: Id) {
        let node = self.node_mut(id);
        node.alive = false;
        // Nothing asks it any more; it would hold its kept chunks.
        node.forwarder = overlay::Forwarder::new(overlay::forwarder::Config::default());
    }

    /// The scenario's event.
    pub(super) fn disaster(&mut self) {
        let Some(event) = self.scenario.event else {
            return;
        };
        let alive: Vec<Id> = (1..self.nodes.len())
            .filter_map(|id| u32::try_from(id).ok())
            .filter(|id| self.node(*id).alive)
            .collect();
        let is_relay = |id: Id| matches!(self.node(id).kind, Kind::Relay { .. });
        let busiest = |relay: bool| {
            let of_kind = alive.iter().filter(|id| is_relay(**id) == relay);
            of_kind
                .copied()
                .max_by_key(|id| self.node(*id).children.len())
        };
        let (viewer, relay) = (busiest(false), busiest(true));
        for id in alive {
            let is_relay = matches!(self.node(id).kind, Kind::Relay { .. });
            let hit = match event.lost {
                Lost::ViewersPermille(permille) => !is_relay && self.fate.permille(permille),
                Lost::Region(region) => self.node(id).place.region == region,
                Lost::Relays => is_relay,
                Lost::BusiestViewer => viewer == Some(id),
                Lost::BusiestRelay => relay == Some(id),
            };
            if hit {
                self.measure.lost();
                self.die(id);
            }
        }
    }
}

/// Permille to region.
fn draw_region(rng: &mut Rng, shares: &[u64]) -> usize {
    let mut lot = rng.below(shares.iter().sum::<u64>().max(1));
    for (region, share) in shares.iter().enumerate() {
        if lot < *share {
            return region;
        }
        lot -= share;
    }
    0
}

/// The rate at a quantile, interpolated between the points.
fn quantile(permille: u64, points: &[(u64, u64)]) -> u64 {
    for pair in points.windows(2) {
        if let [(from, low_bps), (to, high_bps)] = pair
            && permille <= *to
        {
            let span = to.saturating_sub(*from).max(1);
            let rise_bps = high_bps.saturating_sub(*low_bps);
            return low_bps + rise_bps * permille.saturating_sub(*from) / span;
        }
    }
    points.last().map_or(0, |(_, bps)| *bps)
}

fn seconds(s: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded"
    )]
    let us = (s.clamp(0.0, 1e6) * 1e6) as u64;
    us
}

/// Mean stay of a lognormal: e^(mu + sigma^2/2).
fn mean_s(sessions: &Sessions) -> f64 {
    exp(sessions.mu + sessions.sigma * sessions.sigma / 2.0)
}

/// How long somebody still stays who is found watching: he is found with a
/// probability that is proportional to his whole stay, which makes that
/// lognormal with mu + sigma^2, and at a uniform point of it.
fn rest_us(rng: &mut Rng, sessions: &Sessions) -> u64 {
    let mu = sessions.mu + sessions.sigma * sessions.sigma;
    let whole_s = rng.lognormal(mu, sessions.sigma);
    seconds(whole_s * rng.unit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_follow_the_quantiles() {
        let points = [(0, 1_000), (500, 2_000), (1_000, 10_000)];
        let drawn: Vec<u64> = [0, 250, 500, 750, 999]
            .map(|p| quantile(p, &points))
            .to_vec();
        assert_eq!(drawn, [1_000, 1_500, 2_000, 6_000, 9_984]);
    }

    #[test]
    fn a_tenth_of_the_audience_goes_within_the_first_minute() {
        let sessions = Sessions {
            mu: 5.23553,
            sigma: 1.54432,
            abrupt_permille: 0,
        };
        let mut rng = Rng::new(1, Purpose::Arrivals);
        let gone = (0..20_000)
            .filter(|_| rest_us(&mut rng, &sessions) < 60_000_000)
            .count();
        assert!((1_200..2_000).contains(&gone), "{gone}");
        let mean_s = mean_s(&sessions);
        assert!((600.0..640.0).contains(&mean_s), "{mean_s}");
    }
}
