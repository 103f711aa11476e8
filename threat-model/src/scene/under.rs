//! A viewer under a member that meddles, and a better place that is free.

use super::client::{self, OnAir, Told, Watching, text};
use super::meddler::{Manner, Meddler};
use crate::Failure;
use crate::attackers::guest::Guest;
use peer::{station, viewer};
use std::path::Path;
use std::time::Duration;
use wire::Stripe;
use wire::invite::Invite;
use wire::message::control::{EdgeReport, Up};

/// The clip's rate, and an upload for two viewers.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1", "--upload-mbps", "2.6"];
/// What the meddler can carry, in bit/s: four viewers.
const UPLOAD_BPS: u64 = 5_200_000;

/// A station, a meddler, and a viewer who watches through it.
#[derive(Debug)]
pub struct Under {
    /// The station.
    pub station: OnAir,
    /// Who meddles.
    pub meddler: Meddler,
    /// The viewer.
    pub viewer: Watching,
}

impl Under {
    /// Seats everybody. The station's second place is free once the viewer has
    /// taken the only one that was left.
    ///
    /// # Errors
    /// Somebody is not admitted, or placed otherwise.
    pub async fn seat(
        folder: &Path,
        manner: Manner,
        change: impl FnOnce(&mut station::Options),
        choose: impl FnOnce(&mut viewer::Options),
    ) -> Result<Self, Failure> {
        let mut options = client::station_options(folder, &STATION)?;
        change(&mut options);
        let station = client::broadcast(options).await?;
        let invite = Invite::parse(&station.invite)?;
        let meddler = Meddler::enter(&invite, UPLOAD_BPS, manner).await?;
        let mut keeper = Guest::enter(&invite, "keeper", 0).await?;
        let parent = keeper.place().await?.parent;
        if parent == meddler.spki {
            return Err(Failure::Stage("the station has not two places"));
        }
        let report = EdgeReport {
            other: parent,
            child: true,
            stripes: Stripe(0).into(),
        };
        keeper.say(&Up::EdgeUp(report)).await?;
        let words = ["--no-page", "--share-mbps", "0", "--trace-chunks", "--json"];
        let mut options = client::viewer_options(folder, &station.invite, &words)?;
        choose(&mut options);
        let mut viewer = client::watch(options);
        let up = viewer.told.event("edge_up").await?;
        if text(&up, "other")? != meddler.spki.to_hex() {
            return Err(Failure::Stage("the viewer does not hang under the meddler"));
        }
        keeper.leave().await;
        Ok(Self {
            station,
            meddler,
            viewer,
        })
    }

    /// Waits until the viewer has another parent than the meddler, or for so
    /// many milliseconds; tells which of the two it was.
    ///
    /// # Errors
    /// The viewer ends, or is moved from somebody else.
    pub async fn moved(&mut self, ms: u64) -> Result<bool, Failure> {
        let meddler = self.meddler.spki.to_hex();
        let moved = tokio::time::timeout(
            Duration::from_millis(ms),
            other_parent(&mut self.viewer.told, &meddler),
        );
        match moved.await {
            Ok(moved) => moved.map(|()| true),
            Err(_) => Ok(false),
        }
    }
}

/// Waits for an edge to another parent.
async fn other_parent(told: &mut Told, meddler: &str) -> Result<(), Failure> {
    loop {
        let up = told.next("edge_up").await?;
        if text(&up, "other")? != *meddler {
            return Ok(());
        }
    }
}
