//! What the broadcaster types, and the signals that mean the same.

use super::Remote;
use crate::input::Lines;
use crate::output;
use crate::signals::Interrupts;

/// Does what is typed; returns when the broadcast is to end. Where the stream
/// comes from standard input, commands are read from the terminal.
pub(super) async fn until_quit(remote: Remote, stdin_is_media: bool, mut signals: Interrupts) {
    let lines = if stdin_is_media {
        Lines::terminal()
    } else {
        Some(Lines::stdin())
    };
    tokio::select! {
        () = typed(remote, lines) => {}
        () = signals.heard(1) => {}
    }
}

/// Returns on `quit`.
async fn typed(remote: Remote, lines: Option<Lines>) {
    if let Some(mut lines) = lines {
        while let Some(line) = lines.next().await {
            match line.split_once(' ') {
                Some(("evict", name)) => remote.evict(name),
                _ if line == "quit" => return,
                _ => output::note("commands: quit, evict NAME"),
            }
        }
    }
    // No terminal, or its end: the stream goes on.
    std::future::pending::<()>().await;
}
