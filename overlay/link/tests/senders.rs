//! Whose block is whose: what each parent is judged by.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use link::Endpoint;
use std::sync::Arc;
use support::{Running, Setup, Stream, block, loopback, media, order, parent, records, send_group};
use wire::message::control::NodeKind;
use wire::message::group::Record;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_block_is_kept_with_the_parent_that_sent_it() {
    let stream = Stream::begin();
    let mut child = Running::start(&stream, &stream.member(), Setup::default());
    let (mut publisher, init) = stream.publisher();
    let chunk = media(&mut publisher, 20_000, true);
    assert_eq!(chunk.blocks.len(), 2);
    let mut held = Vec::new();
    for index in 0..2 {
        let identity = stream.member();
        let endpoint = Arc::new(Endpoint::bind(loopback(), &identity).unwrap());
        let permit = stream.signed_permit(identity.spki(), child.spki);
        let address = endpoint.address().unwrap();
        let above = order(permit, identity.spki(), NodeKind::Peer, Some(address));
        child.node.order_edge(above).unwrap();
        let (link, channel) = parent(&endpoint).await;
        let mut group = records(&init);
        group.push(Record::Header(chunk.signed.clone()));
        group.push(block(&chunk, index, chunk.blocks[index].clone()));
        send_group(&link, &group).await;
        held.push((identity.spki(), endpoint, link, channel));
    }
    let key = chunk.header.key();
    child.chunk(key).await;
    let (_, blocks) = child.node.chunk_by_sender(key).unwrap();
    let senders: Vec<_> = blocks.iter().map(|block| block.from.unwrap()).collect();
    let expected: Vec<_> = held.iter().map(|(spki, ..)| *spki).collect();
    assert_eq!(senders, expected);
}
