//! The controls on what an edge brings. Each is a value that a node is made
//! with, so that a test can take one out and show the attack that it stops.

use crate::ReverifyTimes;
use certs::block::VerifiedBlock;
use certs::permit::{Batches, Expect};
use certs::x509::Member;
use certs::{Error, Verified};
use overlay::mesh::OncePerBlock;
use std::time::Duration;
use wire::message::group::Block;
use wire::statement::{BatchedPermit, ChunkHeader, Permit, RunStatement};
use wire::{PublicKey, UnixMs};

/// The controls of one node; the default has all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Controls {
    /// Whose permits are good (threat E1).
    pub permits: PermitCheck,
    /// Which blocks belong to a chunk (threat D1).
    pub blocks: BlockCheck,
    /// Which stripes a parent may send (threat D6).
    pub stripes: StripeCheck,
    /// Which rendition a child may have (threat C9).
    pub renditions: RenditionCheck,
    /// Whether the sender's contradictions are noticed (threat D10).
    pub equivocations: EquivocationCheck,
    /// When a parent withholds the stream (threat D6).
    pub heads: HeadCheck,
    /// Whose membership is good (threat E1).
    pub members: MemberCheck,
    /// Whether missing blocks are pulled from neighbours (threat D4).
    pub mesh: MeshRepair,
    /// How often a neighbour gives a child a block (threat A10).
    pub repairs: OncePerBlock,
    /// How long the other end of an edge may take (threat E5).
    pub turns: TurnCheck,
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

/// The controls of one endpoint on who dials it; the default has all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct DialControls {
    /// Whether an address has to be shown first (threat E4).
    pub addresses: AddressCheck,
    /// How many strangers have a link, and for how long (threat E5).
    pub half_open: HalfOpenCheck,
}

/// How many links may be half open: their handshake goes on, or nothing has
/// shown yet that their other end may have one.
#[derive(Debug, Clone, Copy)]
pub struct HalfOpenCheck {
    in_all_max: usize,
    address_max: usize,
    first_word_ms_max: u64,
}

impl Default for HalfOpenCheck {
    /// In all as many as ten thousand viewers have under way who come within
    /// half a minute, several times over: some tens of KB each. From one
    /// address what a household or a school has. The first word has a few
    /// round trips and a lost packet's repetition.
    fn default() -> Self {
        Self::of(1_024, 64, 5_000)
    }
}

impl HalfOpenCheck {
    /// At most so many links in all and from one address, and so many
    /// milliseconds until the other end has said what it wants.
    #[must_use]
    pub const fn of(in_all_max: usize, address_max: usize, first_word_ms_max: u64) -> Self {
        Self {
            in_all_max,
            address_max,
            first_word_ms_max,
        }
    }

    /// Any number, for ever.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_unlimited() -> Self {
        let _ = certs::ablation::marker();
        Self::of(usize::MAX, usize::MAX, u64::MAX)
    }

    /// Whether there may be one more than `in_all`, and than `there` from one
    /// address.
    pub(crate) const fn allows(self, in_all: usize, there: usize) -> bool {
        in_all < self.in_all_max && there < self.address_max
    }

    pub(crate) const fn first_word_ms_max(self) -> u64 {
        self.first_word_ms_max
    }
}

/// How long an end of an edge waits for what the other has to do next (threat
/// E5).
#[derive(Debug, Clone, Copy)]
pub struct TurnCheck {
    turn_ms_max: u64,
    stall_ms_max: u64,
}

impl Default for TurnCheck {
    /// The coordinator's order may come by a slower path than the child. A
    /// child that takes nothing for longer than parents keep what it lacks has
    /// no use for its place.
    fn default() -> Self {
        Self::within_ms(8_000, 10_000)
    }
}

impl TurnCheck {
    /// At most so many milliseconds for a whole message before blocks are
    /// exchanged, and so many in which a child takes not one record.
    #[must_use]
    pub const fn within_ms(turn_ms_max: u64, stall_ms_max: u64) -> Self {
        Self {
            turn_ms_max,
            stall_ms_max,
        }
    }

    /// However long it takes.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_endless() -> Self {
        let _ = certs::ablation::marker();
        Self::within_ms(u64::MAX, u64::MAX)
    }

    pub(crate) const fn turn(self) -> Duration {
        Duration::from_millis(self.turn_ms_max)
    }

    pub(crate) const fn stall(self) -> Duration {
        Duration::from_millis(self.stall_ms_max)
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

    /// The time by which a running edge's permit is good or over.
    pub(crate) const fn time(self, now: UnixMs) -> UnixMs {
        match self.0 {
            Permits::OfTheRun => now,
            #[cfg(feature = "ablation")]
            Permits::Any => UnixMs(0),
        }
    }

    pub(crate) fn verify(
        self,
        batches: &mut Batches,
        batched: &BatchedPermit,
        run: &Verified<RunStatement>,
        expect: &Expect,
        now: UnixMs,
    ) -> Result<Verified<Permit>, Error> {
        match self.0 {
            Permits::OfTheRun => batches.verify(batched, run, expect, now),
            #[cfg(feature = "ablation")]
            Permits::Any => Verified::dangerously_unproven(batched),
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

/// Which stripes a child takes from a parent. Who sends more than the
/// coordinator gave it would become the only parent of a child that counts on
/// several, and take them all along when it goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct StripeCheck(Allowed);

#[derive(Debug, Clone, Copy, Default)]
enum Allowed {
    #[default]
    Permitted,
    #[cfg(feature = "ablation")]
    Any,
}

impl StripeCheck {
    /// Any stripe, whatever the permit says.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Allowed::Any)
    }

    pub(crate) const fn of(self, permitted: bool) -> Result<(), crate::Error> {
        match self.0 {
            Allowed::Permitted if permitted => Ok(()),
            Allowed::Permitted => Err(crate::Error::StripeNotPermitted),
            #[cfg(feature = "ablation")]
            Allowed::Any => Ok(()),
        }
    }
}

/// Which rendition a parent gives to a child.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenditionCheck(Asked);

#[derive(Debug, Clone, Copy, Default)]
enum Asked {
    #[default]
    Permitted,
    #[cfg(feature = "ablation")]
    Any,
}

impl RenditionCheck {
    /// Whatever the child asks for.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Asked::Any)
    }

    pub(crate) const fn of(self, permitted: bool) -> Result<(), crate::Error> {
        match self.0 {
            Asked::Permitted if permitted => Ok(()),
            Asked::Permitted => Err(crate::Error::RenditionNotPermitted),
            #[cfg(feature = "ablation")]
            Asked::Any => Ok(()),
        }
    }
}

/// Whether what parents do not bring is pulled from neighbours.
#[derive(Debug, Clone, Copy, Default)]
pub struct MeshRepair(Missing);

#[derive(Debug, Clone, Copy, Default)]
enum Missing {
    #[default]
    Pulled,
    #[cfg(feature = "ablation")]
    Missed,
}

impl MeshRepair {
    /// Neighbours are linked to and never asked.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_never() -> Self {
        let _ = certs::ablation::marker();
        Self(Missing::Missed)
    }

    pub(crate) const fn is_on(self) -> bool {
        match self.0 {
            Missing::Pulled => true,
            #[cfg(feature = "ablation")]
            Missing::Missed => false,
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

/// How long a parent may leave a chunk out that a head beacon names: as long
/// as this node keeps chunks, if nothing else is said, while something comes
/// from it. From a parent that is further behind nobody could resume, and one
/// that is less far behind may be catching up itself, or starve a child while
/// it does. One of which nothing comes at all may be given less time
/// ([`HeadCheck::mute_within_ms`]).
#[derive(Debug, Clone, Copy)]
pub struct HeadCheck {
    behind_ms_max: Option<u64>,
    mute_ms_max: u64,
}

/// How many round trips a mute parent has beside its time: a packet that was
/// lost twice has come by then.
const MUTE_ROUND_TRIPS: u64 = 4;

/// However long nothing comes: a parent that fetches first what others below it
/// missed sends nothing for seconds, and is no less worth for it.
const MUTE_MS_MAX: u64 = u64::MAX;

impl Default for HeadCheck {
    fn default() -> Self {
        Self {
            behind_ms_max: None,
            mute_ms_max: MUTE_MS_MAX,
        }
    }
}

impl HeadCheck {
    /// Behind for this long, in milliseconds.
    #[must_use]
    pub const fn within_ms(behind_ms_max: u64) -> Self {
        Self {
            behind_ms_max: Some(behind_ms_max),
            mute_ms_max: MUTE_MS_MAX,
        }
    }

    /// Without a byte for this long and four round trips, in milliseconds.
    #[must_use]
    pub const fn mute_within_ms(self, mute_ms_max: u64) -> Self {
        Self {
            mute_ms_max,
            ..self
        }
    }

    /// For ever: what does not come was not published.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_never() -> Self {
        let _ = certs::ablation::marker();
        Self {
            behind_ms_max: Some(u64::MAX),
            mute_ms_max: u64::MAX,
        }
    }

    pub(crate) fn behind_ms_max(self, kept_ms_max: u64) -> u64 {
        self.behind_ms_max.unwrap_or(kept_ms_max)
    }

    /// How long nothing may come on a link of this round trip: never longer
    /// than a parent may be behind, however slow it lets the link look.
    pub(crate) fn mute_ms_max(self, rtt_ms: u64, kept_ms_max: u64) -> u64 {
        let slow_ms = rtt_ms.saturating_mul(MUTE_ROUND_TRIPS);
        let behind_ms_max = self.behind_ms_max(kept_ms_max);
        let patience_ms = self.mute_ms_max.saturating_add(slow_ms);
        patience_ms.min(behind_ms_max.max(self.mute_ms_max))
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
