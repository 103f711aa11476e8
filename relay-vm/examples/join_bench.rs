//! How long viewers that join at once wait for a relay's attestation, where its
//! TPM takes 15 ms per quote: `join_bench [--joins N] [--commit ID]` prints one
//! JSON object (roundcast.join-bench/1), and exits 1 if a viewer was not
//! answered.
//!
//! The relay is the real one, in this process, and so are all viewers: each has
//! a socket, a membership and a link of its own. When all links stand, all
//! challenge at once. A viewer's delay ends with its verdict.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "made of the tests' scene; it fails by panicking"
)]

#[path = "../tests/relay/scene.rs"]
mod scene;
#[path = "../../overlay/link/tests/support/mod.rs"]
mod support;

use attest::{Appraised, Error, Expectation, QuoteDigest, Quoter};
use link::{Clock, Endpoint, Identity, Link, Patience, challenge};
use relay_vm::boot::PlatformQuoter;
use scene::{Paid, Scene};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::{Stream, order};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use wire::message::control::NodeKind;

/// What a TPM of a cloud's machine takes for a quote.
const QUOTE: Duration = Duration::from_millis(15);
const JOINS: usize = 500;
/// The figure that is promised.
const P99_MS_MAX: f64 = 250.0;
/// Handshakes at a time: all at once would be another bench.
const DIALS: usize = 16;
const TRIES: usize = 3;

/// A platform as slow as a TPM: one quote at a time.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn PlatformQuoter>,
    device: Mutex<()>,
    quotes: Arc<AtomicUsize>,
}

impl Quoter for Slow {
    fn quote(&self, digest: &QuoteDigest) -> Result<Vec<u8>, Error> {
        let _held = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::sleep(QUOTE);
        self.quotes.fetch_add(1, Ordering::Relaxed);
        self.inner.quote(digest)
    }
}

struct Options {
    joins: usize,
    commit: Option<String>,
}

impl Options {
    fn read() -> Option<Self> {
        let mut options = Self {
            joins: JOINS,
            commit: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next()?;
            match name.as_str() {
                "--joins" => options.joins = value.parse().ok().filter(|joins| *joins > 0)?,
                "--commit" => options.commit = Some(value),
                _ => return None,
            }
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read() else {
        eprintln!("join_bench [--joins N] [--commit ID]");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let report = runtime.block_on(run(&options));
    println!("{report}");
    if report["answered"] == options.joins {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(options: &Options) -> Value {
    let quotes = Arc::new(AtomicUsize::new(0));
    let counted = quotes.clone();
    let scene = Scene::of(Paid::default(), Clock::raised_by_beacons(), |inner| {
        Arc::new(Slow {
            inner,
            device: Mutex::new(()),
            quotes: counted,
        })
    });
    let stream = Stream::begin();
    let crowd: Vec<Identity> = (0..options.joins).map(|_| stream.member()).collect();
    let orders = crowd.iter().map(|member| {
        let permit = stream.signed_permit(scene.spki(), member.spki());
        order(permit, member.spki(), NodeKind::Peer, None)
    });
    let _control = scene.coordinate(&stream, orders.collect()).await;
    let links = links(&scene, crowd).await;
    let boot = Arc::new(boot(&scene, &links));
    let delays = challenged(&scene, links, &boot).await;
    report(options, delays, quotes.load(Ordering::Relaxed))
}

struct Viewer {
    me: Identity,
    link: Link,
    _socket: Endpoint,
}

async fn links(scene: &Scene, crowd: Vec<Identity>) -> Vec<Viewer> {
    let mut viewers = Vec::new();
    let mut crowd = crowd.into_iter();
    loop {
        let mut dials = JoinSet::new();
        for me in crowd.by_ref().take(DIALS) {
            dials.spawn(viewer(me, scene.address));
        }
        if dials.is_empty() {
            return viewers;
        }
        viewers.extend(dials.join_all().await);
    }
}

/// Links; on a busy machine a handshake may need another try.
async fn viewer(me: Identity, address: SocketAddr) -> Viewer {
    for _ in 0..TRIES {
        let socket = Endpoint::bind(support::loopback(), &me).unwrap();
        if let Ok(link) = socket.dial(address, None, Patience::Control).await {
            return Viewer {
                me,
                link,
                _socket: socket,
            };
        }
    }
    panic!("no link to the relay in {TRIES} tries");
}

/// The appraisal, which all viewers would come to: it is the same certificate.
fn boot(scene: &Scene, viewers: &[Viewer]) -> Appraised {
    let (trust, link) = (scene.trust(), &viewers[0].link);
    let expectation = Expectation::new(scene.spki(), scene.order_id());
    let now = support::now();
    trust
        .appraise(&link.certificate, &expectation, now)
        .unwrap()
}

/// How long each waited, in milliseconds; those that were not answered are
/// left out.
async fn challenged(scene: &Scene, viewers: Vec<Viewer>, boot: &Arc<Appraised>) -> Vec<f64> {
    let gate = Arc::new(Barrier::new(viewers.len()));
    let policy = scene.trust().policy();
    let mut waits = JoinSet::new();
    for viewer in viewers {
        let (gate, boot, policy) = (gate.clone(), boot.clone(), policy.clone());
        waits.spawn(async move {
            let clock = Clock::new();
            gate.wait().await;
            let begun = Instant::now();
            let me = viewer.me.spki();
            let verdict = challenge(&viewer.link, me, &boot, &policy, &clock).await;
            verdict.map(|_| begun.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut delays = Vec::new();
    for wait in waits.join_all().await {
        match wait {
            Ok(delay_ms) => delays.push(delay_ms),
            Err(error) => eprintln!("join_bench: {error}"),
        }
    }
    delays.sort_by(f64::total_cmp);
    delays
}

fn report(options: &Options, delays: Vec<f64>, quotes: usize) -> Value {
    // The value that so many in a hundred do not exceed.
    let percentile = |percent: usize| {
        let rank = (delays.len() * percent).div_ceil(100).max(1);
        delays.get(rank - 1).map(|ms| round(*ms))
    };
    let p99 = percentile(99);
    json!({
        "schema": "roundcast.join-bench/1",
        "commit": options.commit,
        "optimised": !cfg!(debug_assertions),
        "joins": options.joins,
        "answered": delays.len(),
        "quote_ms": QUOTE.as_millis() as u64,
        "delay_ms": {"p50": percentile(50), "p99": p99, "max": percentile(100)},
        "quotes": quotes,
        "viewers_per_quote": round(delays.len() as f64 / quotes.max(1) as f64),
        "goal": {"p99_ms_max": P99_MS_MAX},
        "goal_met": p99.is_some_and(|ms| ms <= P99_MS_MAX) && delays.len() == options.joins,
    })
}

/// One digit after the point.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
