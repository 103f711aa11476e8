//! Head beacons on the edges: taken from whichever path brings them, handed
//! on once, and compared with what the parent sends (threat D6).

use super::roles::grant;
use super::table::{EdgeKey, Handle};
use crate::node::{Node, NodeEvent};
use crate::{Error, Sender};
use certs::Verified;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use wire::message::control::NodeKind;
use wire::message::edge::Edge;
use wire::statement::{HeadBeacon, Signed};
use wire::{Rendition, Sequence, StripeSet};

/// A beacon that was verified here, and its bytes for the children.
#[derive(Debug)]
struct Known {
    signed: Signed<HeadBeacon>,
    beacon: Verified<HeadBeacon>,
}

/// The newest beacon of each rendition. Only the station signs any, and numbers
/// few of them.
type Newest = BTreeMap<Rendition, Known>;

/// The newest beacons of a node. Who waits for news finds the newest alone: a
/// slow child costs no memory, and is told what counts.
#[derive(Debug)]
pub(crate) struct Beacons {
    newest: watch::Sender<Newest>,
}

impl Default for Beacons {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(Newest::new()),
        }
    }
}

impl Beacons {
    /// The newest chunk that a beacon named.
    pub(crate) fn head(&self, rendition: Rendition) -> Option<Sequence> {
        let newest = self.newest.borrow();
        Some(newest.get(&rendition)?.beacon.head)
    }

    /// Takes a beacon from any path: checks it, lets it raise the node's
    /// clock, and hands it to the children and the driver if it is news.
    ///
    /// # Errors
    /// There is no run yet, or the beacon is not the run's: nobody hears of
    /// it, and whoever sent it has to go.
    pub(crate) fn take(&self, node: &Node, signed: &Signed<HeadBeacon>) -> Result<(), Error> {
        let known = |known: &Known| known.signed == *signed;
        if self.newest.borrow().values().any(known) {
            // Another path was faster, and the signature is checked.
            return Ok(());
        }
        let run = node
            .run()
            .ok_or(Error::OutOfTurn("a beacon before the run"))?;
        let beacon = certs::beacon::verify(signed, &run)?;
        node.clock.raise(&beacon);
        let news = self.newest.send_if_modified(|newest| {
            let known = newest.get(&beacon.rendition);
            let news = known.is_none_or(|k| is_news(&k.beacon, &beacon));
            if news {
                let known = Known {
                    signed: signed.clone(),
                    beacon: beacon.clone(),
                };
                newest.insert(beacon.rendition, known);
            }
            news
        });
        if news {
            let _ = node.events.send(NodeEvent::Beacon(beacon));
        }
        Ok(())
    }
}

/// A later head; or the same one at a later time, so that a station that
/// pauses is not taken for one that is cut off. What has been passed on once
/// is never news again, so that beacons cannot go round in circles.
fn is_news(known: &HeadBeacon, beacon: &HeadBeacon) -> bool {
    known.scope.run != beacon.scope.run || (beacon.head, beacon.now) > (known.head, known.now)
}

/// Tells a child of every new beacon, of a permit for other stripes, and of what
/// proves its sender wrong, for as long as the edge runs. They have a stream of
/// their own and never hold up the data.
///
/// # Errors
/// The link has ended.
pub(super) async fn hand_down(
    node: &Node,
    key: EdgeKey,
    handle: &Handle,
    child: &mut Sender,
) -> Result<(), Error> {
    let mut untold = node.edges.equivocations.untold(key.0);
    let mut newest = node.edges.beacons.newest.subscribe();
    // The newest from before the edge is news to this child.
    newest.mark_changed();
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            changed = newest.changed() => if changed.is_err() {
                return Ok(());
            },
            () = handle.again.notified() => {
                grant(node, key, handle);
                if let Some(permit) = node.edges.untold(key) {
                    child.send(&Edge::Renew(permit)).await?;
                }
                continue;
            }
            proof = untold.next() => {
                child.send(&Edge::Equivocation(proof)).await?;
                continue;
            }
        }
        let own = node.edges.flow_of(key).map(|(rendition, _)| rendition);
        let untold: Vec<Signed<HeadBeacon>> = {
            let known = newest.borrow_and_update();
            let fit = known.iter().filter(|(r, _)| r.0 == 0 || Some(**r) == own);
            let news =
                fit.filter(|(r, k)| told.insert(**r, k.signed.clone()) != Some(k.signed.clone()));
            news.map(|(_, known)| known.signed.clone()).collect()
        };
        for signed in untold {
            child.send(&Edge::Beacon(signed)).await?;
        }
    }
}

/// How far a node is behind the newest beacon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lag {
    head: Sequence,
    /// The newest media chunk that is complete here, or whole in the parent's
    /// stripes.
    newest: Option<Sequence>,
}

impl Lag {
    fn chunks(self) -> u64 {
        self.newest
            .map_or(u64::MAX, |newest| self.head.0.saturating_sub(newest.0))
    }

    /// Whether somebody who was `before` behind a while ago still lacks that
    /// head, and is not catching up either (as who joins or resumes does).
    fn is_withheld(self, before: Self) -> bool {
        self.newest < Some(before.head) && self.chunks() >= before.chunks()
    }
}

/// The lag of the node in these stripes, if it has any.
fn lag(node: &Node, rendition: Rendition, stripes: StripeSet, known: &Newest) -> Option<Lag> {
    let beacon = &known.get(&rendition)?.beacon;
    let newest = node.newest(rendition, stripes);
    let lag = Lag {
        head: beacon.head,
        newest,
    };
    (newest < Some(beacon.head)).then_some(lag)
}

/// Compares what comes from a parent with the beacons, and tells the driver
/// as long as the parent lets the node fall behind. The edge stays: whether
/// the parent withholds or is starved itself, the coordinator knows better.
/// Never returns.
pub(super) async fn watch_head(node: &Node, key: EdgeKey, handle: &Handle) -> Infallible {
    if handle.other.kind == NodeKind::Station {
        // It names its head itself: there is nothing to learn about it.
        return std::future::pending().await;
    }
    let mut newest = node.edges.beacons.newest.subscribe();
    let flow = || {
        let flow = node.edges.flow_of(key);
        flow.unwrap_or((Rendition(0), StripeSet::EMPTY))
    };
    let lag_now = |known: &Newest| {
        let (rendition, stripes) = flow();
        lag(node, rendition, stripes, known)
    };
    let kept_ms_max = node.config.forwarder.kept_ms_max;
    let patience = Duration::from_millis(node.controls.heads.behind_ms_max(kept_ms_max));
    loop {
        let mut before = None;
        let lags = newest.wait_for(|known| {
            before = lag_now(known).map(|lag| (flow().0, lag));
            before.is_some()
        });
        if lags.await.is_err() {
            return std::future::pending().await;
        }
        tokio::time::sleep(patience).await;
        let after = lag_now(&newest.borrow());
        let (rendition, stripes) = flow();
        if let (Some((of, before)), Some(after)) = (before, after)
            && of == rendition
            && after.is_withheld(before)
        {
            let _ = node.events.send(NodeEvent::Withheld {
                from: handle.other.spki,
                rendition,
                stripes,
                head: after.head,
                newest: after.newest,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(head: u64, newest: Option<u64>) -> Lag {
        Lag {
            head: Sequence(head),
            newest: newest.map(Sequence),
        }
    }

    #[test]
    fn who_stands_still_or_falls_back_is_withheld_from() {
        assert!(lag(20, Some(10)).is_withheld(lag(20, Some(10))));
        assert!(lag(40, Some(15)).is_withheld(lag(20, Some(10))));
        assert!(lag(40, None).is_withheld(lag(20, None)));
    }

    #[test]
    fn who_has_the_head_of_then_or_catches_up_is_not() {
        assert!(!lag(40, Some(20)).is_withheld(lag(20, Some(10))));
        assert!(!lag(120, Some(95)).is_withheld(lag(100, Some(50))));
        assert!(!lag(120, Some(95)).is_withheld(lag(100, None)));
    }
}
