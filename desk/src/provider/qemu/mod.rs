//! The provider `qemu`: relays as measured boots of the released image in
//! emulated machines, each with a TPM of its own. Evidence kind `tpm2`,
//! assurance `operator`: it proves nothing against this desk, which runs
//! machine and TPM, and says so.
//!
//! ```text
//! setting, release    what the operator gives    programs, command  how it is run
//! ca                  who makes the TPMs         machine            under which guard
//! network, places     where a relay is found     console            what it says
//! folder, boot        from nothing to a relay    relay              and to its end
//! ```

mod boot;
mod ca;
mod command;
mod console;
mod folder;
mod machine;
mod network;
mod places;
mod programs;
mod relay;
mod release;
mod setting;

pub use release::Release;
pub use setting::{BOOT_MS_MAX, GUESTS_MAX, NetworkKind, QemuSetting, TapSetting};

use super::{Launch, Pending, Provider, Running, Standing};
use crate::data::DataDir;
use crate::error::{Error, LaunchFailure};
use crate::event::Events;
use crate::identity::Identity;
use boot::{Boot, Host};
use ca::TpmCa;
use network::Free;
use places::Places;
use programs::Programs;
use relay::{Relay, STOP_MS_MAX};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use voucher::RelayAddress;
use wire::OrderId;

/// What the provider is made of.
pub struct Parts {
    /// What the operator set.
    pub setting: QemuSetting,
    /// What machines boot from.
    pub release: Release,
    /// The desk's data.
    pub data: DataDir,
    /// Who vouches.
    pub identity: Identity,
    /// Who is told.
    pub events: Arc<dyn Events>,
    /// The program whose command `guard` holds the machines: the desk's own.
    pub guard: PathBuf,
}

/// See the module.
pub struct Qemu {
    host: Host,
    free: Free,
    orders: Arc<Mutex<Orders>>,
}

/// An order's handle: setting `stop` ends it.
struct Handle {
    stop: watch::Sender<bool>,
    address: Option<RelayAddress>,
}

type Orders = HashMap<OrderId, Handle>;

fn lock(orders: &Mutex<Orders>) -> MutexGuard<'_, Orders> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Qemu {
    /// Finds the programs, and opens or founds the TPMs' CA.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Program`], [`Error::TpmCa`],
    /// [`Error::File`].
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        parts.setting.check()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = Programs::find(&parts.setting, &path)?;
        let places = Places::open(&parts.setting.places)?;
        let ca = TpmCa::open(&parts.data, &parts.guard, &programs).await?;
        Ok(Self {
            free: Free::new(parts.setting.networks(), places),
            host: Host {
                parts,
                programs,
                ca,
            },
            orders: Arc::default(),
        })
    }

    async fn launch(&self, launch: Launch) -> Result<Running, LaunchFailure> {
        let network = self.free.take().ok_or(LaunchFailure::GuestsFull)?;
        let data = &self.host.parts.data;
        let folder = data.order(&launch.id).map_err(|_| LaunchFailure::Folder)?;
        let (stop, stopped) = watch::channel(false);
        let handle = Handle {
            stop,
            address: None,
        };
        lock(&self.orders).insert(launch.id, handle);
        match self.boot(&launch, network, &folder, stopped).await {
            Ok(relay) => Ok(self.watch(launch, relay, folder)),
            Err(failure) => {
                lock(&self.orders).remove(&launch.id);
                remove(&folder).await;
                Err(failure)
            }
        }
    }

    async fn boot(
        &self,
        launch: &Launch,
        network: network::Lease,
        folder: &Path,
        stopped: watch::Receiver<bool>,
    ) -> Result<Relay, LaunchFailure> {
        let boot = Boot::prepare(&self.host, launch, network, folder)?;
        boot.run(stopped).await
    }

    /// Leaves the relay to a task of its own.
    fn watch(&self, launch: Launch, relay: Relay, folder: PathBuf) -> Running {
        let (tell, ended) = oneshot::channel();
        let (address, pid) = (relay.address, relay.pid);
        if let Some(handle) = lock(&self.orders).get_mut(&launch.id) {
            handle.address = Some(address);
        }
        let orders = Arc::clone(&self.orders);
        let events = Arc::clone(&self.host.parts.events);
        tokio::spawn(async move {
            let ended = relay.run(launch.lease_end, events.as_ref()).await;
            remove(&folder).await;
            lock(&orders).remove(&launch.id);
            let _ = tell.send(ended);
        });
        Running {
            relay: address,
            pid: Some(pid),
            ended,
        }
    }
}

/// A folder that stays is taken away at the desk's next start.
async fn remove(folder: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(folder).await {
        tracing::warn!("remove a relay's folder {}: {error}", folder.display());
    }
}

impl Provider for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn start(&self, launch: Launch) -> Pending<'_, Result<Running, LaunchFailure>> {
        Box::pin(self.launch(launch))
    }

    fn describe(&self, order: &OrderId) -> Pending<'_, Option<RelayAddress>> {
        let address = lock(&self.orders)
            .get(order)
            .and_then(|handle| handle.address);
        Box::pin(std::future::ready(address))
    }

    fn stop(&self, order: &OrderId) -> Pending<'_, ()> {
        let stop = lock(&self.orders)
            .get(order)
            .map(|handle| handle.stop.clone());
        Box::pin(async move {
            if let Some(stop) = stop {
                let _ = stop.send(true);
                let gone = Duration::from_millis(2 * STOP_MS_MAX);
                let _ = tokio::time::timeout(gone, stop.closed()).await;
            }
        })
    }

    /// Machines end with the desk that started them, and what was left of
    /// them is ended before a desk asks ([`crate::guard::leftover`]).
    fn reconcile(&self, _order: &OrderId) -> Pending<'_, Standing> {
        Box::pin(std::future::ready(Standing::Gone))
    }
}
