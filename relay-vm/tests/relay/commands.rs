//! Whom a relay obeys, and in what.

use crate::scene::{Scene, nobody};
use crate::support::{Stream, closed, order, soon};
use link::open_channel;
use wire::Reason;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve};
use wire::message::control::{Empty, NodeKind, Up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn obeys_its_holder_and_nobody_else() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let serve = Command::Serve(Serve {
        run: stream.signed_run.clone(),
        coordinator: stream.run.coordinator,
        rate_bps_max: 1,
    });
    for command in [Command::Stop(Empty {}), Command::Status(Empty {}), serve] {
        // The coordinator commands no relay either.
        for who in [&nobody(), &stream.station] {
            let (link, reply) = scene.command(who, &command).await;
            assert_eq!(reply, CommandReply::Refused(Reason::NotHolder));
            assert_eq!(closed(&link).await, Reason::NotHolder);
        }
    }
    scene.still_obeys().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_one_coordinator_in_its_life() {
    let scene = Scene::set();
    let (first, second) = (Stream::begin(), Stream::begin());
    assert_eq!(scene.serve(&first).await, CommandReply::Done(Empty {}));
    let refused = CommandReply::Refused(Reason::OutOfService);
    assert_eq!(scene.serve(&second).await, refused);
    assert_eq!(scene.serve(&first).await, CommandReply::Done(Empty {}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_a_run_under_anothers_coordinator() {
    let scene = Scene::set();
    let (stream, other) = (Stream::begin(), Stream::begin());
    let serve = Command::Serve(Serve {
        run: stream.signed_run.clone(),
        coordinator: other.run.coordinator,
        rate_bps_max: 1,
    });
    let (_, reply) = scene.command(&scene.holder, &serve).await;
    assert_eq!(reply, CommandReply::Refused(Reason::Nonsense));
    assert_eq!(scene.serve(&stream).await, CommandReply::Done(Empty {}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_edges_from_its_coordinator_alone() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let member = stream.member();
    // Before it serves, nobody is the coordinator; then the station is.
    for who in [&stream.station, &member, &scene.holder] {
        let (_socket, link) = scene.dial(who).await;
        let mut channel = open_channel(&link, StreamKind::Control).await.unwrap();
        let ready = soon("an answer", channel.recv::<Up>()).await;
        assert!(!matches!(ready, Ok(Some(_))));
        assert_eq!(closed(&link).await, Reason::PermitMissing);
    }
    scene.coordinate(&stream, Vec::new()).await;
    let (_socket, link) = scene.dial(&member).await;
    let _channel = open_channel(&link, StreamKind::Control).await.unwrap();
    assert_eq!(closed(&link).await, Reason::PermitMissing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_cannot_make_it_dial_a_peer() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let target = stream.member();
    let permit = stream.signed_permit(target.spki(), scene.spki());
    let dial = Some("127.0.0.1:9".parse().unwrap());
    let order = order(permit, target.spki(), NodeKind::Peer, dial);
    let control = scene.coordinate(&stream, vec![order]).await;
    assert_eq!(closed(&control.link).await, Reason::PermitInvalid);
    scene.still_obeys().await;
}
