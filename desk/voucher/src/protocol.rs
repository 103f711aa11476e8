//! What wallet, shop and desk say to each other: JSON over HTTPS, every field
//! of bounded length, unknown fields refused.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /v1/keys` | | [`crate::SignedKeySet`] |
//! | `POST /v1/issue` | [`IssueRequest`] | [`IssueResponse`] |
//! | `POST /v1/redeem` | [`crate::RedeemRequest`] | [`OrderStatus`] |
//! | `GET /v1/order/{id}` | | [`OrderStatus`] |
//!
//! Whatever is not answered with 200 is a [`Refusal`].

use crate::code::PurchaseCode;
use crate::redeem::RedeemRequest;
use crate::token::{TokenRequest, TokenResponse};
use crate::{Class, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;
use wire::{OrderId, SpkiHash, UnixMs};

/// A request's body, in bytes: a redemption takes about 1,300.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// An answer's body, in bytes: a key set of 64 classes takes about 45,000.
pub const RESPONSE_BYTES_MAX: usize = 128 * 1024;
/// A reason's name and the sentence with it, in bytes.
const REASON_BYTES_MAX: usize = 64;
const MESSAGE_BYTES_MAX: usize = 512;

/// A purchase: one blinded request against one code. Asking again with the
/// same request gets the same answer; a code counts distinct requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// The operator's code.
    pub code: PurchaseCode,
    /// What is bought.
    pub class: Class,
    /// The blinded message.
    pub token_request: TokenRequest,
}

/// The blind signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueResponse {
    /// For [`crate::Blinding::finish`].
    pub token_response: TokenResponse,
}

/// Where an order's relay listens and which key it has. It is the desk's
/// word: the sponsor dials and verifies for himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayAddress {
    /// UDP address.
    pub address: SocketAddr,
    /// SHA-256 of its SubjectPublicKeyInfo.
    #[serde(with = "hex_id")]
    pub spki: SpkiHash,
    /// End of the paid time.
    #[serde(with = "unix_ms")]
    pub lease_end_ms: UnixMs,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OrderState {
    /// The voucher is spent, the relay is being started: ask again.
    Launching {},
    /// The relay runs.
    Running {
        /// Where it is.
        relay: RelayAddress,
    },
    /// The relay has ended.
    Done {
        /// Why, by name.
        #[serde(deserialize_with = "reason_text")]
        reason: String,
    },
    /// No relay could be started: here is a fresh voucher of the same class.
    Refunded {
        /// Blind signature on the refund message of the redemption.
        token_response: Box<TokenResponse>,
        /// Why there is no relay, by name.
        #[serde(deserialize_with = "reason_text")]
        reason: String,
    },
}

/// An order and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderStatus {
    /// The order.
    #[serde(with = "hex_id")]
    pub order: OrderId,
    /// Its state.
    pub state: OrderState,
}

/// A refusal by name. `spent` shows the redemption that spent the voucher.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Stable name, such as `voucher_forged`.
    #[serde(deserialize_with = "reason_text")]
    pub reason: String,
    /// The step that failed and what to do next, for people.
    #[serde(deserialize_with = "message_text")]
    pub message: String,
    /// For `spent`: the redemption, signed by the voucher's holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_by: Option<Box<RedeemRequest>>,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

impl Refusal {
    /// A refusal without a proof.
    #[must_use]
    pub fn new(reason: &str, message: String) -> Self {
        Self {
            reason: reason.to_owned(),
            message,
            spent_by: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

fn reason_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(deserializer, REASON_BYTES_MAX)
}

fn message_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(deserializer, MESSAGE_BYTES_MAX)
}

/// Text that is shown to people: bounded, and without control characters,
/// which could move a terminal's cursor.
fn bounded<'de, D: Deserializer<'de>>(deserializer: D, max: usize) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > max || text.chars().any(char::is_control) {
        return Err(serde::de::Error::custom(
            "the text is too long or not plain",
        ));
    }
    Ok(text)
}

/// Identifiers of 32 bytes as lower-case hexadecimal.
pub(crate) mod hex_id {
    use super::{Deserialize, Deserializer, OrderId, Serializer, SpkiHash};
    use wire::PublicKey;

    pub(crate) trait Hex: Sized {
        fn hex(&self) -> String;
        fn parse(text: &str) -> Option<Self>;
    }

    macro_rules! hex {
        ($($name:ty),*) => {$(
            impl Hex for $name {
                fn hex(&self) -> String { self.to_hex() }
                fn parse(text: &str) -> Option<Self> { Self::from_hex(text) }
            }
        )*};
    }
    hex!(OrderId, SpkiHash, PublicKey);

    pub(crate) fn serialize<T: Hex, S: Serializer>(id: &T, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&id.hex())
    }

    pub(crate) fn deserialize<'de, T: Hex, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        // 64 hexadecimal digits; longer text is not decoded at all.
        (text.len() == 64)
            .then(|| T::parse(&text))
            .flatten()
            .ok_or_else(|| serde::de::Error::custom("an identifier is 64 hexadecimal digits"))
    }
}

/// Milliseconds since 1970 as a JSON number.
pub(crate) mod unix_ms {
    use super::{Deserialize, Deserializer, Serializer, UnixMs};

    pub(crate) fn serialize<S: Serializer>(time: &UnixMs, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(time.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<UnixMs, D::Error> {
        u64::deserialize(d).map(UnixMs)
    }
}
