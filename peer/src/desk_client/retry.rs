//! Sending the same request again after a lost reply.

use crate::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::sleep;

/// Tries of one request. A desk that is away for longer than their pauses
/// (1.75 s on average) is asked again by whoever started this.
const TRIES_MAX: u32 = 4;
/// The first pause, in ms; each later one is twice as long.
const PAUSE_MS: u64 = 250;

/// Sends until there is an answer, at most [`TRIES_MAX`] times. What `send`
/// sends must be the same each time: the desk may have acted on it.
pub(crate) async fn replay<T, F>(mut send: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut pause_ms = PAUSE_MS;
    for _ in 1..TRIES_MAX {
        match send().await {
            Err(Error::DeskAway { step, detail }) => {
                tracing::debug!("desk: {step}: {detail}; sending it again");
            }
            result => return result,
        }
        sleep(jittered(pause_ms)).await;
        pause_ms = pause_ms.saturating_mul(2);
    }
    send().await
}

/// Half to one and a half times `ms`: many clients must not come back as one.
pub(crate) fn jittered(ms: u64) -> Duration {
    // Without randomness the pause is the middle: waiting needs no secret.
    let random = getrandom::u32().unwrap_or(1 << 31);
    let share = ms.saturating_mul(u64::from(random)) >> 32;
    Duration::from_millis((ms / 2).saturating_add(share))
}
