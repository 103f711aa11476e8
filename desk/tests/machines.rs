//! The desk as a program with the provider `qemu`, a stand-in for the
//! emulator, and a real TPM: what is vouched for, what ends when, and what a
//! kill leaves behind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
mod stand_in_machine;

use attest::tpm2::{SignedTpmStatement, TpmStatement};
use common::serving::{DESK, Serving, codes, gone, refused};
use data_encoding::HEXLOWER;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use voucher::{OrderState, OrderStatus};
use wire::Decode;

/// How long killed programs may take to be gone.
const SOON: Duration = Duration::from_secs(5);

/// A folder with a release whose machine behaves as its `release.json` says,
/// and a desk's data.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(release: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        std::fs::create_dir(site.path("release")).unwrap();
        std::fs::write(site.path("release/disk.img"), "").unwrap();
        std::fs::write(site.path("release/OVMF_VARS.fd"), "").unwrap();
        std::fs::write(site.path("firmware.fd"), "").unwrap();
        site.set_release(release);
        site.configure("");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set_release(&self, release: &str) {
        std::fs::write(self.path("release/release.json"), release).unwrap();
    }

    /// This very program takes the emulator's place.
    fn configure(&self, more: &str) {
        let machine = std::env::current_exe().unwrap();
        let text = format!(
            "[qemu]\nqemu = '{}'\nfirmware = '{}'\nplaces = '{}'\n{more}",
            machine.display(),
            self.path("firmware.fd").display(),
            // Stand-ins take no place of the computer's.
            self.folder.path().display()
        );
        std::fs::write(self.path("desk.toml"), text).unwrap();
    }

    fn codes(&self, count: &str) -> Vec<String> {
        codes(&self.path("data"), count)
    }

    fn serve_command(&self) -> Command {
        let mut command = Command::new(DESK);
        command
            .args(["serve", "--provider", "qemu", "--json"])
            .args(["--listen", "127.0.0.1:0"])
            .args(["--relay-address", "127.0.0.71"])
            .args(["--relay-address", "127.0.0.72"])
            .arg("--config")
            .arg(self.path("desk.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .arg("--release")
            .arg(self.path("release"));
        command
    }

    fn serve(&self) -> Serving {
        Serving::start(self.serve_command())
    }

    /// The folder of the only order that runs.
    fn order(&self) -> PathBuf {
        let orders = std::fs::read_dir(self.path("data/orders")).unwrap();
        let folders: Vec<_> = orders.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(folders.len(), 1);
        folders[0].clone()
    }

    /// Guard, TPM and machine of the only order that runs.
    fn processes(&self) -> [Pid; 3] {
        let text = std::fs::read(self.order().join("processes.json")).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let list = file["processes"].as_array().unwrap();
        let pid = |entry: &serde_json::Value| {
            Pid::from_raw(i32::try_from(entry["pid"].as_i64().unwrap()).unwrap()).unwrap()
        };
        let pids: Vec<_> = list.iter().map(pid).collect();
        pids.try_into().unwrap()
    }
}

/// A site whose machine runs.
async fn running(release: &str) -> (Site, Serving, OrderStatus) {
    let site = Site::new(release);
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    let status = serving.redeem(&mut record).await;
    assert!(
        matches!(status.state, OrderState::Running { .. }),
        "{status:?}"
    );
    (site, serving, status)
}

async fn the_desk_vouches_for_the_tpm_s_key_and_ends_the_machine_with_itself() {
    let (site, serving, status) = running("good").await;
    let OrderState::Running { relay } = status.state else {
        panic!("{status:?}")
    };
    assert_eq!(relay.address.ip().to_string(), "127.0.0.71");

    let text = std::fs::read(site.order().join("platform.hex")).unwrap();
    let bytes = HEXLOWER.decode(&text).unwrap();
    let signed = SignedTpmStatement::from_bytes(&bytes).unwrap();
    let desk_key = serving.desk_key().await;
    signed.verify(&desk_key).unwrap();
    let statement: TpmStatement = signed.statement().unwrap();
    let ak = std::fs::read(site.order().join("ak.public")).unwrap();
    assert_eq!(&*statement.ak_public, &*ak);
    assert_eq!(statement.order, status.order);
    assert_eq!(statement.until, relay.lease_end_ms);
    assert_eq!(
        statement.release_digest.0,
        voucher::encoding::sha256(b"good")
    );

    let started = serving.event("relay_started");
    assert_eq!(started["relay"], relay.spki.to_hex().as_str());
    assert_eq!(started["pid"], serving.event("stand_in")["pid"]);
    let processes = site.processes();
    assert!(serving.signal(Signal::TERM).success());
    for pid in processes {
        assert!(gone(pid, Duration::from_secs(1)));
    }
    let again = site.serve();
    let done = again.status(&status.order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "desk_stopped"));
}

async fn a_killed_desk_leaves_neither_machine_nor_tpm_nor_guard() {
    let (site, serving, status) = running("deaf").await;
    let processes = site.processes();
    serving.signal(Signal::KILL);
    for pid in processes {
        assert!(gone(pid, SOON), "{pid:?}");
    }
    let again = site.serve();
    let done = again.status(&status.order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "desk_restarted"));
    let left = std::fs::read_dir(site.path("data/orders")).unwrap().count();
    assert_eq!(left, 0);
}

async fn a_killed_guard_takes_its_programs_with_it_and_the_desk_hears_of_it() {
    let (site, serving, _) = running("deaf").await;
    let [guard, tpm, machine] = site.processes();
    kill_process(guard, Signal::KILL).unwrap();
    assert!(gone(tpm, SOON) && gone(machine, SOON));
    assert_eq!(serving.event("relay_ended")["reason"], "relay_unresponsive");
}

async fn what_an_earlier_desk_left_the_next_one_ends() {
    let site = Site::new("good");
    drop(site.serve());
    let mut left = Command::new("sleep").arg("600").spawn().unwrap();
    let process = desk::guard::Process::of(left.id()).unwrap();
    let order = site.path("data/orders/earlier");
    std::fs::create_dir(&order).unwrap();
    let file = serde_json::json!({ "processes": [process] });
    std::fs::write(order.join("processes.json"), file.to_string()).unwrap();
    let _again = site.serve();
    assert!(!process.runs() && !order.exists());
    left.wait().unwrap();
}

async fn bad_machines_are_refunded_by_name() {
    let tries = [
        ("exits", "launch_relay_ended"),
        ("panics", "launch_relay_ended"),
        ("nonsense", "launch_protocol_error"),
        ("other_port", "launch_protocol_error"),
        ("refused", "boot_refused"),
        ("mute", "boot_timeout"),
    ];
    let site = Site::new("");
    site.configure("boot_ms_max = 10000\n");
    let codes = site.codes("6");
    let serving = site.serve();
    drop(serving);
    for ((release, expected), code) in tries.iter().zip(&codes) {
        site.set_release(release);
        let serving = site.serve();
        let mut record = serving.buy(code).await;
        let status = serving.redeem(&mut record).await;
        let OrderState::Refunded { reason, .. } = &status.state else {
            panic!("{release}: {status:?}")
        };
        assert_eq!(reason, expected, "{release}");
        assert!(record.settle(&status).unwrap().is_some());
        let left = std::fs::read_dir(site.path("data/orders")).unwrap().count();
        assert_eq!(left, 0, "the order's folder is cleared away");
    }
}

async fn a_third_machine_is_refused_while_two_run() {
    let site = Site::new("good");
    let codes = site.codes("3");
    let serving = site.serve();
    let mut states = Vec::new();
    for code in &codes {
        let mut record = serving.buy(code).await;
        states.push(serving.redeem(&mut record).await.state);
    }
    let [
        OrderState::Running { relay: one },
        OrderState::Running { relay: two },
        OrderState::Refunded { reason, .. },
    ] = &states[..]
    else {
        panic!("{states:?}")
    };
    let ips = [one, two].map(|relay| relay.address.ip().to_string());
    assert_eq!(ips, ["127.0.0.71", "127.0.0.72"]);
    assert_eq!(reason, "launch_guests_full");
}

async fn a_machine_s_end_is_told_by_name() {
    let (site, serving, status) = running("good").await;
    let [_, tpm, machine] = site.processes();
    kill_process(machine, Signal::KILL).unwrap();
    assert_eq!(serving.event("relay_ended")["reason"], "relay_killed");
    assert!(gone(tpm, SOON));
    let done = serving.status(&status.order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "relay_killed"));

    let (_site, serving, _) = running("powers_off").await;
    assert_eq!(serving.event("relay_ended")["reason"], "relay_exited");
}

async fn a_machine_that_does_not_end_is_killed() {
    let (site, serving, _) = running("deaf").await;
    let processes = site.processes();
    assert!(serving.signal(Signal::TERM).success());
    for pid in processes {
        assert!(gone(pid, Duration::from_secs(1)));
    }
}

async fn a_start_that_cannot_be_names_what_is_missing() {
    let site = Site::new("good");
    site.configure("swtpm_setup = 'no-such-swtpm_setup'\n");
    let (code, text) = refused(&mut site.serve_command());
    assert_eq!(code, 1);
    for word in ["program_missing", "no-such-swtpm_setup", "swtpm-tools"] {
        assert!(text.contains(word), "{text}");
    }
    site.configure("guests_max = 3\n");
    let (code, text) = refused(&mut site.serve_command());
    assert!(code == 2 && text.contains("config_invalid"), "{text}");
    site.configure("");
    std::fs::remove_file(site.path("release/disk.img")).unwrap();
    let (code, text) = refused(&mut site.serve_command());
    assert!(
        code == 1 && text.contains("release_bundle_invalid"),
        "{text}"
    );
}

/// A guard alone: everything of the plan ends with its input, whatever runs.
async fn a_guard_ends_what_it_runs_with_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let plan = r#"{"programs":[
        {"name":"one","argv":["true"],"ready":"exits"},
        {"name":"two","argv":["sh","-c","touch here; sleep 600 & wait"],"ready":{"path":"here"}},
        {"name":"three","argv":["sleep","600"],"ready":"started"}],"life_ms_max":600000}"#;
    let mut child = Command::new(DESK)
        .arg("guard")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(
        &mut input,
        format!("{}\n", plan.replace('\n', "")).as_bytes(),
    )
    .unwrap();
    let mut pids = Vec::new();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap());
    for line in std::io::BufRead::lines(lines) {
        let told: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let Some(pid) = told["pid"].as_i64() else {
            continue;
        };
        pids.push(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap());
        if told["name"] == "three" {
            break;
        }
    }
    assert_eq!(pids.len(), 3);
    drop(input);
    assert!(child.wait().unwrap().success());
    for pid in pids {
        assert!(gone(pid, SOON), "{pid:?}");
    }
}

/// Whether the TPM's programs are installed; where everything must run they
/// have to be.
fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if ["swtpm", "swtpm_setup"].into_iter().all(is_there) {
        return true;
    }
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!in_ci, "install swtpm and swtpm-tools");
    false
}

/// Runs the tests whose names contain the argument, if there is one.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "-nodefaults") {
        return stand_in_machine::main();
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    macro_rules! run {
        ($($test:ident),* $(,)?) => {$(
            if filter.is_none_or(|filter| stringify!($test).contains(filter.as_str())) {
                runtime.block_on($test());
                println!("test {} ... ok", stringify!($test));
            }
        )*};
    }
    run!(a_guard_ends_what_it_runs_with_its_input);
    if !installed() {
        println!("not run: the tests of machines, since swtpm and swtpm-tools are not installed");
        return;
    }
    run!(
        the_desk_vouches_for_the_tpm_s_key_and_ends_the_machine_with_itself,
        a_killed_desk_leaves_neither_machine_nor_tpm_nor_guard,
        a_killed_guard_takes_its_programs_with_it_and_the_desk_hears_of_it,
        what_an_earlier_desk_left_the_next_one_ends,
        bad_machines_are_refunded_by_name,
        a_third_machine_is_refused_while_two_run,
        a_machine_s_end_is_told_by_name,
        a_machine_that_does_not_end_is_killed,
        a_start_that_cannot_be_names_what_is_missing,
    );
}
