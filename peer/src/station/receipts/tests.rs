#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::controls::{Controls, ReceiptCheck, SampleCheck};
use super::super::coordinator::{Coordinator, Event};
use super::super::scene::{coordinator, enlist};
use super::*;
use certs::receipt::{Accumulator, ReceiptKey};
use certs::seal::{Publisher, SealedChunk};
use link::NodeEvent;
use overlay::planner::Peer;
use overlay::slots::UNPROVEN_SLOTS;
use ring::rand::SystemRandom;
use tokio::sync::mpsc;
use wire::message::control::{Down, EdgeFailure, EdgeReport, NodeKind, Up};
use wire::message::receipt::Sampling;
use wire::statement::ChunkFlags;
use wire::{Reason, Rendition, Stripe};

const PARENT: SpkiHash = SpkiHash([1; 32]);
const CHILD: SpkiHash = SpkiHash([2; 32]);
/// Fed by nobody here, and feeds nobody.
const LIAR: SpkiHash = SpkiHash([3; 32]);
/// A media chunk, in bytes: the stage's slots are 1 Mbit/s, so that four of
/// them and more are proven by few chunks.
const CHUNK_BYTES: usize = 1_000_000;

/// A station with one child, `PARENT`, under which `CHILD` hangs.
struct Scene {
    coordinator: Coordinator,
    publisher: Publisher,
    _inboxes: Vec<mpsc::UnboundedReceiver<Down>>,
    _data: tempfile::TempDir,
}

impl Scene {
    fn set(controls: Controls) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (mut coordinator, mut publisher) = coordinator(data.path(), controls);
        let init = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        let now = coordinator.clock.unix();
        let _ = publisher.publish(b"init", 0, 0, now, init).unwrap();
        let mut inboxes = Vec::new();
        for (node, edges) in [(PARENT, 1), (CHILD, 0), (LIAR, 0)] {
            inboxes.push(enlist(&mut coordinator, node, NodeKind::Peer));
            let key = ReceiptKey::generate(&SystemRandom::new()).unwrap();
            coordinator.members.get_mut(&node).unwrap().receipt_key = Some(key);
            coordinator.proven.claim(node, 100_000_000, None);
            if node != LIAR {
                let peer = Peer {
                    edges,
                    ..Peer::default()
                };
                coordinator.planner.join(0, node, peer).unwrap();
            }
        }
        coordinator.act();
        let mut scene = Self {
            coordinator,
            publisher,
            _inboxes: inboxes,
            _data: data,
        };
        scene.edge_up(CHILD, PARENT);
        scene
    }

    fn up(&mut self, from: SpkiHash, message: Up) {
        self.coordinator.take(Event::Up { from, message });
        self.coordinator.act();
    }

    fn edge_up(&mut self, child: SpkiHash, parent: SpkiHash) {
        let report = EdgeReport {
            other: parent,
            child: true,
            rendition: Rendition(0),
            stripes: Stripe(0).into(),
        };
        self.up(child, Up::EdgeUp(report));
    }

    fn edge_down(&mut self, child: SpkiHash, parent: SpkiHash) {
        let failure = EdgeFailure {
            other: parent,
            child: true,
            rendition: Rendition(0),
            reason: Reason::PeerGone,
        };
        self.up(child, Up::EdgeDown(failure));
    }

    /// The station publishes so many chunks.
    fn publish(&mut self, count: usize) -> Vec<SealedChunk> {
        (0..count).map(|_| self.publish_one()).collect()
    }

    fn publish_one(&mut self) -> SealedChunk {
        let chunk = self.publish_untold();
        let (key, from) = (chunk.header.key(), None);
        let published = NodeEvent::Chunk { key, from };
        self.coordinator.take(Event::Node(published));
        chunk
    }

    /// The chunk leaves; the coordinator has not heard of it yet.
    fn publish_untold(&mut self) -> SealedChunk {
        let flags = ChunkFlags {
            key: true,
            ..ChunkFlags::default()
        };
        let now = self.coordinator.clock.unix();
        let time_us = self.publisher.next_sequence().0 * 200_000;
        let plain = vec![7; CHUNK_BYTES];
        let chunk = self.publisher.publish(&plain, time_us, 200_000, now, flags);
        let chunk = chunk.unwrap();
        let blocks = (0u16..).zip(&chunk.blocks).zip(&chunk.paths);
        let blocks = blocks.map(|((index, data), path)| {
            let block = certs::block::verify(&chunk.header, index, path, data).unwrap();
            (block, path.clone(), data.clone())
        });
        let blocks = blocks.collect();
        let node = self.coordinator.node.clone();
        node.publish(chunk.header.clone(), chunk.signed.clone(), blocks);
        chunk
    }

    /// What becomes of a member's receipt for all blocks of these chunks.
    fn receipt(&mut self, edge: &mut Edge, chunks: &[SealedChunk]) -> Result<Summary, Error> {
        self.write(edge, chunks, true)
    }

    fn receipt_late(&mut self, edge: &mut Edge, chunks: &[SealedChunk]) -> Result<Summary, Error> {
        self.write(edge, chunks, false)
    }

    fn write(
        &mut self,
        edge: &mut Edge,
        chunks: &[SealedChunk],
        in_time: bool,
    ) -> Result<Summary, Error> {
        for chunk in chunks {
            for (index, data) in (0u16..).zip(&chunk.blocks) {
                edge.blocks.add(&chunk.header, index, data, in_time)?;
            }
        }
        let key = self.coordinator.members[&edge.child].receipt_key.clone();
        edge.interval += 1;
        let epoch = self.coordinator.keys.epoch;
        let receipt = edge.blocks.finish(edge.interval, epoch, &key.unwrap())?;
        let outcome = self.coordinator.count(edge.child, &receipt);
        let outcome = outcome.map(|(summary, _)| summary);
        if let Ok(summary) = outcome {
            let now_ms = self.coordinator.clock.mono_ms();
            let capacity = &mut self.coordinator.proven.capacity;
            capacity.receipt(now_ms, receipt.parent, summary);
        }
        outcome
    }

    fn edge(&self, child: SpkiHash, parent: SpkiHash) -> Edge {
        let scope = self.coordinator.keys.scope();
        Edge {
            child,
            blocks: Accumulator::new(scope, child, parent, Stripe(0), Rendition(0)),
            interval: 0,
        }
    }
}

/// A child's account of what a parent gave.
struct Edge {
    child: SpkiHash,
    blocks: Accumulator,
    interval: u64,
}

#[tokio::test]
async fn a_parent_that_a_member_was_never_given_is_refused_by_name() {
    let mut scene = Scene::set(Controls::default());
    let chunks = scene.publish(20);
    let mut invented = scene.edge(CHILD, LIAR);
    let refused = Err(Error::ReceiptWrongParent);
    assert_eq!(scene.receipt(&mut invented, &chunks), refused);
    assert_eq!(scene.coordinator.edges_of(LIAR), UNPROVEN_SLOTS);
    let mut true_edge = scene.edge(CHILD, PARENT);
    assert!(scene.receipt(&mut true_edge, &chunks).is_ok());
    assert!(scene.coordinator.edges_of(PARENT) > UNPROVEN_SLOTS);
}

#[tokio::test]
async fn believing_receipts_for_anybody_gives_slots_to_who_feeds_nobody() {
    let controls = Controls {
        receipts: ReceiptCheck::dangerously_any(),
        ..Controls::default()
    };
    let mut scene = Scene::set(controls);
    let chunks = scene.publish(20);
    let mut invented = scene.edge(CHILD, LIAR);
    assert!(scene.receipt(&mut invented, &chunks).is_ok());
    assert!(scene.coordinator.edges_of(LIAR) > UNPROVEN_SLOTS);
}

#[tokio::test]
async fn a_receipt_may_overtake_the_word_of_its_chunk() {
    let mut scene = Scene::set(Controls::default());
    let mut chunks = scene.publish(2);
    chunks.extend([scene.publish_untold(), scene.publish_untold()]);
    let mut edge = scene.edge(CHILD, PARENT);
    let proven = scene.receipt(&mut edge, &chunks).unwrap();
    assert_eq!((proven.due, proven.in_time), (4, 4));
}

#[tokio::test]
async fn a_chunk_proves_one_parent_alone() {
    let controls = Controls {
        receipts: ReceiptCheck::dangerously_any(),
        ..Controls::default()
    };
    let mut scene = Scene::set(controls);
    let chunks = scene.publish(4);
    let (mut one, mut two) = (scene.edge(CHILD, PARENT), scene.edge(CHILD, LIAR));
    assert!(scene.receipt(&mut one, &chunks[..3]).is_ok());
    let again = scene.receipt(&mut two, &chunks);
    assert_eq!(again, Err(Error::ReceiptRepeatsChunk));
}

#[tokio::test]
async fn a_child_that_comes_back_to_a_parent_counts_from_zero() {
    let mut scene = Scene::set(Controls::default());
    let chunks = scene.publish(4);
    let mut first = scene.edge(CHILD, PARENT);
    assert!(scene.receipt(&mut first, &chunks[..3]).is_ok());
    // The edge breaks, is planned anew (its second and last try), and works.
    scene.edge_down(CHILD, PARENT);
    let parent = scene.coordinator.planner.node(CHILD).unwrap().parents;
    assert_eq!(parent, [Some(PARENT)], "the only place there is");
    scene.edge_up(CHILD, PARENT);
    let mut second = scene.edge(CHILD, PARENT);
    assert!(scene.receipt(&mut second, &chunks[3..]).is_ok());
}

#[tokio::test]
async fn chunks_that_never_came_were_due() {
    let mut scene = Scene::set(Controls::default());
    let chunks = scene.publish(10);
    let mut edge = scene.edge(CHILD, PARENT);
    let first = scene.receipt(&mut edge, &chunks[..2]).unwrap();
    assert_eq!((first.due, first.in_time), (2, 2));
    // Every other chunk is left out.
    let half = [chunks[3].clone(), chunks[5].clone(), chunks[7].clone()];
    let second = scene.receipt(&mut edge, &half).unwrap();
    assert_eq!((second.due, second.in_time), (6, 3));
    let proven_bps = {
        let now_ms = scene.coordinator.clock.mono_ms();
        scene.coordinator.proven.proven_bps(PARENT, now_ms)
    };
    let slot_bps = scene.coordinator.settings.edge_bps;
    let once = (proven_bps + slot_bps / 2) / slot_bps;
    let slots = u64::from(scene.coordinator.edges_of(PARENT));
    assert_eq!(slots, once.max(UNPROVEN_SLOTS.into()), "g is 1, not 2");
}

#[tokio::test]
async fn what_a_new_child_catches_up_with_is_held_against_nobody() {
    let mut scene = Scene::set(Controls::default());
    let backlog = scene.publish(3);
    // The child goes elsewhere and comes back: the edge begins anew.
    scene.edge_down(CHILD, PARENT);
    scene.edge_up(CHILD, PARENT);
    let mut edge = scene.edge(CHILD, PARENT);
    let caught_up = scene.receipt_late(&mut edge, &backlog).unwrap();
    assert_eq!((caught_up.due, caught_up.in_time), (0, 0));
    assert!(caught_up.bytes > 0, "it was delivered all the same");
    // What the former parent still brought, while this one was dialled, was
    // not due from it either.
    let _elsewhere = scene.publish(2);
    let chunks = scene.publish(4);
    let live = scene.receipt(&mut edge, &chunks).unwrap();
    assert_eq!((live.due, live.in_time), (4, 4));
    let late = scene.publish(2);
    let late = scene.receipt_late(&mut edge, &late).unwrap();
    assert_eq!((late.due, late.in_time), (2, 0));
}

#[tokio::test]
async fn what_nothing_proves_any_more_is_taken_back_but_no_childs_place() {
    let mut scene = Scene::set(Controls::default());
    let planner = &mut scene.coordinator.planner;
    planner.claim(0, PARENT, 9).unwrap();
    scene.coordinator.lower_edges();
    let slots = |scene: &Scene| scene.coordinator.planner.node(PARENT).unwrap().edges;
    assert_eq!(slots(&scene), UNPROVEN_SLOTS);
    // A node that claims nothing any more keeps the child that it has.
    scene.coordinator.proven.forget(PARENT);
    scene.coordinator.lower_edges();
    assert_eq!(slots(&scene), 1);
}

/// One chunk in four is receipted.
const FEW: Sampling = Sampling {
    rendition: Rendition(0),
    from: Sequence(0),
    window_chunks: 1,
    one_in: 4,
};

/// A scene under that rule, forty chunks, and those that the child is asked
/// about.
fn sampled(controls: Controls) -> (Scene, Vec<SealedChunk>, Vec<SealedChunk>) {
    let mut scene = Scene::set(controls);
    assert!(
        scene
            .coordinator
            .proven
            .samplings
            .entry(Rendition(0))
            .or_default()
            .learn(FEW)
    );
    let chunks = scene.publish(40);
    let key = scene.coordinator.members[&CHILD].receipt_key.clone();
    let (key, proven) = (key.unwrap(), &scene.coordinator.proven);
    let asked = |c: &&SealedChunk| proven.asked(&key, (Rendition(0), Stripe(0)), c.header.sequence);
    let asked: Vec<_> = chunks.iter().filter(asked).cloned().collect();
    assert_eq!(asked.len(), 10);
    (scene, chunks, asked)
}

#[tokio::test]
async fn the_chunks_that_a_member_is_asked_about_stand_for_all() {
    let mut everything = Scene::set(Controls::default());
    let chunks = everything.publish(40);
    let mut edge = everything.edge(CHILD, PARENT);
    let whole = everything.receipt(&mut edge, &chunks).unwrap();
    let (mut scene, chunks, asked) = sampled(Controls::default());
    let mut liar = scene.edge(CHILD, PARENT);
    let refused = scene.receipt(&mut liar, &chunks);
    assert_eq!(refused.unwrap_err().reason(), "receipt_not_sampled");
    let mut edge = scene.edge(CHILD, PARENT);
    let few = scene.receipt(&mut edge, &asked).unwrap();
    assert_eq!((few.bytes, few.in_time), (whole.bytes, whole.in_time));
    let (one, other) = (&everything.coordinator, &scene.coordinator);
    assert_eq!(one.edges_of(PARENT), other.edges_of(PARENT));
}

#[tokio::test]
async fn a_member_that_chooses_itself_what_it_receipts_inflates_its_parent() {
    let controls = Controls {
        sampling: SampleCheck::dangerously_any(),
        ..Controls::default()
    };
    let (mut scene, chunks, _) = sampled(controls);
    let mut liar = scene.edge(CHILD, PARENT);
    let counted = scene.receipt(&mut liar, &chunks).unwrap();
    assert_eq!(counted.in_time, 160, "forty were sent");
}

#[tokio::test]
async fn what_is_due_of_a_sampled_edge_is_what_the_member_was_asked_about() {
    let (mut scene, _, asked) = sampled(Controls::default());
    let mut edge = scene.edge(CHILD, PARENT);
    let first = scene.receipt(&mut edge, &asked[..2]).unwrap();
    assert_eq!((first.due, first.in_time), (8, 8));
    let second = scene.receipt(&mut edge, &asked[4..6]).unwrap();
    assert_eq!((second.due, second.in_time), (16, 8));
}

#[tokio::test]
async fn a_large_audience_is_told_once_to_receipt_less() {
    let mut scene = Scene::set(Controls::default());
    let mut inboxes = Vec::new();
    for n in 0u16..2_000 {
        let mut node = SpkiHash([9; 32]);
        node.0[..2].copy_from_slice(&n.to_be_bytes());
        inboxes.push(enlist(&mut scene.coordinator, node, NodeKind::Peer));
        let key = ReceiptKey::new([7; 32]);
        scene
            .coordinator
            .members
            .get_mut(&node)
            .unwrap()
            .receipt_key = Some(key);
    }
    scene.coordinator.sample_receipts();
    assert!(inboxes[0].try_recv().is_err(), "nothing is published");
    let newest = scene.publish(1).remove(0).header.sequence;
    scene.coordinator.sample_receipts();
    scene.coordinator.sample_receipts();
    for inbox in &mut inboxes {
        let Ok(Down::Sampling(rule)) = inbox.try_recv() else {
            panic!("nobody told it");
        };
        assert_eq!((rule.window_chunks, rule.one_in), (25, 2));
        assert_eq!(rule.from, Sequence(newest.0 + 50), "before it arrives");
        assert!(inbox.try_recv().is_err(), "said twice");
    }
}
