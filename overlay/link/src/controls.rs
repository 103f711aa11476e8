//! The controls on what an edge brings. Each is a value that a node is made
//! with, so that a test can take one out and show the attack that it stops.

use crate::ReverifyTimes;
use certs::block::VerifiedBlock;
use certs::permit::Expect;
use certs::x509::Member;
use certs::{Error, Verified};
use wire::message::group::Block;
use wire::statement::{ChunkHeader, Permit, RunStatement, Signed};
use wire::{PublicKey, UnixMs};

/// The controls of one node; the default has all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Controls {
    /// Whose permits are good (threat E1).
    pub permits: PermitCheck,
    /// Which blocks belong to a chunk (threat D1).
    pub blocks: BlockCheck,
    /// Whether the sender's contradictions are noticed (threat D10).
    pub equivocations: EquivocationCheck,
    /// When a parent withholds the stream (threat D6).
    pub heads: HeadCheck,
    /// Whose membership is good (threat E1).
    pub members: MemberCheck,
    /// Whether relays are verified again while an edge runs (threat B8).
    pub reverification: Reverification,
}

/// How relays are verified again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reverification(Again);

#[derive(Debug, Clone, Copy)]
enum Again {
    Scheduled(ReverifyTimes),
    #[cfg(feature = "ablation")]
    Never,
}

impl Default for Again {
    fn default() -> Self {
        Self::Scheduled(ReverifyTimes::default())
    }
}

impl Reverification {
    /// At these times.
    #[must_use]
    pub const fn scheduled(times: ReverifyTimes) -> Self {
        Self(Again::Scheduled(times))
    }

    /// Never: who was verified once is believed for as long as the edge runs.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_never() -> Self {
        let _ = certs::ablation::marker();
        Self(Again::Never)
    }

    #[cfg_attr(
        not(feature = "ablation"),
        allow(clippy::unnecessary_wraps, reason = "none is ablation's alone")
    )]
    pub(crate) const fn times(self) -> Option<ReverifyTimes> {
        match self.0 {
            Again::Scheduled(times) => Some(times),
            #[cfg(feature = "ablation")]
            Again::Never => None,
        }
    }
}

/// Whether strangers must show that their address is theirs before anything
/// else is sent there (threat E4).
#[derive(Debug, Clone, Copy, Default)]
pub struct AddressCheck(Addresses);

#[derive(Debug, Clone, Copy, Default)]
enum Addresses {
    #[default]
    Retry,
    #[cfg(feature = "ablation")]
    Any,
}

impl AddressCheck {
    /// A handshake with whatever address a packet says that it comes from.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Addresses::Any)
    }

    pub(crate) const fn passes(self, validated: bool) -> bool {
        match self.0 {
            Addresses::Retry => validated,
            #[cfg(feature = "ablation")]
            Addresses::Any => true,
        }
    }
}

/// How permits are checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct PermitCheck(Permits);

#[derive(Debug, Clone, Copy, Default)]
enum Permits {
    #[default]
    OfTheRun,
    #[cfg(feature = "ablation")]
    Any,
}

impl PermitCheck {
    /// Any permit that decodes.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Permits::Any)
    }

    pub(crate) fn verify(
        self,
        signed: &Signed<Permit>,
        run: &Verified<RunStatement>,
        expect: &Expect,
        now: UnixMs,
    ) -> Result<Verified<Permit>, Error> {
        match self.0 {
            Permits::OfTheRun => certs::permit::verify(signed, run, expect, now),
            #[cfg(feature = "ablation")]
            Permits::Any => Verified::dangerously_unsigned(signed),
        }
    }
}

/// How blocks are checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct BlockCheck(Blocks);

#[derive(Debug, Clone, Copy, Default)]
enum Blocks {
    #[default]
    Proven,
    #[cfg(feature = "ablation")]
    Any,
}

impl BlockCheck {
    /// Any bytes, for any index.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Blocks::Any)
    }

    pub(crate) fn verify(
        self,
        header: &Verified<ChunkHeader>,
        block: &Block,
    ) -> Result<VerifiedBlock, Error> {
        match self.0 {
            Blocks::Proven => certs::block::verify(header, block.index, &block.path, &block.data),
            #[cfg(feature = "ablation")]
            Blocks::Any => Ok(certs::block::dangerously_verified(header, block.index)),
        }
    }
}

/// Whether a second header for the same chunk is held against the sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct EquivocationCheck(Stories);

#[derive(Debug, Clone, Copy, Default)]
enum Stories {
    #[default]
    Compared,
    #[cfg(feature = "ablation")]
    Ignored,
}

impl EquivocationCheck {
    /// Whichever header comes first is the only one, and who sends blocks of
    /// another one sends wrong blocks.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_ignored() -> Self {
        let _ = certs::ablation::marker();
        Self(Stories::Ignored)
    }

    pub(crate) const fn is_on(self) -> bool {
        match self.0 {
            Stories::Compared => true,
            #[cfg(feature = "ablation")]
            Stories::Ignored => false,
        }
    }
}

/// How long a parent may leave a chunk out that a head beacon names.
#[derive(Debug, Clone, Copy)]
pub struct HeadCheck {
    behind_ms_max: u64,
}

impl Default for HeadCheck {
    /// As long as nodes keep chunks: from a parent that is further behind,
    /// nobody could resume. Five times the repair bound, so that a parent
    /// that finds a new one of its own in time is not blamed.
    fn default() -> Self {
        Self::within_ms(10_000)
    }
}

impl HeadCheck {
    /// This long, in milliseconds.
    #[must_use]
    pub const fn within_ms(behind_ms_max: u64) -> Self {
        Self { behind_ms_max }
    }

    pub(crate) const fn behind_ms_max(self) -> u64 {
        self.behind_ms_max
    }
}

/// How the membership of another member is checked, at the beginning of an
/// edge.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemberCheck(Members);

#[derive(Debug, Clone, Copy, Default)]
enum Members {
    #[default]
    OfTheRun,
    #[cfg(feature = "ablation")]
    Any,
}

impl MemberCheck {
    /// Whoever has a key, whatever its certificate says and since when.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Members::Any)
    }

    pub(crate) fn verify(
        self,
        certificate: &[u8],
        ca_key: &PublicKey,
        now: UnixMs,
    ) -> Result<Verified<Member>, Error> {
        match self.0 {
            Members::OfTheRun => certs::x509::verify_member(certificate, ca_key, now),
            #[cfg(feature = "ablation")]
            Members::Any => Ok(Verified::dangerously_member(Member {
                spki: certs::x509::spki_hash(certificate)?,
                serial: Vec::new(),
                not_after: now,
            })),
        }
    }
}
