//! The way to a desk: HTTPS with the key that the desk's URI pins.
//!
//! Each request has a connection of its own, without session tickets, so that
//! a shop cannot tell by the connection that a buyer came back to redeem.
//! Requests and answers are those of [`voucher::protocol`].

mod http;
mod retry;
mod tls;

#[cfg(test)]
pub(crate) mod test_desk;
#[cfg(test)]
mod tests;

pub(crate) use retry::{jittered, replay};

use crate::Error;
use http::Reply;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use voucher::{
    DeskUri, IssueRequest, IssueResponse, KeySet, OrderStatus, RedeemRequest, Refusal, SignedKeySet,
};
use wire::OrderId;

/// A desk's answer: what was asked for, or its refusal by name.
pub type Answer<T> = Result<T, Refusal>;

/// A client of one desk. Every call fails with [`Error::DeskKey`] before
/// anything is sent if another key answers, and with [`Error::DeskAway`] if
/// no answer came: whether the desk acted is not known then, and the same
/// request may be sent again.
#[derive(Debug, Clone)]
pub struct DeskClient {
    uri: DeskUri,
    tls: Arc<ClientConfig>,
}

impl DeskClient {
    /// A client of the desk at `uri`.
    ///
    /// # Errors
    /// [`Error::DeskAway`] if TLS cannot be set up on this machine.
    pub fn new(uri: &DeskUri) -> Result<Self, Error> {
        Ok(Self {
            uri: uri.clone(),
            tls: tls::pinned(uri.key())?,
        })
    }

    /// What the desk sells and redeems, signed by the pinned key.
    ///
    /// # Errors
    /// See [`DeskClient`]; [`Error::Voucher`] for a bad key set,
    /// [`Error::DeskRefused`].
    pub async fn keys(&self) -> Result<KeySet, Error> {
        let step = "ask for its classes and prices";
        let reply = http::get(self, step, "/v1/keys").await?;
        match answer::<SignedKeySet>(step, &reply)? {
            Ok(signed) => Ok(signed.verify(&self.uri)?),
            Err(refusal) => Err(Error::DeskRefused {
                step,
                reason: refusal.reason,
                message: refusal.message,
            }),
        }
    }

    /// Asks for a blind signature.
    ///
    /// # Errors
    /// See [`DeskClient`].
    pub async fn issue(&self, request: &IssueRequest) -> Result<Answer<IssueResponse>, Error> {
        let step = "buy a voucher";
        answer(step, &http::post(self, step, "/v1/issue", request).await?)
    }

    /// Redeems a voucher.
    ///
    /// # Errors
    /// See [`DeskClient`].
    pub async fn redeem(&self, request: &RedeemRequest) -> Result<Answer<OrderStatus>, Error> {
        let step = "redeem a voucher";
        answer(step, &http::post(self, step, "/v1/redeem", request).await?)
    }

    /// Asks what became of an order.
    ///
    /// # Errors
    /// See [`DeskClient`].
    pub async fn order(&self, id: OrderId) -> Result<Answer<OrderStatus>, Error> {
        let step = "ask for the order";
        answer(
            step,
            &http::get(self, step, &format!("/v1/order/{id}")).await?,
        )
    }
}

/// An answer with 200, a refusal with 4xx. A desk in trouble of its own (5xx)
/// has refused nothing: it will answer when it is well again.
fn answer<T: DeserializeOwned>(step: &'static str, reply: &Reply) -> Result<Answer<T>, Error> {
    let away = |detail: String| Error::DeskAway { step, detail };
    let malformed = |_| away("its answer is not in the protocol's form".to_owned());
    match reply.status {
        200 => serde_json::from_slice(&reply.body)
            .map(Ok)
            .map_err(malformed),
        400..=499 => serde_json::from_slice(&reply.body)
            .map(Err)
            .map_err(malformed),
        status => {
            let refusal = serde_json::from_slice::<Refusal>(&reply.body);
            let reason = refusal.map_or_else(|_| "no reason given".to_owned(), |r| r.reason);
            Err(away(format!("it answered {status} ({reason})")))
        }
    }
}
