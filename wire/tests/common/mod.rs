//! Sample values of every type that wire can decode.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod dice;
mod draw;

pub use dice::Dice;
pub use draw::{Draw, Every};

/// Calls `$then! { Type, ... }` with every type that has a decoder of its own.
#[macro_export]
macro_rules! every_type {
    ($then:ident) => {
        $then! {
            stream_id: wire::StreamId, run_id: wire::RunId, epoch: wire::Epoch,
            rendition: wire::Rendition, number: u64, small_number: u16, flag: bool,
            reason: wire::Reason, stream_kind: wire::message::StreamKind,
            scope: wire::Scope,
            run_statement: wire::statement::RunStatement,
            permit: wire::statement::Permit,
            revocation: wire::statement::Revocation,
            chunk_header: wire::statement::ChunkHeader,
            chunk_key: wire::statement::ChunkKey,
            layout: wire::statement::Layout,
            head_beacon: wire::statement::HeadBeacon,
            ask: wire::statement::Ask,
            grant: wire::statement::Grant,
            join_reply: wire::statement::JoinReply,
            holding: wire::statement::Holding,
            capacity_claim: wire::statement::CapacityClaim,
            introduction: wire::statement::Introduction,
            permit_batch: wire::statement::PermitBatch,
            batched_permit: wire::statement::BatchedPermit,
            signed_chunk_header: wire::Signed<wire::statement::ChunkHeader>,
            order: wire::order::Order,
            parameters: wire::order::Parameters,
            up: wire::message::control::Up,
            down: wire::message::control::Down,
            edge: wire::message::edge::Edge,
            block_map: wire::BlockMap,
            mesh: wire::message::mesh::Mesh,
            group_start: wire::message::group::GroupStart,
            record: wire::message::group::Record,
            challenge: wire::message::live::Challenge,
            response: wire::message::live::Response,
            command: wire::message::command::Command,
            command_reply: wire::message::command::CommandReply,
            receipt: wire::message::receipt::Receipt,
        }
    };
}
