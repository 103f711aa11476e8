//! What happens, told as it happens: one JSON object per line, or words.

use crate::clock::monotonic_us;
use crate::provider::Ended;
use serde::Serialize;
use std::io::Write;
use voucher::RelayAddress;
use wire::{OrderId, PublicKey};

/// Version of the events' form.
const SCHEMA: &str = "roundcast.event/1";

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The desk takes requests at this address.
    DeskReady {
        /// `roundcast-desk://..`.
        uri: String,
    },
    /// The voucher's row is on the disk; the launch comes next.
    VoucherRedeemed {
        /// The order.
        order: String,
        /// Who redeemed: the voucher's holder key.
        holder: String,
    },
    /// The relay's process runs and is ready.
    RelayStarted {
        /// SHA-256 of its SubjectPublicKeyInfo.
        relay: String,
        /// The order.
        order: String,
        /// Where it listens, `ADDRESS:PORT`.
        address: String,
        /// The process, if the relay is one of this machine.
        pid: Option<u32>,
    },
    /// The relay's process has ended.
    RelayEnded {
        /// The order.
        order: String,
        /// Why, by name.
        reason: String,
        /// The exit code of a process that ended by itself.
        code: Option<i32>,
        /// The signal that ended a process.
        signal: Option<i32>,
    },
    /// A redemption was refused; no voucher was spent by it.
    RedemptionRefused {
        /// Why, by name.
        reason: &'static str,
    },
    /// No relay could be started; the voucher is given back.
    VoucherRefunded {
        /// The order.
        order: String,
        /// Why, by name.
        reason: String,
    },
}

impl Event {
    /// See [`Event::VoucherRedeemed`].
    #[must_use]
    pub fn voucher_redeemed(order: &OrderId, holder: &PublicKey) -> Self {
        Self::VoucherRedeemed {
            order: order.to_hex(),
            holder: holder.to_hex(),
        }
    }

    /// See [`Event::RelayStarted`].
    #[must_use]
    pub fn relay_started(relay: &RelayAddress, order: &OrderId, pid: Option<u32>) -> Self {
        Self::RelayStarted {
            relay: relay.spki.to_hex(),
            address: relay.address.to_string(),
            order: order.to_hex(),
            pid,
        }
    }

    /// See [`Event::RelayEnded`].
    #[must_use]
    pub fn relay_ended(order: &OrderId, ended: &Ended) -> Self {
        Self::RelayEnded {
            order: order.to_hex(),
            reason: ended.reason.clone(),
            code: ended.code,
            signal: ended.signal,
        }
    }

    /// See [`Event::VoucherRefunded`].
    #[must_use]
    pub fn voucher_refunded(order: &OrderId, reason: &str) -> Self {
        Self::VoucherRefunded {
            order: order.to_hex(),
            reason: reason.to_owned(),
        }
    }

    fn words(&self) -> String {
        let short = |id: &str| id.chars().take(8).collect::<String>();
        match self {
            Self::DeskReady { uri } => format!("desk ready at {uri}"),
            Self::VoucherRedeemed { order, .. } => {
                format!("voucher redeemed for order {}", short(order))
            }
            Self::RelayStarted { relay, order, .. } => {
                format!("relay {} runs for order {}", short(relay), short(order))
            }
            Self::RelayEnded { order, reason, .. } => {
                format!("relay of order {} ended: {reason}", short(order))
            }
            Self::RedemptionRefused { reason } => format!("redemption refused: {reason}"),
            Self::VoucherRefunded { order, reason } => {
                format!("voucher of order {} refunded: {reason}", short(order))
            }
        }
    }
}

/// Who is told.
pub trait Events: Send + Sync {
    /// Something happened. Must not block for long.
    fn emit(&self, event: Event);

    /// An event of a relay, as the line of JSON that it wrote.
    fn forward(&self, line: &str);
}

/// Standard output.
#[derive(Debug, Clone)]
pub struct Stdout {
    who: String,
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    mono_us: u64,
    who: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

impl Stdout {
    /// Events of the program named `who`, as JSON or in words.
    #[must_use]
    pub const fn new(who: String, json: bool) -> Self {
        Self { who, json }
    }

    /// Nobody may be listening any more: that is no reason to end.
    fn line(text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

impl Events for Stdout {
    fn emit(&self, event: Event) {
        if !self.json {
            return Self::line(&event.words());
        }
        let line = Line {
            schema: SCHEMA,
            mono_us: monotonic_us(),
            who: &self.who,
            event: &event,
        };
        if let Ok(text) = serde_json::to_string(&line) {
            Self::line(&text);
        }
    }

    fn forward(&self, line: &str) {
        if self.json {
            Self::line(line);
        }
    }
}
