//! One UDP socket, dialling and accepting links.

use crate::controls::DialControls;
use crate::framing::{Channel, stream_kind};
use crate::half_open::{HalfOpen, HalfOpenLoad, Place};
use crate::segments::Aging;
use crate::turns::{AllTurns, Turns};
use crate::{AddressCheck, Error, tls};
use attest::live::{EXPORTER_BYTES, EXPORTER_LABEL, TlsSide};
use certs::SigningKey;
use quinn::{ClientConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig, VarInt};
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use wire::limits::UNI_STREAMS_MAX;
use wire::message::StreamKind;
use wire::{Minor, Reason, SpkiHash};

/// How long an edge may be silent before it counts as dead: the keep-alive
/// interval four times over, so that lost packets alone do not end it.
const EDGE_IDLE_MS: u64 = 1_000;
/// Keep-alive interval of edges.
const EDGE_KEEP_ALIVE_MS: u64 = 250;
/// How long a control link may be silent.
const CONTROL_IDLE_MS: u64 = 8_000;
/// Keep-alive interval of control links.
const CONTROL_KEEP_ALIVE_MS: u64 = 1_000;
/// How long the side that accepts allows; the dialling side's is lower.
const ACCEPT_IDLE_MS: u64 = 10_000;
/// A handshake that takes longer fails (threat E5).
const HANDSHAKE_MS_MAX: u64 = 5_000;
/// Bidirectional streams that the other end may have open: control, edge,
/// command and a few challenges.
const BIDI_STREAMS_MAX: u32 = 8;
/// What one link may have in flight toward us, in bytes: two seconds of
/// 25 Mbit/s and the key frame bursts of slower streams.
const RECEIVE_WINDOW_BYTES: u32 = 6 * 1024 * 1024;
/// What the socket may hold in each direction, in bytes: hundreds of children
/// acknowledge the same block within a millisecond, and the usual 208 KB hold
/// about as many small packets; what overflows, congestion control takes for
/// loss. The system may cap it (`net.core.rmem_max`).
const SOCKET_BYTES: usize = 4 * 1024 * 1024;
/// The largest datagram that is tried, in bytes: Ethernet's 1,500 without the
/// headers of IPv4 and UDP. Every packet costs some sixty bytes.
const DATAGRAM_BYTES_MAX: u16 = 1_472;
/// How closely a smaller path is measured, in bytes: over IPv6 and on telephone
/// lines the limit is a little below.
const DATAGRAM_STEP_BYTES: u16 = 8;
/// How long after its streams a link's closing code may arrive.
const LAST_WORD_MS: u64 = 200;

/// A key and the certificate that carries it.
#[derive(Clone)]
pub struct Identity {
    /// The node's TLS key.
    pub key: Arc<SigningKey>,
    /// DER; self-signed, or by the stream CA after admission.
    pub certificate: Vec<u8>,
}

impl Identity {
    /// The hash that others know this node by.
    #[must_use]
    pub fn spki(&self) -> SpkiHash {
        certs::x509::spki_of_public(&self.key.public())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.spki().short())
    }
}

/// How soon a silent link is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// An edge: its viewers wait.
    Edge,
    /// A control link.
    Control,
}

/// The socket and its keys.
pub struct Endpoint {
    quinn: quinn::Endpoint,
    addresses: AddressCheck,
    half_open: HalfOpen,
    clients: RwLock<Clients>,
    turns: Arc<AllTurns>,
}

struct Clients {
    edge: ClientConfig,
    control: ClientConfig,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({:?})", self.quinn.local_addr())
    }
}

impl Endpoint {
    /// Binds `address` (port 0: any) with this identity.
    ///
    /// # Errors
    /// [`Error::Bind`], [`Error::Tls`].
    pub fn bind(address: SocketAddr, identity: &Identity) -> Result<Self, Error> {
        Self::bind_checking(address, identity, DialControls::default())
    }

    /// The same, with these checks of who dials.
    ///
    /// # Errors
    /// As [`Endpoint::bind`].
    pub fn bind_checking(
        address: SocketAddr,
        identity: &Identity,
        checks: DialControls,
    ) -> Result<Self, Error> {
        let socket =
            std::net::UdpSocket::bind(address).map_err(|source| Error::Bind { address, source })?;
        widen(&socket);
        let quinn = quinn::Endpoint::new(
            crate::reset::endpoint_config(identity),
            Some(server_config(identity)?),
            socket,
            Arc::new(Aging),
        )
        .map_err(|source| Error::Bind { address, source })?;
        Ok(Self {
            quinn,
            addresses: checks.addresses,
            half_open: HalfOpen::new(checks.half_open),
            clients: RwLock::new(clients(identity)?),
            turns: Arc::default(),
        })
    }

    /// Takes on another certificate for later links: after admission, and
    /// whenever the membership is renewed. Links that are open stay as they
    /// are.
    ///
    /// # Errors
    /// [`Error::Tls`].
    pub fn adopt(&self, identity: &Identity) -> Result<(), Error> {
        self.quinn.set_server_config(Some(server_config(identity)?));
        let fresh = clients(identity)?;
        *self
            .clients
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Where the socket listens.
    ///
    /// # Errors
    /// [`Error::Read`] if the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.quinn
            .local_addr()
            .map_err(|e| Error::Read(e.to_string()))
    }

    /// Dials; with `expected`, another key at the other end is refused.
    ///
    /// # Errors
    /// No answer, or [`Error::SpkiNotAdmitted`].
    pub async fn dial(
        &self,
        address: SocketAddr,
        expected: Option<SpkiHash>,
        patience: Patience,
    ) -> Result<Link, Error> {
        let config = {
            let clients = self
                .clients
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            match patience {
                Patience::Edge => clients.edge.clone(),
                Patience::Control => clients.control.clone(),
            }
        };
        let connecting = self
            .quinn
            .connect_with(config, address, "roundcast.invalid")?;
        let connection = tokio::time::timeout(Duration::from_millis(HANDSHAKE_MS_MAX), connecting)
            .await
            .map_err(|_| Error::Timeout("handshake"))??;
        let link = Link::new(connection, TlsSide::Client, &self.turns)?;
        if expected.is_some_and(|spki| spki != link.peer) {
            link.close(Reason::SpkiNotAdmitted);
            return Err(Error::SpkiNotAdmitted);
        }
        Ok(link)
    }

    /// The next link that somebody dialled, after its address was validated
    /// by a QUIC Retry (threat E4); `None` when the endpoint is closed. One
    /// too many of those who have shown nothing yet is refused (threat E5).
    pub async fn accept(&self) -> Option<Accepting> {
        loop {
            let incoming = self.quinn.accept().await?;
            if !self.addresses.passes(incoming.remote_address_validated()) {
                // An address that was not validated gets a Retry and no state.
                let _ = incoming.retry();
                continue;
            }
            match self.half_open.enter(incoming.remote_address().ip()) {
                Some(place) => {
                    return Some(Accepting {
                        incoming,
                        place,
                        turns: self.turns.clone(),
                    });
                }
                None => incoming.refuse(),
            }
        }
    }

    /// What this endpoint holds for strangers, and how often it refused.
    #[must_use]
    pub fn half_open(&self) -> HalfOpenLoad {
        self.half_open.load()
    }

    /// Closes every link and waits until the last packets are out.
    pub async fn close(&self, reason: Reason) {
        self.quinn.close(code(reason), reason.name().as_bytes());
        let _ = tokio::time::timeout(Duration::from_millis(500), self.quinn.wait_idle()).await;
    }
}

/// A validated dial whose handshake is still to come: finish it in a task of
/// its own, so that a slow one holds up nobody.
pub struct Accepting {
    incoming: quinn::Incoming,
    place: Place,
    turns: Arc<AllTurns>,
}

impl Accepting {
    /// Ends the handshake.
    ///
    /// # Errors
    /// Timeout or a failed handshake.
    pub async fn finish(self) -> Result<Link, Error> {
        let connecting = self.incoming.accept()?;
        let connection = tokio::time::timeout(Duration::from_millis(HANDSHAKE_MS_MAX), connecting)
            .await
            .map_err(|_| Error::Timeout("handshake"))??;
        let mut link = Link::new(connection, TlsSide::Server, &self.turns)?;
        link.place = Some(Arc::new(self.place));
        Ok(link)
    }
}

/// A connection whose other end has proven a key.
#[derive(Debug, Clone)]
pub struct Link {
    /// The QUIC connection.
    pub connection: quinn::Connection,
    /// Who is at the other end.
    pub peer: SpkiHash,
    /// The other end's certificate, DER.
    pub certificate: Arc<Vec<u8>>,
    /// Which side of the handshake we are.
    pub side: TlsSide,
    /// The version that both ends agreed on.
    pub minor: Minor,
    /// This end's challenges to the other, over all links.
    pub(crate) turns: Turns,
    /// Until the other end has shown that it may have this link.
    place: Option<Arc<Place>>,
}

impl Link {
    fn new(connection: quinn::Connection, side: TlsSide, turns: &AllTurns) -> Result<Self, Error> {
        let chain = connection.peer_identity().and_then(|any| {
            any.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>()
                .ok()
        });
        let minor = minor(&connection).ok_or(Error::OutOfTurn("another protocol"))?;
        let leaf = chain.as_ref().and_then(|c| c.first());
        let certificate = leaf.map(|c| c.as_ref().to_vec()).unwrap_or_default();
        match certs::x509::spki_hash(&certificate) {
            Ok(peer) => Ok(Self {
                connection,
                peer,
                certificate: Arc::new(certificate),
                side,
                minor,
                turns: turns.with(peer),
                place: None,
            }),
            Err(e) => {
                connection.close(code(e.wire_reason()), b"certificate");
                Err(Error::Certificate(e))
            }
        }
    }

    /// The other end has shown that it may have this link: by an invite, a
    /// permit, or its place as holder or coordinator. From then on it is no
    /// stranger's.
    pub fn admit(&self) {
        if let Some(place) = &self.place {
            place.leave();
        }
    }

    /// What the other end of a link that it dialled wants first. Who does not
    /// say it in time is closed.
    ///
    /// # Errors
    /// [`Error::Timeout`], an unknown kind, or the link has ended.
    pub async fn first_channel(&self) -> Result<(StreamKind, Channel), Error> {
        let default_ms = DialControls::default().half_open.first_word_ms_max();
        let place = self.place.as_ref();
        let patience_ms = place.map_or(default_ms, |place| place.first_word_ms_max());
        let said = async {
            let (send, mut recv) = self.connection.accept_bi().await?;
            let kind = stream_kind(&mut recv).await;
            Ok::<_, Error>((kind, Channel { send, recv }))
        };
        match tokio::time::timeout(Duration::from_millis(patience_ms), said).await {
            Ok(Ok((Some(kind), channel))) => Ok((kind, channel)),
            Ok(Ok((None, _))) => {
                self.close(Reason::UnknownMessage);
                Err(Error::OutOfTurn("an unknown stream"))
            }
            Ok(Err(e)) => Err(e),
            Err(_) => {
                self.close(Reason::Timeout);
                Err(Error::Timeout("first word"))
            }
        }
    }

    /// Bytes that only the two ends of this connection know (RFC 9266).
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] if TLS gives none.
    pub fn exporter(&self) -> Result<[u8; EXPORTER_BYTES], Error> {
        let mut out = [0u8; EXPORTER_BYTES];
        self.connection
            .export_keying_material(&mut out, EXPORTER_LABEL, &[])
            .map_err(|_| Error::OutOfTurn("no exporter"))?;
        Ok(out)
    }

    /// Closes with a code; the other end reads it.
    pub fn close(&self, reason: Reason) {
        self.connection
            .close(code(reason), reason.name().as_bytes());
    }

    /// Why the link ends: its streams may end a moment before the other end's
    /// code arrives.
    pub async fn last_word(&self) -> Reason {
        let patience = Duration::from_millis(LAST_WORD_MS);
        let _ = tokio::time::timeout(patience, self.connection.closed()).await;
        self.close_reason()
    }

    /// Why the link has ended: the other end's code, or that it has gone.
    #[must_use]
    pub fn close_reason(&self) -> Reason {
        match self.connection.close_reason() {
            Some(quinn::ConnectionError::ApplicationClosed(c)) => {
                Reason::from_code(c.error_code.into_inner()).unwrap_or(Reason::Nonsense)
            }
            _ => Reason::PeerGone,
        }
    }
}

/// Asks for larger socket buffers; with smaller ones everything works, worse.
fn widen(socket: &std::net::UdpSocket) {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
    let received = set_socket_recv_buffer_size(socket, SOCKET_BYTES);
    let sent = set_socket_send_buffer_size(socket, SOCKET_BYTES);
    if let Err(e) = received.and(sent) {
        tracing::info!("the socket keeps its usual buffers: {e}");
    }
}

fn code(reason: Reason) -> VarInt {
    VarInt::from_u64(reason.code()).unwrap_or(VarInt::MAX)
}

fn transport(idle_ms: u64, keep_alive_ms: Option<u64>) -> Arc<TransportConfig> {
    let mut datagrams = MtuDiscoveryConfig::default();
    datagrams
        .upper_bound(DATAGRAM_BYTES_MAX)
        .minimum_change(DATAGRAM_STEP_BYTES);
    let mut config = TransportConfig::default();
    config
        .mtu_discovery_config(Some(datagrams))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
        .max_concurrent_bidi_streams(VarInt::from_u32(BIDI_STREAMS_MAX))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES / 2))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(Duration::from_millis(idle_ms)).ok())
        .keep_alive_interval(keep_alive_ms.map(Duration::from_millis));
    Arc::new(config)
}

fn server_config(identity: &Identity) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::with_crypto(tls::server(identity)?);
    config.transport_config(transport(ACCEPT_IDLE_MS, None));
    config.migration(false);
    Ok(config)
}

fn clients(identity: &Identity) -> Result<Clients, Error> {
    let crypto = tls::client(identity)?;
    let mut edge = ClientConfig::new(crypto.clone());
    edge.transport_config(transport(EDGE_IDLE_MS, Some(EDGE_KEEP_ALIVE_MS)));
    let mut control = ClientConfig::new(crypto);
    control.transport_config(transport(CONTROL_IDLE_MS, Some(CONTROL_KEEP_ALIVE_MS)));
    Ok(Clients { edge, control })
}

/// What the handshake agreed on; a link without any is refused by TLS.
fn minor(connection: &quinn::Connection) -> Option<Minor> {
    let data = connection.handshake_data()?;
    let data = data
        .downcast::<quinn::crypto::rustls::HandshakeData>()
        .ok()?;
    Minor::agreed(data.protocol.as_deref()?)
}
