//! The desk as a program, with relays as programs: what is certified, what
//! ends when, and what a kill leaves behind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
mod stand_in;

use attest::Evidence;
use attest::release::{KeyRing, Release, SoftwareMeasurement};
use attest::software::PlatformStatement;
use common::client::{get, post};
use common::serving::{DESK, Serving, codes, gone, refused};
use common::{random, stable};
use ring::rand::SystemRandom;
use rustix::process::{Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use voucher::{OrderState, OrderStatus, SignedKeySet, State, VoucherRecord, generator};
use wire::{Decode, Digest, UnixMs};

/// A folder with a signed bundle whose relay behaves as it is told, the root,
/// and a desk's data.
struct Site {
    folder: tempfile::TempDir,
    keys: KeyRing,
}

impl Site {
    fn new(behaviour: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        std::fs::create_dir(&bundle).unwrap();
        let program = bundle.join("roundcast-relay");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let keys = KeyRing::generate(&SystemRandom::new()).unwrap();
        let site = Self { folder, keys };
        let (measured, hour) = (file_sha256(&program), now().plus_ms(3_600_000));
        site.release(measured, hour);
        let root = site.keys.first_root(hour).unwrap();
        std::fs::write(site.path("root.json"), root).unwrap();
        site.set_behaviour(behaviour);
        site
    }

    /// Signs a release of this program, good until then.
    fn release(&self, program: [u8; 32], expires: UnixMs) {
        let (commit, issued) = ("0".repeat(40), UnixMs(expires.0 - 7_200_000));
        let mut release = Release::new("stable", "0.1.0", &commit, "test", issued, expires);
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: Digest(program).into(),
        });
        let signed = self.keys.sign_release(&release).unwrap();
        std::fs::write(self.path("bundle/release.json"), signed).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set_behaviour(&self, behaviour: &str) {
        std::fs::write(self.path("bundle/behaviour"), behaviour).unwrap();
    }

    fn codes(&self, count: &str) -> Vec<String> {
        codes(&self.path("data"), count)
    }

    fn serve_command(&self, listen: &str) -> Command {
        let mut command = Command::new(DESK);
        command
            .args(["serve", "--provider", "local", "--json"])
            .args(["--listen", listen, "--relay-address", "127.0.0.77"])
            .arg("--data")
            .arg(self.path("data"))
            .arg("--release")
            .arg(self.path("bundle"));
        command
    }

    fn serve(&self) -> Serving {
        Serving::start(self.serve_command("127.0.0.1:0"))
    }

    /// The program and certificate of the only order that runs.
    fn certificate(&self) -> Vec<u8> {
        let orders = std::fs::read_dir(self.path("data/orders")).unwrap();
        let folders: Vec<_> = orders.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(folders.len(), 1);
        std::fs::read(folders[0].join("certificate.der")).unwrap()
    }
}

fn now() -> UnixMs {
    desk::clock::now().unwrap()
}

fn file_sha256(path: &Path) -> [u8; 32] {
    voucher::encoding::sha256(&std::fs::read(path).unwrap())
}

async fn the_desk_certifies_what_runs_and_ends_it_with_itself() {
    let site = Site::new("good");
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    let status = serving.redeem(&mut record).await;
    let OrderState::Running { relay } = status.state else {
        panic!("{status:?}")
    };
    assert_eq!(relay.address.ip().to_string(), "127.0.0.77");

    let certificate = site.certificate();
    assert_eq!(certs::x509::spki_hash(&certificate).unwrap(), relay.spki);
    let extension = certs::x509::extension(&certificate, certs::x509::EVIDENCE_OID);
    let evidence = Evidence::from_extension(&extension.unwrap().unwrap()).unwrap();
    let Evidence::Software(evidence) = evidence else {
        panic!("another kind of evidence")
    };
    let order = &evidence.order;
    evidence.platform.verify(&order.desk_key).unwrap();
    let statement = PlatformStatement::from_bytes(&evidence.platform.body).unwrap();
    let program = site.path("bundle/roundcast-relay");
    assert_eq!(statement.executable_sha256.0, file_sha256(&program));
    let release = file_sha256(&site.path("bundle/release.json"));
    assert_eq!(statement.release.0, release);
    assert_eq!(statement.order, status.order);
    assert_eq!(order.holder_key, record.id());
    assert_eq!(order.byte_cap, 45_000_000_000);
    assert_eq!(evidence.parameters.rate_bps, 100_000_000);
    assert!(evidence.parameters.private_networks);

    let (redeemed, started) = (
        serving.event("voucher_redeemed"),
        serving.event("relay_started"),
    );
    assert_eq!(redeemed["order"], status.order.to_hex().as_str());
    assert_eq!(redeemed["holder"], record.id().to_hex().as_str());
    assert_eq!(started["relay"], relay.spki.to_hex().as_str());
    assert!(redeemed["mono_us"].as_u64() < started["mono_us"].as_u64());

    let pid = serving.relay_pid();
    assert!(serving.signal(Signal::TERM).success());
    assert!(gone(pid, Duration::from_secs(1)));
    let again = site.serve();
    let done = again.status(&status.order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "desk_stopped"));
}

async fn a_killed_desk_leaves_no_relay_and_knows_it_afterwards() {
    let site = Site::new("good");
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    let status = serving.redeem(&mut record).await;
    let pid = serving.relay_pid();
    serving.signal(Signal::KILL);
    assert!(gone(pid, Duration::from_secs(5)));
    let again = site.serve();
    let done = again.redeem(&mut record).await;
    assert_eq!(done.order, status.order);
    assert!(matches!(&done.state, OrderState::Done { reason } if reason == "desk_restarted"));
    record.settle(&done).unwrap();
    assert_eq!(record.state(), State::Spent);
}

async fn a_desk_killed_during_the_launch_refunds_at_its_next_start() {
    let site = Site::new("mute");
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    let saved = serde_json::to_string(&record).unwrap();
    let uri = serving.uri.clone();
    let key: SignedKeySet = get(&uri, "/v1/keys").await.unwrap();
    let desk_key = key.verify(&uri).unwrap().desk_key;
    let now = desk::clock::now().unwrap();
    let request = record
        .begin_redeem(&mut generator(&random()), desk_key, &stable(), now)
        .unwrap();
    let asking =
        tokio::spawn(async move { post::<OrderStatus>(&uri, "/v1/redeem", &request).await });
    let order = serving.event("voucher_redeemed")["order"].clone();
    asking.abort();
    serving.signal(Signal::KILL);
    site.set_behaviour("good");
    let again = site.serve();
    let refunded = again.status(order.as_str().unwrap()).await;
    let mut fresh = record.settle(&refunded).unwrap().unwrap();
    assert_eq!(record.state(), State::Refunded);
    let running = again.redeem(&mut fresh).await;
    assert!(matches!(running.state, OrderState::Running { .. }));
    // The old voucher is spent by its refund, also for who kept a copy.
    let mut copy: VoucherRecord = serde_json::from_str(&saved).unwrap();
    let request = copy
        .begin_redeem(&mut generator(&random()), desk_key, &stable(), now)
        .unwrap();
    let refusal = post::<OrderStatus>(&again.uri, "/v1/redeem", &request).await;
    assert_eq!(refusal.unwrap_err().reason, "spent");
}

async fn bad_relays_are_refunded_by_name() {
    let tries = [
        ("exits", "launch_relay_ended"),
        ("nonsense", "launch_protocol_error"),
        ("other_key", "launch_protocol_error"),
        ("mute", "launch_timeout"),
    ];
    for (release, expected) in tries {
        let site = Site::new(release);
        let codes = site.codes("1");
        let serving = site.serve();
        let mut record = serving.buy(&codes[0]).await;
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

async fn a_relay_s_end_is_told_by_name() {
    let site = Site::new("good");
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    let status = serving.redeem(&mut record).await;
    kill_process(serving.relay_pid(), Signal::KILL).unwrap();
    let ended = serving.event("relay_ended");
    assert_eq!(ended["reason"], "relay_killed");
    let done = serving.status(&status.order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "relay_killed"));
}

async fn a_relay_that_does_not_end_is_killed() {
    let site = Site::new("deaf");
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    serving.redeem(&mut record).await;
    let pid = serving.relay_pid();
    let begun = Instant::now();
    assert!(serving.signal(Signal::TERM).success());
    assert!(gone(pid, Duration::from_secs(1)));
    assert!(begun.elapsed() < Duration::from_secs(9));
}

async fn a_start_that_cannot_be_is_refused_by_name() {
    let site = Site::new("good");
    let serving = site.serve();
    let (code, text) = refused(&mut site.serve_command("127.0.0.1:0"));
    assert!(code == 1 && text.contains("data_in_use"), "{text}");

    let other = Site::new("good");
    let taken = serving.uri.authority();
    let (code, text) = refused(&mut other.serve_command(&taken));
    assert!(code == 1 && text.contains("listen_failed"), "{text}");

    std::fs::remove_file(other.path("bundle/release.json")).unwrap();
    let (code, text) = refused(&mut other.serve_command("127.0.0.1:0"));
    assert!(
        code == 1 && text.contains("release_bundle_invalid"),
        "{text}"
    );

    let config = other.path("desk.toml");
    std::fs::write(&config, "colour = 'red'").unwrap();
    let (code, text) = refused(
        Command::new(DESK)
            .arg("classes")
            .arg("--config")
            .arg(&config),
    );
    assert!(code == 2 && text.contains("config_invalid"), "{text}");
    assert!(text.contains("line 1: "), "{text}");

    let (code, _) = refused(Command::new(DESK).args(["serve", "--provider", "nowhere"]));
    assert_eq!(code, 2);

    let mut make = Command::new(DESK);
    make.args(["codes", "make", "--class", "small.mars.1h.45gb", "--data"]);
    let (code, text) = refused(make.arg(other.path("data")));
    assert!(code == 2 && text.contains("not for sale"), "{text}");
}

async fn a_bundle_that_every_verifier_would_refuse_is_refused_at_the_start() {
    let site = Site::new("good");
    let mut other = site.serve_command("127.0.0.1:0");
    let (good, hour) = (
        file_sha256(&site.path("bundle/roundcast-relay")),
        now().plus_ms(3_600_000),
    );
    let with_root = |root: &Path| {
        let mut command = site.serve_command("127.0.0.1:0");
        command.arg("--trust-root").arg(root);
        command
    };
    site.release([7; 32], hour);
    let (code, text) = refused(&mut other);
    assert!(code == 1 && text.contains("measurement_mismatch"), "{text}");
    assert!(text.contains("sign the release again"), "{text}");

    site.release(good, UnixMs(now().0 - 1_000));
    let (code, text) = refused(&mut site.serve_command("127.0.0.1:0"));
    assert!(code == 1 && text.contains("release_expired"), "{text}");

    std::fs::write(site.path("bundle/release.json"), "{}").unwrap();
    let (code, text) = refused(&mut site.serve_command("127.0.0.1:0"));
    assert!(code == 1 && text.contains("release_malformed"), "{text}");

    // Only a root tells whose signature it is.
    site.release(good, hour);
    let stranger = Site::new("good");
    let (code, text) = refused(&mut with_root(&stranger.path("root.json")));
    assert!(
        code == 1 && text.contains("release_signature_invalid"),
        "{text}"
    );
    Serving::start(with_root(&site.path("root.json")));
}

async fn a_refused_redemption_is_told_by_name_and_spends_nothing() {
    let site = Site::new("good");
    let codes = site.codes("1");
    let serving = site.serve();
    let mut record = serving.buy(&codes[0]).await;
    let wrong: voucher::Name = "another".parse().unwrap();
    let (desk_key, rng) = (serving.desk_key().await, &mut generator(&random()));
    let request = record.begin_redeem(rng, desk_key, &wrong, now()).unwrap();
    let refused = post::<OrderStatus>(&serving.uri, "/v1/redeem", &request).await;
    assert!(refused.is_err());
    let told = serving.event("redemption_refused");
    assert_eq!(told["reason"], "channel_unknown");
}

/// Runs the tests whose names contain the argument, if there is one.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--boot-stdio") {
        return stand_in::main();
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
    run!(
        the_desk_certifies_what_runs_and_ends_it_with_itself,
        a_killed_desk_leaves_no_relay_and_knows_it_afterwards,
        a_desk_killed_during_the_launch_refunds_at_its_next_start,
        bad_relays_are_refunded_by_name,
        a_relay_s_end_is_told_by_name,
        a_relay_that_does_not_end_is_killed,
        a_start_that_cannot_be_is_refused_by_name,
        a_bundle_that_every_verifier_would_refuse_is_refused_at_the_start,
        a_refused_redemption_is_told_by_name_and_spends_nothing,
    );
}
