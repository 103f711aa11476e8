//! A coordinator without a station around it, for tests.

#![allow(clippy::unwrap_used)]

use super::controls::Controls;
use super::coordinator::{Coordinator, Member, Parts, Settings};
use super::keys::{Keys, RUN_MS};
use super::receipts::Accounts;
use certs::seal::Publisher;
use link::{Clock, Emitter, Endpoint, Node, NodeConfig, RelayTrust, Verification};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wire::codec::List;
use wire::message::control::{Down, Name, NodeKind};
use wire::{PublicKey, SpkiHash, Stripes};

/// A coordinator of the station `S`, and what publishes its chunks.
pub(super) fn coordinator(data: &Path, controls: Controls) -> (Coordinator, Publisher) {
    let clock = Clock::new();
    let (keys, chunk_key) = Keys::make(data, "S", clock.unix(), RUN_MS, Stripes::SINGLE).unwrap();
    let publisher = super::publisher(
        chunk_key.0,
        &keys,
        wire::Rendition(0),
        certs::seal::Heads::default(),
    )
    .unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Arc::new(Endpoint::bind(listen, &keys.identity).unwrap());
    let config = NodeConfig {
        me: keys.identity.spki(),
        kind: NodeKind::Station,
        upload_bps: 1_000_000,
        byte_cap: None,
        forwarder: overlay::forwarder::Config::default(),
        verification: Verification::PermitOnly,
        private_networks: true,
    };
    let (node, _) = Node::new(config, endpoint.clone(), clock.clone());
    node.enter_run(keys.run.clone());
    let settings = Settings {
        name: "S".into(),
        address: endpoint.address().unwrap(),
        stream_bps: 1_000_000,
        smaller_bps: Vec::new(),
        when_full: super::WhenFull::Refuse,
        edge_bps: 1_000_000,
        edges: 1,
        stripes: keys.run.stripes,
        ask_deadline_ms: 1_000,
        ask_interval_ms: 1_000,
        banner: None,
        membership_ms: super::MEMBERSHIP_MS,
        upload_bps: 1_000_000,
        kept_ms: 10_000,
        mesh: false,
        basis: super::Basis::Said,
        receipts: certs::receipt::ReceiptCheck::default(),
        judging: super::Judging::default(),
        invite: String::new().into(),
        controls,
    };
    let parts = Parts {
        node,
        endpoint,
        trust: Arc::new(RelayTrust::new(
            attest::TrustRoots::default(),
            attest::Policy::default(),
        )),
        epochs: vec![mpsc::unbounded_channel().0],
        head: watch::channel(None).1,
        events: mpsc::unbounded_channel().0,
        messages: mpsc::channel(1).0,
        page: None,
        traffic: Arc::default(),
        store: None,
    };
    let emit = Emitter::new("S", false);
    let coordinator = Coordinator::new(keys, settings, parts, clock, emit);
    (coordinator, publisher)
}

/// Makes somebody a member by hand; what he is told.
pub(super) fn enlist(
    coordinator: &mut Coordinator,
    spki: SpkiHash,
    kind: NodeKind,
) -> mpsc::UnboundedReceiver<Down> {
    let (down, inbox) = mpsc::unbounded_channel();
    let member = Member {
        name: Name::new(kind.name()).unwrap(),
        key: PublicKey([0; 32]),
        kind,
        addresses: List::default(),
        sealing_key: None,
        receipt_key: None,
        relay_only: false,
        never_ask: true,
        down,
        admission: None,
        claim_bps: 1_000_000,
        lease_end: wire::UnixMs(0),
        load: None,
        placed: true,
        receipts: Accounts::default(),
    };
    coordinator.members.insert(spki, member);
    inbox
}
