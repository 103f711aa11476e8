//! The coordinator's controls on its members. Each is a value that it is made
//! with, so that a test can take one out and show what it is good for; what
//! takes one out is compiled into tests alone.

use super::rate::MessageLimit;
use certs::Error;
use overlay::near::Agreement;
use overlay::slots::ClaimCheck;
use wire::Reason;

/// What a coordinator judges its members by; the default judges as designed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Judging {
    /// How many children a member may have (threat C8).
    pub claims: ClaimCheck,
    /// When a parent is late (threat D5).
    pub lateness: LatenessCheck,
    /// Whose word about a round trip counts (threat D5).
    pub agreement: Agreement,
    /// How often members may speak (threat D7).
    pub messages: MessageCheck,
    /// How many may join from one place at once (threat E2).
    pub joins: JoinCheck,
    /// Whether a member whose line broke keeps its place (threat E6).
    pub silence: SilenceCheck,
}

/// How many may join from one address block within a moment.
#[derive(Debug, Clone, Copy)]
pub struct JoinCheck {
    per_block_max: usize,
}

impl Default for JoinCheck {
    /// A household or a lecture hall behind one address stays below.
    fn default() -> Self {
        Self { per_block_max: 64 }
    }
}

impl JoinCheck {
    /// As many as like to.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_unlimited() -> Self {
        let _ = certs::ablation::marker();
        Self {
            per_block_max: usize::MAX,
        }
    }

    /// Joins from one block within the window.
    pub(super) const fn per_block_max(self) -> usize {
        self.per_block_max
    }
}

/// Whether a member whose line has gone silent keeps its place for a while.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilenceCheck(Silence);

#[derive(Debug, Clone, Copy, Default)]
enum Silence {
    #[default]
    Away,
    #[cfg(feature = "ablation")]
    Lost,
}

impl SilenceCheck {
    /// It is lost at once.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_lost() -> Self {
        let _ = certs::ablation::marker();
        Self(Silence::Lost)
    }

    pub(super) const fn keeps(self) -> bool {
        match self.0 {
            Silence::Away => true,
            #[cfg(feature = "ablation")]
            Silence::Lost => false,
        }
    }
}

/// Whether the run is saved, so that it can be taken up (threat E6).
#[derive(Debug, Clone, Copy, Default)]
pub struct SavingCheck(Saving);

#[derive(Debug, Clone, Copy, Default)]
enum Saving {
    #[default]
    Saved,
    #[cfg(feature = "ablation")]
    Nothing,
}

impl SavingCheck {
    /// Nothing is saved: a run ends with its process.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_never() -> Self {
        let _ = certs::ablation::marker();
        Self(Saving::Nothing)
    }

    pub(super) const fn saves(self) -> bool {
        match self.0 {
            Saving::Saved => true,
            #[cfg(feature = "ablation")]
            Saving::Nothing => false,
        }
    }
}

/// When a child is moved because its parent is late.
#[derive(Debug, Clone, Copy)]
pub struct LatenessCheck {
    receipts_max: u32,
}

impl Default for LatenessCheck {
    /// Two receipts: the first one after an edge began also speaks of what the
    /// child caught up with.
    fn default() -> Self {
        Self { receipts_max: 2 }
    }
}

impl LatenessCheck {
    /// A parent may be late for ever.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_never() -> Self {
        let _ = certs::ablation::marker();
        Self {
            receipts_max: u32::MAX,
        }
    }

    /// Late receipts in a row after which the child is moved.
    pub(super) const fn receipts_max(self) -> u32 {
        self.receipts_max
    }
}

/// The controls of one coordinator; the default has all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Controls {
    /// Whom a member may receipt (threat C2).
    pub(super) receipts: ReceiptCheck,
    /// Which chunks a member may receipt (threat C2).
    pub(super) sampling: SampleCheck,
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

/// Which chunks a member may receipt, where few stand for all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SampleCheck(Sampled);

#[derive(Debug, Clone, Copy, Default)]
enum Sampled {
    /// Those that its key and the rule choose.
    #[default]
    Chosen,
    #[cfg(test)]
    Any,
}

impl SampleCheck {
    /// Whichever it likes.
    #[cfg(test)]
    pub(super) const fn dangerously_any() -> Self {
        Self(Sampled::Any)
    }

    /// `asked`: whether the member was to receipt all of these chunks.
    ///
    /// # Errors
    /// `receipt_not_sampled`.
    pub(super) const fn of(self, asked: bool) -> Result<(), Error> {
        match self.0 {
            Sampled::Chosen if !asked => Err(Error::ReceiptNotSampled),
            Sampled::Chosen => Ok(()),
            #[cfg(test)]
            Sampled::Any => Ok(()),
        }
    }
}

/// How often members may speak.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageCheck(Spoken);

#[derive(Debug, Clone, Copy, Default)]
enum Spoken {
    #[default]
    Limited,
    #[cfg(any(test, feature = "ablation"))]
    Unlimited,
}

impl MessageCheck {
    /// As often as they like.
    #[cfg(any(test, feature = "ablation"))]
    #[must_use]
    pub fn dangerously_unlimited() -> Self {
        #[cfg(feature = "ablation")]
        let _ = certs::ablation::marker();
        Self(Spoken::Unlimited)
    }

    /// `limit`, or whatever the control makes of it.
    pub(super) const fn limit(self, limit: MessageLimit) -> MessageLimit {
        match self.0 {
            Spoken::Limited => limit,
            #[cfg(any(test, feature = "ablation"))]
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
