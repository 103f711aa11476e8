//! E6: the station is gone in the middle of the programme, without a word, and
//! is started again a moment later.
//!
//! The control is the saved run, and what each member still has of it. It is
//! removed in the options that the station is called with.

use crate::attack::attack;
use crate::scene::client::{self, OnAir, Watching, text};
use crate::scene::{self, within};
use crate::{Control, Failure, Outcome};
use peer::station::SavingCheck;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

mod cut;

attack!("E6", run,
    "the coordinator is cut off" => "returned": cut::run,
);

/// Room for one viewer at the station: the other one hangs under him.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1", "--upload-mbps", "1.3"];
/// How long a station that is back may take to be watched again.
const BACK_MS_MAX: u64 = 15_000;
/// How long those who watched are watched without it.
const WATCH: Duration = Duration::from_millis(10_000);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(kill_and_start_again(control))
}

/// A station in a process of its own, as far as its tasks and its sockets are
/// concerned: it is gone without a word when its runtime is.
async fn life(folder: &Path, control: Control, more: &[&str]) -> Result<(Runtime, OnAir), Failure> {
    let words: Vec<&str> = STATION.iter().chain(more).copied().collect();
    let mut options = client::station_options(folder, &words)?;
    if !control.is_on() {
        options.saving = SavingCheck::dangerously_never();
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let started = runtime.spawn(client::broadcast(options));
    let started = started
        .await
        .map_err(|_| Failure::Stage("the station broke"))?;
    match started {
        Ok(station) => Ok((runtime, station)),
        Err(e) => {
            runtime.shutdown_background();
            Err(e)
        }
    }
}

async fn viewer(folder: &Path, invite: &str, name: &str) -> Result<Watching, Failure> {
    let words = ["--no-page", "--share-mbps", "8", "--trace-chunks", "--json"];
    let folder = folder.join(name);
    let mut viewer = client::watch(client::viewer_options(&folder, invite, &words)?);
    viewer.told.event("chunk_received").await?;
    Ok(viewer)
}

async fn kill_and_start_again(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let (process, station) = life(folder.path(), control, &[]).await?;
    let invite = station.invite.clone();
    let mut near = viewer(folder.path(), &invite, "near").await?;
    let mut far = viewer(folder.path(), &invite, "far").await?;
    process.shutdown_background();
    match second_life(folder.path(), control).await {
        Ok((process, mut station)) => {
            let resumed = station.told.event("run_resumed").await?;
            for viewer in [&mut near, &mut far] {
                taken_back(viewer).await?;
            }
            process.shutdown_background();
            Ok(Outcome::stopped(text(&resumed, "kind")?))
        }
        Err(Failure::Peer(e)) if matches!(*e, peer::Error::NothingToResume) => {
            let (process, fresh) = life(folder.path(), control, &[]).await?;
            let lost = left_behind(&mut near, &mut far).await;
            process.shutdown_background();
            if fresh.invite == invite || !lost? {
                return Err(Failure::Stage("the viewers found the new run"));
            }
            Ok(Outcome::succeeded(
                "the station is back with another run, and nobody who watched is in it: all have \
                 to be invited and to join anew",
            ))
        }
        Err(e) => Err(e),
    }
}

/// The lock and the sockets of the first life go a moment after it.
async fn second_life(folder: &Path, control: Control) -> Result<(Runtime, OnAir), Failure> {
    within(BACK_MS_MAX, "second life", async {
        loop {
            match life(folder, control, &["--resume"]).await {
                Err(Failure::Peer(e))
                    if matches!(*e, peer::Error::RunLocked | peer::Error::Link(_)) =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                outcome => return outcome,
            }
        }
    })
    .await?
}

/// The viewer is in its place again and plays what the second life publishes.
async fn taken_back(viewer: &mut Watching) -> Result<(), Failure> {
    let back = within(BACK_MS_MAX, "return", viewer.told.next("rejoined")).await??;
    if back.get("place_kept").and_then(serde_json::Value::as_bool) != Some(true) {
        return Err(Failure::Stage("the viewer's place was lost"));
    }
    for _ in 0..3 {
        viewer.told.event("chunk_received").await?;
    }
    Ok(())
}

/// Whether neither of the two is let in by the new run.
async fn left_behind(near: &mut Watching, far: &mut Watching) -> Result<bool, Failure> {
    let back = async {
        tokio::select! {
            back = near.told.next("rejoined") => back,
            back = far.told.next("rejoined") => back,
        }
    };
    Ok(!matches!(
        tokio::time::timeout(WATCH, back).await,
        Ok(Ok(_))
    ))
}
