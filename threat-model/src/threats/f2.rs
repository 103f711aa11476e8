//! F2: a station, or whoever runs its coordinator, hangs a viewer under a
//! curious member, who sees then where the viewer is.
//!
//! The control is that a viewer who chose `--relay-only` holds the station to
//! it. It is removed in the controls that the viewer is made with.

use crate::attack::attack;
use crate::scene::client::{self, text};
use crate::scene::edge::dial_order;
use crate::scene::rogue::Rogue;
use crate::scene::{self, loopback, within};
use crate::{Control, Failure, Outcome};
use link::Endpoint;
use peer::viewer::LinkCheck;
use std::net::SocketAddr;
use wire::message::control::{Down, NodeKind};

attack!("F2", as_a_peer,
    "the member is called the station" => "not_relay_only": as_the_station,
);

/// How long the viewer may take to dial, in milliseconds.
const DIAL_MS_MAX: u64 = 10_000;

fn as_a_peer(control: Control) -> Result<Outcome, Failure> {
    scene::stage(look(NodeKind::Peer, control))
}

fn as_the_station(control: Control) -> Result<Outcome, Failure> {
    scene::stage(look(NodeKind::Station, control))
}

async fn look(kind: NodeKind, control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let rogue = Rogue::begin()?;
    let words = ["--no-page", "--relay-only"];
    let mut options = client::viewer_options(folder.path(), &rogue.invite()?, &words)?;
    if !control.is_on() {
        options.controls.links = LinkCheck::dangerously_stations_choice();
    }
    let mut viewer = client::watch(options);
    let mut captive = rogue.admit().await?;
    let ready = viewer.told.event("viewer_ready").await?;
    let curious = rogue.stream.member("curious")?;
    let window = Endpoint::bind(loopback(), &curious)?;
    let (parent, child) = (curious.spki(), captive.spki);
    let order = dial_order(&rogue.stream, parent, child, kind, window.address()?)?;
    captive.channel.send(&Down::Edge(Box::new(order))).await?;
    tokio::select! {
        reason = viewer.told.reason("attack_refused") => Ok(Outcome::stopped(reason?)),
        seen = within(DIAL_MS_MAX, "viewer", seen(&window)) => {
            let seen = seen??;
            if text(&ready, "listen")? == seen.to_string() {
                Ok(Outcome::succeeded(format!(
                    "the curious member sees the viewer's address {seen}"
                )))
            } else {
                Err(Failure::Stage("the curious member sees somebody else"))
            }
        }
    }
}

async fn seen(window: &Endpoint) -> Result<SocketAddr, Failure> {
    let accepting = window.accept().await;
    let accepting = accepting.ok_or(Failure::Stage("the curious member's socket is closed"))?;
    Ok(accepting.finish().await?.connection.remote_address())
}
