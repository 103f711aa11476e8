//! The relay's sign of life: its event loop turns.

use crate::Error;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Name of the socket between relay and supervisor, without a file. Nobody
/// else runs on the machine.
const NAME: &[u8] = b"roundcast.pulse";
/// How often the relay gives a sign, in ms.
pub(super) const BEAT_MS: u64 = 1_000;

fn address() -> Result<SocketAddr, Error> {
    SocketAddr::from_abstract_name(NAME).map_err(Error::system("naming the pulse"))
}

/// The relay's end.
#[derive(Debug)]
pub struct Pulse(UnixDatagram);

impl Pulse {
    /// Connects to the supervisor.
    ///
    /// # Errors
    /// There is none.
    pub fn connect() -> Result<Self, Error> {
        let step = "joining the pulse";
        let socket = UnixDatagram::unbound().map_err(Error::system(step))?;
        socket.set_nonblocking(true).map_err(Error::system(step))?;
        socket
            .connect_addr(&address()?)
            .map_err(Error::system(step))?;
        Ok(Self(socket))
    }

    /// Beats for as long as it is polled. A full queue loses a beat, which
    /// says nothing: the supervisor has others to read.
    pub async fn beat(self) {
        let mut tick = tokio::time::interval(Duration::from_millis(BEAT_MS));
        loop {
            tick.tick().await;
            let _ = self.0.send(b".");
        }
    }
}

/// The supervisor's end.
#[derive(Debug)]
pub(super) struct Heart(UnixDatagram);

impl Heart {
    pub(super) fn bind() -> Result<Self, Error> {
        UnixDatagram::bind_addr(&address()?)
            .map(Self)
            .map_err(Error::system("opening the pulse"))
    }

    /// Waits for the next beat.
    pub(super) fn hear(&self) -> Result<(), Error> {
        let mut beat = [0; 8];
        self.0
            .recv(&mut beat)
            .map(drop)
            .map_err(Error::system("hearing the pulse"))
    }
}
