//! moq-relay as a contender, and the programs that load it. Both come from
//! elsewhere: they are installed and built by the test step.

use super::Error;
use super::parent::Schedule;
use super::part::Process;
use super::plan::{Contender, GROUP_CHUNKS};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;
use wire::limits::BLOCK_BYTES_MAX;

/// What starting the relay and linking the publisher may take.
const READY_MS_MAX: u64 = 30_000;
/// What suits a fast fan-out best of its flags: CUBIC costs less per packet
/// than BBR, and larger packets are fewer.
const TUNED: [&str; 3] = ["--quic-congestion-control", "loss", "--quic-mtu-discovery"];

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Programs {
    relay: PathBuf,
    load: PathBuf,
}

impl Programs {
    /// `(moq-relay, moq-load)`.
    pub(super) fn find((relay, load): (PathBuf, PathBuf)) -> Result<Self, Error> {
        for path in [&relay, &load] {
            if !path.is_file() {
                return Err(Error::MoqMissing(path.clone()));
            }
        }
        Ok(Self { relay, load })
    }

    /// The relay's process, and where it will listen.
    pub(super) fn start(
        &self,
        contender: Contender,
        start: impl FnOnce(Command) -> Result<Process, Error>,
    ) -> Result<(Process, SocketAddr), Error> {
        let address = free_address()?;
        let mut command = command(&self.relay, address);
        if contender == Contender::MoqTuned {
            command.args(TUNED);
        }
        Ok((start(command)?, address))
    }

    /// A publisher that is linked to the relay and awaits its schedule.
    pub(super) async fn publisher(&self, address: SocketAddr) -> Result<Process, Error> {
        let mut command = Command::new(&self.load);
        command.arg("publish");
        let mut publisher = Process::start(command, "link the publisher")?;
        let stage = json!({"address": address.to_string()});
        publisher.say(&stage.to_string()).await?;
        let word = publisher.hear(Duration::from_millis(READY_MS_MAX)).await?;
        if word == "ready" {
            Ok(publisher)
        } else {
            Err(Error::Answer("link the publisher"))
        }
    }

    /// The command of the subscribers' process.
    pub(super) fn subscribers(&self) -> Command {
        let mut command = Command::new(&self.load);
        command.arg("children");
        command
    }
}

fn command(relay: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(relay);
    command
        .args(["--listen", &address.to_string()])
        .args(["--listen-tls-generate", "localhost"])
        .args(["--auth-public", "**", "--log-level", "error"]);
    command
}

/// It takes no port 0 that it would tell of: one that is free now.
fn free_address() -> Result<SocketAddr, Error> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let address = socket.and_then(|socket| socket.local_addr());
    address.map_err(|source| Error::Process {
        what: "find a free port",
        source,
    })
}

/// Has the publisher send the whole schedule: a frame per block, about what
/// the frames of such a video are, and a group per group of pictures.
pub(super) async fn feed(mut publisher: Process, schedule: Schedule) -> Result<(), Error> {
    let line = json!({
        "start_us": schedule.start_us,
        "end_us": schedule.end_us,
        "block_us": schedule.point.block_us(),
        "block_bytes": BLOCK_BYTES_MAX,
        "group_blocks": schedule.point.chunk_blocks() * GROUP_CHUNKS,
    });
    publisher.say(&line.to_string()).await?;
    let over_us = schedule.end_us.saturating_sub(schedule.start_us);
    let patience = Duration::from_micros(over_us) + Duration::from_millis(READY_MS_MAX);
    if publisher.hear(patience).await? != "done" {
        return Err(Error::Answer("publish"));
    }
    publisher.end().await
}
