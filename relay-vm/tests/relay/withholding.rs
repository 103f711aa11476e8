//! A relay whose parent keeps the stream to itself.

use crate::life::parent;
use crate::scene::Scene;
use crate::support::{Stream, now, order};
use wire::Rendition;
use wire::message::control::{Down, NodeKind, Up, Withheld};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_its_coordinator_of_a_parent_that_withholds() {
    let scene = Scene::set();
    let stream = Stream::begin();
    let other = stream.station.spki();
    let above = stream.signed_permit(other, scene.spki());
    let orders = vec![order(above, other, NodeKind::Peer, None)];
    let mut control = scene.coordinate(&stream, orders).await;
    let _held = parent(&scene, &stream).await;
    let beacon = stream.signed_beacon(5, now());
    control.channel.send(&Down::Beacon(beacon)).await.unwrap();
    let told = control.report(|up| matches!(up, Up::Withheld(_))).await;
    let complaint = Withheld {
        parent: other,
        rendition: Rendition(0),
        stripes: stream.stripes(),
    };
    assert_eq!(told, Up::Withheld(complaint));
}
