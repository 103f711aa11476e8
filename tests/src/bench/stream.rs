//! A broadcaster's keys for one round, and what is made with them.

use super::Error;
use certs::seal::{EpochSecret, Publisher};
use certs::x509::{MemberRequest, StreamCa, self_signed, spki_of_public};
use certs::{SigningKey, Verified};
use link::{Clock, Identity};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use wire::codec::{List, Text};
use wire::message::control::{EdgeOrder, Name, NodeKind, NodeRef};
use wire::statement::{BatchedPermit, Permit, PermitKind, Priority, RunStatement, Scope, Signed};
use wire::{Epoch, Rendition, RunId, SpkiHash, StreamId, Stripes, UnixMs};

/// Life of the run, in milliseconds: longer than any round.
const RUN_MS: u64 = 3_600_000;
/// Life of permits, in milliseconds: longer than any round.
const PERMIT_MS: u64 = wire::limits::PERMIT_LIFE_MS_MAX;
/// Bytes of a permit: more than any round sends.
const PERMIT_BYTES: u64 = 1 << 40;

pub(super) struct Stream {
    pub(super) run: Verified<RunStatement>,
    pub(super) signed_run: Signed<RunStatement>,
    /// Coordinator and parent.
    pub(super) station: Identity,
    ca: StreamCa,
    chunk_key: SigningKey,
    permit_key: SigningKey,
}

impl Stream {
    pub(super) fn begin(stripes: Stripes) -> Result<Self, Error> {
        let [key, ca_key, chunk_key, permit_key, beacon_key, node] = keys()?;
        let stream = StreamId(*key.public().as_bytes());
        let now = Clock::new().unix();
        let statement = RunStatement {
            scope: Scope {
                stream,
                run: RunId(random()?),
                epoch: Epoch(0),
            },
            start: now,
            end: now.plus_ms(RUN_MS),
            ca_key: ca_key.public(),
            chunk_key: chunk_key.public(),
            permit_key: permit_key.public(),
            beacon_key: beacon_key.public(),
            coordinator: spki_of_public(&node.public()),
            stripes,
        };
        let signed_run = certs::sign(&key, &statement);
        let run = certs::run::verify(&signed_run, &stream, now)?;
        let ca = StreamCa::new(ca_key, random()?, run.start, run.end)?;
        let station = member(&ca, &run, node)?;
        Ok(Self {
            run,
            signed_run,
            station,
            ca,
            chunk_key,
            permit_key,
        })
    }

    pub(super) fn member(&self) -> Result<Identity, Error> {
        member(&self.ca, &self.run, key()?)
    }

    pub(super) fn permit(&self, parent: SpkiHash, child: SpkiHash, now: UnixMs) -> BatchedPermit {
        let leave = (PermitKind::Push, Priority::FreeRider);
        self.permit_of((parent, child), leave, now)
    }

    /// A permit of this kind and standing.
    pub(super) fn permit_of(
        &self,
        (parent, child): (SpkiHash, SpkiHash),
        (kind, priority): (PermitKind, Priority),
        now: UnixMs,
    ) -> BatchedPermit {
        let permit = Permit {
            scope: self.run.scope.clone(),
            serial: 1,
            kind,
            stripes: self.run.stripes.into(),
            rendition: Rendition(0),
            parent,
            child,
            parent_order: None,
            child_order: None,
            priority,
            byte_budget: PERMIT_BYTES,
            issued: now,
            expiry: now.plus_ms(PERMIT_MS),
        };
        certs::permit::sign(&self.permit_key, &permit)
    }

    pub(super) fn publisher(&self) -> Result<Publisher, Error> {
        let secret = EpochSecret::generate(&SystemRandom::new())?;
        Ok(Publisher::new(
            self.chunk_key.clone(),
            &self.run,
            Epoch(0),
            &secret,
            Rendition(0),
        )?)
    }
}

/// The order for the end of an edge that is dialled.
pub(super) fn order(
    permit: BatchedPermit,
    other: SpkiHash,
    kind: NodeKind,
) -> Result<EdgeOrder, Error> {
    Ok(EdgeOrder {
        permit,
        other: NodeRef {
            spki: other,
            kind,
            name: Name::new("member")?,
            addresses: List::default(),
            admission: None,
        },
        dial: false,
    })
}

/// A holder's identity: a key that nobody vouches for.
pub(super) fn stranger() -> Result<Identity, Error> {
    let key = key()?;
    Ok(Identity {
        certificate: self_signed(&key, Vec::new())?,
        key: Arc::new(key),
    })
}

pub(super) fn key() -> Result<SigningKey, Error> {
    Ok(SigningKey::generate(&SystemRandom::new())?)
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Certs(certs::Error::Randomness))?;
    Ok(bytes)
}

/// Text that is within its bound.
pub(super) fn text<const MAX: usize>(text: &str) -> Result<Text<MAX>, Error> {
    Ok(Text::new(text)?)
}

fn keys() -> Result<[SigningKey; 6], Error> {
    Ok([key()?, key()?, key()?, key()?, key()?, key()?])
}

fn member(ca: &StreamCa, run: &RunStatement, key: SigningKey) -> Result<Identity, Error> {
    let certificate = ca.issue(&MemberRequest {
        key: key.public(),
        name: "member",
        serial: random()?,
        not_before: run.start,
        not_after: run.end,
    })?;
    Ok(Identity {
        key: Arc::new(key),
        certificate,
    })
}
