//! What control messages cost: real ones are signed and encoded once each,
//! and counted as often as they are said.

use super::Error;
use super::message::{Down, Up, Why};
use super::stream::{EPOCH_MS, Keys, RENDITION};
use certs::x509::{MemberRequest, StreamCa};
use wire::codec::{Blob, List, Text};
use wire::limits::PERMIT_PATH_MAX;
use wire::message::control::{
    self, Addresses, Admission, Admitted, Answer, Choice, EdgeFailure, EdgeOrder, EdgeReport,
    Empty, Introduce, Join, Name, NodeKind, NodeRef, Withheld,
};
use wire::message::lines::{Line, Lines};
use wire::message::mesh;
use wire::message::receipt::Receipt;
use wire::order::Order;
use wire::statement::{
    Ask, CapacityClaim, Cause, ChunkKey, Grant, HeadBeacon, Introduction, JoinReply, Permit,
    PermitKind, Priority, Step,
};
use wire::{
    AskId, Digest, Encode, Nonce, OrderId, Reason, Rendition, Sequence, SpkiHash, Stripe,
    StripeSet, UnixMs,
};

/// The length before each message: a varint.
const LENGTH_BYTES: u64 = 2;
/// A hash as good as any other: only lengths count.
const SPKI: SpkiHash = SpkiHash([5; 32]);
/// A receipt's interval in chunks, as bytes of a bitmap.
const BITMAP_BYTES: usize = 4;
/// What HPKE makes of an epoch secret and a receipt key.
const SEALED_BYTES: usize = 150;

/// Bytes of each message, its length included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    join: u64,
    claim: u64,
    answer: u64,
    introduce: u64,
    edge_up: u64,
    withheld: u64,
    edge_down: u64,
    receipt: u64,
    leave: u64,
    /// Without links, and of each link.
    lines: (u64, u64),
    admitted: u64,
    refused: u64,
    edge: u64,
    relay_edge: u64,
    edge_end: u64,
    neighbour: u64,
    neighbour_end: u64,
    neighbour_down: u64,
    pull: u64,
    refusal: u64,
    ask: u64,
    granted: u64,
    not_needed: u64,
    beacon: u64,
}

fn bytes(message: &impl Encode) -> u64 {
    message.to_bytes().len() as u64 + LENGTH_BYTES
}

impl Sizes {
    pub(super) fn measure(keys: &Keys) -> Result<Self, Error> {
        let failure = EdgeFailure {
            other: SPKI,
            child: true,
            rendition: Rendition(0),
            reason: Reason::Withheld,
        };
        let (ask, granted) = asking(keys);
        let admission = admission(keys)?;
        let edge_up = control::Up::EdgeUp(EdgeReport {
            other: SPKI,
            child: true,
            rendition: Rendition(0),
            stripes: StripeSet::one(Stripe(0)),
        });
        let withheld = control::Up::Withheld(Withheld {
            parent: SPKI,
            rendition: Rendition(0),
            stripes: StripeSet::one(Stripe(0)),
        });
        let answer = Answer {
            ask: AskId(9),
            choice: Choice::Decline,
            show_name: false,
        };
        let introduce = Introduce {
            ask: AskId(9),
            admission: admission.clone(),
        };
        Ok(Self {
            join: bytes(&control::Up::Join(join()?)),
            claim: claim(keys),
            answer: bytes(&control::Up::Answer(answer)),
            introduce: bytes(&control::Up::Introduce(introduce)),
            edge_up: bytes(&edge_up),
            withheld: bytes(&withheld),
            edge_down: bytes(&control::Up::EdgeDown(failure.clone())),
            neighbour_down: bytes(&control::Up::NeighbourDown(failure.clone())),
            neighbour_end: bytes(&control::Down::NeighbourEnd(failure.clone())),
            neighbour: bytes(&control::Down::Neighbour(Box::new(order(keys, None)?))),
            pull: bytes(&mesh::Mesh::Pull(pull())),
            refusal: bytes(&mesh::Mesh::Refused(refusal())),
            receipt: bytes(&control::Up::Receipt(receipt(keys)?)),
            leave: bytes(&control::Up::Leave(Empty {})),
            lines: lines(),
            admitted: bytes(&control::Down::Admitted(Box::new(admitted(keys)?))),
            refused: bytes(&control::Down::Refused(Reason::NoCapacity)),
            edge: bytes(&control::Down::Edge(Box::new(order(keys, None)?))),
            relay_edge: bytes(&control::Down::Edge(Box::new(order(
                keys,
                Some(admission),
            )?))),
            edge_end: bytes(&control::Down::EdgeEnd(failure)),
            ask,
            granted,
            not_needed: bytes(&control::Down::NotNeeded(AskId(9))),
            beacon: beacon(keys),
        })
    }

    pub(super) const fn pull(&self) -> u64 {
        self.pull
    }

    pub(super) const fn refusal(&self) -> u64 {
        self.refusal
    }

    /// A map grows with what it says.
    pub(super) fn map(&self, map: &mesh::Map) -> u64 {
        bytes(&mesh::Mesh::Map(map.clone()))
    }

    pub(super) const fn up(&self, up: &Up) -> u64 {
        match up {
            Up::Join => self.join,
            Up::Claim => self.claim,
            Up::Answer { .. } => self.answer,
            Up::Introduce { .. } => self.introduce,
            Up::Works { .. } => self.edge_up,
            Up::EdgeDown {
                why: Why::Gone | Why::PermitMissing | Why::Reparented,
                ..
            }
            | Up::ChildGone { .. } => self.edge_down,
            Up::Withheld { .. } => self.withheld,
            Up::NeighbourDown { .. } => self.neighbour_down,
            Up::Receipt { .. } => self.receipt,
            Up::Leave => self.leave,
            Up::Lines { count } => self.lines.0 + self.lines.1 * *count as u64,
        }
    }

    /// `relay` says whether the other end of the edge is a relay.
    pub(super) const fn down(&self, down: &Down, relay: bool) -> u64 {
        match down {
            Down::Admitted => self.admitted,
            Down::Refused => self.refused,
            Down::Edge { .. } if relay => self.relay_edge,
            Down::Edge { .. } => self.edge,
            Down::EdgeEnd { .. } => self.edge_end,
            Down::Neighbour { .. } => self.neighbour,
            Down::NeighbourEnd { .. } => self.neighbour_end,
            Down::Ask { .. } => self.ask,
            Down::Granted => self.granted,
            Down::NotNeeded => self.not_needed,
            Down::Beacon { .. } => self.beacon,
        }
    }
}

fn pull() -> mesh::Pull {
    mesh::Pull {
        chunk: ChunkKey {
            rendition: RENDITION,
            init: false,
            sequence: Sequence(10_000),
        },
        index: 9,
        header: false,
    }
}

fn refusal() -> mesh::PullRefusal {
    let pull = pull();
    mesh::PullRefusal {
        chunk: pull.chunk,
        index: pull.index,
        reason: Reason::RepairNotHere,
    }
}

/// Of a question, and of a grant.
fn asking(keys: &Keys) -> (u64, u64) {
    let scope = keys.statement.scope.clone();
    let ask = Ask {
        scope: scope.clone(),
        ask: AskId(9),
        member: SPKI,
        cause: Cause::Leave,
        step: Step::Leaves,
        deficit_bps: 50_000_000,
        viewers_short: 100,
        rounds_wanted: 5,
        deadline_ms: 20_000,
        issued: EPOCH_MS,
        regions: wire::codec::List::default(),
    };
    let grant = Grant {
        scope,
        ask: AskId(9),
        member: SPKI,
        expiry: EPOCH_MS,
    };
    let ask = control::Down::Ask(certs::sign(&keys.permit, &ask));
    let grant = control::Down::Granted(certs::sign(&keys.permit, &grant));
    (bytes(&ask), bytes(&grant))
}

fn claim(keys: &Keys) -> u64 {
    let claim = CapacityClaim {
        scope: keys.statement.scope.clone(),
        node: SPKI,
        upload_bps: 20_000_000,
        issued: EPOCH_MS,
    };
    bytes(&control::Up::Claim(certs::sign(&keys.member, &claim)))
}

/// A report of no links, and what each link adds.
fn lines() -> (u64, u64) {
    let of = |count| {
        let line = Line {
            other: SPKI,
            rtt_us: 80_000,
            sent: 2_000,
            lost: 5,
        };
        let lines = List::new(vec![line; count]).unwrap_or_default();
        bytes(&control::Up::Lines(Lines { lines }))
    };
    (of(0), of(1).saturating_sub(of(0)))
}

fn beacon(keys: &Keys) -> u64 {
    let beacon = HeadBeacon {
        scope: keys.statement.scope.clone(),
        rendition: RENDITION,
        head: Sequence(10_000),
        header: Digest([1; 32]),
        now: EPOCH_MS,
    };
    bytes(&control::Down::Beacon(certs::sign(&keys.beacon, &beacon)))
}

fn addresses() -> Result<Addresses, Error> {
    let address = Text::new("203.0.113.200:45678")?;
    Ok(List::new(vec![address])?)
}

fn join() -> Result<Join, Error> {
    Ok(Join {
        name: Name::new("somebody")?,
        nonce: Nonce([3; 32]),
        proof: Digest([4; 32]),
        sealing_key: [5; 32],
        addresses: addresses()?,
        relay_only: false,
        never_ask: false,
    })
}

fn admitted(keys: &Keys) -> Result<Admitted, Error> {
    let (start, end) = (EPOCH_MS, UnixMs(EPOCH_MS.0 + 3_600_000));
    let ca = StreamCa::new(keys.ca.clone(), [1; 16], start, end)?;
    let certificate = ca.issue(&MemberRequest {
        key: keys.member.public(),
        name: "somebody",
        serial: [2; 16],
        not_before: start,
        not_after: end,
    })?;
    let reply = JoinReply {
        scope: keys.statement.scope.clone(),
        nonce: Nonce([3; 32]),
        member: SPKI,
        head: Some(Sequence(10_000)),
        header: Digest([1; 32]),
        issued: EPOCH_MS,
    };
    Ok(Admitted {
        run: keys.signed.clone(),
        reply: certs::sign(&keys.permit, &reply),
        // The CA's own is about as long as one that it issues.
        ca: Blob::new(certificate.clone())?,
        certificate: Blob::new(certificate)?,
        secrets: Blob::new(vec![0; SEALED_BYTES])?,
        station: Name::new("the station")?,
        renditions_bps: List::new(vec![3_000_000])?,
        pull_only: false,
    })
}

fn admission(keys: &Keys) -> Result<Admission, Error> {
    let order = Order {
        holder_key: keys.member.public(),
        voucher_nonce: Digest([1; 32]),
        class: Text::new("small.local.1h.45gb.2026q4")?,
        channel: Text::new("stable")?,
        desk_key: keys.stream.public(),
        lease_ms: 3_600_000,
        byte_cap: 45_000_000_000,
    };
    let introduction = Introduction {
        scope: keys.statement.scope.clone(),
        order: OrderId([1; 32]),
        relay: SPKI,
        sponsor: SPKI,
        address: Text::new("203.0.113.200:45678")?,
        issued: EPOCH_MS,
    };
    Ok(Admission {
        order,
        introduction: certs::sign(&keys.member, &introduction),
    })
}

fn order(keys: &Keys, admission: Option<Admission>) -> Result<EdgeOrder, Error> {
    let relay = admission.is_some();
    let permit = Permit {
        scope: keys.statement.scope.clone(),
        serial: 100_000,
        kind: PermitKind::Push,
        stripes: StripeSet::one(Stripe(0)),
        rendition: RENDITION,
        parent: SPKI,
        child: SPKI,
        parent_order: relay.then_some(OrderId([1; 32])),
        child_order: None,
        priority: Priority::FreeRider,
        byte_budget: 100_000_000,
        issued: EPOCH_MS,
        expiry: EPOCH_MS,
    };
    // As in a full batch, which is the most that it takes.
    let mut permit = certs::permit::sign(&keys.permit, &permit);
    permit.path = List::new(vec![Digest([1; 32]); PERMIT_PATH_MAX])?;
    Ok(EdgeOrder {
        permit,
        other: NodeRef {
            spki: SPKI,
            kind: if relay {
                NodeKind::Relay
            } else {
                NodeKind::Peer
            },
            name: Name::new("somebody")?,
            addresses: addresses()?,
            admission,
        },
        dial: true,
    })
}

fn receipt(keys: &Keys) -> Result<Receipt, Error> {
    Ok(Receipt {
        scope: keys.statement.scope.clone(),
        member: SPKI,
        interval: 100,
        parent: SPKI,
        rendition: Rendition(0),
        stripe: Stripe(0),
        first: Sequence(10_000),
        in_time: Blob::new(vec![0xff; BITMAP_BYTES])?,
        late: Blob::new(vec![0; BITMAP_BYTES])?,
        cumulative_bytes: 100_000_000,
        mac: Digest([1; 32]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::node::{EdgeIx, End};

    #[test]
    fn messages_have_the_lengths_of_real_ones() {
        let sizes = Sizes::measure(&Keys::new(1, wire::Stripes::SINGLE).unwrap()).unwrap();
        let edge = Down::Edge {
            edge: EdgeIx(0),
            end: End::Child,
            stripes: StripeSet::one(Stripe(0)),
        };
        let order = sizes.down(&edge, false);
        assert!((450..700).contains(&order), "{order}");
        assert!(sizes.down(&edge, true) > order + 200);
        assert!(sizes.up(&Up::Join) > 128);
        assert!(sizes.down(&Down::Beacon { head: 1 }, false) > 100);
    }
}
