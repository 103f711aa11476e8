#![allow(clippy::unwrap_used)]

use super::*;
use crate::viewer::self_signed;
use certs::SigningKey;
use link::{NodeConfig, Patience, Verification, open_channel};
use std::net::SocketAddr;
use wire::message::control::{Load, NodeKind};

/// Far above what a member may say at once.
const FLOOD: u32 = 4_000;
const STEP_MS: u64 = 15_000;

fn endpoint(seed: u8) -> Arc<Endpoint> {
    let identity = self_signed(Arc::new(SigningKey::from_seed([seed; 32]))).unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Arc::new(Endpoint::bind(listen, &identity).unwrap())
}

fn desk(endpoint: &Arc<Endpoint>, limits: MessageCheck) -> (Desk, mpsc::Receiver<Event>) {
    let (clock, (messages, said)) = (Clock::new(), mpsc::channel(8));
    let config = NodeConfig {
        me: wire::SpkiHash([0; 32]),
        kind: NodeKind::Station,
        upload_bps: 100_000_000,
        byte_cap: None,
        forwarder: overlay::forwarder::Config::default(),
        verification: Verification::PermitOnly,
        private_networks: true,
    };
    let (node, _events) = Node::new(config, endpoint.clone(), clock.clone());
    let desk = Desk {
        node,
        clock,
        limits,
        messages,
        traffic: Arc::default(),
    };
    (desk, said)
}

/// One member says far too much; how many messages reach the coordinator, and
/// how the link ends.
async fn flood(limits: MessageCheck) -> (u32, Option<Reason>) {
    let (station, guest) = (endpoint(1), endpoint(2));
    let (desk, mut said) = desk(&station, limits);
    let address = station.address().unwrap();
    let (dialled, accepted) = tokio::join!(guest.dial(address, None, Patience::Control), async {
        station.accept().await.unwrap().finish().await.unwrap()
    });
    let link = dialled.unwrap();
    let Channel { send, .. } = open_channel(&link, StreamKind::Control).await.unwrap();
    let (there, mut recv) = accepted.connection.accept_bi().await.unwrap();
    assert_eq!(
        link::stream_kind(&mut recv).await,
        Some(StreamKind::Control)
    );
    let channel = Channel { send: there, recv };
    let (_down, down) = mpsc::unbounded_channel();
    tokio::spawn(relay_messages(accepted, channel, down, desk));
    let speaker = tokio::spawn(async move {
        let mut sender = link::Sender::new(send);
        let load = Load {
            children: 0,
            sent_bytes: 0,
            sent_bps: 0,
            delay_ms: 0,
        };
        for _ in 0..FLOOD {
            if sender.send(&Up::Load(load.clone())).await.is_err() {
                break;
            }
        }
        sender
    });
    let mut heard = 0;
    while heard < FLOOD {
        let next = tokio::time::timeout(Duration::from_millis(STEP_MS), said.recv()).await;
        match next.unwrap() {
            Some(Event::Up { .. }) => heard += 1,
            _ => break,
        }
    }
    let _sender = speaker.await.unwrap();
    if heard == FLOOD {
        return (heard, None);
    }
    link.connection.closed().await;
    (heard, Some(link.close_reason()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_floods_is_closed_by_name() {
    let (heard, closed) = flood(MessageCheck::default()).await;
    assert_eq!(closed, Some(Reason::RateLimited));
    assert!(heard < FLOOD / 2, "{heard} messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_limit_one_member_makes_the_coordinator_hear_everything() {
    let (heard, closed) = flood(MessageCheck::dangerously_unlimited()).await;
    assert_eq!((heard, closed), (FLOOD, None));
}
