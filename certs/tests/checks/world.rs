//! A station's keys and one of each statement, all right.

use certs::seal::{EpochSecret, Publisher, SealedChunk};
use certs::{SigningKey, Verified, sign, x509};
use wire::codec::{List, Text};
use wire::order::Order;
use wire::statement::{
    BatchedPermit, ChunkFlags, Permit, PermitBatch, PermitBytes, PermitKind, Priority, RunStatement,
};
use wire::{
    Digest, Epoch, PublicKey, Rendition, RunId, Scope, Signed, SpkiHash, Statement, StreamId,
    Stripes, UnixMs,
};

/// A second in the middle of the run.
pub(crate) const NOW: UnixMs = UnixMs(1_800_000_000_000);

pub(crate) struct World {
    pub(crate) stream: SigningKey,
    pub(crate) ca: SigningKey,
    pub(crate) chunk: SigningKey,
    pub(crate) permit: SigningKey,
    pub(crate) beacon: SigningKey,
    pub(crate) run: Verified<RunStatement>,
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(crate) fn spki(seed: u8) -> SpkiHash {
    x509::spki_of_public(&key(seed).public())
}

/// The member that checks, in most tests.
pub(crate) fn me() -> SpkiHash {
    spki(100)
}

/// The node at the other end.
pub(crate) fn other() -> SpkiHash {
    spki(101)
}

pub(crate) fn stream_id(key: &SigningKey) -> StreamId {
    StreamId(key.public().0)
}

pub(crate) fn run_statement(stream: &SigningKey, run: u8) -> RunStatement {
    RunStatement {
        scope: Scope {
            stream: stream_id(stream),
            run: RunId([run; 16]),
            epoch: Epoch(0),
        },
        start: UnixMs(NOW.0 - 3_600_000),
        end: UnixMs(NOW.0 + 3_600_000),
        ca_key: key(2).public(),
        chunk_key: key(3).public(),
        permit_key: key(4).public(),
        beacon_key: key(5).public(),
        coordinator: spki(6),
        stripes: Stripes::SINGLE,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of_run(7)
    }

    /// A run of which the chunks are cut like this.
    pub(crate) fn striped(k: u8, m: u8) -> Self {
        let mut statement = run_statement(&key(1), 7);
        statement.stripes = Stripes::new(k, m).unwrap();
        Self::of(&statement)
    }

    pub(crate) fn of_run(run: u8) -> Self {
        Self::of(&run_statement(&key(1), run))
    }

    fn of(statement: &RunStatement) -> Self {
        let stream = key(1);
        let signed = sign(&stream, statement);
        let run = certs::run::verify(&signed, &stream_id(&stream), NOW).unwrap();
        Self {
            stream,
            ca: key(2),
            chunk: key(3),
            permit: key(4),
            beacon: key(5),
            run,
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        self.run.scope.clone()
    }

    /// The scope of another run of the same stream.
    pub(crate) fn other_run(&self) -> Scope {
        Scope {
            run: RunId([99; 16]),
            ..self.scope()
        }
    }

    /// The scope of another stream.
    pub(crate) fn other_stream(&self) -> Scope {
        Scope {
            stream: StreamId([99; 32]),
            ..self.scope()
        }
    }

    pub(crate) fn permit_value(&self) -> Permit {
        Permit {
            scope: self.scope(),
            serial: 1,
            kind: PermitKind::Push,
            stripes: Stripes::SINGLE.into(),
            rendition: Rendition(0),
            parent: other(),
            child: me(),
            parent_order: None,
            child_order: None,
            priority: Priority::Contributor,
            byte_budget: 1_000_000,
            issued: UnixMs(NOW.0 - 1000),
            expiry: UnixMs(NOW.0 + 200_000),
        }
    }

    /// A batch of one whose permit is any bytes, put together by the letter.
    pub(crate) fn batch_of_one(&self, body: Vec<u8>) -> BatchedPermit {
        let label = Permit::LABEL.as_bytes();
        let leaf = [&[0; 5], label, &[0], body.as_slice()].concat();
        let root = ring::digest::digest(&ring::digest::SHA256, &leaf);
        let batch = PermitBatch {
            scope: self.scope(),
            count: 1,
            root: Digest(root.as_ref().try_into().unwrap()),
        };
        BatchedPermit {
            body: PermitBytes::new(body).unwrap(),
            count: 1,
            index: 0,
            path: List::default(),
            signature: *sign(&self.permit, &batch).signature(),
        }
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(
            self.chunk.clone(),
            &self.run,
            Epoch(0),
            &secret(),
            Rendition(0),
        )
        .unwrap()
    }

    /// A publisher that has published its init segment.
    pub(crate) fn started(&self) -> Publisher {
        let mut publisher = self.publisher();
        publisher.publish(b"init", 0, 0, NOW, init_flags()).unwrap();
        publisher
    }

    /// A media chunk of `len` plain bytes.
    pub(crate) fn media(&self, len: usize) -> SealedChunk {
        publish(&mut self.started(), len)
    }
}

pub(crate) fn secret() -> EpochSecret {
    EpochSecret::new([42; 32])
}

pub(crate) fn init_flags() -> ChunkFlags {
    ChunkFlags {
        init: true,
        ..ChunkFlags::default()
    }
}

pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

pub(crate) fn publish(publisher: &mut Publisher, len: usize) -> SealedChunk {
    publisher
        .publish(&bytes(len), 1_000, 200_000, NOW, ChunkFlags::default())
        .unwrap()
}

pub(crate) fn order() -> Order {
    Order {
        holder_key: key(50).public(),
        voucher_nonce: Digest([2; 32]),
        class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
        channel: Text::new("stable").unwrap(),
        desk_key: PublicKey([3; 32]),
        lease_ms: 3_600_000,
        byte_cap: 45_000_000_000,
    }
}

/// The same statement with one bit of its body or signature turned.
pub(crate) fn altered<T: Statement>(signed: &Signed<T>, at: usize) -> Signed<T> {
    let mut body = signed.body().to_vec();
    let mut signature = *signed.signature();
    let len = body.len();
    if at < len {
        body[at] ^= 1;
    } else {
        signature[(at - len) % 64] ^= 1;
    }
    Signed::from_parts(body, signature).unwrap()
}
