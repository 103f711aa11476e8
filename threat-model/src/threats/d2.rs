//! D2: a viewer with the epoch's key makes up a chunk and sends it to a child.
//!
//! The control is the sender's signature on the header. It is removed in the
//! header verifier that the victim's node is given.

use crate::attack::attack;
use crate::attackers::forge::forged_chunks;
use crate::scene::edge::{Victim, dial_order, records, rogue_parent};
use crate::scene::stream::Stream;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use certs::chunk::{HeaderLimits, HeaderVerifier};
use link::{Controls, Endpoint};
use wire::Epoch;
use wire::message::control::NodeKind;

attack!("D2", run);

const FORGED: &[u8] = b"what the insider made up";

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(forge_a_chunk(control))
}

async fn forge_a_chunk(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (rogue, child) = (stream.member("rogue")?, stream.member("child")?);
    let mut victim = Victim::new(&stream, &child, NodeKind::Peer, true, Controls::default())?;
    if !control.is_on() {
        let limits = HeaderLimits::default();
        let headers = HeaderVerifier::dangerously_accept_any(&stream.run, limits);
        victim.check_headers_with(&stream, headers);
    }
    let [init, chunk] = forged_chunks(&stream.run, (Epoch(0), &stream.secret), FORGED)?;
    let mut sent = records(&init)?;
    sent.extend(records(&chunk)?);
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let address = socket.address()?;
    let order = dial_order(&stream, rogue.spki(), child.spki(), NodeKind::Peer, address)?;
    victim.node.order_edge(order)?;
    tokio::spawn(async move { rogue_parent(&socket, sent).await });
    match victim.chunk_or_refusal(chunk.header.key()).await? {
        Some(reason) => Ok(Outcome::stopped(reason)),
        None => {
            let played = victim.open(&mut stream.openers(), chunk.header.key())?;
            if played == FORGED {
                Ok(Outcome::succeeded(
                    "the victim opened and plays what the insider made up",
                ))
            } else {
                Err(Failure::Stage("the victim plays something else"))
            }
        }
    }
}
