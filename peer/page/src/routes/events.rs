//! The view, once and as server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State as Shared,
    http::header,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::time::sleep;

use super::Place;
use crate::{error::Error, limits::VIEW_INTERVAL_MIN, server::State};

pub(super) async fn view(Shared(state): Shared<Arc<State>>) -> Response {
    let shown = Arc::clone(&state.shown.borrow());
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, shown.json.to_string()).into_response()
}

/// Sends the present view, then each later one; those that come faster than
/// the interval are passed over for the latest.
pub(super) async fn stream(Shared(state): Shared<Arc<State>>) -> Result<Response, Error> {
    let place = Place::take(&state)?;
    let mut shown = state.shown.subscribe();
    shown.mark_changed();
    let views = stream::unfold(
        (place, shown, false),
        |(mut place, mut shown, sent)| async move {
            if sent {
                sleep(VIEW_INTERVAL_MIN).await;
            }
            tokio::select! {
                () = place.closed() => return None,
                changed = shown.changed() => changed.ok()?,
            }
            let latest = Arc::clone(&shown.borrow_and_update());
            let event = Event::default().data(latest.json.as_str());
            Some((Ok::<_, Infallible>(event), (place, shown, true)))
        },
    );
    Ok(Sse::new(views)
        .keep_alive(KeepAlive::default())
        .into_response())
}
