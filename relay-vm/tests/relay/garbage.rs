//! Whoever talks nonsense is closed with a code, and the others go on.

use crate::scene::{Control, Scene, nobody};
use crate::support::{Stream, child, closed, order};
use link::{Channel, Identity, Link, open_channel};
use wire::Reason;
use wire::message::StreamKind;
use wire::message::control::NodeKind;
use wire::statement::BatchedPermit;

/// A message's length, and bytes that are no message.
const GARBAGE: [u8; 6] = [5, 0x3f, 0xff, 0xff, 0xff, 0xff];

/// A relay that serves a stream; one member may be its child.
struct Busy {
    scene: Scene,
    member: Identity,
    permit: BatchedPermit,
    control: Control,
}

impl Busy {
    async fn set() -> Self {
        let scene = Scene::set();
        let stream = Stream::begin();
        let member = stream.member();
        let permit = stream.signed_permit(scene.spki(), member.spki());
        let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
        let control = scene.coordinate(&stream, vec![below]).await;
        Self {
            scene,
            member,
            permit,
            control,
        }
    }

    /// Everybody else is served.
    async fn goes_on(self) {
        self.scene.still_obeys().await;
        child(&self.member, self.scene.address, self.permit).await;
    }
}

/// Says garbage as `who` on a stream of this kind; why the link was closed.
async fn say(scene: &Scene, who: &Identity, kind: StreamKind, garbage: &[u8]) -> Reason {
    let (_socket, link) = scene.dial(who).await;
    let mut channel = open_channel(&link, kind).await.unwrap();
    // The relay may close the link before it has heard all of it.
    let _ = channel.send.write_all(garbage).await;
    closed(&link).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_command() {
    let busy = Busy::set().await;
    let kind = StreamKind::Command;
    let code = say(&busy.scene, &busy.scene.holder, kind, &GARBAGE).await;
    assert_eq!(code, Reason::Nonsense);
    busy.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_challenge() {
    let busy = Busy::set().await;
    let kind = StreamKind::Challenge;
    let code = say(&busy.scene, &busy.scene.holder, kind, &GARBAGE).await;
    assert_eq!(code, Reason::Nonsense);
    busy.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instead_of_a_permit() {
    let busy = Busy::set().await;
    let code = say(&busy.scene, &nobody(), StreamKind::Edge, &GARBAGE).await;
    assert_eq!(code, Reason::PermitMissing);
    busy.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_its_coordinator() {
    let mut busy = Busy::set().await;
    let Channel { send, .. } = &mut busy.control.channel;
    send.write_all(&GARBAGE).await.unwrap();
    let link: Link = busy.control.link.clone();
    assert_eq!(closed(&link).await, Reason::Nonsense);
    busy.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_running_edge() {
    let busy = Busy::set().await;
    let permit = busy.permit.clone();
    let (_socket, link, mut channel) = child(&busy.member, busy.scene.address, permit).await;
    channel.send.write_all(&GARBAGE).await.unwrap();
    assert_eq!(closed(&link).await, Reason::Nonsense);
    busy.scene.still_obeys().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_stream_of_no_known_kind() {
    let busy = Busy::set().await;
    let (_socket, link) = busy.scene.dial(&nobody()).await;
    let (mut send, _recv) = link.connection.open_bi().await.unwrap();
    let _ = send.write_all(&[0x3f]).await;
    assert_eq!(closed(&link).await, Reason::UnknownMessage);
    let group = say(&busy.scene, &nobody(), StreamKind::Group, &GARBAGE).await;
    assert_eq!(group, Reason::UnknownMessage);
    busy.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_length_over_the_bound() {
    let busy = Busy::set().await;
    let long = [0xbf, 0xff, 0xff, 0xff];
    let kind = StreamKind::Command;
    let code = say(&busy.scene, &busy.scene.holder, kind, &long).await;
    assert_eq!(code, Reason::Nonsense);
    busy.goes_on().await;
}
