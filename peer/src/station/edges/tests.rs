#![allow(clippy::unwrap_used)]

use super::super::controls::Controls;
use super::super::scene::{coordinator, enlist};
use super::*;
use overlay::planner::Peer;
use std::collections::BTreeSet;
use wire::limits::PERMIT_BATCH_MAX;

/// The orders that somebody was given.
fn orders(inbox: &mut mpsc::UnboundedReceiver<Down>) -> Vec<BatchedPermit> {
    let mut permits = Vec::new();
    while let Ok(message) = inbox.try_recv() {
        if let Down::Edge(order) = message {
            permits.push(order.permit);
        }
    }
    permits
}

#[tokio::test]
async fn a_crowd_s_permits_are_one_batch_and_so_is_the_next_epoch_s() {
    const CROWD: u8 = 40;
    let data = tempfile::tempdir().unwrap();
    let (mut coordinator, _publisher) = coordinator(data.path(), Controls::default());
    let mut inboxes = Vec::new();
    for n in 0..CROWD {
        let node = SpkiHash([n + 1; 32]);
        inboxes.push(enlist(&mut coordinator, node, NodeKind::Peer));
        let peer = Peer {
            edges: 4,
            ..Peer::default()
        };
        coordinator.planner.join(0, node, peer).unwrap();
        coordinator.settle();
    }
    let given = |coordinator: &mut Coordinator,
                 inboxes: &mut Vec<mpsc::UnboundedReceiver<Down>>| {
        coordinator.spreading.flush(u64::MAX);
        let permits: Vec<BatchedPermit> = inboxes.iter_mut().flat_map(orders).collect();
        let signatures: BTreeSet<[u8; 64]> = permits.iter().map(|p| p.signature).collect();
        (permits.len(), signatures.len())
    };
    assert_eq!(
        given(&mut coordinator, &mut inboxes),
        (0, 0),
        "nothing is signed yet"
    );
    coordinator.act();
    let (permits, signatures) = given(&mut coordinator, &mut inboxes);
    assert!(permits >= usize::from(CROWD), "{permits}");
    // Each permit goes to both ends.
    assert!(usize::from(CROWD) <= PERMIT_BATCH_MAX);
    assert_eq!(signatures, 1);
    coordinator.mint_all();
    let (renewed, signatures) = given(&mut coordinator, &mut inboxes);
    assert_eq!((renewed, signatures), (permits, 1));
    let pairs = coordinator.permits.pairs();
    for pair in &pairs {
        coordinator.mint(std::slice::from_ref(pair));
    }
    let (_, one_by_one) = given(&mut coordinator, &mut inboxes);
    assert_eq!(one_by_one, pairs.len());
}
