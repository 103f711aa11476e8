//! D5: a parent passes on every chunk, whole and genuine, three and a half
//! seconds after it came.
//!
//! The control is what the coordinator makes of lateness in receipts. It is
//! removed in the options that the station is called with.

use crate::attack::attack;
use crate::scene::meddler::Manner;
use crate::scene::under::Under;
use crate::scene::{self, client::text};
use crate::{Control, Failure, Outcome};
use peer::station::LatenessCheck;
use std::time::Duration;

attack!("D5", run);

/// How long the parent keeps what it gets.
const LATE: Duration = Duration::from_millis(3_500);
/// What a viewer would have to see to be harmed, in milliseconds.
const DELAY_MS_MIN: u64 = 3_000;
/// How long the viewer watches: several receipts.
const WATCH_MS: u64 = 25_000;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(be_late(control))
}

async fn be_late(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let judge = |options: &mut peer::station::Options| {
        if !control.is_on() {
            options.judging.lateness = LatenessCheck::dangerously_never();
        }
    };
    let seated = Under::seat(folder.path(), Manner::Late(LATE), judge, |_| {});
    let mut seated = seated.await?;
    if seated.moved(WATCH_MS).await? {
        let judged = seated.station.told.event("parent_late").await?;
        if text(&judged, "parent")? != seated.meddler.spki.to_hex() {
            return Err(Failure::Stage("another parent was found to be late"));
        }
        return Ok(Outcome::stopped(text(&judged, "reason")?));
    }
    let chunk = seated.viewer.told.next("chunk_received").await?;
    match chunk.get("delay_ms").and_then(serde_json::Value::as_u64) {
        Some(delay_ms) if delay_ms >= DELAY_MS_MIN => Ok(Outcome::succeeded(format!(
            "after {} s the viewer still gets every chunk {delay_ms} ms late from the same parent",
            WATCH_MS / 1_000
        ))),
        _ => Err(Failure::Stage("the viewer's chunks are not late")),
    }
}
