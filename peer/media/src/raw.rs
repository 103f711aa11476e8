//! Any bytes as a stream: `broadcast --raw`.

use bytes::BytesMut;

use crate::error::{Error, Result};
use crate::item::Fragment;
use crate::limits;

/// What a receiver is told about a stream without a format.
pub const MIME: &str = "application/octet-stream";

/// Cuts a byte stream into pieces of at most a chosen size.
///
/// A piece is ready when it is full, or when the caller, who has the clock,
/// calls [`Cutter::flush`] because enough time has passed. Every piece can be
/// the first a receiver gets.
#[derive(Debug)]
pub struct Cutter {
    piece_bytes_max: usize,
    buffer: BytesMut,
    /// When the first byte in `buffer` came, µs.
    since_us: u64,
    pieces: u32,
}

impl Cutter {
    /// A cutter of pieces of at most `piece_bytes_max` bytes.
    ///
    /// # Errors
    /// [`Error::PieceSize`] unless that is 1 to [`limits::RAW_PIECE_BYTES_MAX`].
    pub fn new(piece_bytes_max: usize) -> Result<Self> {
        if piece_bytes_max == 0 || piece_bytes_max > limits::RAW_PIECE_BYTES_MAX {
            return Err(Error::PieceSize {
                bytes: piece_bytes_max,
            });
        }
        Ok(Self {
            piece_bytes_max,
            buffer: BytesMut::new(),
            since_us: 0,
            pieces: 0,
        })
    }

    /// Takes bytes that came at `now_us` on the caller's monotonic clock.
    pub fn push(&mut self, bytes: &[u8], now_us: u64) {
        if self.buffer.is_empty() {
            self.since_us = now_us;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next full piece. Call until `None` after each push.
    pub fn next_piece(&mut self, now_us: u64) -> Option<Fragment> {
        if self.buffer.len() < self.piece_bytes_max {
            return None;
        }
        Some(self.piece(self.piece_bytes_max, now_us))
    }

    /// Whatever is left, as a piece that may be shorter.
    pub fn flush(&mut self, now_us: u64) -> Option<Fragment> {
        let bytes = self.buffer.len().min(self.piece_bytes_max);
        (bytes > 0).then(|| self.piece(bytes, now_us))
    }

    /// `bytes` is at most the length of the buffer.
    fn piece(&mut self, bytes: usize, now_us: u64) -> Fragment {
        self.pieces = self.pieces.wrapping_add(1);
        let decode_time_us = self.since_us;
        self.since_us = now_us.max(decode_time_us);
        Fragment {
            bytes: self.buffer.split_to(bytes).freeze(),
            sequence: self.pieces,
            decode_time_us,
            duration_us: self.since_us.saturating_sub(decode_time_us),
            keyframe: true,
            spans: Vec::new(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cuts_full_pieces_and_flushes_the_rest() {
        let mut cutter = Cutter::new(4).unwrap();
        cutter.push(b"abcdef", 1_000);
        let full = cutter.next_piece(1_000).unwrap();
        assert_eq!((full.bytes.as_ref(), full.sequence), (&b"abcd"[..], 1));
        assert!(full.keyframe);
        assert_eq!(cutter.next_piece(1_000), None);
        cutter.push(b"g", 1_500);
        let rest = cutter.flush(2_000).unwrap();
        assert_eq!((rest.bytes.as_ref(), rest.sequence), (&b"efg"[..], 2));
        assert_eq!((rest.decode_time_us, rest.duration_us), (1_000, 1_000));
        assert_eq!(cutter.flush(2_000), None);
    }

    #[test]
    fn refuses_piece_sizes_out_of_bounds() {
        for bytes in [0, limits::RAW_PIECE_BYTES_MAX + 1] {
            let error = Cutter::new(bytes).unwrap_err();
            assert_eq!(error.reason(), "media_piece_size");
        }
    }
}
