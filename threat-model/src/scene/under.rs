//! A viewer under a member that meddles, and a place as near to the root that
//! is free, under somebody honest.

use super::client::{self, OnAir, Told, Watching, text};
use super::meddler::{Manner, Meddler};
use crate::Failure;
use peer::{station, viewer};
use std::path::Path;
use std::time::Duration;
use wire::invite::Invite;

/// The clip's rate, and an upload for two viewers: they have the only places
/// at the station.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1", "--upload-mbps", "2.6"];
/// What the meddler can carry, in bit/s: four viewers, so that it is preferred.
const UPLOAD_BPS: u64 = 5_200_000;
/// What the honest one can carry, in bit/s: one viewer.
const HONEST_BPS: u64 = 1_400_000;

/// A station, a meddler, and a viewer who watches through it.
#[derive(Debug)]
pub struct Under {
    /// The station.
    pub station: OnAir,
    /// Who meddles.
    pub meddler: Meddler,
    /// The viewer.
    pub viewer: Watching,
    /// Who has the other place, and passes on what comes at once. It answers no
    /// pulls: repair by neighbours would hide what the parent does.
    _honest: Meddler,
}

impl Under {
    /// Seats everybody.
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
        let honest = Meddler::enter(&invite, HONEST_BPS, Manner::Late(Duration::ZERO)).await?;
        let words = ["--no-page", "--share-mbps", "0", "--trace-chunks", "--json"];
        let mut options = client::viewer_options(folder, &station.invite, &words)?;
        choose(&mut options);
        let mut viewer = client::watch(options);
        let up = viewer.told.event("edge_up").await?;
        if text(&up, "other")? != meddler.spki.to_hex() {
            return Err(Failure::Stage("the viewer does not hang under the meddler"));
        }
        Ok(Self {
            station,
            meddler,
            viewer,
            _honest: honest,
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
