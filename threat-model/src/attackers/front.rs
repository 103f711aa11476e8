//! Relays that are none.

use crate::Failure;
use crate::scene::loopback;
use link::{Channel, Endpoint, Identity, Link, Patience, open_channel, stream_kind};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use wire::codec::{Blob, List};
use wire::message::StreamKind;
use wire::message::live::{Challenge, Response};

/// Serves links whose challenges are answered with bytes of its own making.
pub async fn serve_blindly(endpoint: Arc<Endpoint>) {
    answer_challenges(endpoint, |_| async {
        let quote = Blob::new(vec![0x42; 64]).ok()?;
        Some(Response {
            index: 0,
            count: 1,
            path: List::default(),
            quote,
        })
    })
    .await;
}

/// A front before a genuine relay: what it is asked, it asks the relay.
#[derive(Debug, Clone)]
pub struct Oracle {
    socket: Arc<Endpoint>,
    relay: SocketAddr,
}

impl Oracle {
    /// A front that may challenge the relay as `challenger`: its holder, its
    /// coordinator, or a bearer of a permit.
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn new(challenger: Identity, relay: SocketAddr) -> Result<Self, Failure> {
        let socket = Endpoint::bind(SocketAddr::new(loopback().ip(), 0), &challenger)?;
        Ok(Self {
            socket: Arc::new(socket),
            relay,
        })
    }

    /// Serves links as if it were the relay.
    pub async fn serve(self, endpoint: Arc<Endpoint>) {
        answer_challenges(endpoint, move |challenge| {
            let oracle = self.clone();
            async move { oracle.ask(&challenge).await.ok() }
        })
        .await;
    }

    async fn ask(&self, challenge: &Challenge) -> Result<Response, Failure> {
        let link = self.socket.dial(self.relay, None, Patience::Edge).await?;
        let mut channel = open_channel(&link, StreamKind::Challenge).await?;
        channel.send(challenge).await?;
        let _ = channel.send.finish();
        Ok(channel.expect("no answer").await?)
    }
}

/// Accepts links and answers every challenge on them.
async fn answer_challenges<A, F>(endpoint: Arc<Endpoint>, answer: A)
where
    A: Fn(Challenge) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Option<Response>> + Send + 'static,
{
    while let Some(accepting) = endpoint.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            if let Ok(link) = accepting.finish().await {
                answer_on(&link, &answer).await;
            }
        });
    }
}

async fn answer_on<A, F>(link: &Link, answer: &A)
where
    A: Fn(Challenge) -> F,
    F: Future<Output = Option<Response>>,
{
    while let Ok((send, mut recv)) = link.connection.accept_bi().await {
        if stream_kind(&mut recv).await != Some(StreamKind::Challenge) {
            continue;
        }
        let mut channel = Channel { send, recv };
        let Ok(Some(challenge)) = channel.recv::<Challenge>().await else {
            continue;
        };
        if let Some(response) = answer(challenge).await
            && channel.send(&response).await.is_ok()
        {
            let _ = channel.send.finish();
        }
    }
}
