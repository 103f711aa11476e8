//! A provider that starts, fails or hangs as the test says, and counts.

use desk::error::LaunchFailure;
use desk::provider::{Ended, Launch, Pending, Provider, Running, Standing};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use voucher::RelayAddress;
use wire::{OrderId, SpkiHash, UnixMs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Start,
    Fail,
    Hang,
}

pub struct Scripted {
    script: Script,
    /// What `reconcile` finds running.
    survivor: bool,
    starts: AtomicUsize,
    pub started: Notify,
    running: Mutex<HashMap<OrderId, oneshot::Sender<Ended>>>,
}

pub fn relay() -> RelayAddress {
    RelayAddress {
        address: "127.0.0.9:4433".parse().unwrap(),
        spki: SpkiHash([7; 32]),
        lease_end_ms: UnixMs(2_000_000_000_000),
    }
}

impl Scripted {
    pub fn new(script: Script) -> Self {
        Self {
            script,
            survivor: false,
            starts: AtomicUsize::new(0),
            started: Notify::new(),
            running: Mutex::default(),
        }
    }

    pub fn good() -> Self {
        Self::new(Script::Start)
    }

    pub fn surviving() -> Self {
        Self {
            survivor: true,
            ..Self::good()
        }
    }

    pub fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    pub fn end(&self, order: &OrderId, reason: &str) {
        if let Some(tell) = self.running.lock().unwrap().remove(order) {
            tell.send(Ended::because(reason)).unwrap();
        }
    }

    fn run(&self, order: OrderId) -> Running {
        let (tell, ended) = oneshot::channel();
        self.running.lock().unwrap().insert(order, tell);
        Running {
            relay: relay(),
            pid: None,
            ended,
        }
    }
}

impl Provider for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn start(&self, launch: Launch) -> Pending<'_, Result<Running, LaunchFailure>> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        self.started.notify_one();
        Box::pin(async move {
            match self.script {
                // Long enough that requests at once overlap with it.
                Script::Start => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(self.run(launch.id))
                }
                Script::Fail => Err(LaunchFailure::Spawn),
                Script::Hang => std::future::pending().await,
            }
        })
    }

    fn describe(&self, order: &OrderId) -> Pending<'_, Option<RelayAddress>> {
        let runs = self.running.lock().unwrap().contains_key(order);
        Box::pin(std::future::ready(runs.then(relay)))
    }

    fn stop(&self, order: &OrderId) -> Pending<'_, ()> {
        self.end(order, "desk_stopped");
        Box::pin(std::future::ready(()))
    }

    fn reconcile(&self, order: &OrderId) -> Pending<'_, Standing> {
        let standing = if self.survivor {
            Standing::Running(self.run(*order))
        } else {
            Standing::Gone
        };
        Box::pin(std::future::ready(standing))
    }
}
