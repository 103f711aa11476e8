//! Sponsors who accept a round and bring a relay that is not what it claims:
//! without evidence, with another's answers, or booted by somebody else. They
//! run a desk of their own, which certifies what they like.

use super::front::{Oracle, serve_blindly};
use super::guest::{Guest, holder};
use super::program::{Attacker, End};
use crate::Failure;
use crate::scene::cloud::{admission, lifeline, start};
use crate::scene::stream;
use certs::SigningKey;
use link::Endpoint;
use relay_vm::Commanders;
use std::net::SocketAddr;
use std::sync::Arc;
use wire::order::Order;
use wire::{AskId, SpkiHash};

/// fake-relay: a program with a certificate without evidence.
///
/// # Errors
/// The attack could not be tried.
pub async fn fake(attacker: Attacker) -> Result<End, Failure> {
    let mut guest = Guest::join(&attacker, 0).await?;
    let ask = guest.granted().await?;
    let (holder, _) = holder()?;
    let order = attacker.options.own_desk()?.order(&holder)?;
    let identity = stream::stranger()?;
    let endpoint = Arc::new(Endpoint::bind(attacker.options.relay_listen, &identity)?);
    let relay = (identity.spki(), endpoint.address()?);
    tokio::spawn(serve_blindly(endpoint));
    bring(&attacker, &mut guest, (ask, relay), (&order, &holder)).await
}

/// oracle-relay: a front with the TLS key of a genuine relay, which answers
/// the challenges behind it.
///
/// # Errors
/// The attack could not be tried.
pub async fn oracle(attacker: Attacker) -> Result<End, Failure> {
    let mut guest = Guest::join(&attacker, 0).await?;
    let ask = guest.granted().await?;
    let (holder, commander) = holder()?;
    let cloud = attacker.options.own_desk()?;
    let order = cloud.order(&holder)?;
    let booted = cloud.boot(&order, attacker.options.relay_listen)?;
    let stolen = booted.identity.clone();
    let (_alive, life) = lifeline();
    let genuine = start(booted, Commanders::default(), life)?;
    let endpoint = Arc::new(Endpoint::bind(attacker.options.relay_listen, &stolen)?);
    let relay = (stolen.spki(), endpoint.address()?);
    tokio::spawn(Oracle::new(commander, genuine.address)?.serve(endpoint));
    bring(&attacker, &mut guest, (ask, relay), (&order, &holder)).await
}

/// copied-order: a genuine relay, booted with the order by somebody else than
/// the one who was introduced.
///
/// # Errors
/// The attack could not be tried.
pub async fn copied_order(attacker: Attacker) -> Result<End, Failure> {
    let mut guest = Guest::join(&attacker, 0).await?;
    let ask = guest.granted().await?;
    let (holder, _) = holder()?;
    let cloud = attacker.options.own_desk()?;
    let order = cloud.order(&holder)?;
    let listen = attacker.options.relay_listen;
    let introduced = cloud.boot(&order, listen)?.binding.spki;
    let (_alive, life) = lifeline();
    let copy = start(cloud.boot(&order, listen)?, Commanders::default(), life)?;
    let relay = (introduced, copy.address);
    bring(&attacker, &mut guest, (ask, relay), (&order, &holder)).await
}

/// Introduces the relay and hears what becomes of it.
async fn bring(
    attacker: &Attacker,
    guest: &mut Guest,
    (ask, relay): (AskId, (SpkiHash, SocketAddr)),
    (order, holder): (&Order, &SigningKey),
) -> Result<End, Failure> {
    let (spki, _) = relay;
    attacker.relay_started(spki, certs::order::id(order));
    let admission = admission(&guest.run, order, holder, relay, guest.spki())?;
    attacker.begun();
    Ok(match guest.introduce(ask, admission).await? {
        Some(reason) => End::Refused(reason.name().to_owned()),
        None => End::Succeeded,
    })
}
