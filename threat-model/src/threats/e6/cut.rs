//! The line between a viewer and his coordinator breaks, and what he gets from
//! another viewer flows on.
//!
//! The control is that a member whose line has gone silent keeps its place for
//! a while. It is removed in the options that the station is called with.

use super::{STATION, viewer};
use crate::scene::client::{self, Watching};
use crate::scene::{self, loopback, within};
use crate::{Control, Failure, Outcome};
use peer::station::SilenceCheck;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::UdpSocket;
use wire::invite::Invite;

/// How long a broken line may take to be noticed, and to be made again.
const LINE_MS_MAX: u64 = 20_000;

pub(super) fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(cut_off(control))
}

async fn cut_off(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    if !control.is_on() {
        options.judging.silence = SilenceCheck::dangerously_lost();
    }
    let mut station = client::broadcast(options).await?;
    let _near = viewer(folder.path(), &station.invite, "near").await?;
    let mut invite = Invite::parse(&station.invite)?;
    let to = invite.addresses.first().copied();
    let to = to.ok_or(Failure::Stage("an invite without an address"))?;
    let open = Arc::new(AtomicBool::new(true));
    invite.addresses = vec![way(to, open.clone()).await?];
    let mut far = viewer(folder.path(), &invite.to_uri(), "far").await?;
    open.store(false, Ordering::Relaxed);
    within(LINE_MS_MAX, "end of the line", far.told.next("rejoining")).await??;
    // The station gives it up at about the same time.
    let given_up = if control.is_on() { "away" } else { "left" };
    station.told.event(given_up).await?;
    open.store(true, Ordering::Relaxed);
    let back = within(LINE_MS_MAX, "next line", far.told.next("rejoined")).await??;
    far.told.event("chunk_received").await?;
    if torn_down(&mut far) {
        return Ok(Outcome::succeeded(
            "the viewer's edge is torn down, though nothing was wrong with it",
        ));
    }
    if back.get("place_kept").and_then(Value::as_bool) != Some(true) {
        return Err(Failure::Stage("the place was lost, and the edge was not"));
    }
    let told = station.told.event("returned").await?;
    Ok(Outcome::stopped(client::text(&told, "kind")?))
}

fn torn_down(viewer: &mut Watching) -> bool {
    viewer.told.everything().contains("\"kind\":\"edge_down\"")
}

/// The way to an address through a socket that carries one caller, as long as
/// it is open.
async fn way(to: SocketAddr, open: Arc<AtomicBool>) -> Result<SocketAddr, Failure> {
    let (near, far) = (
        UdpSocket::bind(loopback()).await?,
        UdpSocket::bind(loopback()).await?,
    );
    let address = near.local_addr()?;
    tokio::spawn(async move {
        let (mut out, mut back) = ([0; 2_048], [0; 2_048]);
        let mut caller = None;
        loop {
            tokio::select! {
                packet = near.recv_from(&mut out) => {
                    let Ok((bytes, from)) = packet else { return };
                    caller = Some(from);
                    if open.load(Ordering::Relaxed) {
                        let _ = far.send_to(out.get(..bytes).unwrap_or_default(), to).await;
                    }
                }
                packet = far.recv_from(&mut back) => {
                    let Ok((bytes, _)) = packet else { return };
                    if let Some(caller) = caller.filter(|_| open.load(Ordering::Relaxed)) {
                        let _ = near.send_to(back.get(..bytes).unwrap_or_default(), caller).await;
                    }
                }
            }
        }
    });
    Ok(address)
}
