//! What attacks are staged with. Everybody here but the attacker is built
//! from the project's own libraries, on real sockets of this machine.

pub mod audience;
pub mod boot;
pub mod browser;
pub mod client;
pub mod cloud;
pub mod desk;
pub mod documents;
pub mod edge;
pub mod log;
pub mod machine;
pub mod meddler;
pub mod mesh;
pub mod rogue;
pub mod round;
pub mod shop;
pub mod stream;
pub mod under;

use crate::Failure;
use ring::rand::{SecureRandom, SystemRandom};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use wire::UnixMs;

/// An attack that takes longer hangs.
const ATTACK_MS_MAX: u64 = 60_000;

/// Any free port of this machine.
#[must_use]
pub fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The wall clock.
#[must_use]
pub fn now() -> UnixMs {
    link::Clock::new().unix()
}

/// The system's randomness.
#[must_use]
pub fn rng() -> SystemRandom {
    SystemRandom::new()
}

/// Random bytes.
///
/// # Errors
/// [`Failure::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    rng().fill(&mut bytes).map_err(|_| Failure::Random)?;
    Ok(bytes)
}

/// Runs an attack that needs sockets.
///
/// # Errors
/// Those of the attack, or [`Failure::Timeout`].
pub fn stage<T>(attack: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    stage_on(|| {}, attack)
}

/// The same, with `prepare` run at the start of each thread.
fn stage_on<T>(
    prepare: impl Fn() + Send + Sync + 'static,
    attack: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(prepare)
        .enable_all()
        .build()?;
    let outcome =
        runtime.block_on(async { within(ATTACK_MS_MAX, "end of the attack", attack).await? });
    // Relays and nodes of the stage may still run: their tasks are dropped.
    runtime.shutdown_background();
    outcome
}

/// Waits at most this long, in milliseconds.
///
/// # Errors
/// [`Failure::Timeout`] that names what was waited for.
pub async fn within<T>(
    ms: u64,
    what: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, Failure> {
    tokio::time::timeout(Duration::from_millis(ms), future)
        .await
        .map_err(|_| Failure::Timeout(what))
}
