//! The coordinator's controls on its members. Each is a value that it is made
//! with, so that a test can take one out and show what it is good for; what
//! takes one out is compiled into tests alone.

use super::rate::MessageLimit;
use certs::Error;
use wire::Reason;

/// The controls of one coordinator; the default has all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Controls {
    /// Whom a member may receipt (threat C2).
    pub(super) receipts: ReceiptCheck,
    /// How often members may speak (threat E5).
    pub(super) messages: MessageCheck,
    /// For whom the station dials a relay (threat E4).
    pub(super) dials: DialCheck,
}

/// Whom a member may receipt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReceiptCheck(Receipted);

#[derive(Debug, Clone, Copy, Default)]
enum Receipted {
    /// Parents that it was permitted, now or a moment ago.
    #[default]
    Permitted,
    #[cfg(test)]
    Anybody,
}

impl ReceiptCheck {
    /// Anybody, fed by him or not.
    #[cfg(test)]
    pub(super) const fn dangerously_any() -> Self {
        Self(Receipted::Anybody)
    }

    /// `permitted`: whether the coordinator permitted this edge.
    ///
    /// # Errors
    /// `receipt_wrong_parent`.
    pub(super) const fn of(self, permitted: bool) -> Result<(), Error> {
        match self.0 {
            Receipted::Permitted if !permitted => Err(Error::ReceiptWrongParent),
            Receipted::Permitted => Ok(()),
            #[cfg(test)]
            Receipted::Anybody => Ok(()),
        }
    }
}

/// How often members may speak.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MessageCheck(Spoken);

#[derive(Debug, Clone, Copy, Default)]
enum Spoken {
    #[default]
    Limited,
    #[cfg(test)]
    Unlimited,
}

impl MessageCheck {
    /// As often as they like.
    #[cfg(test)]
    pub(super) const fn dangerously_unlimited() -> Self {
        Self(Spoken::Unlimited)
    }

    /// `limit`, or whatever the control makes of it.
    pub(super) const fn limit(self, limit: MessageLimit) -> MessageLimit {
        match self.0 {
            Spoken::Limited => limit,
            #[cfg(test)]
            Spoken::Unlimited => MessageLimit {
                burst: u32::MAX,
                per_s: u32::MAX,
            },
        }
    }
}

/// For whom the station dials a relay.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DialCheck(Introducers);

#[derive(Debug, Clone, Copy, Default)]
enum Introducers {
    /// Who was granted a round, one relay at a time.
    #[default]
    Granted,
    #[cfg(test)]
    Anybody,
}

impl DialCheck {
    /// Any member, as often as he likes.
    #[cfg(test)]
    pub(super) const fn dangerously_anybody() -> Self {
        Self(Introducers::Anybody)
    }

    /// # Errors
    /// `permit_missing` if it was not granted, `rate_limited` while another
    /// attempt goes on.
    pub(super) const fn of(self, granted: bool, under_way: bool) -> Result<(), Reason> {
        match self.0 {
            Introducers::Granted if !granted => Err(Reason::PermitMissing),
            Introducers::Granted if under_way => Err(Reason::RateLimited),
            Introducers::Granted => Ok(()),
            #[cfg(test)]
            Introducers::Anybody => Ok(()),
        }
    }
}
