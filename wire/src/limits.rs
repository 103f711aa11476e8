//! Every bound of the protocol: one place, a name with its unit, the reason.

/// A block's data, in bytes: large enough that hashing and framing cost
/// little per byte, small enough that a hop adds little delay.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024;
/// A chunk, in bytes: two seconds of 25 Mbit/s video and room for a key frame.
pub const CHUNK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Blocks of one chunk, parity included: [`CHUNK_BYTES_MAX`] at 1+0 is 512;
/// parity of up to one block per data block doubles it.
pub const CHUNK_BLOCKS_MAX: usize = 1024;
/// Depth of a chunk's Merkle tree: log2 of [`CHUNK_BLOCKS_MAX`].
pub const BLOCK_PATH_MAX: usize = 10;
/// k + m: more trees than this cost more control than they give resilience.
pub const STRIPES_MAX: u8 = 16;
/// Renditions of one stream: what an encoder's ladder holds at most.
pub const RENDITIONS_MAX: u8 = 8;
/// A control message, in bytes: the largest carries a certificate with
/// evidence (see [`CERTIFICATE_BYTES_MAX`]).
pub const MESSAGE_BYTES_MAX: usize = 96 * 1024;
/// A certificate, in bytes: a relay's carries its evidence and release.
pub const CERTIFICATE_BYTES_MAX: usize = 48 * 1024;
/// A name that a member gives itself, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// An address in text form, in bytes: a bracketed IPv6 address and port.
pub const ADDRESS_BYTES_MAX: usize = 64;
/// Addresses of one node: what an invite's QR code can carry.
pub const ADDRESSES_MAX: usize = 4;
/// An invite in text form, in bytes: still a scannable QR code.
pub const INVITE_BYTES_MAX: usize = 1024;
/// A sealed bundle for one member (HPKE, RFC 9180), in bytes.
pub const SEALED_BYTES_MAX: usize = 512;
/// Links that a member tells its round trips of: parents of all stripes, some
/// children and the neighbours.
pub const LINES_MAX: usize = 32;
/// Regions that a member tells its round trips to, and that a question tells of:
/// what desks sell, with room.
pub const REGIONS_MAX: usize = 8;
/// A region's name, in bytes: the longest name of a cloud region is 14, and a
/// voucher's whole class has to fit [`LABEL_BYTES_MAX`].
pub const REGION_BYTES_MAX: usize = 24;
/// Nodes in one picture of the tree that is sent for display.
pub const TREE_NODES_MAX: usize = 512;
/// Live challenges that one quote may serve.
pub const CHALLENGES_PER_QUOTE_MAX: usize = 1024;
/// Depth of the live challenge's Merkle tree: log2 of
/// [`CHALLENGES_PER_QUOTE_MAX`].
pub const CHALLENGE_PATH_MAX: usize = 10;
/// A quote, in bytes: a TPM's attestation structure and RSA signature.
pub const QUOTE_BYTES_MAX: usize = 4 * 1024;
/// Chunks that one receipt speaks of: 60 s of 200 ms fragments fit.
pub const RECEIPT_CHUNKS_MAX: usize = 512;
/// Chunks that one map of a neighbour speaks of: more than 12 s of 200 ms
/// fragments, longer than anybody waits for a repair.
pub const MAP_CHUNKS_MAX: usize = 64;
/// A permit's life: a revocation that got lost acts after this at the latest.
pub const PERMIT_LIFE_MS_MAX: u64 = 5 * 60 * 1000;
/// Permits of one batch: a signature for each 64th of them costs next to
/// nothing, and a deeper tree would send 32 bytes more with every permit.
pub const PERMIT_BATCH_MAX: usize = 64;
/// Depth of a batch's Merkle tree: log2 of [`PERMIT_BATCH_MAX`].
pub const PERMIT_PATH_MAX: usize = 6;
/// Head room of a permit's byte budget over rate x life, in percent.
pub const PERMIT_BUDGET_PERCENT: u64 = 110;
/// A run: a station that is on for longer starts a new run.
pub const RUN_LIFE_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// Uni streams that a peer may have open toward us: quinn allocates for
/// every allowed stream, so this bounds memory per child.
pub const UNI_STREAMS_MAX: u32 = 16;
/// Parents that a member names when its coordinator was away: a new and an old
/// one for each stripe.
pub const HELD_EDGES_MAX: usize = 2 * STRIPES_MAX as usize;
/// Text of a voucher class or release channel, in bytes.
pub const LABEL_BYTES_MAX: usize = 64;
