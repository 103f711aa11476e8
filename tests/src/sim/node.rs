//! Nodes and the edges between them, as they are (not as they are planned).

use super::mesh::LinkIx;
use super::network::Place;
use super::playout::Playout;
use super::uplink::Uplink;
use overlay::Forwarder;
use overlay::mesh::Puller;
use std::collections::{BTreeMap, VecDeque};
use wire::message::edge::Start;
use wire::statement::{ChunkKey, Priority};
use wire::{Reason, Sequence, StripeSet};

/// Names a node; never used twice.
pub(super) type Id = u32;
/// The station.
pub(super) const STATION: Id = 0;

/// Names an edge; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EdgeIx(pub(super) u32);

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Station,
    Viewer,
    Relay { sponsor: Id },
}

/// What a cheat does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cheat {
    /// Takes children and sends nothing.
    Silent,
    /// Claims more than it has.
    Boasting,
    /// Sends everything so much late.
    Late { us: u64 },
}

/// One program that runs, or ran.
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) place: Place,
    pub(super) claim_bps: u64,
    pub(super) download_bps: u64,
    pub(super) cheat: Option<Cheat>,
    pub(super) alive: bool,
    /// When it died without a word; its control link is silent since then.
    pub(super) died_us: Option<u64>,
    /// Says goodbye and serves on for a moment.
    pub(super) leaving: bool,
    pub(super) forwarder: Forwarder<(), Id>,
    pub(super) uplink: Uplink,
    /// When the download is free again.
    pub(super) download_free_us: u64,
    pub(super) parents: Vec<EdgeIx>,
    pub(super) children: Vec<EdgeIx>,
    /// Links of neighbours, and which end of them this node is.
    pub(super) links: Vec<(LinkIx, End)>,
    pub(super) puller: Puller<Id>,
    /// It tells what it has, and looks for what it lacks, now and then.
    pub(super) says: bool,
    pub(super) looks: bool,
    pub(super) playout: Playout,
    /// The head of the newest beacon.
    pub(super) head: Option<u64>,
    /// The newest complete chunk.
    pub(super) newest: Option<u64>,
    /// Head and newest when a parent was last looked at.
    pub(super) lag_before: Option<(u64, Option<u64>)>,
    pub(super) control_bytes: u64,
    pub(super) times_asked: u32,
    pub(super) has_paid: bool,
    pub(super) refused: bool,
}

impl Node {
    /// The links of which the node is this end.
    pub(super) fn links_at(&self, end: End) -> impl Iterator<Item = LinkIx> + '_ {
        let at = self.links.iter().filter(move |(_, e)| *e == end);
        at.map(|(link, _)| *link)
    }
}

/// Which end of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Child,
    Parent,
}

impl End {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Child => Self::Parent,
            Self::Parent => Self::Child,
        }
    }
}

/// How far one end of an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The coordinator's order has not come.
    None,
    /// It has.
    Ordered,
    /// The other end is there and verified; parents send.
    Running,
    Ended,
}

/// A record on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// A group begins.
    Group,
    Header(ChunkKey),
    Block {
        chunk: ChunkKey,
        index: u16,
    },
    Dropped {
        from: Sequence,
        to: Sequence,
        stripes: StripeSet,
        reason: Reason,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub(super) arrives_us: u64,
    pub(super) bytes: u64,
    pub(super) record: Record,
}

/// What the child has to receipt of one stripe of an edge.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    /// Blocks here of chunks of which the stripe is not whole.
    pub(super) partial: VecDeque<(u64, u16)>,
    pub(super) bytes: u64,
    pub(super) in_time: u64,
    /// The chunks that the next receipt speaks of.
    pub(super) first: Option<u64>,
    pub(super) newest: Option<u64>,
    /// The newest chunk of the receipt before.
    pub(super) receipted: Option<u64>,
}

/// One link between a parent and a child, with all its stripes.
pub(super) struct Edge {
    pub(super) parent: Id,
    pub(super) child: Id,
    pub(super) priority: Priority,
    pub(super) at_child: Step,
    pub(super) at_parent: Step,
    /// The dialler's greeting waits for the other end's order.
    pub(super) greeted: bool,
    /// What the child asked for.
    pub(super) start: Option<Start>,
    /// Stripes that the permit names, as each end has heard.
    pub(super) wanted: StripeSet,
    pub(super) granted: StripeSet,
    /// Stripes of which the first block has come.
    pub(super) up: StripeSet,
    /// A record that waits for the uplink.
    pub(super) pending: Option<(Record, u64)>,
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) last_arrival_us: u64,
    /// By stripe: when the last block came, or the child began to wait.
    pub(super) heard_us: Vec<u64>,
    /// By stripe.
    pub(super) accounts: Vec<Account>,
    pub(super) sent_bytes: u64,
    pub(super) sent_block_bytes: u64,
    pub(super) arrived_bytes: u64,
    /// Came when nobody was there any more.
    pub(super) discarded_bytes: u64,
    /// Blocks that were sent, by chunk, for the check that none is twice.
    pub(super) sent: BTreeMap<ChunkKey, u128>,
}

impl Edge {
    /// An edge that nobody knows of yet; `width` is k+m.
    pub(super) fn new((parent, child): (Id, Id), priority: Priority, width: u8) -> Self {
        Self {
            parent,
            child,
            priority,
            at_child: Step::None,
            at_parent: Step::None,
            greeted: false,
            start: None,
            wanted: StripeSet::EMPTY,
            granted: StripeSet::EMPTY,
            up: StripeSet::EMPTY,
            pending: None,
            in_flight: VecDeque::new(),
            last_arrival_us: 0,
            heard_us: vec![0; usize::from(width)],
            accounts: vec![Account::default(); usize::from(width)],
            sent_bytes: 0,
            sent_block_bytes: 0,
            arrived_bytes: 0,
            discarded_bytes: 0,
            sent: BTreeMap::new(),
        }
    }

    pub(super) const fn node_at(&self, end: End) -> Id {
        match end {
            End::Child => self.child,
            End::Parent => self.parent,
        }
    }

    pub(super) const fn step(&self, end: End) -> Step {
        match end {
            End::Child => self.at_child,
            End::Parent => self.at_parent,
        }
    }

    pub(super) const fn set_step(&mut self, end: End, step: Step) {
        match end {
            End::Child => self.at_child = step,
            End::Parent => self.at_parent = step,
        }
    }

    /// Notes that a block goes out; false if it has gone out before.
    pub(super) fn note_sent(&mut self, chunk: ChunkKey, index: u16) -> bool {
        // Long past chunks are not sent any more.
        while self.sent.len() > 256 {
            self.sent.pop_first();
        }
        let seen = self.sent.entry(chunk).or_default();
        let bit = 1u128 << (index & 127);
        let fresh = *seen & bit == 0;
        *seen |= bit;
        fresh
    }
}

impl Account {
    /// A block has come first from here; true once all `rows` of the chunk
    /// have, in this stripe.
    pub(super) fn note_arrived(&mut self, sequence: u64, rows: u16) -> bool {
        if rows <= 1 {
            return true;
        }
        let found = self.partial.iter().rposition(|(s, _)| *s == sequence);
        let Some(at) = found else {
            self.partial.push_back((sequence, 1));
            if self.partial.len() > 64 {
                self.partial.pop_front();
            }
            return false;
        };
        let whole = self.partial.get_mut(at).is_some_and(|(_, count)| {
            *count += 1;
            *count >= rows
        });
        if whole {
            self.partial.remove(at);
        }
        whole
    }
}
