//! A broadcaster's keys and what he makes with them.

use super::{now, random, rng};
use crate::Failure;
use certs::seal::{EpochSecret, Openers, Publisher, SealedChunk};
use certs::x509::{MemberRequest, StreamCa, self_signed, spki_of_public};
use certs::{SigningKey, Verified};
use link::Identity;
use std::sync::Arc;
use wire::statement::{
    ChunkFlags, HeadBeacon, Permit, PermitKind, Priority, RunStatement, Scope, Signed,
};
use wire::{
    Digest, Epoch, Rendition, RunId, Sequence, SpkiHash, StreamId, Stripe, StripeSet, Stripes,
    UnixMs,
};

/// How long before now a run of the stage began, in milliseconds.
const BEGUN_MS: u64 = 10_000;
/// Life of a run of the stage, in milliseconds.
const RUN_MS: u64 = 3_600_000;
/// Life of a permit of the stage, in milliseconds.
const PERMIT_MS: u64 = 60_000;

/// The keys of a station, as the station itself has them.
#[derive(Debug)]
pub struct Stream {
    /// The stream's key.
    pub key: SigningKey,
    /// The run, verified.
    pub run: Verified<RunStatement>,
    /// The run, as it travels.
    pub signed_run: Signed<RunStatement>,
    /// The stream CA.
    pub ca: StreamCa,
    /// Signs headers.
    pub chunk_key: SigningKey,
    /// Signs permits, asks and grants.
    pub permit_key: SigningKey,
    /// Signs head beacons.
    pub beacon_key: SigningKey,
    /// The station's own identity: the coordinator.
    pub station: Identity,
    /// The epoch's secret.
    pub secret: EpochSecret,
}

impl Stream {
    /// A new stream in its first run.
    ///
    /// # Errors
    /// The keys cannot be made.
    pub fn begin() -> Result<Self, Failure> {
        let key = SigningKey::generate(&rng())?;
        let chunk_key = SigningKey::generate(&rng())?;
        Self::run(key, chunk_key, EpochSecret::generate(&rng())?)
    }

    /// Another run of the same station, restored from a backup: its stream
    /// key, chunk key and epoch secret are those of before.
    ///
    /// # Errors
    /// The keys cannot be made.
    pub fn restored(&self) -> Result<Self, Failure> {
        Self::run(
            self.key.clone(),
            self.chunk_key.clone(),
            self.secret.clone(),
        )
    }

    /// Another stream of the same broadcaster, who uses one chunk key for all.
    ///
    /// # Errors
    /// The keys cannot be made.
    pub fn renamed(&self) -> Result<Self, Failure> {
        Self::run(
            SigningKey::generate(&rng())?,
            self.chunk_key.clone(),
            self.secret.clone(),
        )
    }

    /// A stream that is cut into several trees.
    ///
    /// # Errors
    /// The keys cannot be made.
    pub fn striped(stripes: Stripes) -> Result<Self, Failure> {
        let secret = EpochSecret::generate(&rng())?;
        Self::cut(
            SigningKey::generate(&rng())?,
            SigningKey::generate(&rng())?,
            secret,
            stripes,
        )
    }

    fn run(key: SigningKey, chunk_key: SigningKey, secret: EpochSecret) -> Result<Self, Failure> {
        Self::cut(key, chunk_key, secret, Stripes::SINGLE)
    }

    fn cut(
        key: SigningKey,
        chunk_key: SigningKey,
        secret: EpochSecret,
        stripes: Stripes,
    ) -> Result<Self, Failure> {
        let [ca_key, permit_key, beacon_key, node] = [
            SigningKey::generate(&rng())?,
            SigningKey::generate(&rng())?,
            SigningKey::generate(&rng())?,
            SigningKey::generate(&rng())?,
        ];
        let stream = StreamId(*key.public().as_bytes());
        let start = UnixMs(now().0.saturating_sub(BEGUN_MS));
        let end = now().plus_ms(RUN_MS);
        let statement = RunStatement {
            scope: Scope {
                stream,
                run: RunId(random()?),
                epoch: Epoch(0),
            },
            start,
            end,
            ca_key: ca_key.public(),
            chunk_key: chunk_key.public(),
            permit_key: permit_key.public(),
            beacon_key: beacon_key.public(),
            coordinator: spki_of_public(&node.public()),
            stripes,
        };
        let signed_run = certs::sign(&key, &statement);
        let run = certs::run::verify(&signed_run, &stream, now())?;
        let ca = StreamCa::new(ca_key, random()?, start, end)?;
        let station = issue(&ca, run.start, run.end, node, "station")?;
        Ok(Self {
            key,
            run,
            signed_run,
            ca,
            chunk_key,
            permit_key,
            beacon_key,
            station,
            secret,
        })
    }

    /// Lets a new member in.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn member(&self, name: &str) -> Result<Identity, Failure> {
        self.member_until(name, self.run.end)
    }

    /// A member whose membership ends, or has ended, at this time.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn member_until(&self, name: &str, not_after: UnixMs) -> Result<Identity, Failure> {
        let key = SigningKey::generate(&rng())?;
        issue(&self.ca, self.run.start, not_after, key, name)
    }

    /// A permit for one edge, not yet signed.
    #[must_use]
    pub fn permit(&self, parent: SpkiHash, child: SpkiHash) -> Permit {
        Permit {
            scope: self.run.scope.clone(),
            serial: 1,
            kind: PermitKind::Push,
            stripes: StripeSet::one(Stripe(0)),
            rendition: Rendition(0),
            parent,
            child,
            parent_order: None,
            child_order: None,
            priority: Priority::FreeRider,
            byte_budget: 1 << 30,
            issued: now(),
            expiry: now().plus_ms(PERMIT_MS),
        }
    }

    /// A beacon that says that the stream is as far as `head`.
    #[must_use]
    pub fn beacon(&self, head: Sequence, header: Digest) -> Signed<HeadBeacon> {
        let beacon = HeadBeacon {
            scope: self.run.scope.clone(),
            rendition: Rendition(0),
            head,
            header,
            now: now(),
        };
        certs::sign(&self.beacon_key, &beacon)
    }

    /// A publisher of this run's first epoch.
    ///
    /// # Errors
    /// The keys do not go together.
    pub fn publisher(&self) -> Result<Publisher, Failure> {
        self.publisher_of(Rendition(0))
    }

    /// The same of another rendition.
    ///
    /// # Errors
    /// The keys do not go together.
    pub fn publisher_of(&self, rendition: Rendition) -> Result<Publisher, Failure> {
        let key = self.chunk_key.clone();
        let (run, secret) = (&self.run, &self.secret);
        Ok(Publisher::new(key, run, Epoch(0), secret, rendition)?)
    }

    /// What a member opens chunks with.
    #[must_use]
    pub fn openers(&self) -> Openers {
        let mut openers = Openers::new(self.run.scope.stream, self.run.scope.run);
        openers.add(Epoch(0), self.secret.clone());
        openers
    }
}

/// An identity whose certificate nobody signed but itself.
///
/// # Errors
/// The certificate cannot be made.
pub fn stranger() -> Result<Identity, Failure> {
    self_made(SigningKey::generate(&rng())?, Vec::new())
}

/// A self-signed identity of this key, with these certificate extensions.
///
/// # Errors
/// The certificate cannot be made.
pub fn self_made(
    key: SigningKey,
    extensions: Vec<(Vec<u64>, Vec<u8>)>,
) -> Result<Identity, Failure> {
    let certificate = self_signed(&key, extensions)?;
    Ok(Identity {
        key: Arc::new(key),
        certificate,
    })
}

/// An init segment and one key frame of `media`.
///
/// # Errors
/// Those of the publisher.
pub fn two_chunks(publisher: &mut Publisher, media: &[u8]) -> Result<[SealedChunk; 2], Failure> {
    let init = ChunkFlags {
        init: true,
        ..ChunkFlags::default()
    };
    let key = ChunkFlags {
        key: true,
        ..ChunkFlags::default()
    };
    Ok([
        publisher.publish(b"init", 0, 0, now(), init)?,
        publisher.publish(media, 0, 200_000, now(), key)?,
    ])
}

fn issue(
    ca: &StreamCa,
    not_before: UnixMs,
    not_after: UnixMs,
    key: SigningKey,
    name: &str,
) -> Result<Identity, Failure> {
    let certificate = ca.issue(&MemberRequest {
        key: key.public(),
        name,
        serial: random()?,
        not_before,
        not_after,
    })?;
    Ok(Identity {
        key: Arc::new(key),
        certificate,
    })
}
