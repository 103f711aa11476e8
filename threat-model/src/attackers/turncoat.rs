//! A relay that is genuine when an edge begins, and is not any more later.

use crate::Failure;
use crate::scene::edge::{send_group, welcome};
use crate::scene::rng;
use attest::software::BootKey;
use link::{Attester, Channel, Endpoint, Link, stream_kind};
use relay_vm::Booted;
use std::sync::Arc;
use std::time::Duration;
use wire::message::StreamKind;
use wire::message::edge::Edge;
use wire::message::group::Record;

/// Its key and connection went on to another machine: the first challenge is
/// answered by the platform that was attested, all others by the new one.
#[derive(Debug)]
pub struct Turncoat {
    endpoint: Endpoint,
    genuine: Attester,
    foreign: Attester,
}

impl Turncoat {
    /// On this socket, which has the relay's key.
    ///
    /// # Errors
    /// Randomness.
    pub fn new(endpoint: Endpoint, booted: &Booted) -> Result<Self, Failure> {
        let foreign = BootKey::generate(&rng())?;
        let binding = booted.binding.clone();
        Ok(Self {
            endpoint,
            genuine: Attester::start(booted.quoter.clone(), binding.clone()),
            foreign: Attester::start(Arc::new(foreign), binding),
        })
    }

    /// Serves one child: welcomes it, and sends these records after a while.
    ///
    /// # Errors
    /// The child does not speak the protocol.
    pub async fn serve(self, records: Vec<Record>, after: Duration) -> Result<(), Failure> {
        let accepting = self.endpoint.accept().await;
        let accepting = accepting.ok_or(Failure::Stage("the socket is closed"))?;
        let link = accepting.finish().await?;
        let mut records = Some(records);
        let mut attester = &self.genuine;
        loop {
            let accepted = link.connection.accept_bi().await;
            let (send, mut recv) = accepted.map_err(link::Error::from)?;
            let kind = stream_kind(&mut recv).await;
            let mut channel = Channel { send, recv };
            if kind == Some(StreamKind::Challenge) {
                attester
                    .answer(&link, &mut channel.send, &mut channel.recv)
                    .await?;
                attester = &self.foreign;
            } else if let Some(records) = records.take() {
                tokio::spawn(feed(link.clone(), channel, records, after));
            }
        }
    }
}

async fn feed(
    link: Link,
    mut channel: Channel,
    records: Vec<Record>,
    after: Duration,
) -> Result<(), Failure> {
    let Edge::Hello(_) = channel.expect("no permit").await? else {
        return Err(Failure::Stage("the child showed no permit"));
    };
    welcome(&mut channel).await?;
    tokio::time::sleep(after).await;
    send_group(&link, records).await?;
    link.connection.closed().await;
    Ok(())
}
