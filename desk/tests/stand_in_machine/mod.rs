//! A machine that speaks the boot protocol over its port, with the TPM that
//! the desk gave it, and carries nothing. The text of its `release.json` says
//! how it behaves.

mod emulated_tpm;

use certs::SigningKey;
use certs::x509::{self_signed, spki_of_public};
use data_encoding::HEXLOWER;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tpm::{Ak, Device, Ek};

/// The machine's end of the boot channel.
struct Port {
    from: BufReader<UnixStream>,
    to: UnixStream,
}

impl Port {
    fn open() -> Self {
        let to = UnixStream::connect("boot.sock").unwrap();
        let from = BufReader::new(to.try_clone().unwrap());
        Self { from, to }
    }

    /// The desk may be gone: the end of the channel tells it.
    fn say(&mut self, value: &Value) {
        let _ = writeln!(self.to, "{value}");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn wait_for_the_end(&mut self) {
        let _ = self.from.read_to_end(&mut Vec::new());
    }
}

fn sleep() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// The main of the stand-in; ends when its channel does.
pub(crate) fn main() {
    let mut console = UnixStream::connect("console.sock").unwrap();
    let mut port = Port::open();
    let opening = port.hear();
    assert_eq!(opening["schema"], "roundcast.boot/1");
    match opening["release"].as_str().unwrap() {
        "exits" => {}
        "mute" => sleep(),
        "nonsense" => {
            port.say(&json!({ "kind": "nonsense" }));
            sleep()
        }
        "refused" => {
            write!(
                console,
                "BdsDxe: failed to load Boot0001: Access Denied\r\n"
            )
            .unwrap();
            sleep()
        }
        "panics" => {
            write!(console, "Kernel panic - not syncing: no init\r\n").unwrap();
            sleep()
        }
        release => serve(&mut port, release),
    }
}

fn serve(port: &mut Port, release: &str) {
    let device: Device = emulated_tpm::power_on();
    let (ek, ak) = (Ek::load(&device).unwrap(), Ak::create(&device).unwrap());
    let key = SigningKey::generate(&SystemRandom::new()).unwrap();
    port.say(&json!({
        "kind": "boot_request",
        "spki": spki_of_public(&key.public()).to_hex(),
        "ek_public": HEXLOWER.encode(ek.public()),
        "ek_certificate": HEXLOWER.encode(ek.certificate()),
        "ak_public": HEXLOWER.encode(ak.public()),
    }));
    let credential = port.hear()["credential"].as_str().unwrap().to_owned();
    let credential = HEXLOWER.decode(credential.as_bytes()).unwrap();
    let secret = ek.activate(&ak, &credential).unwrap();
    port.say(&json!({ "kind": "activated", "secret": HEXLOWER.encode(&secret) }));
    let platform = port.hear()["platform"].as_str().unwrap().to_owned();
    std::fs::write("platform.hex", platform).unwrap();
    std::fs::write("ak.public", ak.public()).unwrap();
    let certificate = self_signed(&key, Vec::new()).unwrap();
    let address = if release == "other_port" {
        "10.0.2.15:7001"
    } else {
        "10.0.2.15:7000"
    };
    port.say(&json!({
        "kind": "ready",
        "address": address,
        "certificate": HEXLOWER.encode(&certificate),
    }));
    port.say(&json!({
        "schema": "roundcast.event/1",
        "kind": "stand_in",
        "pid": std::process::id(),
    }));
    if release == "powers_off" {
        return;
    }
    port.wait_for_the_end();
    if release == "deaf" {
        sleep();
    }
}
