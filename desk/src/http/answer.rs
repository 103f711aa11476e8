//! Bodies in and refusals out.

use crate::Error;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use voucher::{Refusal, protocol::REQUEST_BYTES_MAX};

/// A JSON body within the limit, of exactly the request's form.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "application/json");
        if !is_json {
            let detail = "its content type is not application/json".to_owned();
            return Err(Refused(Error::RequestMalformed(detail)));
        }
        let bytes =
            Bytes::from_request(request, state)
                .await
                .map_err(|rejection| match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Error::RequestTooLarge(REQUEST_BYTES_MAX),
                    _ => Error::RequestMalformed("its body ended early".to_owned()),
                })?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refused(Error::RequestMalformed(plain(&error.to_string()))))
    }
}

/// What a parser says may quote the input: shown to people, so kept short and
/// free of control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let mut refusal = Refusal::new(self.0.reason(), self.0.to_string());
        if status.is_server_error() {
            // What failed inside is for the operator, and not for strangers.
            tracing::error!(reason = self.0.reason(), "{}", self.0);
            refusal.message = "answer the request: the desk has a problem of its own; \
                               ask again, the answer will be the same"
                .to_owned();
        }
        if let Error::Spent(request) = self.0 {
            refusal.spent_by = Some(request);
        }
        (status, Json(refusal)).into_response()
    }
}

const fn status(error: &Error) -> StatusCode {
    match error {
        Error::Voucher(
            voucher::Error::Forged
            | voucher::Error::Expired(_)
            | voucher::Error::ClassUnknown
            | voucher::Error::ClassMismatch
            | voucher::Error::HolderProof,
        ) => StatusCode::FORBIDDEN,
        Error::Voucher(_) | Error::RequestMalformed(_) | Error::ChannelUnknown(_) => {
            StatusCode::BAD_REQUEST
        }
        Error::CodeUnknown | Error::CodeClass(_) | Error::CodeUsedUp => {
            StatusCode::PAYMENT_REQUIRED
        }
        Error::Spent(_) => StatusCode::CONFLICT,
        Error::OrderUnknown | Error::NotFound => StatusCode::NOT_FOUND,
        Error::RequestTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Timeout | Error::Ending => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
