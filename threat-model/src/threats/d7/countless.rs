//! A member tells the coordinator its load, over and over. The control is the
//! rate at which one member is heard; it is removed in the options that the
//! station is called with.

use crate::attackers::guest::Guest;
use crate::scene::{self, client, within};
use crate::{Control, Failure, Outcome};
use peer::station::MessageCheck;
use wire::invite::Invite;
use wire::message::control::{Down, Load, Up};

/// Room for the member.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1", "--upload-mbps", "1.3"];
/// Messages, each of them good: several times what a member may have waiting.
const MESSAGES: u64 = 4_000;
/// How long the station may take over them, in milliseconds.
const FLOOD_MS_MAX: u64 = 20_000;

pub(super) fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(speak_without_end(control))
}

async fn speak_without_end(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    if !control.is_on() {
        options.judging.messages = MessageCheck::dangerously_unlimited();
    }
    let station = client::broadcast(options).await?;
    let invite = Invite::parse(&station.invite)?;
    let mut member = Guest::enter(&invite, "talker", 0).await?;
    let said = within(FLOOD_MS_MAX, "end of the flood", flood(&mut member)).await?;
    if said.is_err() {
        let closed = within(FLOOD_MS_MAX, "close of the link", member.closed());
        return Ok(Outcome::stopped(closed.await?.name()));
    }
    Ok(Outcome::succeeded(format!(
        "the coordinator has taken {MESSAGES} messages of one member, and has not done with him"
    )))
}

/// Sends all of them, and waits until the station, which answers in order, has
/// had time for each: a place asked for last comes last.
async fn flood(member: &mut Guest) -> Result<(), Failure> {
    for sent_bytes in 0..MESSAGES {
        let load = Load {
            children: 0,
            sent_bytes,
            sent_bps: 0,
            delay_ms: 0,
        };
        member.say(&Up::Load(load)).await?;
    }
    // The windows of QUIC hold a good deal: two beacons later all is heard.
    for _ in 0..2 {
        while !matches!(member.hear().await?, Down::Beacon(_)) {}
    }
    Ok(())
}
