//! Plays the desk and the holder for one machine that was started by hand:
//! leads the boot conversation on a Unix socket, activates the TPM's
//! credential, challenges the relay live, and ends it.
//!
//! ```text
//! drive_machine SOCKET UDP_PORT desk|stop|lease [ADDRESS/PREFIX GATEWAY]
//! qemu-system-x86_64 ... -device virtio-serial-pci
//!   -chardev socket,id=boot,path=SOCKET -device virtserialport,chardev=boot,name=roundcast.boot
//!   -netdev user,id=n0,hostfwd=udp:127.0.0.1:UDP_PORT-:7000 -device virtio-net-pci,netdev=n0
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a tool that ends at the first thing that is not as it should be"
)]

use attest::live::{Batch, Leaf};
use attest::tpm2::credential::Challenge as Activation;
use attest::tpm2::public::{AkPublic, EkPublic};
use attest::tpm2::{Quote, SignedTpmStatement, TpmStatement, certify};
use attest::{Evidence, QuoteDigest};
use certs::SigningKey;
use link::{Clock, Endpoint, Identity, Link, Patience};
use relay_vm::Static;
use relay_vm::boot::Opening;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Instant;
use wire::codec::{Blob, Text};
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply};
use wire::message::control::Empty;
use wire::message::live::{Challenge, Response};
use wire::order::{Order, Parameters};
use wire::{Digest, Encode, Nonce};

/// What the developer signed; nobody here reads it.
const RELEASE: &str = "{\"signed\":{}}";
/// Live challenges, one after another.
const CHALLENGES: u8 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, port, ending, network @ ..] = arguments.as_slice() else {
        panic!("drive_machine SOCKET UDP_PORT desk|stop|lease [ADDRESS/PREFIX GATEWAY]");
    };
    let listener = UnixListener::bind(socket).expect("the socket's path is free");
    let (stream, _) = listener.accept().unwrap();
    let begun = Instant::now();
    let (desk, holder) = (key(), key());
    let lease_ms = if ending == "lease" { 40_000 } else { 600_000 };
    let mut opening = opening(&desk, &holder, lease_ms);
    if let [address, gateway] = network {
        opening.network = Some(Static::parse(address, Some(gateway)).unwrap());
    }
    let mut talk = Talk {
        to: stream.try_clone().unwrap(),
        from: BufReader::new(stream),
    };
    let (ak, ready) = lead(&mut talk, &desk, &opening);
    println!(
        "ready after {} ms: {}",
        begun.elapsed().as_millis(),
        ready["address"]
    );
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().unwrap()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(visit(address, holder, &opening, &ak, ending == "stop"));
    if ending == "desk" {
        drop(talk);
        println!("the desk is gone");
        return;
    }
    while let Some(line) = talk.line() {
        println!("{line}");
    }
    println!(
        "the machine is gone after {} ms",
        begun.elapsed().as_millis()
    );
}

struct Talk {
    to: UnixStream,
    from: BufReader<UnixStream>,
}

impl Talk {
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.from.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    fn ask(&mut self, line: &str) -> Value {
        writeln!(self.to, "{line}").unwrap();
        let begun = Instant::now();
        let answer = self.line().expect("the machine answers");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        println!(
            "{} after {} ms",
            answer["kind"],
            begun.elapsed().as_millis()
        );
        answer
    }
}

/// The boot conversation.
fn lead(talk: &mut Talk, desk: &SigningKey, opening: &Opening) -> (AkPublic, Value) {
    let request = talk.ask(&opening.line().unwrap());
    let (ek, ak) = (unhex(&request["ek_public"]), unhex(&request["ak_public"]));
    let ek_certificate = unhex(&request["ek_certificate"]);
    println!("endorsement certificate: {} bytes", ek_certificate.len());
    let public = AkPublic::parse(&ak).unwrap();
    let ek = EkPublic::parse(&ek).unwrap();
    let (expected, credential) = Activation::new(&ek, &public, &SystemRandom::new()).unwrap();
    let activated = talk.ask(&json!({"credential": hex(&credential)}).to_string());
    expected.check(&unhex(&activated["secret"])).unwrap();
    let now = Clock::new().unix();
    let statement = TpmStatement {
        ak_public: Blob::new(ak).unwrap(),
        ek_certificate_digest: sha256(&ek_certificate),
        boot: [1; 16],
        order: certs::order::id(&opening.order),
        parameters_digest: certs::order::parameters_digest(&opening.parameters),
        release_digest: sha256(RELEASE.as_bytes()),
        issued: now,
        until: opening.parameters.lease_end,
    };
    let signed: SignedTpmStatement = certify(desk, &statement).unwrap();
    let ready = talk.ask(&json!({"platform": hex(&signed.to_bytes())}).to_string());
    check_evidence(&unhex(&ready["certificate"]), &public, opening);
    (public, ready)
}

/// The certificate's evidence is the TPM's, over this boot.
fn check_evidence(certificate: &[u8], ak: &AkPublic, opening: &Opening) {
    let extension = certs::x509::extension(certificate, certs::x509::EVIDENCE_OID);
    let evidence = Evidence::from_extension(&extension.unwrap().unwrap()).unwrap();
    let Evidence::Tpm2(evidence) = evidence else {
        panic!("another kind of evidence");
    };
    let quote = Quote::parse(&evidence.boot_quote).unwrap();
    quote.signed_by(ak.point()).unwrap();
    let digest = QuoteDigest::boot(
        &certs::x509::spki_hash(certificate).unwrap(),
        &certs::order::id(&opening.order),
        &certs::order::parameters_digest(&opening.parameters),
    );
    assert_eq!(&quote.attested().nonce, digest.as_bytes());
    assert_eq!(quote.attested().pcr_digest, evidence.pcrs.digest());
    assert!(quote.attested().selects_released());
    for (pcr, value) in evidence.pcrs.iter() {
        println!("PCR {pcr}: {}", hex(value));
    }
}

async fn visit(
    address: SocketAddr,
    holder: SigningKey,
    opening: &Opening,
    ak: &AkPublic,
    stop: bool,
) {
    let certificate = certs::x509::self_signed(&holder, Vec::new()).unwrap();
    let me = Identity {
        key: Arc::new(holder),
        certificate,
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = Arc::new(Endpoint::bind(any, &me).unwrap());
    let link = socket.dial(address, None, Patience::Control).await.unwrap();
    for number in 0..CHALLENGES {
        challenge(&link, &me, number, opening, ak).await;
    }
    let command = if stop {
        Command::Stop(Empty {})
    } else {
        Command::Status(Empty {})
    };
    let mut channel = link::open_channel(&link, StreamKind::Command)
        .await
        .unwrap();
    channel.send(&command).await.unwrap();
    let reply: CommandReply = channel.expect("no reply").await.unwrap();
    println!("reply: {reply:?}");
}

async fn challenge(link: &Link, me: &Identity, number: u8, opening: &Opening, ak: &AkPublic) {
    let nonce = Nonce([number; 32]);
    let begun = Instant::now();
    let mut channel = link::open_channel(link, StreamKind::Challenge)
        .await
        .unwrap();
    channel.send(&Challenge { nonce }).await.unwrap();
    let _ = channel.send.finish();
    let response: Response = channel.expect("no answer").await.unwrap();
    let leaf = Leaf {
        attester_side: link.side.other(),
        nonce,
        exporter: link.exporter().unwrap(),
        attester: link.peer,
        verifier: me.spki(),
        order: certs::order::id(&opening.order),
        parameters: certs::order::parameters_digest(&opening.parameters),
        release: sha256(RELEASE.as_bytes()),
    };
    let batch = Batch::new(&[leaf.digest().unwrap()]).unwrap();
    let quote = Quote::parse(&response.quote).unwrap();
    quote.signed_by(ak.point()).unwrap();
    assert_eq!(&quote.attested().nonce, batch.digest().as_bytes());
    println!(
        "live quote {number} after {} ms",
        begun.elapsed().as_millis()
    );
}

fn opening(desk: &SigningKey, holder: &SigningKey, lease_ms: u64) -> Opening {
    Opening {
        order: Order {
            holder_key: holder.public(),
            voucher_nonce: Digest([7; 32]),
            class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
            channel: Text::new("stable").unwrap(),
            desk_key: desk.public(),
            lease_ms,
            byte_cap: 1 << 40,
        },
        parameters: Parameters {
            listen: Text::new("0.0.0.0:7000").unwrap(),
            rate_bps: 100_000_000,
            lease_end: Clock::new().unix().plus_ms(lease_ms),
            byte_cap: 1 << 40,
            private_networks: true,
        },
        release: RELEASE.to_owned(),
        network: None,
    }
}

fn key() -> SigningKey {
    SigningKey::generate(&SystemRandom::new()).unwrap()
}

fn sha256(bytes: &[u8]) -> Digest {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(digest.as_ref().try_into().unwrap())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a hexadecimal value");
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}
