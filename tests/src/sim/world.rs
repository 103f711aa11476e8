//! All that there is in one simulation, and how time passes in it.

use super::check::{Broken, Invariant, Shadow};
use super::digest::Digest;
use super::measure::Measure;
use super::mesh::{Link, LinkIx};
use super::message::{Down, Up};
use super::nearness::Nearness;
use super::network::{Network, Place};
use super::node::{Cheat, Edge, EdgeIx, End, Id, Kind, Node};
use super::permits::Permits;
use super::plan::Plan;
use super::playout::Playout;
use super::queue::Queue;
use super::rng::{Purpose, Rng};
use super::sizes::Sizes;
use super::stream::{Keys, RENDITION, Stream};
use super::uplink::Uplink;
use super::{Error, Scenario};
use overlay::Forwarder;
use overlay::mesh::{Config, Puller};
use overlay::planner::Neighbours;
use overlay::room::Room;
use overlay::rota::Rota;
use overlay::slots::Ledger;
use overlay::suspicion::Suspicion;
use std::collections::BTreeMap;
use wire::Stripes;

/// What happens at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// The station publishes a chunk.
    Publish,
    /// A second has passed: beacons, slots, pictures, checks.
    Second,
    /// The coordinator looks at deadlines.
    Tick,
    /// Somebody wants to watch, for so long.
    Join {
        stay_us: Option<u64>,
    },
    /// Somebody goes, with a word or without.
    Leave(Id),
    Die(Id),
    /// Who said goodbye has waited long enough for his children to go.
    Exit(Id),
    /// The scenario's event.
    Disaster,
    /// A message reaches the coordinator, or a member.
    Up {
        from: Id,
        up: Up,
    },
    Down {
        to: Id,
        down: Down,
    },
    /// A control link of somebody who died is given up.
    ControlIdle(Id),
    /// A report that a relay is gone has waited for the relay's own link.
    Suspect {
        child: Id,
        parent: Id,
    },
    /// The dialler's greeting reaches the other end.
    Greet(EdgeIx),
    /// The other end of a dialled edge does not answer.
    DialFailed(EdgeIx),
    /// Nobody ordered the edge that was dialled.
    PermitMissing(EdgeIx),
    /// Both ends are there and verified: the child says where to start.
    Made(EdgeIx),
    /// The parent hears where to start.
    Start(EdgeIx),
    /// The parent hears it again.
    Again(EdgeIx),
    /// The other end has closed the link.
    Closed {
        edge: EdgeIx,
        end: End,
        told: bool,
    },
    /// Nothing has come over the link for too long.
    Idle {
        edge: EdgeIx,
        end: End,
    },
    /// Records arrive.
    Arrive(EdgeIx),
    /// The uplink may have credit for who waits.
    Uplink(Id),
    /// The child looks whether its parent is silent.
    Silent(EdgeIx),
    /// A node looks whether it is late.
    Look(Id),
    /// A viewer writes receipts.
    Receipts(Id),
    /// The child's greeting on a link of neighbours is at the parent.
    MeshGreet(LinkIx),
    /// Both ends of a link are there.
    MeshMade(LinkIx),
    /// One end finds the link gone.
    MeshOver {
        link: LinkIx,
        end: End,
    },
    /// A node tells those who pull from it what it has.
    MeshSay(Id),
    /// A node looks for what it may pull.
    MeshLook(Id),
    /// Pulls reach the parent.
    MeshPulled(LinkIx),
    /// A pull has waited for upload since then, and waits no more.
    MeshPatience {
        link: LinkIx,
        since_us: u64,
    },
    /// The parent's words reach the child.
    MeshHear(LinkIx),
    /// The sponsor's relay serves.
    RelayBooted {
        sponsor: Id,
    },
}

/// One simulation.
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) queue: Queue<Event>,
    pub(super) network: Network,
    pub(super) stream: Stream,
    pub(super) sizes: Sizes,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    pub(super) mesh: Vec<Link>,
    pub(super) audience: Rng,
    pub(super) sponsors: Rng,
    pub(super) fate: Rng,
    // The coordinator.
    pub(super) plan: Plan,
    pub(super) ledger: Ledger<Id>,
    /// Members by the coordinator's books, and whether they have a place in
    /// its plan.
    pub(super) members: BTreeMap<Id, bool>,
    pub(super) permits: Permits,
    pub(super) nearness: Nearness,
    pub(super) suspicion: Suspicion<Id>,
    pub(super) neighbours: Neighbours<Id>,
    /// Links of neighbours that are permitted, by child and parent.
    pub(super) leave_given: BTreeMap<(Id, Id), LinkIx>,
    pub(super) stripes: Stripes,
    /// Rate of one edge on the wire, in bit/s.
    pub(super) edge_bps: u64,
    pub(super) room: Room,
    pub(super) beacon_turns: Rota<Id>,
    // The observer.
    pub(super) shadow: Shadow,
    pub(super) measure: Measure,
    pub(super) digest: Digest,
    pub(super) steps: u64,
}

/// Who a new node is.
pub(super) struct Newcomer {
    pub(super) kind: Kind,
    pub(super) place: Place,
    pub(super) upload_bps: u64,
    pub(super) claim_bps: u64,
    pub(super) download_bps: u64,
    pub(super) cheat: Option<Cheat>,
}

/// Head room of an edge over the stream's average rate; see `SLOT_PERCENT` in
/// `peer/src/station.rs`.
const EDGE_PERCENT: u64 = 125;

/// Whom it begins with is a node's own, as `overlay/link/src/mesh.rs` has it.
fn puller(id: Id) -> Puller<Id> {
    let config = Config {
        seed: u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48,
        ..Config::default()
    };
    Puller::new(id, RENDITION, config)
}

impl World {
    pub(super) fn new(scenario: &Scenario) -> Result<Self, Error> {
        let stripes = scenario.stripes()?;
        let keys = Keys::new(scenario.seed, stripes)?;
        let edge_bps = scenario.stream.rate_bps * EDGE_PERCENT / 100 / u64::from(stripes.k());
        let station_edges = scenario.station.upload_bps / edge_bps;
        let station_edges = u32::try_from(station_edges).unwrap_or(u32::MAX);
        let seed = scenario.seed;
        let mut world = Self {
            queue: Queue::new(),
            network: Network::new(&scenario.links, seed),
            stream: Stream::new(scenario, &keys)?,
            sizes: Sizes::measure(&keys)?,
            nodes: Vec::new(),
            edges: Vec::new(),
            mesh: Vec::new(),
            audience: Rng::new(seed, Purpose::Audience),
            sponsors: Rng::new(seed, Purpose::Sponsors),
            fate: Rng::new(seed, Purpose::Event),
            plan: Plan::new(station_edges, stripes, seed, scenario.rules),
            ledger: Ledger::new(),
            members: BTreeMap::new(),
            permits: Permits::default(),
            suspicion: Suspicion::default(),
            nearness: Nearness::new(),
            neighbours: Neighbours::new(seed),
            leave_given: BTreeMap::new(),
            stripes,
            edge_bps,
            room: Room::default(),
            beacon_turns: Rota::default(),
            shadow: Shadow::default(),
            measure: Measure::new(scenario),
            digest: Digest::new(),
            steps: 0,
            scenario: scenario.clone(),
        };
        world.found();
        world.invite();
        Ok(world)
    }

    /// The station, and its clockwork.
    fn found(&mut self) {
        let upload_bps = self.scenario.station.upload_bps;
        self.spawn(Newcomer {
            kind: Kind::Station,
            place: Place {
                region: 0,
                access_us: self.scenario.links.access_ms[0] * 1_000,
            },
            upload_bps,
            claim_bps: upload_bps,
            download_bps: upload_bps,
            cheat: None,
        });
        self.publish_init();
        self.queue.at(0, Event::Publish);
        self.queue.at(50_000, Event::Tick);
        self.queue.at(1_000_000, Event::Second);
        if let Some(event) = self.scenario.event {
            self.queue.at(event.at_ms * 1_000, Event::Disaster);
        }
    }

    /// A new program starts.
    pub(super) fn spawn(&mut self, newcomer: Newcomer) -> Id {
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let now_us = self.queue.now_us();
        self.nodes.push(Node {
            kind: newcomer.kind,
            place: newcomer.place,
            claim_bps: newcomer.claim_bps,
            download_bps: newcomer.download_bps,
            cheat: newcomer.cheat,
            alive: true,
            died_us: None,
            leaving: false,
            forwarder: Forwarder::new(overlay::forwarder::Config::default()),
            uplink: Uplink::new(newcomer.upload_bps, now_us),
            download_free_us: 0,
            parents: Vec::new(),
            children: Vec::new(),
            links: Vec::new(),
            puller: puller(id),
            says: false,
            looks: false,
            playout: Playout::new(now_us),
            head: None,
            newest: None,
            lag_before: None,
            control_bytes: 0,
            times_asked: 0,
            has_paid: false,
            refused: false,
        });
        id
    }

    pub(super) fn now_us(&self) -> u64 {
        self.queue.now_us()
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.queue.now_us() / 1_000
    }

    #[expect(clippy::indexing_slicing, reason = "nodes are never removed")]
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "nodes are never removed")]
    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "edges are never removed")]
    pub(super) fn edge(&self, ix: EdgeIx) -> &Edge {
        &self.edges[ix.0 as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "edges are never removed")]
    pub(super) fn edge_mut(&mut self, ix: EdgeIx) -> &mut Edge {
        &mut self.edges[ix.0 as usize]
    }

    /// An edge with its two ends.
    #[expect(clippy::indexing_slicing, reason = "neither is ever removed")]
    pub(super) fn sender(&mut self, ix: EdgeIx) -> (&mut Edge, &mut Node) {
        let edge = &mut self.edges[ix.0 as usize];
        let parent = &mut self.nodes[edge.parent as usize];
        (edge, parent)
    }

    /// One way between two nodes.
    pub(super) fn one_way_us(&self, a: Id, b: Id) -> u64 {
        let (a, b) = (self.node(a).place, self.node(b).place);
        self.network.one_way_us(a, b)
    }

    pub(super) fn broken(&self, invariant: Invariant) -> Error {
        Error::Broken(Broken {
            seed: self.scenario.seed,
            step: self.steps,
            at_us: self.now_us(),
            invariant,
        })
    }

    /// Runs to the end.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        let end_us = self.scenario.seconds * 1_000_000;
        let mut before_us = 0;
        while let Some(event) = self.queue.next(end_us) {
            self.steps += 1;
            if self.now_us() < before_us {
                return Err(self.broken(Invariant::Time));
            }
            before_us = self.now_us();
            self.happen(event)?;
        }
        Ok(())
    }

    fn happen_in_mesh(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::MeshGreet(link) => self.mesh_greet(link),
            Event::MeshMade(link) => self.mesh_made(link),
            Event::MeshOver { link, end } => self.mesh_over(link, end),
            Event::MeshSay(node) => self.mesh_say(node),
            Event::MeshLook(node) => self.mesh_look(node),
            Event::MeshPulled(link) => self.mesh_pulled(link),
            Event::MeshPatience { link, since_us } => self.mesh_patience(link, since_us),
            Event::MeshHear(link) => self.mesh_hear(link)?,
            _ => {}
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Publish => self.publish()?,
            Event::Second => self.second()?,
            Event::Tick => self.tick()?,
            Event::Join { stay_us } => self.arrive_viewer(stay_us),
            Event::Leave(node) => self.leave(node),
            Event::Die(node) => self.die(node),
            Event::Exit(node) => self.exit(node),
            Event::Disaster => self.disaster(),
            Event::Up { from, up } => self.hear(from, up)?,
            Event::Down { to, down } => self.obey(to, down)?,
            Event::ControlIdle(node) => self.member_gone(node, false)?,
            Event::Suspect { child, parent } => self.suspect(child, parent)?,
            Event::Greet(edge) => self.greet(edge),
            Event::DialFailed(edge) => self.dial_failed(edge),
            Event::PermitMissing(edge) => self.permit_missing(edge),
            Event::Made(edge) => self.made(edge),
            Event::Start(edge) => self.start(edge)?,
            Event::Again(edge) => self.again(edge)?,
            Event::Closed { edge, end, told } => self.closed(edge, end, told),
            Event::Idle { edge, end } => self.idle(edge, end),
            Event::Arrive(edge) => self.arrive(edge)?,
            Event::Uplink(node) => self.serve(node)?,
            Event::Silent(edge) => self.look_for_silence(edge),
            Event::Look(node) => self.look_for_lateness(node),
            Event::Receipts(node) => self.write_receipts(node),
            Event::RelayBooted { sponsor } => self.relay_booted(sponsor),
            event => self.happen_in_mesh(event)?,
        }
        Ok(())
    }
}
