//! Members come to a station that is full, and go, so that one who sits there
//! is asked for a round again and again.
//!
//! The control is the shortest time between two asks to one member. It is
//! removed in the options that the station is called with.

use crate::attackers::guest::Guest;
use crate::scene::{self, client, within};
use crate::{Control, Failure, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::invite::Invite;
use wire::message::control::{Choice, Down};

/// How often somebody comes and goes.
const VISITS: usize = 3;
/// A station with room for one child.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1.1", "--upload-mbps", "1.5"];
/// How long a visit may take, in milliseconds.
const VISIT_MS_MAX: u64 = 15_000;

pub(super) fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(come_and_go(control))
}

async fn come_and_go(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    if !control.is_on() {
        options.ask_interval_ms = 0;
    }
    let station = client::broadcast(options).await?;
    let invite = Invite::parse(&station.invite)?;
    let mut victim = Guest::enter(&invite, "victim", 0).await?;
    victim.place().await?;
    let asked = Arc::new(AtomicUsize::new(0));
    tokio::spawn(decline(victim, asked.clone()));
    for _ in 0..VISITS {
        let mut visitor = Guest::enter(&invite, "visitor", 0).await?;
        within(VISIT_MS_MAX, "refusal", until_refused(&mut visitor)).await??;
    }
    match asked.load(Ordering::SeqCst) {
        1 => Ok(Outcome::stopped("asked_once")),
        times if times >= VISITS => Ok(Outcome::succeeded(format!(
            "{times} prompts for {VISITS} visits"
        ))),
        _ => Err(Failure::Stage(
            "the victim is asked another number of times",
        )),
    }
}

/// Says no to everything, and counts.
async fn decline(mut victim: Guest, asked: Arc<AtomicUsize>) {
    while let Ok(message) = victim.hear().await {
        if let Down::Ask(ask) = message {
            asked.fetch_add(1, Ordering::SeqCst);
            if victim.answer(&ask, Choice::Decline).await.is_err() {
                return;
            }
        }
    }
}

async fn until_refused(visitor: &mut Guest) -> Result<(), Failure> {
    loop {
        match visitor.hear().await? {
            Down::Refused(_) => return Ok(()),
            Down::Ask(ask) => {
                visitor.answer(&ask, Choice::Decline).await?;
            }
            _ => {}
        }
    }
}
