//! The yardstick: the same socket, TLS and transport as the relay's, and
//! nothing else. What comes on the parent's streams goes to every child, one
//! stream per group, without a look at it.

use super::Error;
use super::part::Process;
use super::stream::{self, Stream};
use bytes::Bytes;
use link::{Endpoint, Link};
use quinn::RecvStream;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;
use wire::SpkiHash;
use wire::limits::BLOCK_BYTES_MAX;

/// Blocks that may wait for one child: the relay's queue in bytes.
const QUEUE_BLOCKS: usize = 256;
/// What the program needs to bind its socket.
const READY_MS_MAX: u64 = 10_000;

/// Starts the bare fan-out as a process.
pub(super) async fn start(
    stream: &Stream,
    start: impl FnOnce(Command) -> Result<Process, Error>,
) -> Result<(Process, SocketAddr), Error> {
    let own = std::env::current_exe().map_err(Error::Start)?;
    let mut process = start(command(&own, stream.station.spki()))?;
    let line = process.hear(Duration::from_millis(READY_MS_MAX)).await?;
    let address = line.parse();
    let address = address.map_err(|_| Error::Answer("start the bare fan-out"))?;
    Ok((process, address))
}

fn command(own: &Path, parent: SpkiHash) -> Command {
    let mut command = Command::new(own);
    command.args(["bare", "--parent", &parent.to_hex()]);
    command
}

#[derive(Clone)]
enum Item {
    Group,
    Block(Bytes),
}

/// The queues of all children.
type Children = Arc<Mutex<Vec<mpsc::Sender<Item>>>>;

/// The program: fans out until standard input ends.
pub(super) async fn serve(parent: &str) -> Result<(), Error> {
    let parent = SpkiHash::from_hex(parent).ok_or(Error::Answer("read --parent"))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Endpoint::bind(any, &stream::stranger()?)?;
    println!("{}", endpoint.address()?);
    let children = Children::default();
    let links = async {
        while let Some(accepting) = endpoint.accept().await {
            let children = children.clone();
            tokio::spawn(async move {
                let Ok(link) = accepting.finish().await else {
                    return;
                };
                // Whoever dials the bench is one of it.
                link.admit();
                if link.peer == parent {
                    let _ = take(&link, &children).await;
                } else {
                    let _ = give(&link, &children).await;
                }
            });
        }
    };
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    tokio::select! {
        () = links => {}
        _ = input.next_line() => {}
    }
    Ok(())
}

/// The parent's streams into every queue.
async fn take(link: &Link, children: &Children) -> Result<(), quinn::ConnectionError> {
    loop {
        let mut group = link.connection.accept_uni().await?;
        offer(children, &Item::Group);
        while let Some(block) = block(&mut group).await {
            offer(children, &Item::Block(block));
        }
    }
}

async fn block(group: &mut RecvStream) -> Option<Bytes> {
    let mut block = vec![0; BLOCK_BYTES_MAX];
    group.read_exact(&mut block).await.ok()?;
    Some(Bytes::from(block))
}

fn offer(children: &Children, item: &Item) {
    let mut children = children.lock().unwrap_or_else(PoisonError::into_inner);
    // A full queue loses the block; a child that has gone, its place.
    children.retain(|child| {
        !matches!(
            child.try_send(item.clone()),
            Err(mpsc::error::TrySendError::Closed(_))
        )
    });
}

/// One child's queue into its streams.
async fn give(link: &Link, children: &Children) -> Result<(), Error> {
    let (sender, mut queue) = mpsc::channel(QUEUE_BLOCKS);
    children
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(sender);
    let mut group = None;
    while let Some(item) = queue.recv().await {
        match (item, &mut group) {
            (Item::Group, _) => {
                let fresh = link.connection.open_uni().await;
                // The stream before it ends when it is dropped.
                group = Some(fresh.map_err(link::Error::from)?);
            }
            (Item::Block(block), Some(group)) => {
                group.write_chunk(block).await.map_err(link::Error::from)?;
            }
            (Item::Block(_), None) => {}
        }
    }
    Ok(())
}
