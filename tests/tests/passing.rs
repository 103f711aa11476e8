//! An evening of two renditions with a real relay: the station is full, free
//! riders get the smaller one, somebody buys a round, and the relay carries as
//! many at the best as it may and passes the smaller one on to others. As more
//! of it is proven they move up. What comes out is what was published.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tests::demo::provider::{Cloud, Provider};
use tests::demo::stage::{Host, Stage};
use tests::event::Event;
use tests::process::{Launch, Output, Process, run};
use tests::programs::Programs;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wire::Stripes;

const PATIENCE: Duration = Duration::from_secs(120);
const SEED: u64 = 36;
/// Two places of the best rendition: one is kept for four of the smaller.
const UPLOAD_MBPS: &str = "2.5";
/// Free riders: more than the station and the four places that a relay has
/// before anything is proven can give the best to.
const RIDERS: usize = 12;
const SPONSOR: &str = "sponsor";

struct World {
    stage: Stage,
    outputs: UnboundedReceiver<Output>,
    sender: UnboundedSender<Output>,
    running: BTreeMap<String, Process>,
    told: Vec<Event>,
    closed: BTreeSet<String>,
}

impl World {
    fn set() -> Self {
        let programs = Programs::find(false).unwrap();
        let (provider, cloud) = (Provider::Local, Cloud::Believed);
        let stage = Stage::set(programs, SEED, None, provider, cloud, Stripes::SINGLE).unwrap();
        let (sender, outputs) = unbounded_channel();
        Self {
            stage,
            outputs,
            sender,
            running: BTreeMap::new(),
            told: Vec::new(),
            closed: BTreeSet::new(),
        }
    }

    fn start(&mut self, name: &str, launch: &Launch) {
        let process = Process::start(name, launch, self.sender.clone()).unwrap();
        self.running.insert(name.to_owned(), process);
    }

    /// Waits for what has been told already, or will be.
    async fn wait(&mut self, awaited: &str, fits: impl Fn(&Event) -> bool) -> Event {
        if let Some(event) = self.told.iter().find(|event| fits(event)) {
            return event.clone();
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let output = tokio::time::timeout(left, self.outputs.recv()).await;
            let Ok(Some(output)) = output else {
                panic!("{awaited}: not in time of\n{}", self.story());
            };
            let event = match output {
                Output::Event(event) => event,
                Output::Stray { .. } => continue,
                Output::Closed { source } => {
                    self.closed.insert(source);
                    continue;
                }
            };
            self.answer(&event).await;
            let found = fits(&event).then(|| event.clone());
            self.told.push(event);
            if let Some(event) = found {
                return event;
            }
        }
    }

    /// What has happened, but for chunks and what is told again and again.
    fn story(&self) -> String {
        const OFTEN: [&str; 6] = [
            "chunk_published",
            "chunk_received",
            "control_traffic",
            "relay_proven",
            "relay_metered",
            "path",
        ];
        let rare = self.told.iter();
        let rare = rare.filter(|event| !OFTEN.contains(&event.kind.as_str()));
        let line = |e: &Event| {
            let fields = json!(e.fields);
            format!("{} {} {} {} {fields}", e.mono_us, e.source, e.kind, e.who)
        };
        rare.map(line).collect::<Vec<_>>().join("\n")
    }

    /// The sponsor buys the first round that he is asked for, and no other.
    async fn answer(&mut self, event: &Event) {
        if event.source != SPONSOR || event.kind != "sponsor_prompted" {
            return;
        }
        let before = |e: &Event| e.source == SPONSOR && e.kind == "sponsor_prompted";
        let word = if self.told.iter().any(before) {
            "decline"
        } else {
            "accept"
        };
        let line = format!("{word} {}", event.fields["ask"]);
        let sponsor = self.running.get_mut(SPONSOR).unwrap();
        sponsor.tell(&line).await.unwrap();
    }

    /// Opens the desk, and buys the sponsor's voucher there.
    async fn open_desk(&mut self) -> String {
        let desk = self.stage.programs.desk.clone();
        let launch = Launch::new(&desk, self.stage.log("desk"))
            .flag("serve")
            .option("--provider", "local")
            .option("--data", self.stage.data("desk"))
            .option("--listen", self.stage.listen(Host::Desk))
            .option("--release", self.stage.release())
            .option("--relay-address", self.stage.address(Host::Relay(0)))
            .flag("--json");
        self.start("desk", &launch);
        let ready = self
            .wait("the desk opens", |e| e.kind == "desk_ready")
            .await;
        let uri = ready.text("uri").unwrap().to_owned();
        let codes = Launch::new(&desk, self.stage.log("codes"))
            .flag("codes")
            .flag("make")
            .option("--class", "small.local.1h.45gb")
            .option("--count", "1")
            .option("--data", self.stage.data("desk"))
            .flag("--json");
        let (_, text) = run("codes", &codes, PATIENCE).await.unwrap();
        let offer: Value = serde_json::from_str(&text).unwrap();
        let buy = Launch::new(&self.stage.programs.roundcast, self.stage.log("buy"))
            .flag("wallet")
            .flag("buy")
            .option("--desk", &uri)
            .option("--code", offer["codes"][0].as_str().unwrap())
            .option("--class", offer["class"].as_str().unwrap())
            .option("--data", self.stage.data(SPONSOR))
            .flag("--json");
        run("buy", &buy, PATIENCE).await.unwrap();
        uri
    }

    async fn go_on_air(&mut self) -> String {
        let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("media/small.mp4");
        let launch = Launch::new(&self.stage.programs.roundcast, self.stage.log("station"))
            .flag("broadcast")
            .option("--input", self.stage.clip())
            .option("--input", small)
            .option("--when-full", "degrade")
            .option("--stripes", "1+0")
            .option("--upload-mbps", UPLOAD_MBPS)
            .option("--ask-interval-ms", "0")
            .flag("--loop")
            .flag("--no-page");
        let launch = self.common(launch, "station", Host::Station);
        self.start("station", &launch);
        let ready = self
            .wait("the station", |e| e.kind == "station_ready")
            .await;
        ready.text("invite").unwrap().to_owned()
    }

    fn join(&mut self, name: &str, position: u8, invite: &str, more: &[&str]) {
        let launch = Launch::new(&self.stage.programs.roundcast, self.stage.log(name))
            .flag("watch")
            .flag(invite)
            .option("--share-mbps", "0")
            .option("--out", self.out(name))
            .flag("--no-page");
        let launch = more.iter().fold(launch, |launch, flag| launch.flag(*flag));
        let launch = self.common(launch, name, Host::Viewer(position));
        self.start(name, &launch);
    }

    fn common(&self, launch: Launch, name: &str, host: Host) -> Launch {
        launch
            .flag("--trust-development")
            .flag("--json")
            .flag("--trace-chunks")
            .option("--kept-ms", "10000")
            .option("--name", name)
            .option("--listen", self.stage.listen(host))
            .option("--data", self.stage.data(name))
            .option("--trust-root", self.stage.trust_root())
    }

    fn out(&self, name: &str) -> PathBuf {
        self.stage.data(&format!("{name}.mp4"))
    }

    /// Ends a program in order, and takes what it still says.
    async fn end(&mut self, name: &str) {
        let mut process = self.running.remove(name).unwrap();
        // Who was refused has gone already.
        let _ = process.tell("quit").await;
        process.end(PATIENCE).await.unwrap();
        while !self.closed.contains(name) {
            match self.outputs.recv().await.unwrap() {
                Output::Event(event) => self.told.push(event),
                Output::Stray { .. } => {}
                Output::Closed { source } => {
                    self.closed.insert(source);
                }
            }
        }
    }

    /// Ends everybody, and checks what came of everybody.
    async fn end_all(&mut self) {
        let running = self.running.keys();
        let riders = running.filter(|name| name.starts_with("rider"));
        let riders: Vec<String> = riders.cloned().collect();
        for name in &riders {
            self.end(name).await;
        }
        self.end(SPONSOR).await;
        self.end("station").await;
        for name in riders {
            self.check(&name);
        }
        let refused = self.told.iter().filter(|e| e.kind == "receipt_refused");
        assert_eq!(refused.count(), 0);
    }

    /// The file is what was published of each rendition, one after the other.
    fn check(&self, name: &str) -> BTreeSet<u64> {
        let key = |e: &Event| {
            json!([
                e.fields["rendition"],
                e.fields["init"],
                e.fields["sequence"]
            ])
        };
        let published: BTreeMap<String, &Event> = self
            .told
            .iter()
            .filter(|e| e.kind == "chunk_published")
            .map(|e| (key(e).to_string(), e))
            .collect();
        let bytes = std::fs::read(self.out(name)).unwrap_or_default();
        let mut at = 0;
        let mut renditions = BTreeSet::new();
        let came = self.told.iter();
        for chunk in came.filter(|e| e.source == name && e.kind == "chunk_received") {
            let original = published[&key(chunk).to_string()];
            let next = at + usize::try_from(chunk.number("bytes").unwrap()).unwrap();
            let digest = ring::digest::digest(&ring::digest::SHA256, &bytes[at..next]);
            let sha256 = original.text("sha256").unwrap();
            assert_eq!(hex::encode(digest), sha256, "{name}: {chunk:?}");
            renditions.insert(chunk.number("rendition").unwrap());
            at = next;
        }
        assert_eq!(at, bytes.len(), "{name}");
        renditions
    }
}

#[tokio::test]
async fn a_relay_carries_some_at_the_best_and_passes_the_smaller_one_on() {
    let mut world = World::set();
    let desk = world.open_desk().await;
    let invite = world.go_on_air().await;
    let never = ["--sponsor", "never"];
    world.join("rider0", 10, &invite, &never);
    let plays = |name: &'static str, rendition: u64| {
        move |e: &Event| {
            let of = e.number("rendition") == Some(rendition);
            e.source == name && e.kind == "chunk_received" && of
        }
    };
    world
        .wait("the first at the best", plays("rider0", 0))
        .await;
    let pays = ["--sponsor", "ask", "--max-price", "1000", "--desk", &desk];
    let names: Vec<String> = (1..RIDERS).map(|n| format!("rider{n}")).collect();
    for (name, position) in names.iter().take(4).zip(11..) {
        world.join(name, position, &invite, &never);
        let name = name.clone();
        let degraded = move |e: &Event| e.source == name && e.kind == "degraded";
        world.wait("the smaller one", degraded).await;
    }
    world.join(SPONSOR, 30, &invite, &pays);
    let granted = |e: &Event| e.kind == "sponsor_granted";
    world.wait("somebody buys a round", granted).await;
    // Before the relay is there, more have come than it can serve at first.
    for (name, position) in names.iter().skip(4).zip(15..) {
        world.join(name, position, &invite, &never);
    }
    let fed = world
        .wait("the relay gets it", |e| e.kind == "relay_fed")
        .await;
    let relay = fed.text("relay").unwrap().to_owned();
    let passed = world
        .wait("it is passed on", |e| e.kind == "passed_on")
        .await;
    assert_eq!(passed.text("relay"), Some(relay.as_str()));
    let from_relay = |e: &Event| {
        let small = e.kind == "chunk_received" && e.number("rendition") == Some(1);
        small && e.text("from") == Some(relay.as_str())
    };
    let got = world
        .wait("the smaller one, from the relay", from_relay)
        .await;
    // What it carries proves more, and there is room for more at the best.
    let had_it: BTreeSet<String> = world
        .told
        .iter()
        .filter(|e| e.kind == "passed_on")
        .map(|e| e.who.clone())
        .collect();
    assert!(had_it.contains(&got.source));
    let up = |e: &Event| had_it.contains(&e.source) && e.kind == "upgraded";
    let up = world.wait("who had it there moves up", up).await;
    let plays = move |e: &Event| {
        let best = e.kind == "chunk_received" && e.number("rendition") == Some(0);
        e.source == up.source && best && e.mono_us > up.mono_us
    };
    let moved = world.wait("and plays the best", plays).await;
    world.end_all().await;
    let played = world.check(&moved.source);
    assert_eq!(played, BTreeSet::from([0, 1]));
}
