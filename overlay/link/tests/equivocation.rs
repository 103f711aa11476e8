//! A sender that tells two stories: what stays, who hears of it, and who is
//! thrown out for a proof that is none.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use certs::seal::SealedChunk;
use link::{Channel, Endpoint, Link, NodeEvent};
use support::{Running, Setup, Stream, closed, join, media, parent, records, send_group, soon};
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Equivocation};
use wire::{Digest, Reason, SpkiHash};

/// A parent that the test speaks for, and who sends what he was given.
struct Parent {
    spki: SpkiHash,
    link: Link,
    channel: Channel,
    _socket: Endpoint,
}

impl Parent {
    async fn of(stream: &Stream, node: &Running) -> Self {
        let (identity, socket) = node.under_stranger(stream, NodeKind::Peer);
        let (link, channel) = parent(&socket).await;
        Self {
            spki: identity.spki(),
            link,
            channel,
            _socket: socket,
        }
    }

    async fn send(&self, chunks: &[&SealedChunk]) {
        let records: Vec<_> = chunks.iter().flat_map(|chunk| records(chunk)).collect();
        send_group(&self.link, &records).await;
    }

    /// What the node says on the edge, which has to be a proof.
    async fn proof(&mut self) -> Equivocation {
        let message = soon("a proof", self.channel.expect::<Edge>("no proof")).await;
        match message.unwrap() {
            Edge::Equivocation(proof) => proof,
            other => panic!("{other:?} instead of a proof"),
        }
    }
}

/// Two chunks of one name, and what comes before them.
struct Stories {
    init: SealedChunk,
    first: SealedChunk,
    second: SealedChunk,
    /// It follows the second.
    next: SealedChunk,
}

fn stories(stream: &Stream) -> Stories {
    let (mut honest, init) = stream.publisher();
    // The same keys begin again, and say something else.
    let (mut other, _) = stream.publisher();
    Stories {
        init,
        first: media(&mut honest, 20_000, true),
        second: media(&mut other, 30_000, true),
        next: media(&mut other, 30_000, true),
    }
}

async fn told(node: &mut Running) -> ([Digest; 2], bool) {
    soon("the two stories", async {
        loop {
            match node.events.recv().await.unwrap() {
                NodeEvent::SenderEquivocated { digests, found, .. } => return (digests, found),
                NodeEvent::EdgeDown { name, .. } => panic!("an edge ended: {name}"),
                _ => {}
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_story_stays_everybody_hears_of_both_and_no_parent_is_left() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let mut below = Running::start(&stream, &stream.member(), Setup::default());
    join(&stream, &node, &below);
    let said = stories(&stream);
    let mut one = Parent::of(&stream, &node).await;
    let mut other = Parent::of(&stream, &node).await;
    let key = said.first.header.key();
    one.send(&[&said.init, &said.first]).await;
    assert_eq!(node.chunk(key).await, Some(one.spki));
    other.send(&[&said.init, &said.second]).await;
    let digests = [said.first.header.digest(), said.second.header.digest()];
    assert_eq!(told(&mut node).await, (digests, true));
    assert_eq!(told(&mut below).await, (digests, false));
    for parent in [&mut one, &mut other] {
        let proof = parent.proof().await;
        assert_eq!(proof.a, said.first.signed);
        assert_eq!(proof.b, said.second.signed);
    }
    // Both go on: the second one's next chunk is the first of its name.
    other.send(&[&said.next]).await;
    assert_eq!(node.chunk(said.next.header.key()).await, Some(other.spki));
    let (kept, _) = node.node.chunk(key).unwrap();
    assert_eq!(kept.digest(), said.first.header.digest());
    assert!(node.node.has_edge(one.spki, true) && node.node.has_edge(other.spki, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_follows_another_than_was_seen_tells_two_stories_too() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let said = stories(&stream);
    let one = Parent::of(&stream, &node).await;
    one.send(&[&said.init, &said.first, &said.next]).await;
    let digests = [said.first.header.digest(), said.next.header.digest()];
    assert_eq!(told(&mut node).await, (digests, true));
    node.chunk(said.next.header.key()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_passed_on_once_and_not_back() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let said = stories(&stream);
    let proof = Equivocation {
        a: said.first.signed.clone(),
        b: said.second.signed.clone(),
    };
    let turned = Equivocation {
        a: proof.b.clone(),
        b: proof.a.clone(),
    };
    let next = Equivocation {
        a: said.first.signed.clone(),
        b: said.next.signed.clone(),
    };
    let mut teller = Parent::of(&stream, &node).await;
    let mut other = Parent::of(&stream, &node).await;
    for known in [&proof, &turned, &proof] {
        let message = Edge::Equivocation((*known).clone());
        teller.channel.send(&message).await.unwrap();
    }
    teller
        .channel
        .send(&Edge::Equivocation(next.clone()))
        .await
        .unwrap();
    assert_eq!(other.proof().await, proof);
    assert_eq!(other.proof().await, next);
    // What comes by the control link goes to both: had one gone back, it
    // would have come before.
    let third = |len| {
        let (mut publisher, _) = stream.publisher();
        let chunks = (0..3).map(|_| media(&mut publisher, len, false));
        chunks.last().unwrap().signed
    };
    let (a, b) = (third(10_000), third(11_000));
    let last = Equivocation { a, b };
    node.node.take_equivocation(&last).unwrap();
    assert_eq!(teller.proof().await, last);
    assert_eq!(other.proof().await, last);
    for _ in 0..3 {
        assert!(!told(&mut node).await.1);
    }
    assert!(node.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_proves_nothing_closes_its_link_and_goes_no_further() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let mut other = Parent::of(&stream, &node).await;
    let said = stories(&stream);
    let (mut forger, _) = stream.forger();
    let forged = media(&mut forger, 10_000, true);
    for (b, name) in [
        (said.first.signed.clone(), "equivocation_unproven"),
        (forged.signed, "header_signature_invalid"),
    ] {
        let mut liar = Parent::of(&stream, &node).await;
        let a = said.first.signed.clone();
        let lie = Edge::Equivocation(Equivocation { a, b });
        liar.channel.send(&lie).await.unwrap();
        assert_ne!(closed(&liar.link).await, Reason::Done);
        assert_eq!(node.edge_down().await, (liar.spki, name.to_owned()));
    }
    let proof = Equivocation {
        a: said.first.signed,
        b: said.second.signed,
    };
    node.node.take_equivocation(&proof).unwrap();
    // Whatever came before this one would have been sent before it.
    assert_eq!(other.proof().await, proof);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_goes_on_and_on_costs_a_few_messages() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let mut above = Parent::of(&stream, &node).await;
    let (mut honest, _) = stream.publisher();
    let (mut other, _) = stream.publisher();
    for _ in 0..50 {
        let proof = Equivocation {
            a: media(&mut honest, 1_000, true).signed,
            b: media(&mut other, 2_000, true).signed,
        };
        node.node.take_equivocation(&proof).unwrap();
    }
    let mut told = 0;
    while let Ok(event) = node.events.try_recv() {
        told += u32::from(matches!(event, NodeEvent::SenderEquivocated { .. }));
    }
    assert_eq!(told, 8);
    for _ in 0..told {
        above.proof().await;
    }
}
