//! A whole measured boot of a released image by the desk as a program: the
//! relay's evidence is verified by who trusts this desk, and by nobody else.
//!
//! `ROUNDCAST_IMAGE` names a folder with what `roundcast-image` makes:
//! `disk.img`, `recipe.json`, `release.json`, `OVMF_VARS.fd` and `root.json`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use attest::{Appraised, Expectation, Policy, TrustRoots, appraise};
use certs::SigningKey;
use common::booting::{TURN, image, launch, serve, serve_with};
use common::quic::certificate_shown;
use common::serving::{Serving, codes, gone};
use link::{Clock, Endpoint, Identity, Patience};
use rustix::process::{Pid, Signal, geteuid};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use voucher::{OrderState, RelayAddress};
use wire::OrderId;

/// A network namespace, and what is set in a copy of this program inside it.
const SPACE: &str = "roundcast-machine";
const INSIDE: &str = "ROUNDCAST_TEST_INSIDE";

/// Tells `tests/run`, past the test harness, which keeps what a passing test
/// prints.
fn say(line: &str) {
    let mut out = std::io::stdout();
    // Behind the harness's own words, whose line it has not ended.
    writeln!(out, "\n{line}").unwrap();
}

/// Boots a relay; it is what this desk's believers take it for.
async fn relay(image: &Path, serving: &Serving, code: &str) -> (OrderId, RelayAddress) {
    let mut record = serving.buy(code).await;
    let begun = Instant::now();
    let (order, state) = launch(serving, &mut record).await;
    let OrderState::Running { relay } = state else {
        panic!("{state:?}")
    };
    say(&format!(
        "seen: boot to serving {} ms",
        begun.elapsed().as_millis()
    ));
    let policy = Policy::default().with_operator(serving.uri.key());
    let appraised = judge(image, &policy, order, &relay).await;
    challenged(record.voucher().holder().key(), &relay, &appraised, &policy).await;
    closed(image, serving, relay.address);
    (order, relay)
}

/// Evidence is believed by who trusts this desk, and by nobody else.
async fn judge(image: &Path, operator: &Policy, order: OrderId, relay: &RelayAddress) -> Appraised {
    let certificate = certificate_shown(relay.address).await;
    assert_eq!(certs::x509::spki_hash(&certificate).unwrap(), relay.spki);
    let root = std::fs::read(image.join("root.json")).unwrap();
    let roots = TrustRoots::from_root_file(&root).unwrap();
    let expectation = Expectation::new(relay.spki, order);
    let verdict = |policy: &Policy| {
        let now = desk::clock::now().unwrap();
        appraise(&certificate, &expectation, &roots, policy, now)
    };
    let refused = verdict(&Policy::default()).unwrap_err();
    assert_eq!(refused.reason(), "assurance_not_accepted");
    let another = Policy::default().with_operator(relay.spki);
    assert_eq!(
        verdict(&another).unwrap_err().reason(),
        "operator_not_trusted"
    );
    let appraised = verdict(operator).unwrap();
    assert_eq!(appraised.assurance().name(), "operator");
    assert_eq!(appraised.parameters().lease_end, relay.lease_end_ms);
    appraised
}

/// The holder has the machine's TPM answer him live, twice on one link.
async fn challenged(holder: &SigningKey, relay: &RelayAddress, boot: &Appraised, policy: &Policy) {
    let certificate = certs::x509::self_signed(holder, Vec::new()).unwrap();
    let me = Identity {
        key: Arc::new(holder.clone()),
        certificate,
    };
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let socket = Endpoint::bind(any, &me).unwrap();
    let dialled = socket.dial(relay.address, Some(relay.spki), Patience::Control);
    let link = dialled.await.unwrap();
    let clock = Clock::new();
    for _ in 0..2 {
        let answer = link::challenge(&link, me.spki(), boot, policy, &clock).await;
        answer.unwrap();
    }
}

/// What the kernel of the serving machine says that it can still do.
fn closed(image: &Path, serving: &Serving, reached: SocketAddr) {
    let state = serving.event("guest_serving");
    assert_eq!(state["lockdown"], "confidentiality", "{state}");
    assert_eq!(state["hibernation"], "[disabled]", "{state}");
    assert_eq!(
        state["settings"],
        json!({
            "kernel/sysrq": "0",
            "kernel/core_pattern": "",
            "fs/suid_dumpable": "0",
            "kernel/dmesg_restrict": "1",
            "kernel/kptr_restrict": "2",
            "kernel/panic_on_oops": "1",
            "kernel/panic": "-1",
            "user/max_user_namespaces": "0",
            "net/ipv4/ip_unprivileged_port_start": "0",
            "kernel/unprivileged_bpf_disabled": "1",
            "kernel/yama/ptrace_scope": "3",
            "kernel/kexec_load_disabled": "1",
            "kernel/modules_disabled": "1",
        })
    );
    let watchdog = json!({"identity": "Software Watchdog", "state": "active"});
    assert_eq!(state["watchdog"], watchdog, "{state}");
    let recipe = std::fs::read(image.join("recipe.json")).unwrap();
    let recipe: Value = serde_json::from_slice(&recipe).unwrap();
    let listed = recipe["modules"].as_array().unwrap().iter();
    let listed: Vec<_> = listed.map(|module| module["name"].clone()).collect();
    assert_eq!(state["modules"], Value::Array(listed), "{state}");
    // Behind the emulator's own network the machine does not know how it is
    // reached.
    let address = match reached.ip() {
        ip if ip.is_loopback() => "0.0.0.0:7000".to_owned(),
        ip => format!("{ip}:7000"),
    };
    let table = |name: &str, addresses: Value| json!({"table": name, "addresses": addresses});
    let sockets = [
        table("udp", json!([address])),
        table("udp6", json!([])),
        table("tcp", json!([])),
        table("tcp6", json!([])),
    ];
    assert_eq!(state["sockets"], json!(sockets), "{state}");
}

/// Guard, TPM and machine of the only order that runs.
fn processes(data: &Path) -> Vec<Pid> {
    let mut orders = std::fs::read_dir(data.join("orders")).unwrap();
    let folder = orders.next().unwrap().unwrap().path();
    let text = std::fs::read(folder.join("processes.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let pid = |entry: &serde_json::Value| i32::try_from(entry["pid"].as_i64().unwrap()).unwrap();
    let list = file["processes"].as_array().unwrap();
    list.iter()
        .map(|entry| Pid::from_raw(pid(entry)).unwrap())
        .collect()
}

#[tokio::test]
async fn a_relay_boots_measured_is_verified_and_ends_with_its_desk() {
    let image = image();
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let codes = codes(&data, "1");
    let serving = serve(&image, &data);
    let (order, relay) = relay(&image, &serving, &codes[0]).await;
    assert_eq!(relay.address.ip().to_string(), "127.0.0.73");

    let processes = processes(&data);
    assert_eq!(processes.len(), 3);
    assert!(serving.signal(Signal::TERM).success());
    for pid in processes {
        assert!(gone(pid, Duration::from_secs(2)), "{pid:?}");
    }
    let again = serve(&image, &data);
    let done = again.status(&order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "desk_stopped"));
}

#[tokio::test]
async fn an_image_with_one_bit_flipped_is_refused_by_the_firmware_and_refunded() {
    let image = image();
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let (data, release) = (folder.path().join("data"), folder.path().join("release"));
    std::fs::create_dir(&release).unwrap();
    for name in ["release.json", "OVMF_VARS.fd"] {
        std::fs::copy(image.join(name), release.join(name)).unwrap();
    }
    let mut disk = std::fs::read(image.join("disk.img")).unwrap();
    let relay = std::fs::read(image.join("relay.efi")).unwrap();
    // Within the image, behind its headers and before its signature.
    let part = &relay[relay.len() / 2..][..64];
    let at = disk.windows(64).position(|window| window == part).unwrap();
    disk[at] ^= 1;
    std::fs::write(release.join("disk.img"), disk).unwrap();
    let codes = codes(&data, "1");
    let serving = serve(&release, &data);
    let mut record = serving.buy(&codes[0]).await;
    let (_, state) = launch(&serving, &mut record).await;
    let OrderState::Refunded { reason, .. } = state else {
        panic!("{state:?}")
    };
    assert_eq!(reason, "boot_refused");
}

#[tokio::test]
async fn a_desk_killed_during_a_boot_leaves_nothing() {
    let image = image();
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let codes = codes(&data, "1");
    let serving = serve(&image, &data);
    let mut record = serving.buy(&codes[0]).await;
    let order = {
        let redeem = serving.redeem(&mut record);
        // The boot takes longer than this.
        let begun = tokio::time::timeout(Duration::from_secs(5), redeem).await;
        assert!(begun.is_err(), "{begun:?}");
        serving.event("voucher_redeemed")["order"].clone()
    };
    let processes = processes(&data);
    assert!(processes.len() > 1);
    serving.signal(Signal::KILL);
    for pid in processes {
        assert!(gone(pid, Duration::from_secs(5)), "{pid:?}");
    }
    let again = serve(&image, &data);
    let refunded = again.status(order.as_str().unwrap()).await;
    assert!(matches!(refunded.state, OrderState::Refunded { .. }));
}

/// A namespace with a bridge, and a tap for one machine on it.
struct Space;

impl Space {
    fn make() -> Self {
        let space = Self;
        space.remove();
        for line in [
            "netns add SPACE",
            "-n SPACE link set lo up",
            "-n SPACE link add bridge0 type bridge",
            "-n SPACE address add 10.78.0.1/24 dev bridge0",
            "-n SPACE tuntap add dev tap0 mode tap",
            "-n SPACE link set tap0 master bridge0 up",
            "-n SPACE link set bridge0 up",
        ] {
            let line = line.replace("SPACE", SPACE);
            let done = Command::new("ip").args(line.split(' ')).output().unwrap();
            assert!(done.status.success(), "ip {line}: {done:?}");
        }
        space
    }

    fn remove(&self) {
        let words = ["netns", "del", SPACE];
        let _ = Command::new("ip").args(words).output();
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The desk's own setting names the tap, the machine's address and its way out.
const TAP: &str = "[qemu]
network = 'tap'
guests_max = 1
[[qemu.tap]]
namespace = 'roundcast-machine'
interface = 'tap0'
address = '10.78.0.2'
prefix = 24
gateway = '10.78.0.1'
";

/// Nobody outside of the namespace reaches that machine: a copy of this
/// program inside plays desk and holder.
#[tokio::test]
async fn a_relay_on_a_tap_has_the_address_that_it_was_told() {
    if !geteuid().is_root() {
        say("not run: a tap needs root");
        return;
    }
    let _turn = TURN.lock().await;
    let _space = Space::make();
    let status = Command::new("ip")
        .args(["netns", "exec", SPACE])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "inside_the_namespace", "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.unwrap().success());
}

/// Does nothing unless it is that copy.
#[tokio::test]
async fn inside_the_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let image = image();
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("desk.toml"));
    std::fs::write(&config, TAP).unwrap();
    let codes = codes(&data, "1");
    let config = config.to_str().unwrap();
    let serving = serve_with(&image, &data, &["--config", config]);
    let (_, relay) = relay(&image, &serving, &codes[0]).await;
    assert_eq!(relay.address.to_string(), "10.78.0.2:7000");
    assert!(serving.signal(Signal::TERM).success());
}
