//! C8: a peer with room for nobody says that it uploads a hundred streams.
//!
//! The control is that slots follow what receipts prove, beyond the few that
//! are needed to prove anything. It is removed in the options that the station
//! is called with. Nothing else that a peer could say of itself is heard:
//! there is no message about its region, and its round trips are measured.

use crate::attack::attack;
use crate::attackers::guest::Guest;
use crate::scene::{self, client};
use crate::{Control, Failure, Outcome};
use overlay::slots::{ClaimCheck, UNPROVEN_SLOTS};
use std::time::Duration;
use wire::invite::Invite;
use wire::message::control::{EdgeReport, Up};
use wire::{Rendition, SpkiHash, Stripe};

attack!("C8", run);

/// Room for one viewer at the station: all others hang under him.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1", "--upload-mbps", "1.3"];
/// What the liar claims to carry, in bit/s: a hundred streams.
const CLAIMED_BPS: u64 = 125_000_000;
/// Viewers who come, and how many of them under one liar are harm.
const VIEWERS: usize = 24;
const HARM: usize = 20;
/// How long a viewer waits for a place.
const PLACE: Duration = Duration::from_millis(2_000);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(claim_a_hundred(control))
}

async fn claim_a_hundred(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    if !control.is_on() {
        options.judging.claims = ClaimCheck::dangerously_believing();
    }
    let mut station = client::broadcast(options).await?;
    let invite = Invite::parse(&station.invite)?;
    let mut liar = Guest::enter(&invite, "liar", CLAIMED_BPS).await?;
    let above = liar.place().await?.parent;
    up(&mut liar, above).await?;
    let mut starving = Vec::new();
    for _ in 0..VIEWERS {
        let mut viewer = Guest::enter(&invite, "viewer", 0).await?;
        match tokio::time::timeout(PLACE, viewer.place()).await {
            Ok(Ok(permit)) if permit.parent == liar.spki() => {
                up(&mut viewer, liar.spki()).await?;
                starving.push(viewer);
            }
            Ok(Ok(_)) => return Err(Failure::Stage("a viewer hangs under somebody else")),
            // No place, or put out: no more will be.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    match starving.len() {
        harmed if harmed >= HARM => Ok(Outcome::succeeded(format!(
            "{harmed} viewers hang under a peer that has sent nobody a byte"
        ))),
        few if few == UNPROVEN_SLOTS as usize => {
            let limited = station.told.event("edges_limited").await?;
            if client::text(&limited, "node")? != liar.spki().to_hex() {
                return Err(Failure::Stage("another claim was cut"));
            }
            Ok(Outcome::stopped(client::text(&limited, "reason")?))
        }
        _ => Err(Failure::Stage(
            "another number of viewers hangs under the liar",
        )),
    }
}

/// The child says that its edge works, so that it keeps its place.
async fn up(guest: &mut Guest, parent: SpkiHash) -> Result<(), Failure> {
    let report = EdgeReport {
        other: parent,
        child: true,
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
    };
    guest.say(&Up::EdgeUp(report)).await
}
