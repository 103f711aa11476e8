//! SHA-256 as it stands in JSON.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// 64 lower-case hexadecimal digits.
pub(crate) fn sha256(data: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, data).as_ref())
}
