//! Programs that must not outlive the desk, each set under a guard.
//!
//! A desk that is killed with SIGKILL can clean up nothing. So it starts no
//! emulator itself: it starts `roundcast-desk guard` and keeps the writing end
//! of the guard's standard input. The kernel closes it with the desk, however
//! the desk ends, and the guard then kills what it started. Each layer has
//! one behind it:
//!
//! ```text
//! desk   closes the guard's input              -> the guard kills its programs
//! guard  its own deadline                      -> it kills its programs
//! kernel the guard dies (setpriv --pdeathsig)  -> its programs die
//! desk   at its next start, from the pid file  -> it kills what is left
//! ```

pub mod leftover;
mod pidfile;
mod plan;
mod process;
mod run;

pub use plan::{Plan, Program, Ready, Told};
pub use process::Process;
pub use run::{STEP_MS_MAX, main};
