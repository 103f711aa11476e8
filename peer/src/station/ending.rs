//! The end of a run: viewers play to the last chunk and leave, then the run
//! ends for who is left.

use super::coordinator::Coordinator;
use crate::Error;
use link::{Clock, Emitter};
use serde_json::json;
use std::time::Duration;
use wire::message::control::{Down, NodeKind};
use wire::{Reason, UnixMs};

/// The end of the run's keys comes this long after the end of the broadcast:
/// the last chunks still have to be fetched under them.
const LAST_MS: u64 = 10_000;
/// How long before that the broadcaster is told.
const NOTICE_MS: u64 = 30 * 60 * 1000;
/// How often the clock is looked at: a machine that slept may be past the end.
const LOOK_MS: u64 = 10_000;
/// The farewells need a moment on the wire.
const FAREWELLS_MS: u64 = 300;

/// Returns when the run has to end because its keys do.
pub(super) async fn keys_over(clock: Clock, end: UnixMs, emit: Emitter) -> Error {
    let mut told = false;
    loop {
        let left_ms = end.since_ms(clock.unix()).saturating_sub(LAST_MS);
        if left_ms == 0 {
            emit.tell("run_over", json!({}));
            return Error::RunOver;
        }
        if left_ms <= NOTICE_MS && !std::mem::replace(&mut told, true) {
            emit.tell("run_ends_soon", json!({"left_ms": left_ms}));
        }
        tokio::time::sleep(Duration::from_millis(left_ms.min(LOOK_MS))).await;
    }
}

impl Coordinator {
    /// The last chunk is out: everybody hears how far the stream is, and has
    /// as long as chunks are kept to get there. A second call waits no more.
    pub(super) fn begin_end(&mut self) {
        let now_ms = self.clock.mono_ms();
        let kept_ms = self.settings.kept_ms;
        let until_ms = self
            .ends_ms
            .map_or(now_ms.saturating_add(kept_ms), |_| now_ms);
        self.ends_ms = Some(until_ms);
        self.send_last_beacon();
    }

    /// Whether nobody is on the way to the last chunk any more, or its time
    /// is over. Who has no parent has nothing to wait for.
    pub(super) fn has_ended(&self) -> bool {
        let Some(until_ms) = self.ends_ms else {
            return false;
        };
        let peer = |node| self.members.get(node).map(|m| m.kind) == Some(NodeKind::Peer);
        if self.settings.mesh && self.members.keys().any(peer) {
            return self.clock.mono_ms() >= until_ms;
        }
        let edges = self.planner.edges();
        self.clock.mono_ms() >= until_ms
            || !(self.any_below() || edges.iter().any(|edge| peer(&edge.child)))
    }

    /// Ends the run for who is left.
    pub(super) async fn farewell(&self) {
        for member in self.members.values() {
            let _ = member.down.send(Down::Refused(Reason::RunEnded));
        }
        if !self.members.is_empty() {
            tokio::time::sleep(Duration::from_millis(FAREWELLS_MS)).await;
        }
    }
}
