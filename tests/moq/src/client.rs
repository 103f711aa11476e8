//! A client of moq-relay, as its crates make one.

use crate::error::Error;
use moq_tokio::{Client, Connection};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use url::Url;

/// Name of the only broadcast.
pub(crate) const BROADCAST: &str = "bench";
/// Name of its only track.
pub(crate) const TRACK: &str = "video";
/// How long groups are kept and waited for, as the other relay keeps chunks:
/// nothing may be left out for its age.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(10);
/// What a handshake among hundreds may take.
pub(crate) const LINK_MAX: Duration = Duration::from_secs(30);

/// A client with a socket of its own.
pub(crate) fn client() -> Result<Client, Error> {
    let mut config = moq_tokio::connect::Config::default();
    config.bind = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    // The relay makes its certificate when it starts.
    config.tls.insecure = Some(true);
    Ok(config.init(moq_tokio::quic::Config::default())?)
}

/// Links `client` to the relay at `address`, over QUIC without HTTP/3 around it.
pub(crate) async fn link(client: &Client, address: &str) -> Result<Connection, Error> {
    let url = Url::parse(&format!("moqt://{address}/"))?;
    let established = client.connect(url).established();
    let linked = tokio::time::timeout(LINK_MAX, established).await;
    Ok(linked.map_err(|_| Error::Timeout("link to the relay"))??)
}
