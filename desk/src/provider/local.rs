//! The provider `local`: relays as processes of this machine, from a release
//! bundle. Evidence kind `software`, assurance `development`: it proves
//! nothing against this machine.

use super::boot::{Dialogue, Opening, is_event, read_line, software};
use super::parameters::parameters;
use super::{Ended, Launch, Pending, Provider, Running, Standing};
use crate::clock;
use crate::data::DataDir;
use crate::error::{Error, LaunchFailure};
use crate::event::Events;
use crate::identity::Identity;
use crate::platform::{Started, measure, measure_process};
use attest::release::{self, TrustRoot};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{oneshot, watch};
use voucher::RelayAddress;
use wire::{Encode, OrderId, UnixMs};

/// The program in a bundle.
const PROGRAM: &str = "roundcast-relay";
/// The developer's signed statement in a bundle.
const STATEMENT: &str = "release.json";
/// How long one line of the boot protocol may take, in ms.
const LINE_MS_MAX: u64 = 10_000;
/// How long a relay may take to end once its input is closed, in ms: its
/// holder's children get their notice, and the demo does not wait long.
const STOP_MS_MAX: u64 = 3_000;
/// How long after the paid time a relay is ended by force, in ms: it ends
/// itself, this is the second layer.
const LEASE_GRACE_MS: u64 = 30_000;

/// A release bundle: a folder with the relay's program and its `release.json`.
#[derive(Debug, Clone)]
pub struct Bundle {
    program: PathBuf,
    statement: String,
}

impl Bundle {
    /// Reads the bundle, and refuses one that every verifier would refuse: a
    /// voucher that buys such a relay is lost. Whether its statement is the
    /// developer's is for the relay's verifiers to say; with a `root` it is
    /// asked here, too.
    ///
    /// # Errors
    /// [`Error::Release`], [`Error::ReleaseRefused`].
    pub fn open(folder: &Path, root: Option<&TrustRoot>, now: UnixMs) -> Result<Self, Error> {
        let failed = |path: &Path, detail| Error::Release {
            path: path.to_owned(),
            detail,
        };
        let program = folder.join(PROGRAM).canonicalize().map_err(|_| {
            failed(
                &folder.join(PROGRAM),
                "there is no program; build the bundle",
            )
        })?;
        let path = folder.join(STATEMENT);
        let length = std::fs::metadata(&path)
            .map_err(|_| failed(&path, "there is no statement; sign the release"))?
            .len();
        if length > attest::release::RELEASE_BYTES_MAX as u64 {
            return Err(failed(
                &path,
                "it is too long for a statement; sign the release again",
            ));
        }
        let statement = std::fs::read_to_string(&path)
            .map_err(|_| failed(&path, "it cannot be read as text; sign the release again"))?;
        let refused = |source| Error::ReleaseRefused { path, source };
        judge(&statement, &program, root, now).map_err(refused)?;
        Ok(Self { program, statement })
    }
}

/// Whether the statement is good now, and the program the one that it names.
fn judge(
    statement: &str,
    program: &Path,
    root: Option<&TrustRoot>,
    now: UnixMs,
) -> Result<(), attest::Error> {
    let release = match root {
        Some(root) => release::verify(statement.as_bytes(), root, now).map(|good| (*good).clone()),
        None => release::claimed(statement.as_bytes(), now),
    }?;
    let named = release.measurements.software;
    let named = named.ok_or(attest::Error::MeasurementMissing("software"))?;
    match measure(program) {
        Ok(found) if found.0 == named.executable_sha256.0 => Ok(()),
        Ok(_) | Err(_) => Err(attest::Error::MeasurementMismatch),
    }
}

/// See the module.
pub struct Local {
    bundle: Bundle,
    data: DataDir,
    identity: Identity,
    addresses: Vec<IpAddr>,
    turn: AtomicUsize,
    events: Arc<dyn Events>,
    relays: Arc<Mutex<HashMap<OrderId, Relay>>>,
}

/// A relay's handle: dropping `stop` ends it.
struct Relay {
    stop: watch::Sender<bool>,
    address: Option<RelayAddress>,
}

type Relays = HashMap<OrderId, Relay>;

fn lock(relays: &Mutex<Relays>) -> MutexGuard<'_, Relays> {
    relays.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Local {
    /// A provider that runs relays of `bundle` at `addresses` in turn.
    #[must_use]
    pub fn new(
        bundle: Bundle,
        data: DataDir,
        identity: Identity,
        addresses: Vec<IpAddr>,
        events: Arc<dyn Events>,
    ) -> Self {
        Self {
            bundle,
            data,
            identity,
            addresses,
            turn: AtomicUsize::new(0),
            events,
            relays: Arc::default(),
        }
    }

    fn address(&self) -> IpAddr {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.addresses.len().max(1);
        let chosen = self.addresses.get(turn % count);
        chosen.copied().unwrap_or(IpAddr::from([127, 0, 0, 1]))
    }

    async fn launch(&self, launch: Launch) -> Result<Running, LaunchFailure> {
        let folder = self
            .data
            .order(&launch.id)
            .map_err(|_| LaunchFailure::Folder)?;
        let (stop, mut stopped) = watch::channel(false);
        lock(&self.relays).insert(
            launch.id,
            Relay {
                stop,
                address: None,
            },
        );
        let booted = tokio::select! {
            booted = self.boot(&launch, &folder) => booted,
            _ = stopped.wait_for(|stop| *stop) => Err(LaunchFailure::DeskEnded),
        };
        match booted {
            Ok(booted) => {
                if let Some(relay) = lock(&self.relays).get_mut(&launch.id) {
                    relay.address = Some(booted.relay);
                }
                Ok(self.watch(launch, booted, stopped, folder))
            }
            Err(failure) => {
                lock(&self.relays).remove(&launch.id);
                let _ = std::fs::remove_dir_all(&folder);
                Err(failure)
            }
        }
    }

    /// Spawns the program and leads it through the boot protocol. If this
    /// fails, or is dropped, the process is killed with its handle.
    async fn boot(&self, launch: &Launch, folder: &Path) -> Result<Booted, LaunchFailure> {
        let mut child = Command::new(&self.bundle.program)
            .args(["--boot-stdio", "--json"])
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // Of its own group: who interrupts the desk leaves it to the desk
            // to end its relays.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| LaunchFailure::Spawn)?;
        let pid = child.id().ok_or(LaunchFailure::Ended)?;
        let input = child.stdin.take().ok_or(LaunchFailure::Spawn)?;
        let output = BufReader::new(child.stdout.take().ok_or(LaunchFailure::Spawn)?);
        let event = |line: &str| self.events.forward(line);
        let mut dialogue = Dialogue::new(input, output, LINE_MS_MAX, &event);
        let address = self.address();
        let parameters = parameters(launch, SocketAddr::new(address, 0), address)?;
        let opening = Opening {
            order: &launch.order,
            parameters: &parameters,
            release: &self.bundle.statement,
            network: None,
        };
        let request = software::begin(&mut dialogue, opening).await?;
        // Measured now and not before: the process has answered, so the
        // program that it executes is the one that runs.
        let executable_sha256 = tokio::task::spawn_blocking(move || measure_process(pid))
            .await
            .map_err(|_| LaunchFailure::Measure)??;
        let now = clock::now().map_err(|_| LaunchFailure::Platform)?;
        let platform = Started {
            executable_sha256,
            order: &launch.order,
            parameters: &parameters,
            release: self.bundle.statement.as_bytes(),
            boot_key: request.boot_key,
        }
        .certify(self.identity.key(), now)?;
        let address = dialogue.finish(&platform.to_bytes(), &request.spki).await?;
        let (input, output) = dialogue.into_ends();
        Ok(Booted {
            relay: RelayAddress {
                address,
                spki: request.spki,
                lease_end_ms: launch.lease_end,
            },
            child,
            input,
            output,
        })
    }

    /// Leaves the relay to a task of its own.
    fn watch(
        &self,
        launch: Launch,
        booted: Booted,
        stopped: watch::Receiver<bool>,
        folder: PathBuf,
    ) -> Running {
        let (tell, ended) = oneshot::channel();
        let (relay, pid) = (booted.relay, booted.child.id());
        let (relays, events) = (Arc::clone(&self.relays), Arc::clone(&self.events));
        tokio::spawn(async move {
            let ended = booted.run(launch.lease_end, stopped, events.as_ref()).await;
            let _ = tokio::fs::remove_dir_all(&folder).await;
            lock(&relays).remove(&launch.id);
            let _ = tell.send(ended);
        });
        Running { relay, pid, ended }
    }
}

/// A relay that has booted.
struct Booted {
    relay: RelayAddress,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Booted {
    /// Passes the relay's events on until it ends: by itself, because the desk
    /// stops it, or because its time has long been over.
    async fn run(
        self,
        lease_end: UnixMs,
        mut stopped: watch::Receiver<bool>,
        events: &dyn Events,
    ) -> Ended {
        let Self {
            mut child,
            input,
            mut output,
            ..
        } = self;
        let left_ms = clock::now().map_or(0, |now| lease_end.since_ms(now));
        let overdue = tokio::time::sleep(Duration::from_millis(
            left_ms.saturating_add(LEASE_GRACE_MS),
        ));
        tokio::pin!(overdue);
        let reason = loop {
            tokio::select! {
                line = read_line(&mut output) => match line {
                    Ok(Some(line)) if is_event(&line) => events.forward(&line),
                    Ok(Some(_)) => {}
                    // It closed its output: it ends, or has gone astray.
                    Ok(None) | Err(_) => break None,
                },
                _ = stopped.wait_for(|stop| *stop) => break Some("desk_stopped"),
                () = &mut overdue => break Some("lease_ended"),
            }
        };
        drop(input);
        let patience = Duration::from_millis(STOP_MS_MAX);
        let status = match tokio::time::timeout(patience, child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = child.kill().await;
                None
            }
        };
        Ended {
            reason: reason.unwrap_or_else(|| exit_reason(status)).to_owned(),
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
        }
    }
}

fn exit_reason(status: Option<ExitStatus>) -> &'static str {
    match status {
        Some(status) if status.success() => "relay_exited",
        Some(status) if status.signal().is_some() => "relay_killed",
        Some(_) => "relay_failed",
        None => "relay_unresponsive",
    }
}

impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn start(&self, launch: Launch) -> Pending<'_, Result<Running, LaunchFailure>> {
        Box::pin(self.launch(launch))
    }

    fn describe(&self, order: &OrderId) -> Pending<'_, Option<RelayAddress>> {
        let address = lock(&self.relays)
            .get(order)
            .and_then(|relay| relay.address);
        Box::pin(std::future::ready(address))
    }

    fn stop(&self, order: &OrderId) -> Pending<'_, ()> {
        let stop = lock(&self.relays)
            .get(order)
            .map(|relay| relay.stop.clone());
        Box::pin(async move {
            if let Some(stop) = stop {
                let _ = stop.send(true);
                let gone = Duration::from_millis(2 * STOP_MS_MAX);
                let _ = tokio::time::timeout(gone, stop.closed()).await;
            }
        })
    }

    /// Relays of this machine end with the desk that started them: after a
    /// restart none is left.
    fn reconcile(&self, _order: &OrderId) -> Pending<'_, Standing> {
        Box::pin(std::future::ready(Standing::Gone))
    }
}
