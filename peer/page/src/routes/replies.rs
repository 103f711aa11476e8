//! What the user decides, from the page to the client.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State as Shared,
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;

use crate::{answer::Reply, error::Error, guard::single, server::State};

pub(super) async fn answer(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let answer = parse(&headers, &body)?;
    state.deliver(Reply::Answer(answer))?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn stop(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let stop = parse(&headers, &body)?;
    state.deliver(Reply::Stop(stop))?;
    Ok(StatusCode::ACCEPTED)
}

/// Takes JSON by its declared type alone: a form of another site cannot
/// declare it without the browser asking first.
fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Error> {
    let declared = single(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Error::ContentType);
    }
    serde_json::from_slice(body).map_err(|_| Error::ReplyMalformed)
}
