//! G1: the sponsor goes home in the middle of the evening.
//!
//! The control is on whose life the relay's hangs: its desk's, and the paid
//! hour, which are values that the relay is started with. It is removed by
//! tying the relay to its sponsor instead.

use crate::attack::attack;
use crate::scene::cloud::{Cloud, lifeline, start};
use crate::scene::stream::{Stream, self_made};
use crate::scene::{self, loopback, rng, within};
use crate::{Control, Failure, Outcome};
use certs::SigningKey;
use link::{Endpoint, Patience, open_channel};
use relay_vm::Commanders;
use std::time::Duration;
use wire::Reason;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve};

attack!("G1", run);

/// How long a relay that stays is watched, in milliseconds.
const WATCH_MS: u64 = 1_500;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(go_home(control))
}

async fn go_home(control: Control) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let holder = SigningKey::generate(&rng())?;
    let booted = cloud.boot(&cloud.order(&holder)?, loopback())?;
    let (_desk, desks_life) = lifeline();
    let (sponsor, sponsors_life) = lifeline();
    let life = match control {
        Control::On => desks_life,
        Control::Removed => sponsors_life,
    };
    let relay = start(booted, Commanders::default(), life)?;
    // The coordinator's control link, as it is all evening.
    let station = Endpoint::bind(loopback(), &stream.station)?;
    {
        let home = Endpoint::bind(loopback(), &self_made(holder, Vec::new())?)?;
        let command = home
            .dial(relay.address, Some(relay.spki), Patience::Control)
            .await?;
        let mut channel = open_channel(&command, StreamKind::Command).await?;
        let serve = Serve {
            run: stream.signed_run.clone(),
            coordinator: stream.station.spki(),
            rate_bps_max: 10_000_000,
        };
        channel.send(&Command::Serve(serve)).await?;
        let CommandReply::Done(_) = channel.expect("no reply").await? else {
            return Err(Failure::Stage("the relay does not serve"));
        };
        // He closes his laptop.
        home.close(Reason::Done).await;
        drop(sponsor);
    }
    let control_link = station
        .dial(relay.address, Some(relay.spki), Patience::Control)
        .await;
    let mut ended = relay.ended;
    let watched = tokio::time::timeout(Duration::from_millis(WATCH_MS), &mut ended).await;
    match (watched, control_link) {
        (Ok(Ok(reason)), _) => Ok(Outcome::succeeded(format!(
            "the relay ended with its sponsor ({reason}), and everybody under it lost the stream"
        ))),
        (Err(_), Ok(link)) => {
            let mut channel = open_channel(&link, StreamKind::Control).await?;
            let ready: wire::message::control::Up =
                within(WATCH_MS, "word of the relay", channel.expect("no word")).await??;
            match ready {
                wire::message::control::Up::Ready(_) => Ok(Outcome::stopped("relay_stays")),
                _ => Err(Failure::Stage("the relay greets its coordinator otherwise")),
            }
        }
        (Err(_), Err(error)) => Err(error.into()),
        (Ok(Err(_)), _) => Err(Failure::Stage("the relay broke")),
    }
}
