//! C7: a member is granted a round, and instead of paying for one he
//! introduces the relay of another sponsor, who is a moment slower.
//!
//! The control is the holder's signature on the introduction. It is removed
//! in what the station trusts, where its coordinator and its node take it from.

use crate::attack::attack;
use crate::attackers::command::serve;
use crate::attackers::guest::{Guest, holder};
use crate::scene::cloud::{Cloud, admission, lifeline, start};
use crate::scene::{self, client, loopback};
use crate::{Control, Failure, Outcome};
use attest::Policy;
use certs::introduction::IntroductionCheck;
use peer::Trust;
use relay_vm::Commanders;
use std::sync::Arc;
use wire::invite::Invite;
use wire::statement::Priority;

attack!("C7", run);

/// A station with room for one child.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "1.1", "--upload-mbps", "1.5"];

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(introduce_anothers_relay(control))
}

async fn introduce_anothers_relay(control: Control) -> Result<Outcome, Failure> {
    let cloud = Cloud::new()?;
    let mut trust = cloud.trust(Policy::default())?;
    if !control.is_on() {
        trust = trust.with_introductions(IntroductionCheck::dangerously_anyones());
    }
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    options.shared.trust = Trust {
        relays: Arc::new(trust),
        banner: None,
    };
    let mut station = client::broadcast(options).await?;
    let invite = Invite::parse(&station.invite)?;
    let mut sponsor = Guest::enter(&invite, "sponsor", 0).await?;
    sponsor.place().await?;

    let (holder, commander) = holder()?;
    let order = cloud.order(&holder)?;
    let (_alive, life) = lifeline();
    let relay = start(cloud.boot(&order, loopback())?, Commanders::default(), life)?;
    let at = (relay.address, relay.spki);
    let run = (&sponsor.signed_run, sponsor.run.coordinator);
    let _home = serve(&commander, at, run).await?;

    // The order stands in the certificate that the relay shows to anybody.
    let mut thief = Guest::enter(&invite, "thief", 0).await?;
    let ask = thief.granted().await?;
    let stolen = admission(
        &thief.run,
        &order,
        &thief.identity.key,
        (relay.spki, relay.address),
        thief.spki(),
    )?;
    if thief.introduce(ask, stolen).await?.is_some() {
        let reason = station.told.reason("attack_refused").await?;
        return Ok(Outcome::stopped(reason));
    }
    let permit = thief.place().await?;
    if permit.parent == relay.spki && permit.priority == Priority::OwnSponsor {
        Ok(Outcome::succeeded(
            "the thief sits under the relay with its sponsor's priority",
        ))
    } else {
        Err(Failure::Stage("the thief got another place"))
    }
}
