//! A relay in its machine, from its readiness to its end.

use super::boot::MACHINE;
use super::console::Signs;
use super::machine::{Exit, Guarded};
use super::network::Lease;
use crate::clock;
use crate::event::Events;
use crate::provider::Ended;
use crate::provider::boot::{is_event, read_line};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use voucher::RelayAddress;
use wire::UnixMs;

/// How long a machine may take to power off once its channel is closed, in
/// ms; then it is ended by force.
pub(super) const STOP_MS_MAX: u64 = 4_000;
/// How long after the paid time a machine is ended by force, in ms: the relay
/// powers it off itself, this is the second layer.
pub(super) const LEASE_GRACE_MS: u64 = 30_000;

/// The boot channel, after the conversation.
pub(super) struct Channel {
    pub(super) to: OwnedWriteHalf,
    pub(super) from: BufReader<OwnedReadHalf>,
}

/// A relay that was vouched for.
pub(super) struct Relay {
    pub(super) address: RelayAddress,
    /// The machine's process.
    pub(super) pid: u32,
    pub(super) channel: Channel,
    pub(super) guarded: Guarded,
    pub(super) signs: watch::Receiver<Signs>,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) network: Lease,
}

impl Relay {
    /// Passes the relay's events on until it ends: by itself, because the
    /// desk stops it, or because its time has long been over. When it
    /// returns, nothing of it runs, and its network is free.
    pub(super) async fn run(self, lease_end: UnixMs, events: &dyn Events) -> Ended {
        let Self {
            channel,
            mut guarded,
            signs,
            mut stopped,
            network,
            ..
        } = self;
        let Channel { to, mut from } = channel;
        let left_ms = clock::now().map_or(0, |now| lease_end.since_ms(now));
        let overdue = sleep(Duration::from_millis(
            left_ms.saturating_add(LEASE_GRACE_MS),
        ));
        tokio::pin!(overdue);
        let reason = loop {
            tokio::select! {
                line = read_line(&mut from) => match line {
                    Ok(Some(line)) if is_event(&line) => events.forward(&line),
                    Ok(Some(_)) => {}
                    // It closed its channel: it ends, or has gone astray.
                    Ok(None) | Err(_) => break None,
                },
                _ = stopped.wait_for(|stop| *stop) => break Some("desk_stopped"),
                () = &mut overdue => break Some("lease_ended"),
            }
        };
        // The end of its channel tells the relay to power off.
        drop((to, from));
        let patience = Duration::from_millis(STOP_MS_MAX);
        let exit = timeout(patience, guarded.ended(MACHINE)).await;
        guarded.end().await;
        drop(network);
        let panicked = signs.borrow().panicked;
        let exit = exit.ok().flatten();
        Ended {
            reason: reason
                .unwrap_or_else(|| exit_reason(exit, panicked))
                .to_owned(),
            code: exit.and_then(|exit| exit.code),
            signal: exit.and_then(|exit| exit.signal),
        }
    }
}

/// Why a machine ended that nobody stopped. One that panicked powers off like
/// any other: only its console tells.
const fn exit_reason(exit: Option<Exit>, panicked: bool) -> &'static str {
    match exit {
        _ if panicked => "relay_panicked",
        Some(Exit {
            signal: Some(_), ..
        }) => "relay_killed",
        Some(Exit { code: Some(0), .. }) => "relay_exited",
        Some(_) => "relay_failed",
        None => "relay_unresponsive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_name() {
        let exit = |code, signal| Some(Exit { code, signal });
        assert_eq!(exit_reason(exit(Some(0), None), false), "relay_exited");
        assert_eq!(exit_reason(exit(Some(0), None), true), "relay_panicked");
        assert_eq!(exit_reason(exit(Some(1), None), false), "relay_failed");
        assert_eq!(exit_reason(exit(None, Some(9)), false), "relay_killed");
        assert_eq!(exit_reason(None, false), "relay_unresponsive");
    }
}
