//! Lines that a person (or a test) types.

use tokio::sync::mpsc;

/// A line, in bytes; longer ones are cut.
const LINE_BYTES_MAX: usize = 1_024;
/// Lines that wait.
const LINES_MAX: usize = 16;

/// Lines of standard input, read on a thread of their own, since a terminal's
/// input cannot be cancelled.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: mpsc::Receiver<String>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        let (sender, lines) = mpsc::channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { return };
                let line: String = line.trim().chars().take(LINE_BYTES_MAX).collect();
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
