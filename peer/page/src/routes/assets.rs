//! The page's own files, carried inside the program.

use axum::{
    body::{Body, Bytes},
    http::{Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

use crate::error::Error;

#[derive(Embed)]
#[folder = "assets/"]
struct Files;

pub(super) async fn file(uri: Uri) -> Result<Response, Error> {
    let name = match uri.path() {
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let EmbeddedFile { data, .. } = Files::get(name).ok_or(Error::NotFound)?;
    let content_type = media_type(name).ok_or(Error::NotFound)?;
    let body = Body::from(Bytes::from(data.into_owned()));
    Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
}

fn media_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    match ending {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}
