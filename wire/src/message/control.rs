//! The control link between a member and its coordinator. The first message
//! is the member's [`Up::Join`]; a relay is on the receiving end of the
//! coordinator's dial and starts with [`Up::Ready`].

use crate::codec::{Blob, List, Text};
use crate::id::{AskId, Digest, Nonce, Rendition, SpkiHash};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, CERTIFICATE_BYTES_MAX, NAME_BYTES_MAX, RENDITIONS_MAX,
    SEALED_BYTES_MAX, STRIPES_MAX, TREE_NODES_MAX,
};
use crate::message::edge::Equivocation;
use crate::message::lines::{Lines, Regions};
use crate::message::receipt::{Receipt, Sampling};
use crate::order::Order;
use crate::reason::Reason;
use crate::statement::{
    Ask, BatchedPermit, CapacityClaim, Grant, HeadBeacon, Holding, Introduction, JoinReply,
    Revocation, RunStatement, Signed,
};
use crate::stripe_set::StripeSet;

/// A node's name as it gives it.
pub type Name = Text<NAME_BYTES_MAX>;
/// A node's addresses, `ADDRESS:PORT`, best first.
pub type Addresses = List<Text<ADDRESS_BYTES_MAX>, ADDRESSES_MAX>;
/// A DER certificate.
pub type Certificate = Blob<CERTIFICATE_BYTES_MAX>;
/// An HPKE ciphertext for one member (RFC 9180).
pub type Sealed = Blob<SEALED_BYTES_MAX>;

crate::messages! {
    /// Member (or relay) to coordinator.
    pub enum Up {
        /// Let me in.
        1 => Join(Join),
        /// What I can carry.
        2 => Claim(Signed<CapacityClaim>),
        /// My answer to a question.
        3 => Answer(Answer),
        /// My relay: verify and admit it.
        4 => Introduce(Introduce),
        /// An edge of mine works (verified, if the other end is a relay).
        5 => EdgeUp(EdgeReport),
        /// An edge of mine is gone or was refused.
        6 => EdgeDown(EdgeFailure),
        /// What I received from my parents.
        7 => Receipt(Receipt),
        /// I am leaving; my children know.
        8 => Leave(Empty),
        /// A relay answers the coordinator's dial.
        9 => Ready(Ready),
        /// My children and bytes, for the picture of the tree.
        10 => Load(Load),
        /// The granted redemption failed; the reservation can go.
        11 => RedeemFailed(AskId),
        /// An edge of mine still carries, and should be replaced: the relay
        /// at its other end cannot be verified any more.
        12 => EdgeDoubt(EdgeFailure),
        /// A parent of mine does not send what it should; the edge stands.
        13 => Withheld(Withheld),
        /// I want to go, and serve until my children have other parents.
        14 => Leaving(Empty),
        /// The sender has told two stories; I have seen both.
        15 => Equivocation(Equivocation),
        /// A link to or from a neighbour is gone or was refused.
        16 => NeighbourDown(EdgeFailure),
        /// Let me in again: I was in, and this is what I still have.
        17 => Rejoin(Box<Rejoin>),
        /// I play this rendition from now on, and need no other.
        18 => Playing(Rendition),
        /// How long my links are, and what they lose (since minor version 1).
        19 => Lines(Lines),
        /// I wait for a place, and relays may be had in these regions (since
        /// minor version 1).
        20 => Regions(Regions),
    }
}

crate::messages! {
    /// Coordinator to member (or relay).
    pub enum Down {
        /// You are in.
        1 => Admitted(Box<Admitted>),
        /// You are not, or you are out.
        2 => Refused(Reason),
        /// Make or accept this edge, or renew its permit.
        3 => Edge(Box<EdgeOrder>),
        /// End the edge with this node (a parent drains it first).
        4 => EdgeEnd(EdgeFailure),
        /// Would you sponsor a relay?
        5 => Ask(Signed<Ask>),
        /// You may redeem.
        6 => Granted(Signed<Grant>),
        /// No longer needed; keep your voucher.
        7 => NotNeeded(AskId),
        /// The epoch's secrets, sealed to you.
        8 => Epoch(Sealed),
        /// How far the stream is.
        9 => Beacon(Signed<HeadBeacon>),
        /// A member is out.
        10 => Revoked(Signed<Revocation>),
        /// The tree, for display only.
        11 => Tree(TreePicture),
        /// Your relay is part of the tree.
        12 => RelayAdmitted(SpkiHash),
        /// Your relay was refused.
        13 => RelayRefused(RelayRefusal),
        /// Your membership goes on: the next certificate, by the stream CA.
        14 => Membership(Certificate),
        /// The sender has told two stories; a member has seen both.
        15 => Equivocation(Equivocation),
        /// Which chunks to receipt from now on.
        16 => Sampling(Sampling),
        /// Make or accept this link of neighbours, or renew its permit.
        17 => Neighbour(Box<EdgeOrder>),
        /// End the link with this neighbour.
        18 => NeighbourEnd(EdgeFailure),
        /// You are in again, and your place in the trees is what it was.
        19 => Readmitted(Box<Admitted>),
        /// Whether you miss nothing when any one node but the station dies.
        20 => Guarantee(bool),
        /// Which rendition your next permits are for, and why.
        21 => Move(Move),
    }
}

crate::record! {
    /// Nothing.
    pub struct Empty {}
}

crate::record! {
    /// Asks for membership. The TLS client key is the member's key.
    pub struct Join {
        /// How the member wants to be called.
        pub name: Name,
        /// Fresh; the reply signs it.
        pub nonce: Nonce,
        /// HMAC-SHA-256 under the audience secret over the link's exporter,
        /// nonce and member key: proves the invite without showing it.
        pub proof: Digest,
        /// X25519 key that secrets are sealed to.
        pub sealing_key: [u8; 32],
        /// Where others may dial the member; empty in relay-only mode.
        pub addresses: Addresses,
        /// The member links to relays and the station only (threat F2).
        pub relay_only: bool,
        /// The member will never be asked to sponsor.
        pub never_ask: bool,
    }
}

crate::record! {
    /// Asks for membership once more, and for the place of before.
    pub struct Rejoin {
        /// As at the first time.
        pub join: Join,
        /// What the member still has.
        pub holding: Signed<Holding>,
    }
}

crate::record! {
    /// Everything a new member needs.
    pub struct Admitted {
        /// The run's keys, by the stream key.
        pub run: Signed<RunStatement>,
        /// The answer to the joiner's nonce.
        pub reply: Signed<JoinReply>,
        /// The first membership certificate, by the stream CA; later ones
        /// come as [`Down::Membership`].
        pub certificate: Certificate,
        /// The stream CA's certificate.
        pub ca: Certificate,
        /// HPKE: epoch secret and receipt key (`certs::bundle`).
        pub secrets: Sealed,
        /// The station's name.
        pub station: Name,
        /// The stream's renditions, the best first, as they are numbered from
        /// 0 on: the rate of each in bit/s, as measured or configured.
        pub renditions_bps: List<u64, { RENDITIONS_MAX as usize }>,
        /// Nobody pushes in this run: members pull all of it from each other
        /// and from the station.
        pub pull_only: bool,
    }
}

crate::code! {
    /// Why a member gets another rendition than before.
    pub enum MoveCause {
        /// The better one has no place for it.
        Full = 1 => "full",
        /// Somebody who gives or pays needed its place.
        MadeRoom = 2 => "made_room",
        /// The better one has a place for it.
        Room = 3 => "room",
    }
}

crate::record! {
    /// A member gets another rendition. It plays the old one until it can
    /// begin with the new one, and says so ([`Up::Playing`]).
    pub struct Move {
        /// The one to play.
        pub rendition: Rendition,
        /// Why.
        pub cause: MoveCause,
    }
}

crate::code! {
    /// What a node is.
    pub enum NodeKind {
        /// The station.
        Station = 0 => "station",
        /// A viewer.
        Peer = 1 => "peer",
        /// A relay.
        Relay = 2 => "relay",
    }
}

crate::record! {
    /// The other end of an edge.
    pub struct NodeRef {
        /// Its key.
        pub spki: SpkiHash,
        /// What it is.
        pub kind: NodeKind,
        /// Its name, for people.
        pub name: Name,
        /// Where to dial it; empty if it dials.
        pub addresses: Addresses,
        /// A relay's admission: what its evidence must match.
        pub admission: Option<Admission>,
    }
}

crate::record! {
    /// Why a relay is expected: the order, and the holder's word for its key.
    pub struct Admission {
        /// The order; its id must be in the permit and in the evidence.
        pub order: Order,
        /// Signed by the order's holder key.
        pub introduction: Signed<Introduction>,
    }
}

crate::record! {
    /// One edge to make, accept or renew.
    pub struct EdgeOrder {
        /// The permit.
        pub permit: BatchedPermit,
        /// Who is at the other end.
        pub other: NodeRef,
        /// Whether I dial.
        pub dial: bool,
    }
}

crate::record! {
    /// An edge works.
    pub struct EdgeReport {
        /// Who is at the other end.
        pub other: SpkiHash,
        /// Whether I am the child.
        pub child: bool,
        /// The rendition that comes: a relay may get several from one parent,
        /// each by an edge of its own.
        pub rendition: Rendition,
        /// The stripes of which the first block has come.
        pub stripes: StripeSet,
    }
}

crate::record! {
    /// Stripes that a parent was permitted and does not send.
    pub struct Withheld {
        /// The parent.
        pub parent: SpkiHash,
        /// The rendition.
        pub rendition: Rendition,
        /// The stripes.
        pub stripes: StripeSet,
    }
}

crate::record! {
    /// An edge, or a link of neighbours, does not work or ends.
    pub struct EdgeFailure {
        /// Who is at the other end.
        pub other: SpkiHash,
        /// Whether I am the child.
        pub child: bool,
        /// The rendition of its newest permit.
        pub rendition: Rendition,
        /// Why.
        pub reason: Reason,
    }
}

crate::code! {
    /// What a person says to an ask.
    pub enum Choice {
        /// Yes.
        Accept = 1 => "accept",
        /// No.
        Decline = 2 => "decline",
        /// No, and do not ask again in this run.
        Never = 3 => "never",
    }
}

crate::record! {
    /// An answer.
    pub struct Answer {
        /// The question.
        pub ask: AskId,
        /// What the person said.
        pub choice: Choice,
        /// Whether the round may carry the sponsor's name.
        pub show_name: bool,
    }
}

crate::record! {
    /// A sponsor brings his relay.
    pub struct Introduce {
        /// The question that this relay answers.
        pub ask: AskId,
        /// Order and the holder's introduction.
        pub admission: Admission,
    }
}

crate::record! {
    /// A relay's first message to the coordinator.
    pub struct Ready {
        /// The relay's own claim.
        pub claim: Signed<CapacityClaim>,
    }
}

crate::record! {
    /// What a node carries now, by its own word.
    pub struct Load {
        /// Children.
        pub children: u32,
        /// Block bytes sent in all.
        pub sent_bytes: u64,
        /// Rate of the last seconds in bit/s.
        pub sent_bps: u64,
        /// The node's own delay behind the station in milliseconds.
        pub delay_ms: u64,
    }
}

crate::record! {
    /// Why a relay was not admitted.
    pub struct RelayRefusal {
        /// The relay.
        pub relay: SpkiHash,
        /// Why.
        pub reason: Reason,
    }
}

crate::record! {
    /// A picture of the trees; display only, nothing is decided from it.
    pub struct TreePicture {
        /// The nodes, the station first.
        pub nodes: List<TreeNode, TREE_NODES_MAX>,
        /// Round on the house: sponsor's relays and their lease.
        pub rounds: List<Round, 16>,
    }
}

crate::record! {
    /// One node of the picture.
    pub struct TreeNode {
        /// Its key.
        pub spki: SpkiHash,
        /// What it is.
        pub kind: NodeKind,
        /// Its name.
        pub name: Name,
        /// Its parents, none for the station and for orphans.
        pub parents: List<TreeParent, { STRIPES_MAX as usize }>,
        /// Edges that it may feed: a child takes one for each stripe.
        pub edges: u32,
        /// Its delay by its own word, in milliseconds.
        pub delay_ms: u64,
        /// Its upload by its own word, in bit/s.
        pub sent_bps: u64,
    }
}

crate::record! {
    /// Who gives a node of the picture some stripes.
    pub struct TreeParent {
        /// The place of the parent among the picture's nodes, from 0.
        pub node: u16,
        /// The rendition.
        pub rendition: Rendition,
        /// The stripes.
        pub stripes: StripeSet,
    }
}

impl TreePicture {
    /// A node of the picture by its key.
    #[must_use]
    pub fn node(&self, spki: SpkiHash) -> Option<&TreeNode> {
        self.nodes.iter().find(|node| node.spki == spki)
    }

    /// Who gives this node what; a parent that is not in the picture is left
    /// out.
    pub fn parents<'a>(
        &'a self,
        node: &'a TreeNode,
    ) -> impl Iterator<Item = (&'a TreeNode, StripeSet)> {
        let parents = node.parents.iter();
        parents.filter_map(|p| Some((self.nodes.get(usize::from(p.node))?, p.stripes)))
    }
}

crate::record! {
    /// One bought round.
    pub struct Round {
        /// The relay.
        pub relay: SpkiHash,
        /// The sponsor's name, empty if he did not want it shown.
        pub sponsor: Name,
        /// Milliseconds of paid time left.
        pub left_ms: u64,
        /// Viewers below the relay.
        pub carries: u32,
    }
}
