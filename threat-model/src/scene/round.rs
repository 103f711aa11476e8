//! A round: an order, whoever serves as its relay, and the sponsor, who
//! verifies that relay as every member does before the first block.

use super::cloud::{Cloud, RunningRelay, admission, lifeline, start};
use super::stream::Stream;
use super::{loopback, rng};
use crate::{Failure, Outcome};
use certs::SigningKey;
use link::{Clock, Endpoint, Identity, Link, Patience, Proof, RelayTrust};
use relay_vm::{Booted, Commanders};
use std::net::SocketAddr;
use std::sync::Arc;
use wire::SpkiHash;
use wire::message::control::Admission;
use wire::order::Order;

/// An order at a cloud's desk, for a stream.
#[derive(Debug)]
pub struct Round {
    /// Developer and desk.
    pub cloud: Cloud,
    /// The order.
    pub order: Order,
    holder: SigningKey,
    stream: Stream,
}

/// A link to a relay that is not verified yet.
#[derive(Debug)]
pub struct Visit<'a> {
    round: &'a Round,
    link: Link,
    admission: Admission,
    me: SpkiHash,
    /// What keeps link and relay alive.
    _socket: Endpoint,
    _relay: Option<(RunningRelay, tokio::io::DuplexStream)>,
}

impl Round {
    /// A fresh order of a fresh holder.
    ///
    /// # Errors
    /// Keys cannot be made.
    pub fn at(cloud: Cloud) -> Result<Self, Failure> {
        let holder = SigningKey::generate(&rng())?;
        Ok(Self {
            order: cloud.order(&holder)?,
            cloud,
            holder,
            stream: Stream::begin()?,
        })
    }

    /// Runs a booted relay, introduces it and links to it.
    ///
    /// # Errors
    /// The relay cannot be run or reached.
    pub async fn visit(&self, booted: Booted) -> Result<Visit<'_>, Failure> {
        let (alive, life) = lifeline();
        let relay = start(booted, Commanders::default(), life)?;
        let visit = self.visit_at(relay.spki, relay.address).await?;
        Ok(Visit {
            _relay: Some((relay, alive)),
            ..visit
        })
    }

    /// Introduces and links to whoever serves at an address with this key.
    ///
    /// # Errors
    /// Nobody does.
    pub async fn visit_at(
        &self,
        relay: SpkiHash,
        address: SocketAddr,
    ) -> Result<Visit<'_>, Failure> {
        // A relay answers its holder's challenges.
        let me = Identity {
            key: Arc::new(self.holder.clone()),
            certificate: certs::x509::self_signed(&self.holder, Vec::new())?,
        };
        let named = (relay, address);
        let run = &self.stream.run;
        let admission = admission(run, &self.order, &self.holder, named, me.spki())?;
        let socket = Endpoint::bind(loopback(), &me)?;
        let link = socket.dial(address, Some(relay), Patience::Edge).await?;
        Ok(Visit {
            round: self,
            link,
            admission,
            me: me.spki(),
            _socket: socket,
            _relay: None,
        })
    }
}

impl Visit<'_> {
    /// Verifies the relay, as often as one likes.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn verify(&self, trust: &RelayTrust) -> Result<Proof, link::Error> {
        let (run, clock) = (&self.round.stream.run, Clock::new());
        link::verify_relay(&self.link, &self.admission, self.me, trust, run, &clock).await
    }

    /// How the attack ends that is over once this relay is believed.
    pub async fn judged(&self, trust: &RelayTrust, damage: &str) -> Outcome {
        match self.verify(trust).await {
            Ok(proof) => Outcome::succeeded(format!(
                "{damage}: verified as {}, assurance {}",
                proof.boot.release().name,
                proof.boot.assurance().name()
            )),
            Err(refusal) => Outcome::stopped(refusal.reason()),
        }
    }
}
