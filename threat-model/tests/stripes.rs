//! A parent that was given one stripe of a child and sends them all: without
//! the control it becomes the only one that the child depends on, and takes the
//! whole stream along when it goes.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use link::{Controls, Endpoint, StripeCheck};
use threat_model::scene::edge::{Victim, dial_order, records, rogue_parent};
use threat_model::scene::stream::{Stream, two_chunks};
use threat_model::scene::{self, loopback};
use wire::Stripes;
use wire::message::control::NodeKind;

/// What becomes of a parent that sends all stripes by a permit for the first;
/// the refusal's name, if it is refused.
fn send_them_all(controls: Controls) -> Option<String> {
    let attack = async {
        let stream = Stream::striped(Stripes::new(4, 1).unwrap())?;
        let (rogue, child) = (stream.member("rogue")?, stream.member("child")?);
        let mut victim = Victim::new(&stream, &child, NodeKind::Peer, true, controls)?;
        let [init, chunk] = two_chunks(&mut stream.publisher()?, &[7; 40_000])?;
        let mut sent = records(&init)?;
        sent.extend(records(&chunk)?);
        let socket = Endpoint::bind(loopback(), &rogue)?;
        let address = socket.address()?;
        let order = dial_order(&stream, rogue.spki(), child.spki(), NodeKind::Peer, address)?;
        victim.node.order_edge(order)?;
        tokio::spawn(async move { rogue_parent(&socket, sent).await });
        let refusal = victim.chunk_or_refusal(chunk.header.key()).await?;
        let whole = victim.node.chunk_by_sender(chunk.header.key());
        let all_its_own = whole
            .is_some_and(|(_, came)| came.iter().all(|block| block.from == Some(rogue.spki())));
        assert_eq!(refusal.is_none(), all_its_own);
        Ok(refusal)
    };
    scene::stage(attack).unwrap()
}

#[test]
fn a_parent_that_takes_over_the_stripes_of_others_is_refused_by_name() {
    let refusal = send_them_all(Controls::default());
    assert_eq!(refusal.as_deref(), Some("stripe_not_permitted"));
}

#[test]
fn without_the_check_one_parent_becomes_all_that_a_child_has() {
    let controls = Controls {
        stripes: StripeCheck::dangerously_any(),
        ..Controls::default()
    };
    assert_eq!(send_them_all(controls), None);
}
