//! A whole desk: shop and desk in one process, with a provider.

use crate::clock;
use crate::config::Config;
use crate::data::DataDir;
use crate::error::Error;
use crate::event::{Event, Events};
use crate::http::{Desk, Limits, routes, serve};
use crate::identity::Identity;
use crate::ledger::{Ledger, SqliteLedger};
use crate::orders::{Orders, Parts};
use crate::provider::{Bundle, Local, Provider, Qemu, qemu};
use crate::shop::Shop;
use attest::release::{ROOT_BYTES_MAX, TrustRoot};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How often the shop looks whether a key epoch has begun, in ms.
const ROLL_MS: u64 = 60 * 60 * 1000;

/// This program, as its children can start it even if its file was replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Who runs the relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// [`Local`].
    Local,
    /// [`Qemu`].
    Qemu,
}

/// What `serve` was told.
#[derive(Debug)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// The data folder.
    pub data: PathBuf,
    /// Who runs the relays.
    pub provider: ProviderKind,
    /// The release's folder, in the form of the provider.
    pub release: PathBuf,
    /// The root under which the release's signatures are checked, if they are.
    pub trust_root: Option<PathBuf>,
    /// Where to listen.
    pub listen: SocketAddr,
}

/// Runs a desk until `end` is done, then ends its relays.
///
/// # Errors
/// The step of the start that failed.
pub async fn run(
    settings: Settings,
    events: Arc<dyn Events>,
    end: impl Future<Output = ()>,
) -> Result<(), Error> {
    let Settings {
        config,
        data,
        provider,
        release,
        trust_root,
        listen,
    } = settings;
    let root = trust_root.as_deref().map(read_root).transpose()?;
    let release = Release::open(provider, &release, root.as_ref())?;
    let data = DataDir::open(&data)?;
    let _lock = data.lock()?;
    data.clear_orders()?;
    let identity = Identity::open(&data)?;
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&data.ledger())?);
    // Listening first: a taken port is told at once, not after the keys.
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|source| Error::Listen {
            address: listen,
            source,
        })?;
    let address = listener.local_addr().map_err(|source| Error::Listen {
        address: listen,
        source,
    })?;
    let shop = open_shop(&config, &data, &identity).await?;
    let orders = Orders::new(Parts {
        check: shop.clone(),
        ledger: Arc::clone(&ledger),
        provider: release
            .provider(&config, &data, &identity, Arc::clone(&events))
            .await?,
        refunder: shop.clone(),
        events: Arc::clone(&events),
        channel: config.channel.clone(),
    });
    orders.reconcile().await?;
    let uri = identity.uri(address)?.to_string();
    let tls = identity.tls()?;
    let rolling = tokio::spawn(roll(Arc::clone(&shop), config, data));
    events.emit(Event::DeskReady { uri });
    let desk = Desk {
        shop,
        ledger,
        orders: orders.clone(),
    };
    serve(listener, tls, routes(desk), Limits::default(), end).await;
    rolling.abort();
    orders.close().await;
    Ok(())
}

fn read_root(path: &Path) -> Result<TrustRoot, Error> {
    let failed = || Error::file("read the trust root", path);
    if std::fs::metadata(path).map_err(failed())?.len() > ROOT_BYTES_MAX as u64 {
        let source = std::io::Error::other("it is too long for a root");
        return Err(failed()(source));
    }
    let json = std::fs::read(path).map_err(failed())?;
    TrustRoot::parse(&json).map_err(|source| Error::TrustRoot {
        path: path.to_owned(),
        source,
    })
}

/// What relays are started from: read before anything else, since a mistake
/// in it is the operator's most frequent.
enum Release {
    Local(Bundle),
    Qemu(qemu::Release),
}

impl Release {
    fn open(
        provider: ProviderKind,
        folder: &Path,
        root: Option<&TrustRoot>,
    ) -> Result<Self, Error> {
        match provider {
            ProviderKind::Local => Bundle::open(folder, root, clock::now()?).map(Self::Local),
            ProviderKind::Qemu => qemu::Release::open(folder).map(Self::Qemu),
        }
    }

    async fn provider(
        self,
        config: &Config,
        data: &DataDir,
        identity: &Identity,
        events: Arc<dyn Events>,
    ) -> Result<Arc<dyn Provider>, Error> {
        let (data, identity) = (data.clone(), identity.clone());
        match self {
            Self::Local(bundle) => {
                let addresses = config.local.relay_addresses.clone();
                let local = Local::new(bundle, data, identity, addresses, events);
                Ok(Arc::new(local))
            }
            Self::Qemu(release) => {
                let parts = qemu::Parts {
                    setting: config.qemu.clone(),
                    release,
                    data,
                    identity,
                    events,
                    guard: THIS_PROGRAM.into(),
                };
                Ok(Arc::new(Qemu::open(parts).await?))
            }
        }
    }
}

async fn open_shop(
    config: &Config,
    data: &DataDir,
    identity: &Identity,
) -> Result<Arc<Shop>, Error> {
    let (config, data, identity) = (config.clone(), data.clone(), identity.clone());
    let opened =
        tokio::task::spawn_blocking(move || Shop::open(&config, &data, &identity, clock::now()?));
    Ok(Arc::new(opened.await.map_err(|_| Error::Ending)??))
}

/// Makes the keys of new epochs as they begin.
async fn roll(shop: Arc<Shop>, config: Config, data: DataDir) {
    loop {
        tokio::time::sleep(Duration::from_millis(ROLL_MS)).await;
        let (shop, config, data) = (Arc::clone(&shop), config.clone(), data.clone());
        let rolled =
            tokio::task::spawn_blocking(move || shop.roll(&config, &data, clock::now()?)).await;
        if let Ok(Err(error)) = rolled {
            tracing::error!(reason = error.reason(), "roll the class keys: {error}");
        }
    }
}
