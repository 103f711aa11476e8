//! A child that pulls the same block again and again: without the control it
//! takes as much of its neighbour's upload as it likes.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use link::{Controls, Endpoint, Patience, open_channel};
use overlay::mesh::OncePerBlock;
use threat_model::Failure;
use threat_model::scene::edge::{Victim, publish};
use threat_model::scene::mesh::orders;
use threat_model::scene::stream::{Stream, two_chunks};
use threat_model::scene::{self, loopback, within};
use wire::message::StreamKind;
use wire::message::control::NodeKind;
use wire::message::mesh::{Mesh, Pull};
use wire::statement::PermitKind;

const TIMES: usize = 20;

/// How often the child got the block that it asked for again and again, and
/// the name with which it was refused, if it was.
fn pull_again_and_again(controls: Controls) -> (usize, Option<&'static str>) {
    let attack = async {
        let stream = Stream::begin()?;
        let (parent, child) = (stream.member("parent")?, stream.member("child")?);
        let victim = Victim::new(&stream, &parent, NodeKind::Peer, true, controls)?;
        victim.accept_edges();
        let [init, chunk] = two_chunks(&mut stream.publisher()?, &[7; 4_000])?;
        let key = chunk.header.key();
        publish(&victim, init)?;
        publish(&victim, chunk)?;
        let address = victim.endpoint.address()?;
        let all = (PermitKind::Repair, stream.run.stripes.into());
        let [above, below] = orders(&stream, (victim.spki, address), child.spki(), all)?;
        victim.node.order_neighbour(below)?;
        let socket = Endpoint::bind(loopback(), &child)?;
        let dialled = socket.dial(address, Some(victim.spki), Patience::Control);
        let link = dialled.await?;
        let mut channel = open_channel(&link, StreamKind::Mesh).await?;
        channel.send(&Mesh::Hello(above.permit)).await?;
        let pull = Pull {
            chunk: key,
            index: 0,
            header: false,
        };
        for _ in 0..TIMES {
            channel.send(&Mesh::Pull(pull.clone())).await?;
        }
        let (mut got, mut heard, mut reason) = (0, 0, None);
        while heard < TIMES {
            let next = channel.expect::<Mesh>("no answer");
            match within(10_000, "answer", next).await?? {
                Mesh::Answer(_) => (got, heard) = (got + 1, heard + 1),
                Mesh::Refused(refusal) => {
                    heard += 1;
                    reason = Some(refusal.reason.name());
                }
                _ => {}
            }
        }
        Ok::<_, Failure>((got, reason))
    };
    scene::stage(attack).unwrap()
}

#[test]
fn who_pulls_a_block_again_and_again_gets_it_once_and_hears_why() {
    let outcome = pull_again_and_again(Controls::default());
    assert_eq!(outcome, (1, Some("repair_repeated")));
}

#[test]
fn without_the_check_a_child_takes_a_block_as_often_as_it_likes() {
    let controls = Controls {
        repairs: OncePerBlock::dangerously_any(),
        ..Controls::default()
    };
    assert_eq!(pull_again_and_again(controls), (TIMES, None));
}
