//! What a TPM and its machine send: public areas, certificates, and the
//! device's answers. Nothing altered may come out as what it was.
#![no_main]

use attest::tpm2::credential::Challenge;
use attest::tpm2::ek::{Development, Roots, verify};
use attest::tpm2::public::{AkPublic, EkPublic};
use fuzz::altered;
use libfuzzer_sys::fuzz_target;
use ring::rand::SystemRandom;
use std::io::{Read, Write};
use std::sync::LazyLock;
use tpm::{Ak, Device, Ek};
use wire::UnixMs;

const NOW: UnixMs = UnixMs(1_800_000_000_000);

struct World {
    certificate: Vec<u8>,
    ek: Vec<u8>,
    ak: Vec<u8>,
    roots: Roots<Development>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let ek = field("ek_public");
    let certificate = field("certificate");
    let roots = Roots::development(&[&field("root")], &[&field("authority")]).expect("roots");
    verify(&certificate, &ek, &roots, NOW).expect("the unaltered certificate must pass");
    let mut ak = hex(b"0023000b00050072000000100018000b00030010");
    for coordinate in [&P256_X, &P256_Y] {
        ak.extend([0, 32]);
        ak.extend(hex(coordinate.as_bytes()));
    }
    AkPublic::parse(&ak).expect("an attestation key");
    World {
        certificate,
        ek,
        ak,
        roots,
    }
});

/// The generator of P-256 (SEC 2, section 2.4.2).
const P256_X: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
const P256_Y: &str = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

/// A field of the stored vector, whose values hold hexadecimal digits alone.
fn field(name: &str) -> Vec<u8> {
    let json = include_str!("../../../attest/vectors/endorsement.json");
    let (_, rest) = json
        .split_once(&format!("\"{name}\": \""))
        .expect("a field");
    let (value, _) = rest.split_once('"').expect("its end");
    hex(value.as_bytes())
}

fn hex(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a digit") as u8;
    text.chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn certificate(der: &[u8]) {
    let world = &*WORLD;
    if verify(der, &world.ek, &world.roots, NOW).is_ok() {
        assert_eq!(
            der, world.certificate,
            "an altered certificate was accepted"
        );
    }
}

/// Whatever key is read can be encrypted to or is refused.
fn publics(ek: &[u8], ak: &[u8]) {
    let world = &*WORLD;
    if verify(&world.certificate, ek, &world.roots, NOW).is_ok() {
        assert_eq!(ek, world.ek, "another key passed for the certified one");
    }
    if let (Ok(ek), Ok(ak)) = (EkPublic::parse(ek), AkPublic::parse(ak)) {
        let _ = Challenge::new(&ek, &ak, &SystemRandom::new());
    }
}

/// Gives the fuzzer's bytes: at each read what one frame's length says.
struct Answers {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Answers {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let len = rest.get(2..6).map_or(rest.len(), |len| {
            u32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize
        });
        let len = len.max(1).min(rest.len()).min(to.len());
        to[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

impl Write for Answers {
    fn write(&mut self, command: &[u8]) -> std::io::Result<usize> {
        Ok(command.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn device(answers: &[u8]) {
    // Codes that ask for the command again make the device wait.
    if answers
        .windows(4)
        .any(|code| matches!(code, [0, 0, 9, 0x08 | 0x0a | 0x22]))
    {
        return;
    }
    let open = || {
        Device::over(Answers {
            bytes: answers.to_vec(),
            at: 0,
        })
    };
    let _ = open().pcrs();
    let _ = open().random(&mut [0; 40]);
    if let Ok(ak) = Ak::create(&open()) {
        let _ = ak.quote(&[9; 32]);
    }
    let shared = open();
    if let (Ok(ek), Ok(ak)) = (Ek::load(&shared), Ak::create(&shared)) {
        let _ = ek.activate(&ak, answers);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    let world = &*WORLD;
    match kind % 6 {
        0 => certificate(rest),
        1 => certificate(&altered(&world.certificate, rest)),
        2 => publics(rest, &world.ak),
        3 => publics(&altered(&world.ek, rest), &world.ak),
        4 => publics(&world.ek, &altered(&world.ak, rest)),
        _ => device(rest),
    }
});
