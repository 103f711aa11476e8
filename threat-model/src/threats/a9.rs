//! A9: somebody speaks on the line to the station who has not its permit key.
//! He asks a viewer to buy a round, and grants it himself; the viewer accepts
//! what is cheap enough by itself.
//!
//! The control is the signature of the run's permit key on asks and grants.
//! It is removed in the controls that the viewer's session is made with.

mod fatigue;
mod price;

use crate::attack::attack;
use crate::scene::client::{self, Watching};
use crate::scene::desk::{self, Serving};
use crate::scene::rogue::{Captive, Rogue};
use crate::scene::{self, now, rng, within};
use crate::{Control, Failure, Outcome};
use certs::SigningKey;
use certs::asking::AskCheck;
use std::path::Path;
use std::time::Duration;
use wire::message::control::{Down, Up};
use wire::statement::{Ask, Cause, Grant, Step};
use wire::{AskId, SpkiHash};

attack!("A9", ask_and_grant,
    "a grant alone is forged" => "grant_signature_invalid": grant,
    "the station names a desk with a bait price" => "own_price_shown": price::run,
    "members come and go so that another is asked again" => "asked_once": fatigue::run,
);

/// What the viewer's own desk asks for an hour, in cents.
const PRICE_MINOR: u64 = 410;
/// The most that the viewer spends unasked.
const AUTO: [&str; 5] = ["--no-page", "--sponsor", "auto", "--max-price", "500"];
/// How long a viewer may take to answer, in milliseconds.
const ANSWER_MS_MAX: u64 = 10_000;
/// How often it is looked whether the desk has started a relay.
const LOOK: Duration = Duration::from_millis(20);

/// Which of the coordinator's words is not its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forged {
    Both,
    Grant,
}

fn ask_and_grant(control: Control) -> Result<Outcome, Failure> {
    scene::stage(prompt(Forged::Both, control))
}

fn grant(control: Control) -> Result<Outcome, Failure> {
    scene::stage(prompt(Forged::Grant, control))
}

async fn prompt(forged: Forged, control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let desk = desk::open(&folder.path().join("desk"), PRICE_MINOR).await?;
    let rogue = Rogue::begin()?;
    let mut viewer = customer(folder.path(), &rogue, &desk, control).await?;
    let mut captive = rogue.admit().await?;
    let stranger = SigningKey::generate(&rng())?;
    let asker = match forged {
        Forged::Both => &stranger,
        Forged::Grant => &rogue.stream.permit_key,
    };
    let ask = certs::sign(asker, &ask(&rogue, captive.spki));
    captive.channel.send(&Down::Ask(ask)).await?;
    let accepted = within(ANSWER_MS_MAX, "answer", answered(&mut captive)).await?;
    if accepted.is_err() && forged == Forged::Both {
        return Ok(Outcome::stopped(viewer.refusal().await?));
    }
    let grant = Grant {
        scope: rogue.stream.run.scope.clone(),
        ask: accepted?,
        member: captive.spki,
        expiry: now().plus_ms(60_000),
    };
    let grant = certs::sign(&stranger, &grant);
    captive.channel.send(&Down::Granted(grant)).await?;
    tokio::select! {
        reason = viewer.told.reason("attack_refused") => Ok(Outcome::stopped(reason?)),
        () = redeemed(&desk) => Ok(Outcome::succeeded(
            "the viewer's voucher is redeemed for a round that the coordinator never granted",
        )),
    }
}

/// A real viewer of the rogue's stream, with a voucher of his own desk.
async fn customer(
    folder: &Path,
    rogue: &Rogue,
    desk: &Serving,
    control: Control,
) -> Result<Watching, Failure> {
    let uri = desk.uri.to_string();
    client::buy_voucher(folder, &uri, &desk.code).await?;
    let words = [&AUTO[..], &["--desk", &uri]].concat();
    let mut options = client::viewer_options(folder, &rogue.invite()?, &words)?;
    if !control.is_on() {
        options.controls.asks = AskCheck::dangerously_anyones();
    }
    Ok(client::watch(options))
}

fn ask(rogue: &Rogue, member: SpkiHash) -> Ask {
    Ask {
        scope: rogue.stream.run.scope.clone(),
        ask: AskId(1),
        member,
        cause: Cause::Join,
        step: Step::Affected,
        deficit_bps: 14_000_000,
        viewers_short: 3,
        rounds_wanted: 1,
        deadline_ms: 20_000,
        issued: now(),
        regions: wire::codec::List::default(),
    }
}

/// Which ask the viewer accepts.
async fn answered(captive: &mut Captive) -> Result<AskId, Failure> {
    loop {
        if let Up::Answer(answer) = captive.channel.expect("no answer").await? {
            return Ok(answer.ask);
        }
    }
}

async fn redeemed(desk: &Serving) {
    while desk.machines.started() == 0 {
        tokio::time::sleep(LOOK).await;
    }
}
