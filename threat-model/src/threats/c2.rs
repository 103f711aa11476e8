//! C2: a node with room for one stream claims a hundred and forwards nothing.
//! Four friends hang under it and confirm what never came.
//!
//! The control is the receipt's MAC: it is over blocks that the friends do
//! not have. It is removed in the options that the station is called with.

use crate::attack::attack;
use crate::attackers::guest::Guest;
use crate::scene::{self, client, within};
use crate::{Control, Failure, Outcome};
use certs::receipt::ReceiptCheck;
use overlay::slots::UNPROVEN_SLOTS;
use wire::invite::Invite;
use wire::message::control::{Down, EdgeReport, Up};
use wire::message::receipt::{Bitmap, Receipt};
use wire::{Digest, Rendition, Sequence, SpkiHash, Stripe};

attack!("C2", run);

/// The clip is said to have a tenth of its rate, and the station to upload one
/// stream: so a few seconds of it prove what else would take a minute.
const STATION: [&str; 5] = ["--no-page", "--stream-mbps", "0.1", "--upload-mbps", "0.15"];
/// What the liar claims to carry, in bit/s: a hundred streams.
const CLAIMED_BPS: u64 = 12_500_000;
/// Friends under the liar: as many as an unproven node may have.
const FRIENDS: u32 = UNPROVEN_SLOTS;
/// Chunks that each friend confirms.
const CHUNKS: u64 = 16;
/// More than any friend's blocks have, so that no sum speaks against them.
const BYTES: u64 = 1 << 30;
/// How long the station may take to publish that much, and then to believe
/// it, in milliseconds.
const STEP_MS_MAX: u64 = 20_000;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(confirm_what_never_came(control))
}

async fn confirm_what_never_came(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let mut options = client::station_options(folder.path(), &STATION)?;
    if !control.is_on() {
        options.receipts = ReceiptCheck::dangerously_believing();
    }
    let mut station = client::broadcast(options).await?;
    let invite = Invite::parse(&station.invite)?;
    let mut liar = Guest::enter(&invite, "liar", CLAIMED_BPS).await?;
    take_place(&mut liar).await?;
    let mut friends = Vec::new();
    for _ in 0..FRIENDS {
        let mut friend = Guest::enter(&invite, "friend", 0).await?;
        if take_place(&mut friend).await? != liar.spki() {
            return Err(Failure::Stage("a friend does not hang under the liar"));
        }
        friends.push(friend);
    }
    for friend in &mut friends {
        let head = within(STEP_MS_MAX, "published chunks", head(friend)).await??;
        let receipt = made_up(friend, liar.spki(), head)?;
        friend.say(&Up::Receipt(receipt)).await?;
    }
    let mut watcher = friends.pop().ok_or(Failure::Stage("there is no friend"))?;
    let granted = within(STEP_MS_MAX, "slots", granted(&mut watcher, liar.spki()));
    tokio::select! {
        reason = station.told.reason("receipt_refused") => Ok(Outcome::stopped(reason?)),
        slots = granted => Ok(Outcome::succeeded(format!(
            "{} slots for a node that forwarded nothing", slots??
        ))),
    }
}

/// Waits for a parent, and says that all is well with it.
async fn take_place(guest: &mut Guest) -> Result<SpkiHash, Failure> {
    let parent = guest.place().await?.parent;
    let report = EdgeReport {
        other: parent,
        child: true,
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
    };
    guest.say(&Up::EdgeUp(report)).await?;
    Ok(parent)
}

/// How far the stream is, once enough of it is published.
async fn head(guest: &mut Guest) -> Result<Sequence, Failure> {
    loop {
        if let Down::Beacon(beacon) = guest.hear().await? {
            let beacon = certs::beacon::verify(&beacon, &guest.run)?;
            if beacon.head.0 > CHUNKS {
                return Ok(beacon.head);
            }
        }
    }
}

/// A receipt over chunks of which the friend has no block.
fn made_up(friend: &Guest, parent: SpkiHash, head: Sequence) -> Result<Receipt, Failure> {
    let ones = vec![0xff; usize::try_from(CHUNKS / 8).unwrap_or(0)];
    Ok(Receipt {
        scope: friend.run.scope.clone(),
        member: friend.spki(),
        interval: 1,
        parent,
        rendition: Rendition(0),
        stripe: Stripe(0),
        first: Sequence(head.0.saturating_sub(CHUNKS)),
        in_time: Bitmap::new(ones)?,
        late: Bitmap::default(),
        cumulative_bytes: BYTES,
        mac: Digest(scene::random()?),
    })
}

/// The liar's slots in the tree, once they are more than anybody has.
async fn granted(watcher: &mut Guest, liar: SpkiHash) -> Result<u32, Failure> {
    loop {
        if let Down::Tree(picture) = watcher.hear().await? {
            let node = picture.nodes.iter().find(|node| node.spki == liar);
            if let Some(node) = node.filter(|node| node.edges > UNPROVEN_SLOTS) {
                return Ok(node.edges);
            }
        }
    }
}
