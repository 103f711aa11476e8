//! A relay that speaks the boot protocol and carries nothing. The file
//! `behaviour` beside its program says how it behaves.

use attest::software::{BootKey, SignedPlatform};
use certs::SigningKey;
use certs::x509::{EVIDENCE_OID, self_signed, spki_of_public};
use data_encoding::HEXLOWER;
use ring::rand::SystemRandom;
use std::io::{BufRead, Read, Write};
use std::net::UdpSocket;
use wire::Decode;
use wire::order::{Order, Parameters};

fn say(value: &serde_json::Value) {
    println!("{value}");
    std::io::stdout().flush().unwrap();
}

fn hear(input: &mut impl BufRead) -> serde_json::Value {
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn hex(value: &serde_json::Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn sleep() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

/// The main of the stand-in; ends when its input does.
pub(crate) fn main() {
    let mut input = std::io::stdin().lock();
    let boot = hear(&mut input);
    assert_eq!(boot["schema"], "roundcast.boot/1");
    let release = boot["release"].as_str().unwrap().to_owned();
    let program = std::env::current_exe().unwrap();
    let behaviour = std::fs::read_to_string(program.with_file_name("behaviour")).unwrap();
    match behaviour.as_str() {
        "exits" => return,
        "mute" => {
            input.read_to_end(&mut Vec::new()).unwrap();
            return;
        }
        "nonsense" => return say(&serde_json::json!({ "kind": "nonsense" })),
        _ => {}
    }
    let order = Order::from_bytes(&hex(&boot["order"])).unwrap();
    let parameters = Parameters::from_bytes(&hex(&boot["parameters"])).unwrap();
    let key = SigningKey::generate(&SystemRandom::new()).unwrap();
    let boot_key = BootKey::generate(&SystemRandom::new()).unwrap();
    let spki = spki_of_public(&key.public());
    say(&serde_json::json!({
        "kind": "boot_request",
        "spki": spki.to_hex(),
        "boot_key": boot_key.public().to_hex(),
    }));
    let platform = SignedPlatform::from_bytes(&hex(&hear(&mut input)["platform"])).unwrap();
    let socket = UdpSocket::bind(parameters.listen.as_str()).unwrap();
    let shown = if behaviour == "other_key" {
        SigningKey::generate(&SystemRandom::new()).unwrap()
    } else {
        key
    };
    let evidence = boot_key
        .evidence(&spki, order, parameters, platform, release.as_bytes())
        .unwrap();
    let extension = (EVIDENCE_OID.to_vec(), evidence.to_extension());
    let certificate = self_signed(&shown, vec![extension]).unwrap();
    std::fs::write("certificate.der", &certificate).unwrap();
    say(&serde_json::json!({
        "kind": "ready",
        "address": socket.local_addr().unwrap().to_string(),
        "certificate": HEXLOWER.encode(&certificate),
    }));
    say(&serde_json::json!({
        "schema": "roundcast.event/1",
        "kind": "stand_in",
        "pid": std::process::id(),
    }));
    let ended = input.read_to_end(&mut Vec::new());
    if behaviour == "deaf" {
        sleep();
    }
    ended.unwrap();
}
