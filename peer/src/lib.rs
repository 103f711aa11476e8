//! The client: station, coordinator, viewer, sponsor, wallet.
//!
//! A thin command line ([`cli`]) over drivers: [`station`] publishes and
//! coordinates, [`viewer`] joins, plays and forwards, [`sponsor`] turns a
//! person's yes into a verified relay, [`wallet`] keeps vouchers, and
//! [`verify`] explains invites, certificates and releases offline. What is
//! decided, is decided in the pure crates below.

pub mod cli;
mod clock;
pub mod config;
pub mod desk_client;
mod error;
mod input;
mod output;
mod page_view;
mod signals;
pub mod sponsor;
pub mod station;
#[cfg(test)]
mod test_files;
#[cfg(test)]
mod test_relay;
mod trust;
pub mod verify;
pub mod viewer;
pub mod wallet;

pub use error::Error;
pub use trust::Trust;

use cli::{Cli, Verb};

/// Runs one command; the result is the exit code.
///
/// # Errors
/// The step that failed; [`Error::exit_code`] says how to exit.
pub async fn run(cli: Cli) -> Result<u8, Error> {
    match cli.verb {
        Verb::Broadcast(options) => station::run(options.resolve()?).await,
        Verb::Watch(options) => viewer::run(options.resolve()?).await,
        Verb::Wallet(options) => wallet::run(options).await,
        Verb::Verify(options) => verify::run(&options),
        Verb::Config(options) => config::run(&options),
    }
}
