//! Whose time a relay goes by. Its machine's clock is behind the station's
//! here, as that of an operator who wants to go on serving old permits.

use crate::life::parent;
use crate::scene::{Control, Paid, Scene};
use crate::support::{Stream, child, closed, key, media, now, order, records, send_group, soon};
use link::{Clock, Identity};
use std::time::{Duration, Instant};
use wire::message::control::{Down, NodeKind, Up};
use wire::message::edge::Edge;
use wire::statement::BatchedPermit;
use wire::{Reason, UnixMs};

/// How far the relay's platform is behind the station, in milliseconds.
const BEHIND_MS: u64 = 150_000;
/// When the permits here expire, on the platform's clock: long ago at the
/// station.
const LEFT_MS: u64 = 100_000;

/// The station's time.
fn station_time() -> UnixMs {
    now().plus_ms(BEHIND_MS)
}

/// A member's permit for an edge to the relay, expired at the station.
fn expired(stream: &Stream, scene: &Scene, member: &Identity) -> BatchedPermit {
    let mut permit = stream.permit(scene.spki(), member.spki());
    permit.expiry = now().plus_ms(LEFT_MS);
    certs::permit::sign(&stream.permit_key, &permit)
}

async fn send_beacon(control: &mut Control, stream: &Stream) {
    let beacon = stream.signed_beacon(1, station_time());
    control.channel.send(&Down::Beacon(beacon)).await.unwrap();
}

/// The coordinator's beacon, and then an order by an expired permit.
async fn ordered_by_an_expired_permit(
    clock: Clock,
) -> (Scene, Stream, Control, Identity, BatchedPermit) {
    let scene = Scene::with_clock(Paid::default(), clock);
    let stream = Stream::begin();
    let member = stream.member();
    let mut control = scene.coordinate(&stream, Vec::new()).await;
    send_beacon(&mut control, &stream).await;
    let permit = expired(&stream, &scene, &member);
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    let down = Down::Edge(Box::new(below));
    control.channel.send(&down).await.unwrap();
    (scene, stream, control, member, permit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_that_has_expired_by_the_beacons_time_is_refused() {
    let clock = Clock::raised_by_beacons();
    let (_scene, _, control, ..) = ordered_by_an_expired_permit(clock).await;
    assert_eq!(closed(&control.link).await, Reason::PermitInvalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_no_beacon_raises_accepts_the_expired_permit() {
    let (scene, _, control, member, permit) = ordered_by_an_expired_permit(Clock::new()).await;
    // Welcomed: the control is the floor, and nothing else here refuses.
    child(&member, scene.address, permit).await;
    assert!(control.link.connection.close_reason().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_that_expires_while_the_relays_clock_stands_back_ends_its_edge() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let (member, station) = (stream.member(), stream.station.spki());
    let above = stream.signed_permit(station, scene.spki());
    let below = expired(&stream, &scene, &member);
    let orders = vec![
        order(above, station, NodeKind::Station, None),
        order(below.clone(), member.spki(), NodeKind::Peer, None),
    ];
    let mut control = scene.coordinate(&stream, orders).await;
    let (_socket, link, mut channel) = child(&member, scene.address, below).await;
    let (_held, upward) = parent(&scene, &stream).await;
    send_beacon(&mut control, &stream).await;
    let beacon = soon("the beacon", channel.expect::<Edge>("no beacon")).await;
    assert!(matches!(beacon.unwrap(), Edge::Beacon(_)));
    let (mut publisher, init) = stream.publisher();
    let mut sent = records(&init);
    sent.extend(records(&media(&mut publisher, 60_000, true)));
    send_group(&upward, &sent).await;
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_beacon_costs_the_control_link_and_moves_no_clock() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let mut control = scene.coordinate(&stream, Vec::new()).await;
    let forged = certs::sign(&key(), &stream.beacon(1, station_time()));
    control.channel.send(&Down::Beacon(forged)).await.unwrap();
    assert_eq!(closed(&control.link).await, Reason::Nonsense);
    let member = stream.member();
    let permit = expired(&stream, &scene, &member);
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    let _control = scene.coordinate(&stream, vec![below]).await;
    child(&member, scene.address, permit).await;
}

/// A lease that is over at the station and not on the platform's clock.
async fn leased(clock: Clock) -> (Scene, Control) {
    let paid = Paid {
        lease_ms: LEFT_MS,
        ..Paid::default()
    };
    let scene = Scene::with_clock(paid, clock);
    let stream = Stream::begin();
    let mut control = scene.coordinate(&stream, Vec::new()).await;
    send_beacon(&mut control, &stream).await;
    (scene, control)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beacon_brings_the_end_of_a_lease_that_the_platform_puts_off() {
    let begun = Instant::now();
    let (scene, mut control) = leased(Clock::raised_by_beacons()).await;
    control.report(|up| matches!(up, Up::Leave(_))).await;
    assert_eq!(scene.end().await, Reason::LeaseEnded);
    assert!(begun.elapsed() < Duration::from_millis(LEFT_MS / 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_no_beacon_raises_puts_the_end_of_its_lease_off() {
    let (scene, mut control) = leased(Clock::new()).await;
    let leave = control.report(|up| matches!(up, Up::Leave(_)));
    // Several looks at the clock.
    let waited = tokio::time::timeout(Duration::from_secs(4), leave).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(!scene.ended.is_finished());
}
