//! Every decoder of wire sees every input. What decodes has one spelling:
//! encoded again, it is the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::invite::Invite;
use wire::message::{command, control, edge, group, live, mesh, receipt};
use wire::order::{Order, Parameters};
use wire::statement::{
    Ask, BatchedPermit, CapacityClaim, ChunkHeader, Grant, HeadBeacon, Holding, Introduction,
    JoinReply, Permit, PermitBatch, Revocation, RunStatement,
};
use wire::{Decode, Encode, Signed};

fn one_spelling<T: Decode + Encode>(data: &[u8]) {
    if let Ok(value) = T::from_bytes(data) {
        assert_eq!(value.to_bytes(), data, "a second spelling");
    }
}

fn messages(data: &[u8]) {
    one_spelling::<control::Up>(data);
    one_spelling::<control::Down>(data);
    one_spelling::<edge::Edge>(data);
    one_spelling::<group::GroupStart>(data);
    one_spelling::<group::Record>(data);
    one_spelling::<mesh::Mesh>(data);
    one_spelling::<live::Challenge>(data);
    one_spelling::<live::Response>(data);
    one_spelling::<command::Command>(data);
    one_spelling::<command::CommandReply>(data);
    one_spelling::<receipt::Receipt>(data);
}

fn statements(data: &[u8]) {
    one_spelling::<Ask>(data);
    one_spelling::<CapacityClaim>(data);
    one_spelling::<ChunkHeader>(data);
    one_spelling::<Grant>(data);
    one_spelling::<Holding>(data);
    one_spelling::<HeadBeacon>(data);
    one_spelling::<Introduction>(data);
    one_spelling::<JoinReply>(data);
    one_spelling::<Permit>(data);
    one_spelling::<PermitBatch>(data);
    one_spelling::<BatchedPermit>(data);
    one_spelling::<Revocation>(data);
    one_spelling::<RunStatement>(data);
    one_spelling::<Signed<ChunkHeader>>(data);
    one_spelling::<Order>(data);
    one_spelling::<Parameters>(data);
}

fuzz_target!(|data: &[u8]| {
    messages(data);
    statements(data);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(invite) = Invite::parse(text)
    {
        assert_eq!(invite.to_uri().as_str(), text, "a second spelling");
    }
});
