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
use link::{Controls, Endpoint};
use wire::message::control::NodeKind;

attack!("D3", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(replay_yesterday(control))
}

async fn replay_yesterday(control: Control) -> Result<Outcome, Failure> {
    let yesterday = Stream::begin()?;
    let [init, recorded] = two_chunks(&mut yesterday.publisher()?, b"yesterday's news")?;
    let today = yesterday.restored()?;
    let (rogue, child) = (today.member("rogue")?, today.member("child")?);
    let mut victim = Victim::new(&today, &child, NodeKind::Peer, true, Controls::default())?;
    if !control.is_on() {
        let limits = HeaderLimits::default();
        let headers = HeaderVerifier::dangerously_any_scope(&today.run, limits);
        victim.check_headers_with(&today, headers);
    }
    let mut sent = records(&init)?;
    sent.extend(records(&recorded)?);
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let address = socket.address()?;
    let order = dial_order(&today, rogue.spki(), child.spki(), NodeKind::Peer, address)?;
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
            if header.scope.run == yesterday.run.scope.run {
                Ok(Outcome::succeeded(format!(
                    "chunk {} of today is yesterday's, for the node and its children",
                    key.sequence
                )))
            } else {
                Err(Failure::Stage("the node holds another chunk"))
            }
        }
    }
}
