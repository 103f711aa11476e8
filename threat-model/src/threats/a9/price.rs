//! The station would have the viewer look at its own desk's price, which is a
//! bait.
//!
//! The control is that a price comes from the desk that the viewer named. It
//! is removed by naming the station's.

use super::{PRICE_MINOR, ask};
use crate::scene::client;
use crate::scene::desk;
use crate::scene::rogue::Rogue;
use crate::scene::{self};
use crate::{Control, Failure, Outcome};
use serde_json::Value;
use wire::message::control::Down;

/// What the station's own desk says, in cents.
const BAIT_MINOR: u64 = 1;

pub(super) fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(bait(control))
}

async fn bait(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let own = desk::open(&folder.path().join("own"), PRICE_MINOR).await?;
    let bait = desk::open(&folder.path().join("bait"), BAIT_MINOR).await?;
    let named = match control {
        Control::On => own.uri,
        Control::Removed => bait.uri,
    };
    let rogue = Rogue::begin()?;
    let desk = named.to_string();
    let words = ["--no-page", "--desk", &desk];
    let options = client::viewer_options(folder.path(), &rogue.invite()?, &words)?;
    let mut viewer = client::watch(options);
    let mut captive = rogue.admit().await?;
    let ask = certs::sign(&rogue.stream.permit_key, &ask(&rogue, captive.spki));
    captive.channel.send(&Down::Ask(ask)).await?;
    let prompted = viewer.told.event("sponsor_prompted").await?;
    match prompted.get("price_minor").and_then(Value::as_u64) {
        Some(PRICE_MINOR) => Ok(Outcome::stopped("own_price_shown")),
        Some(BAIT_MINOR) => Ok(Outcome::succeeded(
            "the viewer is shown a price that the station's desk made up",
        )),
        _ => Err(Failure::Stage("the viewer is shown no price")),
    }
}
