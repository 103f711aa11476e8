//! What the targets share: altering a valid input, so that the fuzzer gets
//! past the outermost check.

/// Applies edits to `original`. An edit is four bytes: what to do (set,
/// exclusive-or, delete, insert), a position as two bytes (modulo the length)
/// and a value.
#[must_use]
pub fn altered(original: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for edit in edits.chunks_exact(4) {
        let &[what, high, low, value] = edit else {
            continue;
        };
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
        match what % 4 {
            0 => bytes[at] = value,
            1 => bytes[at] ^= value,
            2 => {
                bytes.remove(at);
            }
            _ => bytes.insert(at, value),
        }
    }
    bytes
}
