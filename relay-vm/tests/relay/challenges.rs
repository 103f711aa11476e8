//! Who may challenge, how often, and what an answer is good for.

use crate::scene::{Scene, dial, nobody};
use crate::support::{Stream, closed, loopback, order, random, soon};
use link::{Channel, Clock, Endpoint, Error, Identity, Link, open_channel, stream_kind};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinSet;
use wire::message::StreamKind;
use wire::message::control::NodeKind;
use wire::message::live::{Challenge, Response};
use wire::{Encode, Nonce, Reason};

/// Challenges of one bearer within half a minute.
const CHALLENGES_MAX: usize = attest::live::CHALLENGES_MAX;

async fn challenge(link: &Link) -> Result<Response, Error> {
    let mut channel = open_channel(link, StreamKind::Challenge).await?;
    let nonce = Nonce(random());
    channel.send(&Challenge { nonce }).await?;
    let _ = channel.send.finish();
    soon("an answer or its refusal", channel.expect("no answer")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_no_answer() {
    let scene = Scene::set();
    let (_socket, link) = scene.dial(&nobody()).await;
    assert!(challenge(&link).await.is_err());
    assert_eq!(closed(&link).await, Reason::PermitMissing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_bears_a_permit_is_answered_three_times_in_half_a_minute() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let (bearer, other) = (stream.member(), stream.member());
    let orders = [&bearer, &other].map(|member| {
        let permit = stream.signed_permit(scene.spki(), member.spki());
        order(permit, member.spki(), NodeKind::Peer, None)
    });
    let _control = scene.coordinate(&stream, orders.to_vec()).await;
    let (_socket, link) = scene.dial(&bearer).await;
    let (_another, again) = scene.dial(&bearer).await;
    for _ in 0..CHALLENGES_MAX {
        challenge(&link).await.unwrap();
    }
    // Over another connection it is the same bearer.
    assert!(challenge(&again).await.is_err());
    assert_eq!(closed(&again).await, Reason::ChallengeRate);
    let (_socket, link) = scene.dial(&other).await;
    challenge(&link).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_challenges_of_a_crowd_share_few_quotes() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let crowd: Vec<Identity> = (0..50).map(|_| stream.member()).collect();
    let orders = crowd.iter().map(|member| {
        let permit = stream.signed_permit(scene.spki(), member.spki());
        order(permit, member.spki(), NodeKind::Peer, None)
    });
    let _control = scene.coordinate(&stream, orders.collect()).await;
    let mut dials = JoinSet::new();
    for member in crowd {
        let address = scene.address;
        dials.spawn(async move { dial(&member, address).await });
    }
    let links = dials.join_all().await;
    let mut challenges = JoinSet::new();
    for (_, link) in &links {
        let link = link.clone();
        challenges.spawn(async move { challenge(&link).await.unwrap() });
    }
    let responses = challenges.join_all().await;
    assert_eq!(responses.len(), 50);
    let quotes: BTreeSet<Vec<u8>> = responses.iter().map(|r| r.quote.to_bytes()).collect();
    assert!(quotes.len() <= 10, "{} quotes", quotes.len());
}

/// Answers every challenge with what the relay says to `asks`.
async fn front(socket: Arc<Endpoint>, asks: Identity, relay: SocketAddr) {
    let (_socket, upward) = dial(&asks, relay).await;
    while let Some(accepting) = socket.accept().await {
        let link = accepting.finish().await.unwrap();
        while let Ok((send, mut recv)) = link.connection.accept_bi().await {
            assert_eq!(stream_kind(&mut recv).await, Some(StreamKind::Challenge));
            let mut victim = Channel { send, recv };
            let asked: Challenge = victim.expect("no challenge").await.unwrap();
            let mut channel = open_channel(&upward, StreamKind::Challenge).await.unwrap();
            channel.send(&asked).await.unwrap();
            let answer: Response = channel.expect("no answer").await.unwrap();
            victim.send(&answer).await.unwrap();
            let _ = victim.send.finish();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_good_for_its_own_connection_alone() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let member = stream.member();
    let permit = stream.signed_permit(scene.spki(), member.spki());
    let orders = vec![order(permit, member.spki(), NodeKind::Peer, None)];
    let _control = scene.coordinate(&stream, orders).await;
    let admission = scene.admission(&stream, member.spki());
    let (trust, clock) = (scene.trust(), Clock::new());
    let me = member.spki();

    // Until the coordinator's order has reached the relay, it closes the link.
    let proof = loop {
        let (_socket, direct) = scene.dial(&member).await;
        let proof = link::verify_relay(&direct, &admission, me, &trust, &stream.run, &clock).await;
        match proof {
            Err(e) if e.reason() == "peer_gone" && clock.mono_ms() < 5_000 => {}
            proof => break proof,
        }
    };
    assert_eq!(proof.unwrap().live.spki(), scene.spki());

    // Somebody has the relay's TLS key, and the relay's ear.
    let stolen = Arc::new(Endpoint::bind(loopback(), &scene.relay).unwrap());
    let address = stolen.address().unwrap();
    tokio::spawn(front(stolen, scene.holder.clone(), scene.address));
    let (_socket, relayed) = dial(&member, address).await;
    let proof = link::verify_relay(&relayed, &admission, me, &trust, &stream.run, &clock).await;
    assert_eq!(proof.unwrap_err().reason(), "live_binding_mismatch");
}
