//! The stream as one endless file, for players other than browsers.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State as Shared,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;

use super::Place;
use crate::{
    error::Error,
    feed::{Item, Listener},
    server::State,
};

struct Player {
    place: Place,
    listener: Listener,
    init: Option<Bytes>,
}

pub(super) async fn stream(Shared(state): Shared<Arc<State>>) -> Result<Response, Error> {
    let player = Player {
        place: Place::take(&state)?,
        listener: state.feed.listen(),
        init: None,
    };
    let body = Body::from_stream(stream::unfold(player, |mut player| async move {
        let bytes = player.next().await?;
        Some((Ok::<_, Infallible>(bytes), player))
    }));
    Ok(([(header::CONTENT_TYPE, "video/mp4")], body).into_response())
}

impl Player {
    /// The next bytes of the file. Another init segment ends it: no player
    /// takes a second one in a progressive file.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let item = tokio::select! {
                () = self.place.closed() => return None,
                item = self.listener.next() => item,
            };
            match (item, &self.init) {
                (Item::Fragment { bytes, .. }, _) => return Some(bytes),
                (Item::Init { bytes, .. }, None) => {
                    self.init = Some(bytes.clone());
                    return Some(bytes);
                }
                (Item::Init { bytes, .. }, Some(first)) if bytes == *first => {}
                (Item::Init { .. }, Some(_)) => return None,
            }
        }
    }
}
