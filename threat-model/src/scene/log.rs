//! The log of a program that runs in this process, at its most talkative.

use crate::Failure;
use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::dispatcher::{DefaultGuard, Dispatch, set_default};

thread_local! {
    /// Keeps the log of a thread of the runtime for as long as that lives.
    static LOGGED: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

/// What was logged so far.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs as [`super::stage`] does, with everything logged that the threads of
/// this one stage log, in the program's own form: at level trace, of which a
/// shipped program keeps what is at least an info.
///
/// # Errors
/// Those of the attack, or [`Failure::Timeout`].
pub fn stage<T, F>(attack: impl FnOnce(Log) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let log = Log::default();
    let written = log.clone();
    let dispatch = Dispatch::new(
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || written.clone())
            .finish(),
    );
    let _logged = set_default(&dispatch);
    super::stage_on(
        move || LOGGED.with(|slot| *slot.borrow_mut() = Some(set_default(&dispatch))),
        attack(log),
    )
}
