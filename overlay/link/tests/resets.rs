//! A node that is back with its key ends the links of its former life.
#![allow(clippy::unwrap_used, clippy::panic)]

use certs::SigningKey;
use link::{Endpoint, Identity, Patience};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wire::Reason;

/// Shorter than a control link may be silent, and longer than two of its
/// keep-alives take.
const AT_ONCE: Duration = Duration::from_millis(4_000);

fn identity(seed: u8) -> Identity {
    let key = Arc::new(SigningKey::from_seed([seed; 32]));
    Identity {
        certificate: certs::x509::self_signed(&key, Vec::new()).unwrap(),
        key,
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A process of its own, as far as its socket is concerned.
fn life(seed: u8, port: u16) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().unwrap();
    let deadline = Instant::now() + AT_ONCE;
    let endpoint = loop {
        // The socket of the life before is closed a moment after it.
        match runtime.block_on(async { Endpoint::bind(loopback(port), &identity(seed)) }) {
            Ok(endpoint) => break endpoint,
            Err(e) => assert!(Instant::now() < deadline, "{e}"),
        }
    };
    let address = endpoint.address().unwrap();
    runtime.spawn(async move {
        let mut links = Vec::new();
        while let Some(accepting) = endpoint.accept().await {
            links.push(accepting.finish().await.unwrap());
        }
    });
    (runtime, address)
}

/// How long the link to the first life lasts in the second, which has this
/// key.
fn link_lasts(second_seed: u8) -> Duration {
    let (first, address) = life(1, 0);
    let caller = Runtime::new().unwrap();
    let dialled = caller.block_on(async {
        let endpoint = Endpoint::bind(loopback(0), &identity(9)).unwrap();
        let link = endpoint.dial(address, None, Patience::Control).await;
        (endpoint, link.unwrap())
    });
    let (_endpoint, link) = dialled;
    caller.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
    first.shutdown_background();
    let begun = Instant::now();
    let (_second, _) = life(second_seed, address.port());
    caller.block_on(async { link.connection.closed().await });
    assert_eq!(link.close_reason(), Reason::PeerGone);
    begun.elapsed()
}

#[test]
fn a_node_that_is_back_ends_its_former_links_at_once() {
    let lasted = link_lasts(1);
    assert!(lasted < AT_ONCE, "{lasted:?}");
}

#[test]
fn another_node_at_the_same_address_ends_none() {
    let lasted = link_lasts(2);
    assert!(lasted >= AT_ONCE, "{lasted:?}");
}
