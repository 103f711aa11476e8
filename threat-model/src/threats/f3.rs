//! F3: a code on a poster is an invite that names one victim's address twenty
//! times over, so that everybody who scans it knocks there.
//!
//! The control is the strict parser. It is removed by handing the program an
//! invite that a lenient one has read.

use crate::attack::attack;
use crate::scene::client;
use crate::scene::stream::{self, Stream};
use crate::scene::{self, loopback, random};
use crate::{Control, Failure, Outcome};
use link::Endpoint;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::invite::{AudienceSecret, Invite};

attack!("F3", run);

/// How often the victim stands in the invite.
const TIMES: usize = 20;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(scan_a_hostile_code(control))
}

async fn scan_a_hostile_code(control: Control) -> Result<Outcome, Failure> {
    let victim = Endpoint::bind(loopback(), &stream::stranger()?)?;
    let named = |times| -> Result<Invite, Failure> {
        Ok(Invite {
            stream: Stream::begin()?.run.scope.stream,
            secret: AudienceSecret::new(random()?),
            addresses: vec![victim.address()?; times],
        })
    };
    let (hostile, harmless) = (named(TIMES)?.to_uri(), named(1)?.to_uri());
    let folder = tempfile::tempdir()?;
    let options = match control {
        Control::On => client::viewer_options(folder.path(), &hostile, &["--no-page"]),
        Control::Removed => {
            let options = client::viewer_options(folder.path(), &harmless, &["--no-page"]);
            options.and_then(|options| {
                Ok(peer::viewer::Options {
                    invite: Invite::dangerously_parse_lenient(&hostile)?,
                    ..options
                })
            })
        }
    };
    let options = match options {
        Ok(options) => options,
        Err(Failure::Peer(refusal)) => return Ok(Outcome::stopped(refusal.reason())),
        Err(failure) => return Err(failure),
    };
    let knocks = Arc::new(AtomicUsize::new(0));
    tokio::spawn(turn_away(victim, knocks.clone()));
    // The client's own way in: it tries the addresses, and gives up.
    client::watch(options).refusal().await?;
    match knocks.load(Ordering::SeqCst) {
        TIMES => Ok(Outcome::succeeded(format!(
            "one scan, {TIMES} handshakes at somebody else's door"
        ))),
        _ => Err(Failure::Stage("the client did not try every address")),
    }
}

/// Counts who knocks, and opens to nobody.
async fn turn_away(victim: Endpoint, knocks: Arc<AtomicUsize>) {
    while let Some(knock) = victim.accept().await {
        knocks.fetch_add(1, Ordering::SeqCst);
        drop(knock);
    }
}
