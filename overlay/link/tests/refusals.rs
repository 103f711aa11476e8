//! What a parent or a child may not send: its link is closed with a code, and
//! everybody else goes on.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use bytes::Bytes;
use certs::seal::SealedChunk;
use link::{Channel, Endpoint, Link};
use std::time::Duration;
use support::{
    Running, Setup, Stream, block, child, closed, group_start, join, media, order, parent, records,
    send_group, send_uni,
};
use wire::codec::put_varint;
use wire::limits::{MESSAGE_BYTES_MAX, UNI_STREAMS_MAX};
use wire::message::control::NodeKind;
use wire::message::group::Record;
use wire::{Reason, SpkiHash};

/// A node with a rogue parent, an honest parent and a child of its own.
struct Scene {
    stream: Stream,
    honest: Running,
    node: Running,
    below: Running,
    rogue: Link,
    rogue_spki: SpkiHash,
    _socket: Endpoint,
    channel: Channel,
}

impl Scene {
    async fn set() -> Self {
        let stream = Stream::begin();
        let node = Running::start(&stream, &stream.member(), Setup::default());
        let honest = Running::start(&stream, &stream.member(), Setup::default());
        let below = Running::start(&stream, &stream.member(), Setup::default());
        join(&stream, &honest, &node);
        join(&stream, &node, &below);
        let (identity, socket) = node.under_stranger(&stream, NodeKind::Peer);
        let (rogue, channel) = parent(&socket).await;
        Self {
            stream,
            honest,
            node,
            below,
            rogue,
            rogue_spki: identity.spki(),
            _socket: socket,
            channel,
        }
    }

    /// The rogue is out, and the honest parent's stream reaches the child.
    async fn rogue_is_out(mut self, name: &str, code: Reason, honest: [SealedChunk; 2]) {
        assert_eq!(closed(&self.rogue).await, code);
        assert_eq!(
            self.node.edge_down().await,
            (self.rogue_spki, name.to_owned())
        );
        let [init, chunk] = honest;
        let (key, blocks) = (chunk.header.key(), chunk.blocks.clone());
        self.honest.publish(init);
        self.honest.publish(chunk);
        assert_eq!(self.below.chunk(key).await, Some(self.node.spki));
        let (_, held) = self.below.node.chunk(key).unwrap();
        let held: Vec<_> = held.into_iter().map(|piece| piece.data).collect();
        assert_eq!(held, blocks);
    }

    fn two_chunks(&self) -> [SealedChunk; 2] {
        let (mut publisher, init) = self.stream.publisher();
        [init, media(&mut publisher, 60_000, true)]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tampered_block_closes_the_link_and_the_rest_go_on() {
    let scene = Scene::set().await;
    let [init, chunk] = scene.two_chunks();
    let mut sent = records(&init);
    sent.extend(records(&chunk).into_iter().take(2));
    let mut tampered = chunk.blocks[1].to_vec();
    tampered[100] ^= 1;
    sent.push(block(&chunk, 1, Bytes::from(tampered)));
    send_group(&scene.rogue, &sent).await;
    let code = Reason::BlockProofMismatch;
    let honest = [init, chunk];
    scene
        .rogue_is_out("block_proof_mismatch", code, honest)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_under_anothers_index_closes_the_link() {
    let scene = Scene::set().await;
    let [init, chunk] = scene.two_chunks();
    let header = Record::Header(chunk.signed.clone());
    let swapped = block(&chunk, 0, chunk.blocks[1].clone());
    send_group(&scene.rogue, &[header, swapped]).await;
    // Equal plaintext is sealed into different blocks.
    assert_ne!(chunk.blocks[0], chunk.blocks[1]);
    let code = Reason::BlockProofMismatch;
    let honest = [init, chunk];
    scene
        .rogue_is_out("block_proof_mismatch", code, honest)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_header_closes_the_link() {
    let scene = Scene::set().await;
    let (mut forger, _) = scene.stream.forger();
    let forged = media(&mut forger, 1_000, true);
    send_group(&scene.rogue, &records(&forged)).await;
    let code = Reason::HeaderSignatureInvalid;
    let honest = scene.two_chunks();
    scene
        .rogue_is_out("header_signature_invalid", code, honest)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_groups_closes_the_link() {
    let mut too_long = group_start();
    put_varint(&mut too_long, MESSAGE_BYTES_MAX as u64 + 1);
    let mut unknown_record = group_start();
    unknown_record.extend_from_slice(&[2, 0x3f, 0]);
    let mut cut_block = group_start();
    cut_block.extend_from_slice(&[3, 2, 0, 0]);
    let no_group = vec![0x3f, 1, 2, 3];
    for garbage in [too_long, unknown_record, cut_block, no_group] {
        let scene = Scene::set().await;
        send_uni(&scene.rogue, &garbage).await;
        let honest = scene.two_chunks();
        scene
            .rogue_is_out("nonsense", Reason::Nonsense, honest)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_edge_stream_closes_the_link() {
    let mut scene = Scene::set().await;
    let garbage = [4, 0x3f, 0xff, 0xff, 0xff];
    scene.channel.send.write_all(&garbage).await.unwrap();
    let honest = scene.two_chunks();
    scene
        .rogue_is_out("nonsense", Reason::Nonsense, honest)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_talks_nonsense_loses_its_edge_alone() {
    let mut scene = Scene::set().await;
    let member = scene.stream.member();
    let permit = scene.stream.signed_permit(scene.node.spki, member.spki());
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    scene.node.node.order_edge(below).unwrap();
    let (_socket, link, mut channel) = child(&member, scene.node.address, permit).await;
    channel.send.write_all(&[1, 0x3f]).await.unwrap();
    assert_eq!(closed(&link).await, Reason::Nonsense);
    assert_eq!(scene.node.edge_down().await.0, member.spki());
    let [init, chunk] = scene.two_chunks();
    let key = chunk.header.key();
    scene.honest.publish(init);
    scene.honest.publish(chunk);
    assert_eq!(scene.below.chunk(key).await, Some(scene.node.spki));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_groups_are_open_at_once_on_a_link() {
    let scene = Scene::set().await;
    let mut open = Vec::new();
    let patience = Duration::from_millis(500);
    while let Ok(stream) = tokio::time::timeout(patience, scene.rogue.connection.open_uni()).await {
        open.push(stream.unwrap());
        assert!(open.len() <= UNI_STREAMS_MAX as usize);
    }
    assert_eq!(open.len(), UNI_STREAMS_MAX as usize);
    // Groups that end make room for the next ones.
    for mut stream in open {
        stream.write_all(&group_start()).await.unwrap();
        stream.finish().unwrap();
    }
    let next = tokio::time::timeout(Duration::from_secs(5), scene.rogue.connection.open_uni());
    next.await.unwrap().unwrap();
}
