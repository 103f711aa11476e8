//! D8: whoever runs a relay reads in its memory what it forwards.
//!
//! The control is the seal. It is removed in the publisher, which then cuts
//! and signs chunks as they are.

use crate::attack::attack;
use crate::scene::edge::{Victim, dial_order, records, rogue_parent};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use certs::seal::{EpochSecret, Openers};
use link::{Controls, Endpoint};
use wire::Epoch;
use wire::message::control::NodeKind;

attack!("D8", run);

const PROGRAMME: &[u8] = b"a private evening, for invited guests alone";

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(read_the_relays_memory(control))
}

async fn read_the_relays_memory(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let relay = stream.member("relay")?;
    let mut memory = Victim::new(&stream, &relay, NodeKind::Peer, true, Controls::default())?;
    let mut publisher = stream.publisher()?;
    if !control.is_on() {
        publisher = publisher.dangerously_unsealed();
    }
    let [init, chunk] = two_chunks(&mut publisher, PROGRAMME)?;
    let mut sent = records(&init)?;
    sent.extend(records(&chunk)?);
    let socket = Endpoint::bind(loopback(), &stream.station)?;
    let address = socket.address()?;
    let (station, me) = (stream.station.spki(), relay.spki());
    let order = dial_order(&stream, station, me, NodeKind::Station, address)?;
    memory.node.order_edge(order)?;
    tokio::spawn(async move { rogue_parent(&socket, sent).await });
    let key = chunk.header.key();
    if let Some(reason) = memory.chunk_or_refusal(key).await? {
        return Ok(Outcome::stopped(reason));
    }
    let (header, blocks) = memory
        .node
        .chunk(key)
        .ok_or(Failure::Stage("the chunk is not complete"))?;
    let readable = |bytes: &[u8]| bytes.windows(PROGRAMME.len()).any(|w| w == PROGRAMME);
    if blocks.iter().any(|block| readable(&block.data)) {
        return Ok(Outcome::succeeded(
            "the programme lies readable in the relay's memory",
        ));
    }
    // Everything that a relay is ever told of a stream, tried as its secret.
    let scope = &stream.run.scope;
    let mut openers = Openers::new(scope.stream, scope.run);
    for guess in [scope.stream.0, stream.run.chunk_key.0, [0; 32]] {
        openers.add(Epoch(0), EpochSecret::new(guess));
        let sealed = certs::seal::assemble(&header, &blocks)?;
        match openers.open(&header, sealed) {
            Ok(_) => return Ok(Outcome::succeeded("the relay guessed the secret")),
            Err(refusal) if refusal.reason() == "seal_invalid" => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(Outcome::stopped(certs::Error::SealInvalid.reason()))
}
