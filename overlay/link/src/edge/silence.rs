//! A stripe that is silent while others bring the chunks: the first sign that
//! its parent, or somebody above, has failed.

use super::table::{EdgeKey, Handle};
use crate::node::{Node, NodeEvent};
use std::convert::Infallible;
use std::time::Duration;
use wire::message::control::NodeKind;
use wire::{Stripe, StripeSet};

/// A stripe of which nothing comes for so long, while others bring its chunks,
/// has failed, in milliseconds: two and a half chunks of 200 ms, so that one
/// late chunk is none, and a quarter of the time that a viewer may wait for a
/// repair.
const SILENT_MS_MAX: u64 = 500;
/// How often silence is looked for: a fifth of what is looked for.
const LOOK_MS: u64 = 100;
/// How long after a word about a stripe the next one follows: the bound for
/// repair, so that the coordinator has had its time.
const AGAIN_MS: u64 = 2_000;

/// Compares what comes of each stripe of a parent with the chunks that are
/// here, and tells the driver of those that are silent. The edge stays: the
/// coordinator knows who above is to blame. Never returns.
pub(super) async fn watch_stripes(node: &Node, key: EdgeKey, handle: &Handle) -> Infallible {
    let striped = node.run().is_some_and(|run| run.stripes.count() > 1);
    if !striped || handle.other.kind == NodeKind::Station {
        // One stripe alone has nothing to be compared with but beacons. The
        // station is not judged: whoever else has a stripe has it from there.
        return std::future::pending().await;
    }
    let mut told_ms = 0;
    let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
    loop {
        look.tick().await;
        let now_ms = node.clock.mono_ms();
        if told_ms != 0 && now_ms.saturating_sub(told_ms) < AGAIN_MS {
            continue;
        }
        if tell_silent(node, key, now_ms) {
            told_ms = now_ms;
        }
    }
}

fn tell_silent(node: &Node, key: EdgeKey, now_ms: u64) -> bool {
    let Some((rendition, _)) = node.edges.flow_of(key) else {
        return false;
    };
    let before_ms = now_ms.saturating_sub(SILENT_MS_MAX);
    let mut head = None;
    let overdue = |(stripe, from): (Stripe, _)| {
        let (overdue, newest) = node.overdue(rendition, stripe.into(), from, before_ms);
        head = newest.max(head);
        overdue
    };
    let silent = node.edges.silent(key, now_ms, SILENT_MS_MAX);
    let stripes = silent
        .into_iter()
        .map(overdue)
        .fold(StripeSet::EMPTY, StripeSet::union);
    let Some(head) = head.filter(|_| !stripes.is_empty()) else {
        return false;
    };
    let _ = node.events.send(NodeEvent::Withheld {
        from: key.0,
        rendition,
        stripes,
        head,
        newest: node.whole(rendition, stripes),
    });
    true
}
