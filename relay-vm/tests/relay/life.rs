//! How a relay ends.

use crate::scene::{Paid, Scene};
use crate::support::{Stream, child, closed, media, order, records, send_group, soon};
use link::{Link, open_channel};
use std::time::{Duration, Instant};
use wire::Reason;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply};
use wire::message::control::{Empty, NodeKind, Up};
use wire::message::edge::Edge;

/// Notice before an end that is known beforehand.
const NOTICE: Duration = Duration::from_secs(10);
/// What timers and machines may be late.
const SLACK: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_with_its_lease_and_tells_its_coordinator_before() {
    let lease = NOTICE + Duration::from_millis(1_500);
    let scene = Scene::paid(Paid {
        lease_ms: lease.as_millis().try_into().unwrap(),
        ..Paid::default()
    });
    let began = Instant::now();
    let stream = Stream::begin();
    let mut control = scene.coordinate(&stream, Vec::new()).await;
    control.report(|up| matches!(up, Up::Leave(_))).await;
    assert!(began.elapsed() < NOTICE, "the notice came too late");
    assert_eq!(scene.end().await, Reason::LeaseEnded);
    let took = began.elapsed();
    assert!(took + SLACK > lease && took < lease + SLACK, "{took:?}");
    assert_eq!(closed(&control.link).await, Reason::LeaseEnded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_at_its_holders_word_after_notice() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let mut control = scene.coordinate(&stream, Vec::new()).await;
    let began = Instant::now();
    let (_, reply) = scene.command(&scene.holder, &Command::Stop(Empty {})).await;
    assert_eq!(reply, CommandReply::Done(Empty {}));
    control.report(|up| matches!(up, Up::Leave(_))).await;
    assert_eq!(scene.end().await, Reason::StoppedByHolder);
    let took = began.elapsed();
    assert!(took >= NOTICE && took < NOTICE + SLACK, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_at_once_with_its_desk() {
    let mut scene = Scene::set();
    scene.still_obeys().await;
    scene.desk = None;
    let began = Instant::now();
    assert_eq!(scene.end().await, Reason::PeerGone);
    assert!(began.elapsed() < SLACK);
}

/// Links as the relay's parent and waits until it wants the stream.
pub(crate) async fn parent(scene: &Scene, stream: &Stream) -> (Box<dyn std::any::Any>, Link) {
    let (socket, link) = scene.dial(&stream.station).await;
    let mut channel = open_channel(&link, StreamKind::Edge).await.unwrap();
    let permit = stream.signed_permit(stream.station.spki(), scene.spki());
    channel.send(&Edge::Hello(permit)).await.unwrap();
    for _ in 0..2 {
        let message = soon("welcome and start", channel.expect::<Edge>("no start")).await;
        assert!(matches!(
            message.unwrap(),
            Edge::Welcome(_) | Edge::Start(_)
        ));
    }
    (Box::new((socket, channel)), link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_when_its_bytes_are_used_up() {
    let cap = 100_000;
    let scene = Scene::paid(Paid {
        byte_cap: cap,
        ..Paid::default()
    });
    let stream = Stream::begin();
    let (member, station) = (stream.member(), stream.station.spki());
    let above = stream.signed_permit(station, scene.spki());
    let below = stream.signed_permit(scene.spki(), member.spki());
    let orders = vec![
        order(above, station, NodeKind::Station, None),
        order(below.clone(), member.spki(), NodeKind::Peer, None),
    ];
    let _control = scene.coordinate(&stream, orders).await;
    let (_socket, link, _channel) = child(&member, scene.address, below).await;
    let (_held, upward) = parent(&scene, &stream).await;
    let (mut publisher, init) = stream.publisher();
    let mut sent = records(&init);
    sent.extend(records(&media(&mut publisher, 60_000, true)));
    send_group(&upward, &sent).await;
    soon("the first chunk", async {
        loop {
            let (_, reply) = scene
                .command(&scene.holder, &Command::Status(Empty {}))
                .await;
            let CommandReply::Status(status) = reply else {
                panic!("no status: {reply:?}");
            };
            assert_eq!(status.bytes_left, cap - status.sent_bytes);
            if status.sent_bytes > 60_000 {
                return;
            }
        }
    })
    .await;
    send_group(&upward, &records(&media(&mut publisher, 60_000, true))).await;
    assert_eq!(closed(&link).await, Reason::ByteCapReached);
    assert_eq!(scene.end().await, Reason::ByteCapReached);
}
