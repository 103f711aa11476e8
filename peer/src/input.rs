//! Lines that a person (or a test) types.

use rustix::termios::tcgetpgrp;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use tokio::sync::mpsc;

/// A line, in characters; longer ones are cut.
const LINE_CHARS_MAX: usize = 1_024;
/// Lines that wait.
const LINES_MAX: usize = 16;
/// The terminal that a program was started from.
const TERMINAL: &str = "/dev/tty";

/// Lines of standard input or of the terminal, read on a thread of their own,
/// since a terminal's input cannot be cancelled.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: mpsc::Receiver<String>,
}

impl Lines {
    /// Of standard input.
    pub(crate) fn stdin() -> Self {
        Self::of(|| std::io::stdin().lock())
    }

    /// Of the terminal, for a program whose standard input is taken. None
    /// without one, and none in the background: reading would stop the
    /// program there.
    pub(crate) fn terminal() -> Option<Self> {
        let terminal = File::open(TERMINAL).ok()?;
        let in_front = tcgetpgrp(&terminal).ok()? == rustix::process::getpgrp();
        in_front.then(|| Self::of(|| BufReader::new(terminal)))
    }

    fn of<R: BufRead>(open: impl FnOnce() -> R + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in open().lines() {
                let line = match line {
                    Ok(line) => line,
                    // No text, and refused as such; what follows may be.
                    Err(e) if e.kind() == ErrorKind::InvalidData => '\u{fffd}'.to_string(),
                    Err(_) => return,
                };
                let line: String = line.trim().chars().take(LINE_CHARS_MAX).collect();
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// The next line; `None` at the end of the input.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[tokio::test]
    async fn a_line_that_is_no_text_takes_none_of_the_next_along() {
        let mut lines = Lines::of(|| Cursor::new(b"\xff\xfe\n accept 7 \nquit".to_vec()));
        for expected in ["\u{fffd}", "accept 7", "quit"] {
            assert_eq!(lines.next().await.as_deref(), Some(expected));
        }
        assert_eq!(lines.next().await, None);
    }
}
