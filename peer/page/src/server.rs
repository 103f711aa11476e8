//! The listener and what the client holds while it runs.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::serve::ListenerExt;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use zeroize::Zeroizing;

use crate::{
    answer::{Reply, Stop},
    config::Config,
    error::Error,
    feed::Feed,
    guard::{Gate, Link},
    limits::{CLOSE_WAIT_MAX, REPLIES_PENDING_MAX, STREAMS_MAX},
    routes,
    view::{Role, View},
};

/// The local page's server.
#[derive(Debug)]
pub struct Server;

/// A page that is served. Dropping it ends the page and every player.
#[derive(Debug)]
pub struct Running {
    state: Arc<State>,
    replies: Option<mpsc::Receiver<Reply>>,
    serving: JoinHandle<()>,
}

/// What the request handlers share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) gate: Gate,
    pub(crate) feed: Feed,
    pub(crate) shown: watch::Sender<Arc<Shown>>,
    /// One permit for each open stream.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) closing: watch::Sender<bool>,
    replies: mpsc::Sender<Reply>,
    /// The ask that was last accepted: a double click must not buy twice.
    answered: Mutex<Option<String>>,
    address: SocketAddr,
}

/// A view as it is sent.
#[derive(Default)]
pub(crate) struct Shown {
    /// Holds the invite at a station, so it is wiped.
    pub(crate) json: Zeroizing<String>,
    ask: Option<String>,
    stoppable: bool,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Shown {
    fn new(mut view: View) -> Result<Self, Error> {
        if view.role != Role::Station {
            view.invite = None;
        }
        Ok(Self {
            json: Zeroizing::new(serde_json::to_string(&view)?),
            ask: view.prompt.as_ref().map(|prompt| prompt.ask.clone()),
            stoppable: view.rounds.iter().any(|round| round.mine),
        })
    }
}

impl Server {
    /// Starts the page on the configured loopback address.
    ///
    /// # Errors
    /// [`Error::AddressNotLoopback`], [`Error::PortInUse`], [`Error::Bind`],
    /// [`Error::Random`].
    pub async fn start(config: Config, feed: Feed) -> Result<Running, Error> {
        let address = config.address;
        if !address.ip().is_loopback() {
            return Err(Error::AddressNotLoopback { address });
        }
        let bind_failed = |source: std::io::Error| match source.kind() {
            ErrorKind::AddrInUse => Error::PortInUse { address },
            _ => Error::Bind { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(bind_failed)?;
        let address = listener.local_addr().map_err(bind_failed)?;
        let (replies, taken) = mpsc::channel(REPLIES_PENDING_MAX);
        let state = Arc::new(State {
            gate: Gate::new(config.guard, address)?,
            feed,
            shown: watch::Sender::new(Arc::new(Shown::new(View::default())?)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            closing: watch::Sender::new(false),
            replies,
            answered: Mutex::default(),
            address,
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Running {
            state,
            replies: Some(taken),
            serving,
        })
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut closing = state.closing.subscribe();
    let until_closed = async move {
        let _ = closing.wait_for(|closed| *closed).await;
    };
    let listener = listener.tap_io(|socket| {
        // Small fragments must not wait for one another.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "page: socket keeps its delay");
        }
    });
    let served = axum::serve(listener, routes::router(state)).with_graceful_shutdown(until_closed);
    if let Err(error) = served.await {
        tracing::warn!(%error, "page: the listener ended");
    }
}

impl Running {
    /// Where the page listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    /// The address to open in a browser, for the terminal.
    #[must_use]
    pub fn link(&self) -> Link {
        self.state.gate.secrets().page_link()
    }

    /// The address of `/live.mp4` for VLC and mpv, for the terminal. Its token
    /// opens nothing else.
    #[must_use]
    pub fn live_link(&self) -> Link {
        self.state.gate.secrets().live_link()
    }

    /// Shows a view to every open page. The invite is sent by a station only.
    ///
    /// # Errors
    /// [`Error::View`] if the view has no JSON form.
    pub fn set_view(&self, view: View) -> Result<(), Error> {
        let shown = Shown::new(view)?;
        self.state.shown.send_replace(Arc::new(shown));
        Ok(())
    }

    /// What the user decides, in order. Given out once.
    pub fn answers(&mut self) -> Option<mpsc::Receiver<Reply>> {
        self.replies.take()
    }

    /// Ends the page and every player, and waits a moment until they are gone.
    pub async fn stop(mut self) {
        self.state.closing.send_replace(true);
        if timeout(CLOSE_WAIT_MAX, &mut self.serving).await.is_err() {
            tracing::debug!("page: a player that takes nothing is cut off");
            self.serving.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.closing.send_replace(true);
    }
}

impl State {
    /// Hands a reply to the client, if it answers something that is open.
    pub(crate) fn deliver(&self, reply: Reply) -> Result<(), Error> {
        let place = self.replies.try_reserve().map_err(|_| Error::ClientBusy)?;
        let shown = Arc::clone(&self.shown.borrow());
        match &reply {
            Reply::Answer(answer) => {
                let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
                let open = shown.ask.as_ref() == Some(&answer.ask);
                if !open || answered.as_ref() == Some(&answer.ask) {
                    return Err(Error::AskNotOpen);
                }
                *answered = Some(answer.ask.clone());
            }
            Reply::Stop(Stop { .. }) if !shown.stoppable => return Err(Error::NothingToStop),
            Reply::Stop(_) => {}
        }
        place.send(reply);
        Ok(())
    }
}
