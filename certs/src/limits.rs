//! Bounds of the checks: one place, a name with its unit, the reason.

/// How far two honest clocks may be apart, in milliseconds: a home computer
/// that has ever seen a time server is nearer, and a permit's life is five
/// times as long.
pub const CLOCK_SKEW_MS_MAX: u64 = 60 * 1000;
/// Verified headers that are remembered: over three minutes of 200 ms chunks,
/// more than any node keeps for resuming.
pub const HEADER_WINDOW: usize = 1024;
/// Batches of permits whose signatures are remembered: a relay with a hundred
/// children hears of two in a minute of each.
pub const PERMIT_BATCHES_MAX: usize = 256;
/// Chunk keys that an opener has derived at the same time: two epochs of all
/// renditions, media and init.
pub const CHUNK_KEYS_MAX: usize = 2 * 2 * wire::limits::RENDITIONS_MAX as usize;
/// Epoch secrets that a member holds: one eviction per five seconds for as
/// long as a viewer keeps chunks, and room.
pub const EPOCH_SECRETS_MAX: usize = 64;
/// Latest time that a certificate can carry, in milliseconds since 1970:
/// 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5).
pub const CERTIFICATE_TIME_MS_MAX: u64 = 253_402_300_799_000;
