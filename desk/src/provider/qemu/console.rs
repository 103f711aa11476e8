//! A machine's serial console: firmware and kernel say there why they do not
//! go on. It is read as it comes and only its end is kept, so that a machine
//! that talks for ever fills no disk.

use std::collections::VecDeque;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// How much of the console's end is kept, in bytes.
const TAIL_BYTES_MAX: usize = 16 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 4096;

/// What the firmware says of an image whose signature it refuses, before it
/// falls through to its shell.
const REFUSED: &[u8] = b"Access Denied";
/// What the kernel says when it cannot go on.
const PANIC: &[u8] = b"Kernel panic - not syncing";

/// What the console showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Secure Boot refused an image.
    pub(super) refused: bool,
    /// The kernel has given up.
    pub(super) panicked: bool,
}

/// The end of what was written, and the signs in all of it.
#[derive(Debug, Default)]
pub(super) struct Console {
    tail: VecDeque<u8>,
    signs: Signs,
}

impl Console {
    /// Takes the next bytes; the signs so far.
    fn take(&mut self, bytes: &[u8]) -> Signs {
        self.tail.extend(bytes);
        // The tail is longer than one read and one sign: none falls between
        // two reads.
        let tail = self.tail.make_contiguous();
        let has = |sign: &[u8]| tail.windows(sign.len()).any(|part| part == sign);
        self.signs.refused |= has(REFUSED);
        self.signs.panicked |= has(PANIC);
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        self.tail.drain(..surplus);
        self.signs
    }

    /// The last lines, printable characters alone: a machine's words must not
    /// steer the terminal that shows the desk's log.
    fn last_lines(&self, count: usize) -> String {
        let printable = |byte: &&u8| **byte == b'\n' || (b' '..=b'~').contains(*byte);
        let kept = self.tail.iter().filter(printable);
        let text: String = kept.map(|byte| char::from(*byte)).collect();
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        let first = lines.len().saturating_sub(count);
        lines.get(first..).unwrap_or_default().join("\n")
    }
}

/// Reads a console to its end, telling the signs as they come; its last 20
/// lines.
pub(super) async fn follow(
    mut from: impl AsyncRead + Unpin,
    signs: watch::Sender<Signs>,
) -> String {
    let mut console = Console::default();
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let seen = console.take(buffer.get(..count).unwrap_or_default());
        signs.send_if_modified(|known| std::mem::replace(known, seen) != seen);
    }
    console.last_lines(20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_refusal_is_seen_wherever_the_reads_cut_it() {
        let said = b"\x1b[2JBdsDxe: failed to load Boot0001: Access Denied\r\nShell> ";
        for cut in 1..said.len() {
            let (signs, seen) = watch::channel(Signs::default());
            let (one, two) = said.split_at(cut);
            let last = follow(one.chain(two), signs).await;
            assert!(seen.borrow().refused && !seen.borrow().panicked);
            assert!(last.ends_with("Shell> "), "{last}");
        }
    }

    #[test]
    fn ordinary_words_are_no_sign_and_long_talk_is_forgotten() {
        let mut console = Console::default();
        for _ in 0..1000 {
            let signs = console.take(&[b'a'; 100]);
            assert_eq!(signs, Signs::default());
        }
        assert_eq!(console.tail.len(), TAIL_BYTES_MAX);
        assert!(console.take(b"Kernel panic - not syncing: x").panicked);
        assert!(console.take(&[b'\n'; 2 * TAIL_BYTES_MAX]).panicked);
    }
}
