//! The stream over a WebSocket, for Media Source Extensions: a text message
//! `{"mime": ...}`, the init segment, then fragments, each a binary message.
//! Another text message starts the picture anew.

use std::sync::Arc;

use axum::{
    extract::{
        State as Shared,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use tokio::time::timeout;

use super::Place;
use crate::{
    error::Error,
    feed::{Item, Listener},
    limits::{SEND_WAIT_MAX, SOCKET_MESSAGE_BYTES_MAX},
    server::State,
};

pub(super) async fn media(
    Shared(state): Shared<Arc<State>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Error> {
    let place = Place::take(&state)?;
    let listener = state.feed.listen();
    Ok(upgrade
        .max_message_size(SOCKET_MESSAGE_BYTES_MAX)
        .max_frame_size(SOCKET_MESSAGE_BYTES_MAX)
        // Each fragment goes to the socket at once.
        .write_buffer_size(0)
        .on_upgrade(|socket| play(socket, listener, place)))
}

async fn play(mut socket: WebSocket, mut listener: Listener, mut place: Place) {
    loop {
        let item = tokio::select! {
            () = place.closed() => break,
            // Nothing is expected but the close, and pongs.
            message = socket.recv() => match message {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => break,
            },
            item = listener.next() => item,
        };
        match timeout(SEND_WAIT_MAX, send(&mut socket, item)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => {
                tracing::info!("page: a player took nothing for {SEND_WAIT_MAX:?} and was closed");
                break;
            }
        }
    }
}

async fn send(socket: &mut WebSocket, item: Item) -> Result<(), axum::Error> {
    match item {
        Item::Init { mime, bytes } => {
            let head = serde_json::json!({ "mime": &*mime }).to_string();
            socket.send(Message::text(head)).await?;
            socket.send(Message::Binary(bytes)).await
        }
        Item::Fragment { bytes, .. } => socket.send(Message::Binary(bytes)).await,
    }
}
