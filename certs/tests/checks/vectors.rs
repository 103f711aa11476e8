//! Known answers. They were computed by an independent implementation of the
//! encodings (Python, hashlib, OpenSSL), so they hold both sides to them.

use crate::world::{key, order, spki};
use bytes::Bytes;
use certs::block::build_tree;
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::receipt::{Accumulator, ReceiptKey, StripeDigests};
use certs::seal::{ChunkSealer, EpochSecret};
use certs::{Verified, invite_proof, run, sign};
use data_encoding::HEXLOWER;
use wire::codec::Text;
use wire::invite::AudienceSecret;
use wire::order::Parameters;
use wire::statement::{ChunkFlags, ChunkHeader, Layout, RunStatement};
use wire::{
    Digest, Epoch, Nonce, PublicKey, Rendition, RunId, Scope, Sequence, SpkiHash, StreamId, Stripe,
    UnixMs,
};

const PUBLISHED: UnixMs = UnixMs(1_800_000_000_000);

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn blocks() -> Vec<Bytes> {
    ["alpha!", "beta!!", "gamma!"].map(Bytes::from).to_vec()
}

fn header() -> ChunkHeader {
    ChunkHeader {
        scope: Scope {
            stream: StreamId([0x11; 32]),
            run: RunId([0x22; 16]),
            epoch: Epoch(3),
        },
        rendition: Rendition(1),
        sequence: Sequence(258),
        init_sequence: Sequence(2),
        time_us: 51_600_000,
        duration_us: 200_000,
        published: PUBLISHED,
        flags: ChunkFlags {
            key: true,
            ..ChunkFlags::default()
        },
        layout: Layout {
            k: 1,
            m: 0,
            block_len: 6,
            chunk_len: 18,
        },
        previous: Digest([0x33; 32]),
        digest: Digest([0x44; 32]),
        root: build_tree(&blocks()).unwrap().root(),
    }
}

/// A run whose stream is [0x11; 32] cannot be signed, so the header of the
/// vector is moved to a stream whose key we have for what needs a signature.
fn signed_world() -> (Verified<RunStatement>, ChunkHeader) {
    let stream = key(1);
    let mut header = header();
    header.scope.stream = StreamId(stream.public().0);
    let mut statement = crate::world::run_statement(&stream, 0x22);
    statement.chunk_key = key(4).public();
    statement.permit_key = key(44).public();
    let signed = sign(&stream, &statement);
    let run = run::verify(&signed, &header.scope.stream, PUBLISHED).unwrap();
    (run, header)
}

#[test]
fn order_id() {
    let mut order = order();
    order.holder_key = PublicKey([1; 32]);
    assert_eq!(
        certs::order::id(&order).to_hex(),
        "d00f22e9fd00bf08e29c591c6def0e130c329a41ae8a21740567a9f2db887679"
    );
}

#[test]
fn parameters_digest() {
    let parameters = Parameters {
        listen: Text::new("127.0.0.1:4433").unwrap(),
        rate_bps: 50_000_000,
        lease_end: PUBLISHED,
        byte_cap: 45_000_000_000,
        private_networks: true,
    };
    assert_eq!(
        certs::order::parameters_digest(&parameters).to_hex(),
        "94db3c6741672ed4de6b687abdef8be1747f0ece3d81511e9ac5b09a9e1a7e48"
    );
}

#[test]
fn merkle_leaf_and_root() {
    let tree = build_tree(&blocks()).unwrap();
    assert_eq!(
        tree.path(1).unwrap()[0].to_hex(),
        "e70599ba03dd2b87766313fbd1524505e7e289521c40552b9c4417078f2075aa"
    );
    assert_eq!(
        tree.root().to_hex(),
        "1079b3ae4bdf76ae9f04d11811355b07f27d66d982ab815c750533031be67a57"
    );
    assert_eq!(tree.path(2).unwrap().len(), 1, "promoted once");
}

#[test]
fn associated_data() {
    let expected = [
        "726f756e64636173742f6368756e6b2d6161642f763100",
        "1111111111111111111111111111111111111111111111111111111111111111",
        "22222222222222222222222222222222",
        "030141020283135a8080030d40c00001a3185c50000101000612",
        "3333333333333333333333333333333333333333333333333333333333333333",
    ];
    assert_eq!(hex(header().associated_data()), expected.concat());
}

#[test]
fn chunk_signature() {
    let chunk = key(4);
    assert_eq!(
        chunk.public().to_hex(),
        "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c"
    );
    assert_eq!(
        spki(4).to_hex(),
        "d016df3d83373617c06b5e1d6359caa06eeba8b3af2c7077234f109f2194516c"
    );
    let signature = [
        "0c8762ce4de9199b2f2c0434d3108436721b2a7cc72a596bc218361c616fc6e2",
        "4983c8cfb87c0e9fcc89ae404f78c798a357232b2b2b350a926dac7d67fedc03",
    ];
    assert_eq!(hex(sign(&chunk, &header()).signature()), signature.concat());
}

#[test]
fn sealed_bytes() {
    let header = header();
    let seal = |init| {
        let mut buffer = b"hello".to_vec();
        let secret = EpochSecret::new([5; 32]);
        ChunkSealer::new(&secret, &header.scope, header.rendition, init)
            .unwrap()
            .seal(header.sequence, &header.associated_data(), &mut buffer)
            .unwrap();
        hex(buffer)
    };
    assert_eq!(seal(false), "f6145fd749181043e09d1d240a2966db8742053d95");
    assert_eq!(seal(true), "bf0ab5b097ea405139a0a94d98b8d61326bd9a164d");
}

#[test]
fn invite() {
    let proof = invite_proof::prove(
        &AudienceSecret::new([7; 32]),
        &[8; 32],
        &Nonce([9; 32]),
        &SpkiHash([10; 32]),
    );
    assert_eq!(
        proof.to_hex(),
        "16173b6717f9e26cd27fdbb321939b5256b392097a202947e9c4c97166a53086"
    );
}

#[test]
fn receipt_mac() {
    let (run, header) = signed_world();
    let limits = HeaderLimits::default();
    let header = HeaderVerifier::new(&run, limits)
        .verify(&sign(&key(4), &header))
        .unwrap();
    let mut viewer = Accumulator::new(
        header.scope.clone(),
        SpkiHash([0x55; 32]),
        SpkiHash([0x66; 32]),
        Stripe(0),
        Rendition(1),
    );
    for (index, block) in (0..).zip(blocks()) {
        viewer.add(&header, index, &block, true).unwrap();
    }
    let key = ReceiptKey::new([6; 32]);
    let receipt = viewer.finish(7, Epoch(3), &key).unwrap();
    assert_eq!(receipt.cumulative_bytes, 18);
    assert_eq!(
        receipt.mac.to_hex(),
        "aed4658cfef19354963cf0f36b02af5f2022ea981973238cff70a682854e4f40"
    );
    let digests = StripeDigests::new(&header, &blocks()).unwrap();
    let counted = certs::receipt::check(&receipt, &run, &key, |_, _| Some(&digests)).unwrap();
    assert_eq!(counted.in_time(), [Sequence(258)]);
}
