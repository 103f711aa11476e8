//! Certificates, headers, bundles and receipts: as raw bytes, and as valid
//! ones that were altered after, or signed after, the alteration.
#![no_main]

use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::x509::{MemberRequest, StreamCa};
use certs::{SigningKey, Verified, block, bundle, permit, receipt, run, sign, x509};
use fuzz::altered;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::message::receipt::Receipt;
use wire::statement::{
    BatchedPermit, ChunkFlags, ChunkHeader, Layout, RunStatement, signed_string,
};
use wire::{
    Decode, Digest, Encode, Epoch, Rendition, RunId, Scope, Sequence, Signed, SpkiHash, Statement,
    StreamId, Stripes, UnixMs,
};

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const LATER: UnixMs = UnixMs(1_800_000_600_000);

struct World {
    ca: SigningKey,
    chunk_key: SigningKey,
    run: Verified<RunStatement>,
    member: Vec<u8>,
    header: Vec<u8>,
    scope: Scope,
}

static WORLD: LazyLock<World> = LazyLock::new(world);

fn world() -> World {
    let stream_key = SigningKey::from_seed([1; 32]);
    let ca = SigningKey::from_seed([2; 32]);
    let chunk_key = SigningKey::from_seed([3; 32]);
    let member_key = SigningKey::from_seed([4; 32]);
    let scope = Scope {
        stream: StreamId(stream_key.public().0),
        run: RunId([5; 16]),
        epoch: Epoch(0),
    };
    let statement = RunStatement {
        scope: scope.clone(),
        start: NOW,
        end: LATER,
        ca_key: ca.public(),
        chunk_key: chunk_key.public(),
        permit_key: SigningKey::from_seed([20; 32]).public(),
        beacon_key: SigningKey::from_seed([21; 32]).public(),
        coordinator: SpkiHash([6; 32]),
        stripes: Stripes::SINGLE,
    };
    let run = run::verify(&sign(&stream_key, &statement), &scope.stream, NOW).expect("a run");
    let authority =
        StreamCa::new(SigningKey::from_seed([2; 32]), [7; 16], NOW, LATER).expect("a CA");
    let request = MemberRequest {
        key: member_key.public(),
        name: "member",
        serial: [8; 16],
        not_before: NOW,
        not_after: LATER,
    };
    World {
        member: authority.issue(&request).expect("a certificate"),
        header: header(&scope).to_bytes(),
        ca,
        chunk_key,
        run,
        scope,
    }
}

fn header(scope: &Scope) -> ChunkHeader {
    ChunkHeader {
        scope: scope.clone(),
        rendition: Rendition(0),
        sequence: Sequence(9),
        init_sequence: Sequence(1),
        time_us: 1_000_000,
        duration_us: 200_000,
        published: NOW,
        flags: ChunkFlags {
            key: true,
            init: false,
            end: false,
        },
        layout: Layout::for_chunk(40_000, 1, 0).expect("a layout"),
        previous: Digest([10; 32]),
        digest: Digest([11; 32]),
        root: Digest([12; 32]),
    }
}

fn certificate(der: &[u8]) {
    let world = &*WORLD;
    let hash = x509::spki_hash(der);
    let key = x509::public_key(der);
    let _ = x509::extension(der, x509::EVIDENCE_OID);
    let _ = x509::verify_ca(der, &world.ca.public(), NOW);
    if let Ok(member) = x509::verify_member(der, &world.ca.public(), NOW) {
        assert_eq!(der, world.member, "another certificate passes for the CA's");
        assert_eq!(Ok(member.spki), hash);
        assert!(key.is_ok());
    }
}

/// A header whose body is the fuzzer's and whose signature is right.
fn signed_header(body: &[u8], index: u16, data: &[u8]) {
    let world = &*WORLD;
    let signature = world
        .chunk_key
        .sign_raw(&signed_string(ChunkHeader::LABEL, body));
    let Ok(signed) = Signed::<ChunkHeader>::from_parts(body.to_vec(), signature) else {
        return;
    };
    let mut verifier = HeaderVerifier::new(&world.run, HeaderLimits::default());
    if let Ok(header) = verifier.verify(&signed) {
        assert_eq!(header.to_bytes(), body, "a second spelling");
        assert_eq!(header.scope.stream, world.scope.stream);
        assert_eq!(header.scope.run, world.scope.run);
        let path: Vec<Digest> = data
            .chunks_exact(32)
            .filter_map(|d| Digest::from_bytes(d).ok())
            .collect();
        let _ = block::verify(&header, index, &path, data);
    }
}

fn unsigned(data: &[u8]) {
    let world = &*WORLD;
    if let Ok(signed) = Signed::<ChunkHeader>::from_bytes(data) {
        let mut verifier = HeaderVerifier::new(&world.run, HeaderLimits::default());
        assert!(
            verifier.verify(&signed).is_err(),
            "a header that nobody signed"
        );
    }
    if let Ok(permit) = BatchedPermit::from_bytes(data) {
        let expect = permit::Expect {
            kind: wire::statement::PermitKind::Push,
            me: SpkiHash([14; 32]),
            other: SpkiHash([16; 32]),
            role: permit::Role::Child,
            epoch_min: Epoch(0),
        };
        assert!(
            permit::verify(&permit, &world.run, &expect, NOW).is_err(),
            "a permit that nobody signed"
        );
    }
    let key = bundle::SealingKeyPair::from_seed(&[13; 32]);
    assert!(bundle::open(data, &key, &world.scope, &SpkiHash([14; 32])).is_err());
    if let Ok(got) = Receipt::from_bytes(data) {
        let key = receipt::ReceiptKey::new([15; 32]);
        assert!(receipt::check(&got, &world.run, &key, |_, _| None).is_err());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    let world = &*WORLD;
    match kind % 4 {
        0 => certificate(rest),
        1 => certificate(&altered(&world.member, rest)),
        2 => signed_header(&altered(&world.header, rest), u16::from(kind), rest),
        _ => unsigned(rest),
    }
});
