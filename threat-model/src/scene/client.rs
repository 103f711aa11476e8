//! Station and viewer as the program `roundcast` runs them: the same words of
//! a command line, the same library, in this process, so that a control can be
//! taken out of the options in between.

use super::within;
use crate::Failure;
use clap::Parser;
use link::Audience;
use peer::cli::{Cli, Verb};
use peer::station::{self, Remote, Station};
use peer::viewer;
use serde_json::Value;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a client may take to tell a thing, in milliseconds.
const EVENT_MS_MAX: u64 = 20_000;
/// The project's own clip.
const CLIP: &[u8] = include_bytes!("../../../tests/media/clip.mp4");

/// What a client tells: its events, and what it says to people.
#[derive(Debug)]
pub struct Told {
    lines: mpsc::UnboundedReceiver<String>,
    heard: String,
}

impl Told {
    fn by(shared: &mut viewer::Shared) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        shared.audience = Audience::Caller(sender);
        let heard = String::new();
        Self { lines, heard }
    }

    /// The next event of this kind.
    ///
    /// # Errors
    /// [`Failure::Timeout`], or the client has ended.
    pub async fn event(&mut self, kind: &'static str) -> Result<Value, Failure> {
        within(EVENT_MS_MAX, kind, self.next(kind)).await?
    }

    /// The same, however long it takes.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn next(&mut self, kind: &'static str) -> Result<Value, Failure> {
        while let Some(line) = self.lines.recv().await {
            self.note(&line);
            let event = serde_json::from_str(&line).unwrap_or(Value::Null);
            if event.get("kind").and_then(Value::as_str) == Some(kind) {
                return Ok(event);
            }
        }
        Err(Failure::Stage("the client has ended"))
    }

    /// The reason in the next event of this kind.
    ///
    /// # Errors
    /// As [`Told::event`].
    pub async fn reason(&mut self, kind: &'static str) -> Result<String, Failure> {
        text(&self.event(kind).await?, "reason")
    }

    /// Everything that was told so far.
    pub fn everything(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.note(&line);
        }
        &self.heard
    }

    fn note(&mut self, line: &str) {
        self.heard.push_str(line);
        self.heard.push('\n');
    }
}

/// A field of an event.
///
/// # Errors
/// It is not there.
pub fn text(event: &Value, field: &'static str) -> Result<String, Failure> {
    let value = event.get(field).and_then(Value::as_str);
    Ok(value.ok_or(Failure::Stage(field))?.to_owned())
}

fn verb(words: &[&str]) -> Result<Verb, Failure> {
    let cli = Cli::try_parse_from(words);
    let cli = cli.map_err(|_| Failure::Stage("the command line is not the program's"))?;
    Ok(cli.verb)
}

fn path(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or(Failure::Stage("a folder without name"))
}

/// `roundcast broadcast` of the project's clip, with these words more.
///
/// # Errors
/// The words are not the program's.
pub fn station_options(folder: &Path, more: &[&str]) -> Result<station::Options, Failure> {
    let (clip, data) = (folder.join("clip.mp4"), folder.join("station"));
    std::fs::write(&clip, CLIP)?;
    let mut words = vec!["roundcast", "broadcast", "--loop", "--name", "station"];
    // One tree, where who hangs under whom is plain.
    words.extend(["--listen", "127.0.0.1:0", "--stripes", "1+0"]);
    words.extend(["--input", path(&clip)?, "--data", path(&data)?]);
    words.extend(more);
    match verb(&words)? {
        Verb::Broadcast(options) => Ok(options.resolve()?),
        _ => Err(Failure::Stage("another command")),
    }
}

/// `roundcast watch INVITE`, with these words more.
///
/// # Errors
/// What the program says to such a command line.
pub fn viewer_options(
    folder: &Path,
    invite: &str,
    more: &[&str],
) -> Result<viewer::Options, Failure> {
    let data = folder.join("viewer");
    let mut words = vec!["roundcast", "watch", invite, "--name", "viewer"];
    words.extend(["--listen", "127.0.0.1:0", "--data", path(&data)?]);
    words.extend(more);
    match verb(&words)? {
        Verb::Watch(options) => Ok(options.resolve()?),
        _ => Err(Failure::Stage("another command")),
    }
}

/// What `roundcast wallet buy` does at this desk, into the viewer's wallet.
///
/// # Errors
/// What the program says.
pub async fn buy_voucher(folder: &Path, desk: &str, code: &str) -> Result<(), Failure> {
    peer::wallet::buy(&folder.join("viewer"), desk, code, None).await?;
    Ok(())
}

/// A station that broadcasts until this is dropped.
#[derive(Debug)]
pub struct OnAir {
    /// Its invite.
    pub invite: String,
    /// Its broadcaster's commands.
    pub remote: Remote,
    /// What it tells.
    pub told: Told,
    /// The secrets that nobody may read.
    pub secrets: Vec<(&'static str, [u8; 32])>,
    _quit: oneshot::Sender<()>,
    _broadcast: JoinHandle<Result<u8, peer::Error>>,
}

/// Starts a station.
///
/// # Errors
/// The step that failed.
pub async fn broadcast(mut options: station::Options) -> Result<OnAir, Failure> {
    let told = Told::by(&mut options.shared);
    let station = Station::start(options).await?;
    let (invite, remote) = (station.invite().to_owned(), station.remote());
    let secrets = station.dangerously_exposed();
    let (quit, asked) = oneshot::channel::<()>();
    let broadcast = tokio::spawn(station.broadcast(async {
        let _ = asked.await;
    }));
    Ok(OnAir {
        invite,
        remote,
        told,
        secrets,
        _quit: quit,
        _broadcast: broadcast,
    })
}

/// A viewer that watches.
#[derive(Debug)]
pub struct Watching {
    /// What it tells.
    pub told: Told,
    /// How it ends.
    pub ended: JoinHandle<Result<u8, peer::Error>>,
}

impl Watching {
    /// The name with which it ends.
    ///
    /// # Errors
    /// It goes on, or ends well.
    pub async fn refusal(self) -> Result<String, Failure> {
        let ended = within(EVENT_MS_MAX, "end of the viewer", self.ended).await?;
        match ended.map_err(|_| Failure::Stage("the viewer broke"))? {
            Ok(_) => Err(Failure::Stage("the viewer ended well")),
            Err(refusal) => Ok(refusal.reason()),
        }
    }
}

/// Starts a viewer.
#[must_use]
pub fn watch(mut options: viewer::Options) -> Watching {
    let told = Told::by(&mut options.shared);
    let ended = tokio::spawn(viewer::run(options));
    Watching { told, ended }
}
