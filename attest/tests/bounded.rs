//! What a hostile document can cost: memory and work, whatever its lengths
//! claim. A binary of its own, because a process has one high-water mark.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
// The kernel's count of this process's memory stands in a file.
#![allow(clippy::disallowed_methods)]

mod common;

use attest::nitro::{self, Root};
use attest::offline::verify_ak_quote_archived;
use attest::{Evidence, Policy};
use common::cloud::Instance;
use common::nitro::{Parts, head};
use common::tpm::Machine;
use data_encoding::HEXLOWER;
use std::time::{Duration, Instant};

/// What all of them together may add to the process's memory, in bytes: a
/// little more than the largest input, and nothing like what they claim.
const MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// For all of them; a busy machine takes a hundredth.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest resident memory of this process so far, in bytes.
fn high_water_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kb * 1024
}

/// Documents that claim much, nest deeply, or are long.
fn documents() -> Vec<Vec<u8>> {
    let with = |field: &str, value: Vec<u8>| {
        let mut parts = Parts::default();
        parts.set(field, value);
        parts.document()
    };
    let claims = |major: u8, len: u64| [head(major, len), vec![0; 64]].concat();
    let huge = [1 << 20, 1 << 32, 1 << 40, u64::MAX];
    let mut documents = vec![
        vec![0x81; 1 << 20],
        vec![0xa1; 1 << 20],
        vec![0x9f; 1 << 20],
        vec![0xc2; 1 << 20],
        with("nonce", vec![0x81; 4096]),
        with("nitrotpm_pcrs", vec![0xbf; 4096]),
        Parts {
            payload_trailing: vec![0; 1 << 20],
            ..Parts::default()
        }
        .document(),
    ];
    for len in huge {
        documents.push(with("user_data", claims(2, len)));
        documents.push(with("module_id", claims(3, len)));
        documents.push(with("cabundle", claims(4, len)));
        documents.push(with("nitrotpm_pcrs", claims(5, len)));
        // The payload itself claims as much.
        let genuine = Parts::default().document();
        documents.push([&genuine[..7], &head(2, len), &genuine[7..]].concat());
    }
    documents
}

/// Evidence of kind `tpm2` that is cut, lengthened, or whose lengths claim
/// much: each byte of its beginning replaced by the largest claim.
fn evidence() -> Vec<Vec<u8>> {
    let genuine = Machine::default().evidence().to_extension();
    let mut all: Vec<_> = (0..genuine.len().min(700))
        .map(|at| {
            let claim = [0xff; 8];
            [&genuine[..at], &claim, &genuine[at + 1..]].concat()
        })
        .collect();
    all.push([genuine.as_slice(), &vec![0; 1 << 20]].concat());
    all.push([&genuine[..40], &vec![0xff; 1 << 20]].concat());
    all.push(vec![0x30; 1 << 20]);
    all
}

/// Files of saved quotes that nest, repeat, or are long.
fn files() -> Vec<String> {
    let whole = Instance::of(attest::tpm2::Cloud::Google).file();
    let quote = HEXLOWER.encode(&vec![0; 1 << 19]);
    vec![
        "[".repeat(1 << 20),
        "{\"a\":".repeat(1 << 18),
        whole.replacen("\"quote\":\"", &format!("\"quote\":\"{quote}"), 1),
        whole.replacen(
            "\"between\":[",
            &format!("\"between\":[{}", "\"\",".repeat(100_000)),
            1,
        ),
        format!("{whole}{}", " ".repeat(1 << 20)),
    ]
}

#[test]
fn hostile_documents_cost_little_memory_and_work() {
    let (documents, evidence, files) = (documents(), evidence(), files());
    let (root, world) = (Root::aws().unwrap(), common::World::default());
    let roots = world.roots();
    let (before, begun) = (high_water_bytes(), Instant::now());
    for bytes in &documents {
        let refused = nitro::verify_archived(bytes, &root).unwrap_err();
        assert_eq!(refused.reason(), "document_malformed");
    }
    for bytes in &evidence {
        // Where the claim falls into a number or a hash, it is another one.
        if let Ok(read) = Evidence::from_extension(bytes) {
            assert_eq!(&read.to_extension(), bytes);
        }
    }
    for file in &files {
        let policy = Policy::default();
        let verdict = verify_ak_quote_archived(file.as_bytes(), None, &roots, &policy);
        assert_eq!(verdict.reason, Some("evidence_malformed"));
    }
    let grown = high_water_bytes() - before;
    assert!(grown <= MEMORY_BYTES_MAX, "{grown} bytes");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    // The kernel sees what is allocated: else the bound could not fail.
    let before = high_water_bytes();
    let taken = vec![1_u8; 4 * MEMORY_BYTES_MAX as usize];
    let seen = high_water_bytes() - before;
    assert!(seen >= 3 * MEMORY_BYTES_MAX, "{seen} of {}", taken.len());
}
