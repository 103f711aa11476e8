//! F5: a user sends the log of his evening for help, and its reader looks for
//! keys in it, and in what pages and events showed.
//!
//! A station and a viewer log all that a shipped program can log, and
//! everything that they log, tell and show is searched for every secret of
//! theirs. The control is the
//! type: a secret's Debug is redacted. It is removed in the invite that the
//! viewer is called with, whose secret then prints its bytes.

use crate::attack::attack;
use crate::attackers::guest::Guest;
use crate::scene::browser::view_of;
use crate::scene::client::{self, text};
use crate::scene::desk;
use crate::scene::log::{self, Log};
use crate::{Control, Failure, Outcome};
use std::path::Path;
use voucher::VoucherRecord;
use wire::invite::Invite;

attack!("F5", run);

/// Pages on any port, as users have them.
const PAGE: [&str; 2] = ["--page", "127.0.0.1:0"];
/// What the viewer's desk asks for an hour, in cents.
const PRICE_MINOR: u64 = 410;
/// The file of the stream's key.
const STREAM_KEY_FILE: &str = "station/stream.key";
/// Less than that is no log of an evening, in bytes.
const LOG_BYTES_MIN: usize = 4_096;

/// A secret by name.
type Secret = (&'static str, [u8; 32]);

fn run(control: Control) -> Result<Outcome, Failure> {
    log::stage(|log| read_the_log(log, control))
}

async fn read_the_log(log: Log, control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let desk = desk::open(&folder.path().join("desk"), PRICE_MINOR).await?;
    let uri = desk.uri.to_string();
    client::buy_voucher(folder.path(), &uri, &desk.code).await?;
    let words = [&PAGE[..], &["--upload-mbps", "20", "--stream-mbps", "1.1"]].concat();
    let options = client::station_options(folder.path(), &words)?;
    let mut station = client::broadcast(options).await?;
    let words = [&PAGE[..], &["--desk", &uri, "--sponsor", "never"]].concat();
    let mut options = client::viewer_options(folder.path(), &station.invite, &words)?;
    if !control.is_on() {
        options.invite.secret = options.invite.secret.dangerously_shown();
    }
    let mut viewer = client::watch(options);
    viewer.told.event("first_chunk").await?;
    // A member's own keys, as the station made them.
    let guest = Guest::enter(&Invite::parse(&station.invite)?, "guest", 0).await?;
    // A new epoch, and everything once more that is said about it.
    station.remote.evict("guest");
    station.told.event("evicted").await?;

    let ready = viewer.told.everything().to_owned() + station.told.everything();
    let pages = links(&ready)?;
    let mut shown = log.text() + &ready;
    for link in &pages {
        shown += &view_of(link).await?;
    }
    if shown.len() < LOG_BYTES_MIN {
        return Err(Failure::Stage("hardly anything was logged"));
    }
    // Shown on purpose, to their owner: the invite, and the pages' links.
    for intended in pages.iter().chain([&station.invite]) {
        shown = shown.replace(intended.as_str(), "");
    }
    let mut secrets = station.secrets.clone();
    secrets.push(("receipt key", *guest.secrets.receipt_key.expose()));
    secrets.extend(files(folder.path())?);
    let mut found: Vec<&str> = spelled(&shown, &secrets);
    found.extend(
        tokens(&pages)
            .filter(|t| shown.contains(t))
            .map(|_| "token"),
    );
    match found.as_slice() {
        [] if shown.contains("[redacted]") => Ok(Outcome::stopped("redacted")),
        [] => Err(Failure::Stage("no secret was printed at all")),
        names => Ok(Outcome::succeeded(format!(
            "in what was logged, told and shown: the {}",
            names.join(", the ")
        ))),
    }
}

/// The secrets in files: the stream's key, and the voucher's holder key.
fn files(folder: &Path) -> Result<Vec<Secret>, Failure> {
    let seed = std::fs::read(folder.join(STREAM_KEY_FILE))?;
    let seed = seed.try_into();
    let seed = seed.map_err(|_| Failure::Stage("the stream key is not 32 bytes"))?;
    let mut secrets = vec![("stream key", seed)];
    for entry in std::fs::read_dir(folder.join("viewer/wallet"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".voucher.json") {
            let record: VoucherRecord = serde_json::from_slice(&std::fs::read(&path)?)?;
            secrets.push(("holder key", *record.voucher().holder().key().seed()));
        }
    }
    if secrets.len() < 2 {
        return Err(Failure::Stage("the wallet holds no voucher"));
    }
    Ok(secrets)
}

/// The links to the pages, as their owners were told.
fn links(told: &str) -> Result<Vec<String>, Failure> {
    let events = told.lines().map(serde_json::from_str::<serde_json::Value>);
    let links: Vec<String> = events
        .filter_map(|event| text(&event.ok()?, "page").ok())
        .collect();
    match links.len() {
        2 => Ok(links),
        _ => Err(Failure::Stage("there are not two pages")),
    }
}

fn tokens(links: &[String]) -> impl Iterator<Item = &str> {
    links
        .iter()
        .filter_map(|link| Some(link.split_once('=')?.1))
}

/// The secrets that stand there in hexadecimal, in base64, or as the numbers
/// that Debug makes of bytes.
fn spelled(shown: &str, secrets: &[Secret]) -> Vec<&'static str> {
    let found = secrets.iter().filter(|(_, bytes)| {
        let numbers = format!("{bytes:?}");
        [
            data_encoding::HEXLOWER.encode(bytes),
            data_encoding::HEXUPPER.encode(bytes),
            data_encoding::BASE64_NOPAD.encode(bytes),
            data_encoding::BASE64URL_NOPAD.encode(bytes),
            numbers.trim_matches(['[', ']']).to_owned(),
        ]
        .iter()
        .any(|spelling| shown.contains(spelling.as_str()))
    });
    found.map(|(name, _)| *name).collect()
}
