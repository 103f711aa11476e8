//! The addresses of the page, behind the guard.

mod assets;
mod events;
mod live;
mod replies;
mod socket;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State as Shared},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{error::Error, guard::Admission, limits::REPLY_BYTES_MAX, server::State};

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/media", get(socket::media))
        .route("/live.mp4", get(live::stream))
        .route("/events", get(events::stream))
        .route("/view.json", get(events::view))
        .route("/answer", post(replies::answer))
        .route("/stop", post(replies::stop))
        .fallback(get(assets::file))
        .layer(DefaultBodyLimit::max(REPLY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guarded))
        .with_state(state)
}

/// Asks the guard, and puts its headers on every response, refusals included.
async fn guarded(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let mut response = match state.gate.admit(method, uri, headers) {
        Ok(Admission::Pass) => next.run(request).await,
        Ok(Admission::Exchange) => {
            let cookie = state.gate.secrets().set_cookie();
            let headers = [
                (header::LOCATION, "/".to_owned()),
                (header::SET_COOKIE, cookie),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(error) => {
            tracing::info!(reason = error.reason(), path, "page: request refused");
            error.into_response()
        }
    };
    state.gate.csp().apply(&path, response.headers_mut());
    response
}

/// A place among the open streams, and the sign that the page ends.
struct Place {
    _permit: OwnedSemaphorePermit,
    closing: watch::Receiver<bool>,
}

impl Place {
    fn take(state: &State) -> Result<Self, Error> {
        let permit = Arc::clone(&state.streams).try_acquire_owned();
        Ok(Self {
            _permit: permit.map_err(|_| Error::TooManyPlayers)?,
            closing: state.closing.subscribe(),
        })
    }

    async fn closed(&mut self) {
        let _ = self.closing.wait_for(|closed| *closed).await;
    }
}
