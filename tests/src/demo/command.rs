//! Commands of the preparations, which end by themselves.

use super::error::Error;
use crate::process::{self, Exit, Launch};
use std::time::Duration;

/// Runs a command to its end; gives what it printed.
///
/// # Errors
/// [`Error::Process`]; [`Error::Command`] if it failed.
pub async fn command(
    step: &'static str,
    launch: &Launch,
    patience: Duration,
) -> Result<String, Error> {
    let (exit, text) = process::run(step, launch, patience).await?;
    match exit {
        Exit::Code(0) => Ok(text),
        other => Err(Error::Command {
            step,
            exit: format!("{other:?}"),
            log: process::tail(&launch.log),
        }),
    }
}
