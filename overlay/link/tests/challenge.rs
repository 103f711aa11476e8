//! The relay's side of a live challenge.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use attest::{QuoteDigest, Quoter};
use link::{Attester, Binding, Channel, Endpoint, Error, Patience, open_channel, stream_kind};
use std::sync::{Arc, Mutex, mpsc};
use support::{loopback, soon, stranger};
use wire::message::StreamKind;
use wire::message::live::Challenge;
use wire::{Digest, Nonce, OrderId};

/// A platform that quotes when it is let.
struct Busy {
    asked: mpsc::Sender<()>,
    free: Mutex<mpsc::Receiver<()>>,
}

impl Quoter for Busy {
    fn quote(&self, _: &QuoteDigest) -> Result<Vec<u8>, attest::Error> {
        let _ = self.asked.send(());
        let _ = self.free.lock().unwrap().recv();
        Err(attest::Error::QuoteFailed)
    }
}

/// Else its next challenge would be one too many at a time, and the relay
/// would close the link for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_ends_when_its_verifier_waits_no_more() {
    let (relay, verifier) = (stranger(), stranger());
    let far = Endpoint::bind(loopback(), &relay).unwrap();
    let near = Endpoint::bind(loopback(), &verifier).unwrap();
    let address = far.address().unwrap();
    let (dialled, accepted) = tokio::join!(near.dial(address, None, Patience::Edge), async {
        far.accept().await.unwrap().finish().await
    });
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());

    let (asked, when_asked) = mpsc::channel();
    let (free, until_free) = mpsc::channel();
    let quoter = Busy {
        asked,
        free: Mutex::new(until_free),
    };
    let binding = Binding {
        spki: relay.spki(),
        order: OrderId([1; 32]),
        parameters: Digest([2; 32]),
        release: Digest([3; 32]),
    };
    let attester = Attester::start(Arc::new(quoter), binding);
    let answering = tokio::spawn(async move {
        let (send, mut recv) = accepted.connection.accept_bi().await.unwrap();
        assert_eq!(stream_kind(&mut recv).await, Some(StreamKind::Challenge));
        let mut channel = Channel { send, recv };
        attester
            .answer(&accepted, &mut channel.send, &mut channel.recv)
            .await
    });
    let mut asking = open_channel(&dialled, StreamKind::Challenge).await.unwrap();
    let nonce = Nonce([7; 32]);
    asking.send(&Challenge { nonce }).await.unwrap();
    tokio::task::spawn_blocking(move || when_asked.recv().unwrap())
        .await
        .unwrap();
    drop(asking);
    // The platform is busy still.
    let ended = soon("the end of the challenge", answering).await.unwrap();
    assert!(
        matches!(ended, Err(Error::Timeout("patience of the verifier"))),
        "{ended:?}"
    );
    free.send(()).unwrap();
}
