//! What a station needs to take its run up again, as bytes: keys, epoch,
//! members, relays and the edges between them. Pure; [`store`] keeps it.
//!
//! ```text
//! DATA/run/               0700
//!   lock                  held while the station is on the air
//!   state                 0600; this, replaced whole, some time after a change
//!   chunks.0, chunks.1    0600; what was published last, each chunk on the
//!                         disk before it leaves
//! ```
//!
//! Whoever can read the folder is the station until the run ends, as with the
//! stream key beside it.

#![allow(unreachable_pub, reason = "a record's fields are all public")]

pub(super) mod journal;
pub(super) mod store;

use certs::SigningKey;
use ring::digest::{SHA256, digest};
use wire::codec::{List, Text};
use wire::limits::{ADDRESS_BYTES_MAX, STRIPES_MAX};
use wire::message::control::{Addresses, Admission, Certificate, Name, NodeKind};
use wire::statement::{RunStatement, Signed};
use wire::{
    Decode, DecodeError, Encode, Epoch, OrderId, PublicKey, Reader, SpkiHash, StripeSet, UnixMs,
};
use zeroize::Zeroizing;

/// The first bytes of a state; another format gets another name.
const LABEL: &[u8] = b"roundcast/run-state/v1\0";
/// Length of the digest behind the label, in bytes.
const DIGEST_BYTES: usize = 32;
/// A state, in bytes: what [`MEMBERS_MAX`] members and their edges take.
pub(super) const STATE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Members and relays: what one coordinator plans for, and room.
const MEMBERS_MAX: usize = 16_384;
/// Pairs of members with an edge: a new and an old parent for each stripe.
const EDGES_MAX: usize = MEMBERS_MAX * 2 * STRIPES_MAX as usize;
/// Members that were thrown out in one run.
const EVICTED_MAX: usize = 65_536;
/// What a member takes in the file, roughly, in bytes.
const MEMBER_BYTES: usize = 2 * 1024;

/// 32 secret bytes: zeroed on drop, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn of(key: &SigningKey) -> Self {
        Self::new(key.seed())
    }

    pub(super) fn key(&self) -> SigningKey {
        SigningKey::from_seed(*self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Encode for Secret {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.expose());
    }
}

impl Decode for Secret {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let read = r.take(32, "a secret")?;
        for (to, from) in bytes.iter_mut().zip(read) {
            *to = *from;
        }
        Ok(Self(bytes))
    }
}

wire::record! {
    /// The run's keys.
    pub struct Keyring {
        /// The stream CA's.
        pub ca: Secret,
        /// Serial of its certificate.
        pub ca_serial: [u8; 16],
        /// Signs chunk headers.
        pub chunk: Secret,
        /// Signs permits.
        pub permit: Secret,
        /// Signs beacons.
        pub beacon: Secret,
        /// The station's own.
        pub node: Secret,
        /// What the invite carries.
        pub audience: Secret,
    }
}

wire::record! {
    /// A member, or a relay that was admitted.
    pub struct SavedMember {
        pub spki: SpkiHash,
        pub key: PublicKey,
        pub name: Name,
        pub kind: NodeKind,
        pub addresses: Addresses,
        pub relay_only: bool,
        pub never_ask: bool,
        pub claim_bps: u64,
        pub admission: Option<Admission>,
        pub sponsor: Option<SpkiHash>,
        pub lease_end: UnixMs,
    }
}

wire::record! {
    /// An edge; nodes are told by their place among the members, from 1; 0 is
    /// the station.
    pub struct SavedEdge {
        pub child: u32,
        pub parent: u32,
        pub stripes: StripeSet,
    }
}

wire::record! {
    /// Relays that a member may still introduce.
    pub struct SavedGrant {
        pub member: SpkiHash,
        pub left: u32,
    }
}

wire::record! {
    /// An order whose relay was part of the trees, and who brought it.
    pub struct SavedRound {
        pub sponsor: SpkiHash,
        pub order: OrderId,
    }
}

wire::record! {
    /// A run, and how far it had come.
    pub struct Saved {
        /// By the stream key. The epoch's secret is not saved: the next life
        /// begins an epoch of its own.
        pub run: Signed<RunStatement>,
        pub keyring: Keyring,
        /// The station's own membership.
        pub certificate: Certificate,
        /// How often the run was taken up: numbers that must not come twice
        /// begin with it.
        pub lives: u32,
        /// The newest epoch that anything was signed in.
        pub epoch: Epoch,
        /// Where the socket was bound, `ADDRESS:PORT`.
        pub bound: Text<ADDRESS_BYTES_MAX>,
        pub members: List<SavedMember, MEMBERS_MAX>,
        pub edges: List<SavedEdge, EDGES_MAX>,
        pub evicted: List<SpkiHash, EVICTED_MAX>,
        pub shown_sponsors: List<SpkiHash, MEMBERS_MAX>,
        pub grants: List<SavedGrant, MEMBERS_MAX>,
        pub rounds: List<SavedRound, MEMBERS_MAX>,
    }
}

impl Saved {
    /// The file's bytes.
    pub(super) fn to_file(&self) -> Zeroizing<Vec<u8>> {
        // As large as it gets: growing would leave copies of keys in memory.
        let members = self.members.len().saturating_add(self.edges.len() / 64);
        let len = members.saturating_mul(MEMBER_BYTES).saturating_add(
            EVICTED_MAX.saturating_add(self.evicted.len().saturating_mul(DIGEST_BYTES)),
        );
        let mut body = Zeroizing::new(Vec::with_capacity(len));
        self.encode(&mut body);
        let mut file = Zeroizing::new(Vec::with_capacity(
            body.len().saturating_add(LABEL.len() + DIGEST_BYTES),
        ));
        file.extend_from_slice(LABEL);
        file.extend_from_slice(digest(&SHA256, &body).as_ref());
        file.extend_from_slice(&body);
        file
    }

    /// Reads a file's bytes, or says what is wrong with them.
    pub(super) fn from_file(bytes: &[u8]) -> Result<Self, String> {
        let body = bytes
            .strip_prefix(LABEL)
            .ok_or("it is no saved run, or another version's")?;
        let (told, body) = body
            .split_at_checked(DIGEST_BYTES)
            .ok_or("it ends too early")?;
        if digest(&SHA256, body).as_ref() != told {
            return Err("its digest is wrong".to_owned());
        }
        Self::from_bytes(body).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests;
