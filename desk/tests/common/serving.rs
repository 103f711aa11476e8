//! A desk as a program of its own: what it says, and a client's errands.

use super::client::{get, post};
use super::{random, stable};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use voucher::{
    DeskUri, IssueResponse, OrderStatus, PurchaseRecord, SignedKeySet, VoucherRecord, generator,
};

pub const DESK: &str = env!("CARGO_BIN_EXE_roundcast-desk");

/// Purchase codes of the small class, for a desk's data folder.
pub fn codes(data: &Path, count: &str) -> Vec<String> {
    let made = Command::new(DESK)
        .args(["codes", "make", "--class", "small.local.1h.45gb"])
        .args(["--count", count, "--data"])
        .arg(data)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let text = String::from_utf8(made.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A desk that serves, and what it said.
pub struct Serving {
    child: Child,
    events: Arc<Mutex<Vec<serde_json::Value>>>,
    pub uri: DeskUri,
}

impl Serving {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let events: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
        let heard = events.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap();
                heard.lock().unwrap().push(event);
            }
        });
        let mut serving = Self {
            child,
            events,
            uri: "roundcast-desk://127.0.0.1:1/#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                .parse()
                .unwrap(),
        };
        let ready = serving.event("desk_ready");
        serving.uri = ready["uri"].as_str().unwrap().parse().unwrap();
        serving
    }

    /// The first event of a kind; waits for it.
    pub fn event(&self, kind: &str) -> serde_json::Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let events = self.events.lock().unwrap();
            if let Some(event) = events.iter().find(|event| event["kind"] == kind) {
                return event.clone();
            }
            assert!(Instant::now() < deadline, "no {kind} among {events:?}");
            drop(events);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn relay_pid(&self) -> Pid {
        let pid = self.event("stand_in")["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    pub fn signal(mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap()
    }

    pub async fn buy(&self, code: &str) -> VoucherRecord {
        let keys: SignedKeySet = get(&self.uri, "/v1/keys").await.unwrap();
        let set = keys.verify(&self.uri).unwrap();
        let offer = set
            .offers
            .iter()
            .find(|o| o.class.hours() == 1 && o.class.gigabytes() == 45);
        let names = (&set.shop, &set.ledger);
        let mut rng = generator(&random());
        let code = code.parse().unwrap();
        let purchase =
            PurchaseRecord::begin(&mut rng, &self.uri, names, offer.unwrap(), code).unwrap();
        let issued: IssueResponse = post(&self.uri, "/v1/issue", &purchase.request())
            .await
            .unwrap();
        purchase.finish(&issued).unwrap()
    }

    pub async fn redeem(&self, record: &mut VoucherRecord) -> OrderStatus {
        let keys: SignedKeySet = get(&self.uri, "/v1/keys").await.unwrap();
        let desk_key = keys.verify(&self.uri).unwrap().desk_key;
        let now = desk::clock::now().unwrap();
        let request = record
            .begin_redeem(&mut generator(&random()), desk_key, &stable(), now)
            .unwrap();
        post(&self.uri, "/v1/redeem", &request).await.unwrap()
    }

    pub async fn desk_key(&self) -> wire::PublicKey {
        let keys: SignedKeySet = get(&self.uri, "/v1/keys").await.unwrap();
        keys.verify(&self.uri).unwrap().desk_key
    }

    pub async fn status(&self, order: &str) -> OrderStatus {
        get(&self.uri, &format!("/v1/order/{order}")).await.unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process runs no more within the time; one that has ended and
/// whose parent has not looked yet runs no more.
pub fn gone(pid: Pid, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    let number = u32::try_from(pid.as_raw_nonzero().get()).unwrap();
    while Instant::now() < deadline {
        if desk::guard::Process::of(number).is_none() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Exit code and words of a command that is refused.
pub fn refused(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}
