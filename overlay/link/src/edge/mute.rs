//! A parent of which nothing comes at all, though beacons say that the stream
//! goes on. Where it carries all that a node gets, nothing else brings what it
//! leaves out, and there is nothing to compare its stripes with but that. One of
//! which nothing has come since the edge was made is not judged here.

use super::table::{EdgeKey, Handle};
use crate::Link;
use crate::group::Heard;
use crate::node::{Node, NodeEvent};
use std::convert::Infallible;
use std::time::Duration;
use wire::message::control::NodeKind;
use wire::{Rendition, Sequence};

/// How often is looked: a fifteenth of what is looked for.
const LOOK_MS: u64 = 100;
/// How long after a word about a parent the next one follows, as for a stripe.
const AGAIN_MS: u64 = 2_000;

/// Who lacked something for so long before the last byte came is on a slow line,
/// in milliseconds: a parent that leaves a group out for it sends nothing until
/// the next one. How far it may fall behind, `watch_head` knows.
const SLOW_MS: u64 = 3_000;

/// Since when a parent owes what does not come.
#[derive(Debug, Default)]
struct Owing {
    since_ms: Option<u64>,
    told_ms: Option<u64>,
}

impl Owing {
    /// Whether to complain now. `lacks`: a chunk that beacons name is not here.
    /// `heard_ms`: when the last byte of the stream came from this parent, were
    /// it of a block that is not whole yet. `patience_ms`: how long nothing may
    /// come.
    fn look(&mut self, now_ms: u64, lacks: bool, heard_ms: u64, patience_ms: u64) -> bool {
        if !lacks {
            *self = Self::default();
            return false;
        }
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        let quiet_ms = now_ms.saturating_sub(since_ms.max(heard_ms));
        let slow = heard_ms.saturating_sub(since_ms) > SLOW_MS;
        let told = |told_ms: u64| now_ms.saturating_sub(told_ms) < AGAIN_MS;
        if slow || quiet_ms < patience_ms || self.told_ms.is_some_and(told) {
            return false;
        }
        self.told_ms = Some(now_ms);
        true
    }
}

/// Tells the driver of a parent of which nothing comes while the node lacks
/// what was published. The edge stays: the coordinator knows who above is to
/// blame. Never returns.
pub(super) async fn watch_mute(
    node: &Node,
    key: EdgeKey,
    handle: &Handle,
    link: &Link,
    heard: &Heard,
) -> Infallible {
    if handle.other.kind == NodeKind::Station {
        // It names its head itself: there is nothing to learn about it.
        return std::future::pending().await;
    }
    let mut owing = Owing::default();
    let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
    loop {
        look.tick().await;
        // It may have been moved to another one since.
        let Some((rendition, stripes)) = node.edges.flow_of(key) else {
            continue;
        };
        let lacking = lacking(node, key, rendition);
        let patience_ms = patience_ms(node, link);
        let now_ms = node.clock.mono_ms();
        // A new parent may have to catch up first, for others below: what it
        // owes then is a matter of how far it is behind.
        let Some(heard_ms) = heard.at_ms() else {
            continue;
        };
        if owing.look(now_ms, lacking.is_some(), heard_ms, patience_ms)
            && let Some((head, newest)) = lacking
        {
            let _ = node.events.send(NodeEvent::Withheld {
                from: key.0,
                rendition,
                stripes,
                head,
                newest,
            });
        }
    }
}

/// The newest published chunk, if it is not here, and the newest one that is.
fn lacking(
    node: &Node,
    key: EdgeKey,
    rendition: Rendition,
) -> Option<(Sequence, Option<Sequence>)> {
    let head = node.edges.beacons.head(rendition)?;
    let newest = node.newest(rendition, node.edges.stripes_of(key.0));
    (newest < Some(head)).then_some((head, newest))
}

/// On a slow line a lost packet comes again after some round trips only.
fn patience_ms(node: &Node, link: &Link) -> u64 {
    let rtt_ms = u64::try_from(link.connection.rtt().as_millis()).unwrap_or(u64::MAX);
    let kept_ms_max = node.config.forwarder.kept_ms_max;
    node.controls.heads.mute_ms_max(rtt_ms, kept_ms_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE_MS: u64 = 1_500;

    /// When somebody complains who looks every 100 ms until `until_ms`.
    fn complaints(
        until_ms: u64,
        lacks: impl Fn(u64) -> bool,
        heard_ms: impl Fn(u64) -> u64,
    ) -> Vec<u64> {
        let mut owing = Owing::default();
        let looks = (0..until_ms).step_by(100);
        looks
            .filter(|now_ms| owing.look(*now_ms, lacks(*now_ms), heard_ms(*now_ms), PATIENCE_MS))
            .collect()
    }

    #[test]
    fn who_owes_and_sends_nothing_is_told_again_and_again() {
        assert_eq!(complaints(6_000, |_| true, |_| 0), [1_500, 3_500, 5_500]);
    }

    #[test]
    fn a_slow_line_that_brings_something_is_no_mute_parent() {
        let trickles = |now_ms| now_ms / 1_400 * 1_400;
        assert!(complaints(60_000, |_| true, trickles).is_empty());
    }

    #[test]
    fn who_was_behind_for_long_is_slow_and_not_cut_off() {
        // The last byte comes after so many milliseconds without the head.
        let cut_at = |last_ms: u64| move |now_ms: u64| now_ms.min(last_ms);
        assert_eq!(complaints(4_600, |_| true, cut_at(3_000)), [4_500]);
        assert!(complaints(60_000, |_| true, cut_at(3_100)).is_empty());
    }

    #[test]
    fn who_lacks_nothing_waits_for_ever_and_counts_from_what_it_lacks() {
        assert!(complaints(60_000, |_| false, |_| 0).is_empty());
        assert!(complaints(10_500, |now_ms| now_ms >= 9_000, |_| 0).is_empty());
        assert_eq!(
            complaints(10_600, |now_ms| now_ms >= 9_000, |_| 0),
            [10_500]
        );
    }

    #[test]
    fn who_caught_up_meanwhile_begins_anew() {
        let lacks = |now_ms| now_ms != 1_000;
        assert!(complaints(2_600, lacks, |_| 0).is_empty());
        assert_eq!(complaints(2_700, lacks, |_| 0), [2_600]);
    }
}
