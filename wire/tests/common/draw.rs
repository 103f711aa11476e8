//! How a value of each type is drawn.

use super::Dice;
use wire::codec::{Blob, List, Text, VARINT_MAX};
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve, Status};
use wire::message::control::{
    Admission, Admitted, Answer, Choice, Down, EdgeFailure, EdgeOrder, EdgeReport, Empty,
    Introduce, Join, Load, Move, MoveCause, NodeKind, NodeRef, Ready, Rejoin, RelayRefusal, Round,
    TreeNode, TreeParent, TreePicture, Up, Withheld,
};
use wire::message::edge::{Edge, Equivocation, Resume, Start};
use wire::message::group::{Block, Dropped, GroupStart, Record};
use wire::message::lines::{Line, Lines, RegionRtt, Regions};
use wire::message::live::{Challenge, Response};
use wire::message::mesh::{Answer as MeshAnswer, Map, Mesh, Pull, PullRefusal};
use wire::message::receipt::{Receipt, Sampling};
use wire::order::{Order, Parameters};
use wire::statement::{
    Ask, BatchedPermit, CapacityClaim, Cause, ChunkFlags, ChunkHeader, ChunkKey, Grant, HeadBeacon,
    Held, Holding, Introduction, JoinReply, Layout, Permit, PermitBatch, PermitKind, Priority,
    Revocation, RunStatement, Step,
};
use wire::{
    AskId, BlockMap, Digest, Epoch, Nonce, OrderId, PublicKey, Reason, Rendition, RunId, Scope,
    Sequence, Signed, SpkiHash, Statement, StreamId, Stripe, StripeSet, Stripes, UnixMs,
};

/// A value can be drawn.
pub trait Draw: Sized {
    /// Draws one.
    fn draw(dice: &mut Dice<'_>) -> Self;
}

/// One value of each variant.
pub trait Every: Sized {
    /// Variant names and values, in order.
    fn every(dice: impl FnMut() -> Dice<'static>) -> Vec<(&'static str, Self)>;
}

macro_rules! numbers {
    ($($t:ty: $max:expr;)*) => {$(
        impl Draw for $t {
            fn draw(dice: &mut Dice<'_>) -> Self {
                <$t>::try_from(dice.number($max)).unwrap()
            }
        }
    )*};
}
numbers! { u8: 0xff; u16: 0xffff; u32: 0xffff_ffff; u64: VARINT_MAX; }

macro_rules! newtypes {
    ($($t:ident),*) => {$(
        impl Draw for $t {
            fn draw(dice: &mut Dice<'_>) -> Self { $t(Draw::draw(dice)) }
        }
    )*};
}
newtypes!(StreamId, RunId, PublicKey, SpkiHash, OrderId, Digest, Nonce);
newtypes!(Epoch, Sequence, Rendition, Stripe, AskId, UnixMs);

macro_rules! codes {
    ($($t:ident),*) => {$(
        impl Draw for $t {
            fn draw(dice: &mut Dice<'_>) -> Self {
                let all: Vec<Self> = (0..=255).filter_map($t::from_code).collect();
                all[dice.choice(all.len())]
            }
        }
    )*};
}
codes!(
    Reason, StreamKind, Cause, Step, Priority, PermitKind, NodeKind, Choice, MoveCause
);

macro_rules! records {
    ($($t:ident { $($field:ident),* })*) => {$(
        impl Draw for $t {
            fn draw(_dice: &mut Dice<'_>) -> Self {
                $t { $($field: Draw::draw(_dice)),* }
            }
        }
    )*};
}

macro_rules! messages {
    ($($t:ident { $($variant:ident),* })*) => {$(
        impl Every for $t {
            fn every(mut dice: impl FnMut() -> Dice<'static>) -> Vec<(&'static str, Self)> {
                vec![$((
                    concat!(stringify!($t), "::", stringify!($variant)),
                    $t::$variant(Draw::draw(&mut dice())),
                )),*]
            }
        }
        impl Draw for $t {
            fn draw(dice: &mut Dice<'_>) -> Self {
                let makers: &[fn(&mut Dice<'_>) -> Self] =
                    &[$(|dice| $t::$variant(Draw::draw(dice))),*];
                makers[dice.choice(makers.len())](dice)
            }
        }
        // A variant added to the enum and not to the list above does not compile.
        const _: fn($t) = |value| match value { $($t::$variant(_) => ()),* };
    )*};
}

impl Draw for bool {
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.flag()
    }
}
impl<const N: usize> Draw for [u8; N] {
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.array()
    }
}
impl<T: Draw> Draw for Option<T> {
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.present().then(|| T::draw(dice))
    }
}
impl<T: Draw> Draw for Box<T> {
    fn draw(dice: &mut Dice<'_>) -> Self {
        Box::new(T::draw(dice))
    }
}
impl<const MAX: usize> Draw for Blob<MAX> {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let bytes: Vec<u8> = (0..dice.length(MAX))
            .map(|_| dice.array::<1>()[0])
            .collect();
        Blob::new(bytes).unwrap()
    }
}
impl<const MAX: usize> Draw for Text<MAX> {
    fn draw(dice: &mut Dice<'_>) -> Self {
        Text::new(dice.text(MAX)).unwrap()
    }
}
impl<T: Draw, const MAX: usize> Draw for List<T, MAX> {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let count = dice.length(MAX);
        List::new((0..count).map(|_| T::draw(dice)).collect()).unwrap()
    }
}
impl<T: Statement + Draw> Draw for Signed<T> {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let body = T::draw(dice).to_bytes();
        Signed::from_parts(body, dice.array()).unwrap()
    }
}
impl Draw for ChunkFlags {
    fn draw(dice: &mut Dice<'_>) -> Self {
        Self {
            key: dice.flag(),
            init: dice.flag(),
            end: dice.flag(),
        }
    }
}
impl Draw for Layout {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let chunk_len = u32::try_from(dice.number(4 * 1024 * 1024).max(1)).unwrap();
        let k = 1 + u8::try_from(dice.choice(8)).unwrap();
        let m = u8::try_from(dice.choice(usize::from(k).min(4))).unwrap();
        Layout::for_chunk(chunk_len, k, m).unwrap()
    }
}

impl Draw for Stripes {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let k = 1 + u8::try_from(dice.choice(8)).unwrap();
        let m = u8::try_from(dice.choice(4)).unwrap();
        Stripes::new(k, m).unwrap()
    }
}
impl Draw for StripeSet {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let (a, b) = (dice.choice(16), dice.choice(16));
        [a, b]
            .map(|s| Stripe(u8::try_from(s).unwrap()))
            .into_iter()
            .collect()
    }
}

impl Draw for BlockMap {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let count = dice.length(16);
        (0..count)
            .map(|_| u16::try_from(dice.choice(1024)).unwrap())
            .collect()
    }
}

records! {
    Scope { stream, run, epoch }
    RunStatement { scope, start, end, ca_key, chunk_key, permit_key, beacon_key, coordinator, stripes }
    Permit {
        scope, serial, kind, stripes, rendition, parent, child, parent_order, child_order, priority,
        byte_budget, issued, expiry
    }
    PermitBatch { scope, count, root }
    BatchedPermit { body, count, index, path, signature }
    Revocation { scope, member, issued }
    ChunkKey { rendition, init, sequence }
    ChunkHeader {
        scope, rendition, sequence, init_sequence, time_us, duration_us, published, flags, layout,
        previous, digest, root
    }
    HeadBeacon { scope, rendition, head, header, now }
    Ask {
        scope, ask, member, cause, step, deficit_bps, viewers_short, rounds_wanted, deadline_ms,
        issued, regions
    }
    Grant { scope, ask, member, expiry }
    JoinReply { scope, nonce, member, head, header, issued }
    CapacityClaim { scope, node, upload_bps, issued }
    Introduction { scope, order, relay, sponsor, address, issued }
    Order { holder_key, voucher_nonce, class, channel, desk_key, lease_ms, byte_cap }
    Parameters { listen, rate_bps, lease_end, byte_cap, private_networks }
    Empty {}
    Held { permit, stripes }
    Holding { scope, member, nonce, edges, issued }
    Rejoin { join, holding }
    Join { name, nonce, proof, sealing_key, addresses, relay_only, never_ask }
    Admitted { run, reply, certificate, ca, secrets, station, renditions_bps, pull_only }
    Move { rendition, cause }
    NodeRef { spki, kind, name, addresses, admission }
    Admission { order, introduction }
    EdgeOrder { permit, other, dial }
    EdgeReport { other, child, rendition, stripes }
    Withheld { parent, rendition, stripes }
    Lines { lines }
    Line { other, rtt_us, sent, lost }
    Regions { regions }
    RegionRtt { region, rtt_ms }
    EdgeFailure { other, child, rendition, reason }
    Answer { ask, choice, show_name }
    Introduce { ask, admission }
    Ready { claim }
    Load { children, sent_bytes, sent_bps, delay_ms }
    RelayRefusal { relay, reason }
    TreePicture { nodes, rounds }
    TreeNode { spki, kind, name, parents, edges, delay_ms, sent_bps }
    TreeParent { node, rendition, stripes }
    Round { relay, sponsor, left_ms, carries }
    Start { rendition, stripes, resume }
    Resume { init, next, have }
    Equivocation { a, b }
    GroupStart { rendition, first }
    Block { chunk, index, path, data }
    Dropped { from, to, stripes, reason }
    Map { rendition, start, first, chunks }
    Pull { chunk, index, header }
    MeshAnswer { header, block }
    PullRefusal { chunk, index, reason }
    Challenge { nonce }
    Response { index, count, path, quote }
    Serve { run, coordinator, rate_bps_max }
    Status { order, children, sent_bytes, bytes_left, lease_end }
    Sampling { rendition, from, window_chunks, one_in }
    Receipt {
        scope, member, interval, parent, rendition, stripe, first, in_time, late, cumulative_bytes,
        mac
    }
}

messages! {
    Up {
        Join, Claim, Answer, Introduce, EdgeUp, EdgeDown, Receipt, Leave, Ready, Load,
        RedeemFailed, EdgeDoubt, Withheld, Leaving, Equivocation,
        NeighbourDown, Rejoin, Playing, Lines, Regions
    }
    Down {
        Admitted, Refused, Edge, EdgeEnd, Ask, Granted, NotNeeded, Epoch, Beacon, Revoked, Tree,
        RelayAdmitted, RelayRefused, Membership, Equivocation, Sampling,
        Neighbour, NeighbourEnd, Readmitted, Guarantee, Move
    }
    Edge { Hello, Welcome, Start, Renew, Beacon, Revoked, Bye, Equivocation }
    Mesh { Hello, Welcome, Map, Pull, Answer, Refused, Bye }
    Record { Header, Block, Dropped }
    Command { Serve, Status, Stop }
    CommandReply { Done, Refused, Status }
}
