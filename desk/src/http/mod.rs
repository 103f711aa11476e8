//! The desk's HTTP interface: routes, and the TLS server under them.

mod answer;
mod server;

pub use server::{Limits, serve};

use crate::Error;
use crate::clock;
use crate::ledger::Ledger;
use crate::orders::Orders;
use crate::shop::Shop;
use answer::{Body, Refused};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use std::sync::Arc;
use voucher::{
    IssueRequest, IssueResponse, OrderStatus, RedeemRequest, SignedKeySet,
    protocol::REQUEST_BYTES_MAX,
};
use wire::OrderId;

/// What the routes act on.
#[derive(Clone)]
pub struct Desk {
    /// The shop.
    pub shop: Arc<Shop>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The orders.
    pub orders: Orders,
}

/// The routes of `voucher::protocol`.
pub fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/v1/keys", get(keys))
        .route("/v1/issue", post(issue))
        .route("/v1/redeem", post(redeem))
        .route("/v1/order/{id}", get(order))
        .fallback(|| async { Refused(Error::NotFound) })
        .method_not_allowed_fallback(|| async { Refused(Error::NotFound) })
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(desk)
}

async fn keys(State(desk): State<Desk>) -> Json<SignedKeySet> {
    Json(desk.shop.key_set())
}

async fn issue(
    State(desk): State<Desk>,
    Body(request): Body<IssueRequest>,
) -> Result<Json<IssueResponse>, Refused> {
    let issued = tokio::task::spawn_blocking(move || {
        desk.shop
            .issue(desk.ledger.as_ref(), &request, clock::now()?)
    });
    Ok(Json(issued.await.map_err(|_| Error::Ending)??))
}

async fn redeem(
    State(desk): State<Desk>,
    Body(request): Body<RedeemRequest>,
) -> Result<Json<OrderStatus>, Refused> {
    Ok(Json(desk.orders.redeem(request).await?))
}

async fn order(
    State(desk): State<Desk>,
    Path(id): Path<String>,
) -> Result<Json<OrderStatus>, Refused> {
    // 64 hexadecimal digits; longer text is not decoded at all.
    let id = Some(id)
        .filter(|text| text.len() == 64)
        .and_then(|text| OrderId::from_hex(&text))
        .ok_or(Error::OrderUnknown)?;
    Ok(Json(desk.orders.status(id).await?))
}
