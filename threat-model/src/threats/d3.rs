//! D3: a parent replays a chunk that it recorded in an earlier run of the
//! same station, which came back with the same keys.
//!
//! The control is the scope in the signed header. It is removed in the header
//! verifier that the victim's node is given; the signature stays checked, and
//! is good.

use crate::attack::attack;
use crate::scene::edge::{Victim, dial_order, records, rogue_parent};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::seal::SealedChunk;
use link::{Controls, Endpoint};
use wire::Rendition;
use wire::limits::RENDITIONS_MAX;
use wire::message::control::NodeKind;

attack!("D3", another_run,
    "a chunk of another stream" => "header_wrong_stream": another_stream,
    "a chunk of a rendition that there is not" => "header_rendition_unknown": another_rendition,
);

const OLD: &[u8] = b"yesterday's news";

fn another_run(control: Control) -> Result<Outcome, Failure> {
    let yesterday = Stream::begin()?;
    let recorded = two_chunks(&mut yesterday.publisher()?, OLD)?;
    scene::stage(replay(&yesterday.restored()?, recorded, control))
}

/// The broadcaster has a second stream, with the same chunk key.
fn another_stream(control: Control) -> Result<Outcome, Failure> {
    let other = Stream::begin()?;
    let recorded = two_chunks(&mut other.publisher()?, OLD)?;
    scene::stage(replay(&other.renamed()?, recorded, control))
}

fn another_rendition(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let unknown = Rendition(RENDITIONS_MAX);
    let recorded = two_chunks(&mut stream.publisher_of(unknown)?, OLD)?;
    scene::stage(replay(&stream, recorded, control))
}

/// A parent of the stream sends what it has recorded.
async fn replay(
    today: &Stream,
    [init, recorded]: [SealedChunk; 2],
    control: Control,
) -> Result<Outcome, Failure> {
    let (rogue, child) = (today.member("rogue")?, today.member("child")?);
    let mut victim = Victim::new(today, &child, NodeKind::Peer, true, Controls::default())?;
    if !control.is_on() {
        let limits = HeaderLimits::default();
        let headers = HeaderVerifier::dangerously_any_scope(&today.run, limits);
        victim.check_headers_with(today, headers);
    }
    let mut sent = records(&init)?;
    sent.extend(records(&recorded)?);
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let address = socket.address()?;
    let order = dial_order(today, rogue.spki(), child.spki(), NodeKind::Peer, address)?;
    victim.node.order_edge(order)?;
    tokio::spawn(async move { rogue_parent(&socket, sent).await });
    let key = recorded.header.key();
    match victim.chunk_or_refusal(key).await? {
        Some(reason) => Ok(Outcome::stopped(reason)),
        None => {
            let (header, _) = victim
                .node
                .chunk(key)
                .ok_or(Failure::Stage("the chunk is not complete"))?;
            if header.digest() == recorded.header.digest() {
                Ok(Outcome::succeeded(format!(
                    "chunk {} is an old one, for the node and its children",
                    key.sequence
                )))
            } else {
                Err(Failure::Stage("the node holds another chunk"))
            }
        }
    }
}
