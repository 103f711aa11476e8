//! One boot: from an empty folder to a relay that was vouched for, or to
//! nothing at all.

use super::Parts;
use super::ca::TpmCa;
use super::command::{Machine, TPM_SOCKET, manufacture, tpm};
use super::console::{Signs, follow};
use super::folder::BootFolder;
use super::machine::Guarded;
use super::network::{GUEST_PORT, Lease};
use super::programs::Programs;
use super::relay::{Channel, LEASE_GRACE_MS, Relay};
use crate::clock;
use crate::error::LaunchFailure;
use crate::guard::{Plan, Program, Ready};
use crate::provider::Launch;
use crate::provider::boot::{Dialogue, Opening, tpm2};
use crate::provider::parameters::parameters;
use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use voucher::RelayAddress;

/// What the guard calls the machine.
pub(super) const MACHINE: &str = "machine";

/// How long the console of an ended machine may take to close, in ms.
const LAST_LINES_MS_MAX: u64 = 1_000;

/// What every boot of this desk has in common.
pub(super) struct Host {
    pub(super) parts: Parts,
    pub(super) programs: Programs,
    pub(super) ca: TpmCa,
}

/// A boot that is prepared.
pub(super) struct Boot<'a> {
    host: &'a Host,
    launch: &'a Launch,
    /// The desk's name for it.
    id: [u8; 16],
    network: Lease,
    reached: SocketAddr,
    folder: BootFolder,
    /// Who reads the console; its last lines.
    console: Mutex<Option<JoinHandle<String>>>,
}

impl<'a> Boot<'a> {
    /// Furnishes `folder` for a boot of `launch` on `network`.
    pub(super) fn prepare(
        host: &'a Host,
        launch: &'a Launch,
        network: Lease,
        folder: &Path,
    ) -> Result<Self, LaunchFailure> {
        let mut id = [0; 16];
        SystemRandom::new()
            .fill(&mut id)
            .map_err(|_| LaunchFailure::Platform)?;
        Ok(Self {
            host,
            launch,
            id,
            reached: network.network.reached()?,
            network,
            folder: BootFolder::furnish(folder, &host.parts.release.variables)?,
            console: Mutex::default(),
        })
    }

    /// Starts the machine, and ends it again unless it becomes a relay: an
    /// error means that nothing runs.
    pub(super) async fn run(
        self,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Relay, LaunchFailure> {
        let parts = &self.host.parts;
        let mut guarded = Guarded::start(&parts.guard, self.folder.path(), &self.plan()).await?;
        let (tell, signs) = watch::channel(Signs::default());
        let limit = Duration::from_millis(parts.setting.boot_ms_max);
        let ready = tokio::select! {
            ready = timeout(limit, self.lead(&mut guarded, tell)) => {
                ready.unwrap_or(Err(LaunchFailure::BootTimeout))
            }
            failure = bad_sign(signs.clone()) => Err(failure),
            _ = stopped.wait_for(|stop| *stop) => Err(LaunchFailure::DeskEnded),
        };
        match ready {
            Ok((pid, address, channel)) => Ok(Relay {
                address,
                pid,
                channel,
                guarded,
                signs,
                stopped,
                network: self.network,
            }),
            Err(failure) => {
                guarded.end().await;
                self.tell_last_lines().await;
                Err(failure)
            }
        }
    }

    /// Puts what a failed machine said into the desk's log.
    async fn tell_last_lines(&self) {
        let console = self.console.lock().await.take();
        let Some(console) = console else { return };
        let limit = Duration::from_millis(LAST_LINES_MS_MAX);
        if let Ok(Ok(lines)) = timeout(limit, console).await {
            let order = self.launch.id.short();
            tracing::warn!(%order, "the machine's last lines:\n{lines}");
        }
    }

    /// What the guard is to run.
    fn plan(&self) -> Plan {
        let Host {
            parts,
            programs,
            ca,
        } = self.host;
        let machine = Machine {
            programs,
            disk: &parts.release.disk,
            memory_mib: parts.setting.memory_mib,
            cpus: parts.setting.cpus,
            network: &self.network.network,
            reached: self.reached,
            boot: &self.id,
        };
        let program = |name: &str, argv, ready| Program {
            name: name.to_owned(),
            argv,
            ready,
        };
        let making = manufacture(programs, &ca.config, &HEXLOWER.encode(&self.id));
        let lease_end = self.launch.lease_end;
        let left_ms = clock::now().map_or(0, |now| lease_end.since_ms(now));
        Plan {
            programs: vec![
                program("tpm_setup", making, Ready::Exits),
                program("tpm", tpm(programs), Ready::Path(TPM_SOCKET.into())),
                program(MACHINE, machine.command(), Ready::Started),
            ],
            life_ms_max: left_ms.saturating_add(LEASE_GRACE_MS),
        }
    }

    /// Follows the boot to the relay's word that it is ready.
    async fn lead(
        &self,
        guarded: &mut Guarded,
        signs: watch::Sender<Signs>,
    ) -> Result<(u32, RelayAddress, Channel), LaunchFailure> {
        let pid = guarded.started(MACHINE).await?;
        tokio::select! {
            ready = self.converse(signs) => ready.map(|(address, channel)| (pid, address, channel)),
            _ = guarded.ended(MACHINE) => Err(LaunchFailure::Ended),
        }
    }

    async fn converse(
        &self,
        signs: watch::Sender<Signs>,
    ) -> Result<(RelayAddress, Channel), LaunchFailure> {
        let Host { parts, ca, .. } = self.host;
        let (console, channel) = self.folder.accept().await?;
        *self.console.lock().await = Some(tokio::spawn(follow(console, signs)));
        let network = &self.network.network;
        let parameters = parameters(self.launch, network.listen(), self.reached.ip())?;
        let guest = network.guest();
        let opening = Opening {
            order: &self.launch.order,
            parameters: &parameters,
            release: &parts.release.statement,
            network: guest.as_ref(),
        };
        let voucher = tpm2::Host {
            roots: &ca.roots,
            boot: self.id,
            desk: parts.identity.key(),
            until: self.launch.lease_end,
            rng: &SystemRandom::new(),
        };
        let event = |line: &str| parts.events.forward(line);
        let (from, to) = channel.into_split();
        // One limit for all of it: an emulated machine's first line comes
        // when it has booted.
        let limit_ms = parts.setting.boot_ms_max;
        let mut dialogue = Dialogue::new(to, BufReader::new(from), limit_ms, &event);
        let (spki, listening) = tpm2::certify(&mut dialogue, opening, &voucher).await?;
        if listening.port() != GUEST_PORT {
            return Err(LaunchFailure::Protocol);
        }
        let (to, from) = dialogue.into_ends();
        let address = RelayAddress {
            address: self.reached,
            spki,
            lease_end_ms: self.launch.lease_end,
        };
        Ok((address, Channel { to, from }))
    }
}

/// Comes when the console shows that this boot leads nowhere.
async fn bad_sign(mut signs: watch::Receiver<Signs>) -> LaunchFailure {
    let seen = signs.wait_for(|signs| *signs != Signs::default()).await;
    match seen.map(|signs| *signs) {
        Ok(signs) if signs.refused => LaunchFailure::BootRefused,
        Ok(_) => LaunchFailure::Ended,
        // The console has closed: the machine's end is told by its guard.
        Err(_) => std::future::pending().await,
    }
}
