//! E2: somebody with one invite joins again and again, under another key each
//! time, until the station has no place left.
//!
//! The control is the rate of joins from one address block. It is removed in
//! the options that the station is called with.

use crate::attack::attack;
use crate::attackers::guest::Guest;
use crate::scene::{self, client, loopback};
use crate::{Control, Failure, Outcome};
use peer::station::JoinCheck;
use std::net::SocketAddr;
use std::time::Duration;
use wire::invite::Invite;
use wire::message::control::{EdgeReport, Up};
use wire::{Rendition, Stripe};

attack!("E2", run);

/// Room for seventy-six viewers: more than may come from one block at once.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1", "--upload-mbps", "100"];
/// Names that the attacker makes up: more than there are places.
const NAMES: usize = 90;
/// Where a real viewer comes from: the same machine by another block.
const ELSEWHERE: [u8; 4] = [127, 0, 9, 1];
/// How long a viewer waits for a place.
const PLACE: Duration = Duration::from_millis(3_000);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(join_again_and_again(control))
}

async fn join_again_and_again(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    if !control.is_on() {
        options.judging.joins = JoinCheck::dangerously_unlimited();
    }
    let mut station = client::broadcast(options).await?;
    let invite = Invite::parse(&station.invite)?;
    let mut sybils = Vec::new();
    while sybils.len() < NAMES {
        match Guest::enter_from(loopback(), &invite, "sybil", 0).await {
            Ok(sybil) => sybils.push(sybil),
            Err(_) => break,
        }
    }
    let flooded = sybils.len() == NAMES;
    let mut seated = 0;
    for sybil in &mut sybils {
        let Ok(Ok(permit)) = tokio::time::timeout(PLACE, sybil.place()).await else {
            break;
        };
        let report = EdgeReport {
            other: permit.parent,
            child: true,
            rendition: Rendition(0),
            stripes: Stripe(0).into(),
        };
        sybil.say(&Up::EdgeUp(report)).await?;
        seated += 1;
    }
    let elsewhere = SocketAddr::from((ELSEWHERE, 0));
    let mut viewer = Guest::enter_from(elsewhere, &invite, "viewer", 0).await?;
    let placed = tokio::time::timeout(PLACE, viewer.place()).await;
    match (flooded, placed) {
        (true, Err(_) | Ok(Err(_))) => Ok(Outcome::succeeded(format!(
            "{seated} names from one address hold every place, and a viewer gets none"
        ))),
        (false, Ok(Ok(_))) => Ok(Outcome::stopped(station.told.reason("join_refused").await?)),
        (true, Ok(Ok(_))) => Err(Failure::Stage("there is room for everybody")),
        (false, _) => Err(Failure::Stage("a viewer from elsewhere gets no place")),
    }
}
