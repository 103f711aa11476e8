//! Relays that pass a smaller rendition on: each gets it from the station by an
//! edge of its own, beside what the trees give it.

use super::coordinator::Coordinator;
use super::edges::PERMIT_LIFE_MS;
use super::membership::renewal_after_ms;
use serde_json::json;
use std::collections::BTreeMap;
use wire::message::control::{Down, EdgeFailure, EdgeOrder};
use wire::statement::{Permit, PermitKind, Priority};
use wire::{Reason, Rendition, SpkiHash, StripeSet};

/// Permits in a row before their time, for one relay: else it could drain the
/// station by asking for everything again and again, or come and go for ever.
const EARLY_PERMITS_MAX: u8 = 3;

/// What one relay gets.
#[derive(Debug, Clone, Copy)]
struct Feed {
    rendition: Rendition,
    /// When the next permit is due; at once if none was signed.
    due_ms: u64,
    /// Permits in a row before their time.
    early: u8,
}

/// The relays that get one.
#[derive(Debug, Default)]
pub(super) struct Feeds(BTreeMap<SpkiHash, Feed>);

impl Coordinator {
    /// The relay gets this rendition from now on.
    pub(super) fn feed(&mut self, relay: SpkiHash, rendition: Rendition) {
        let feed = Feed {
            rendition,
            due_ms: 0,
            early: 0,
        };
        self.feeds.0.insert(relay, feed);
        let fields = json!({"relay": relay.to_hex(), "rendition": rendition.0});
        self.emit.tell("relay_fed", fields);
        self.mint_feed(relay);
    }

    /// It gets it no more.
    pub(super) fn unfeed(&mut self, relay: SpkiHash) {
        let Some(Feed { rendition, .. }) = self.feeds.0.remove(&relay) else {
            return;
        };
        let fields = json!({"relay": relay.to_hex(), "rendition": rendition.0});
        self.emit.tell("relay_unfed", fields);
        let (other, reason) = (self.me, Reason::Reparented);
        self.node.end_one_edge(relay, false, rendition, reason);
        let end = EdgeFailure {
            other,
            child: true,
            rendition,
            reason,
        };
        self.say(relay, Down::EdgeEnd(end));
    }

    /// Renews the permits whose time has come.
    pub(super) fn renew_feeds(&mut self) {
        let now_ms = self.clock.mono_ms();
        let due = self.feeds.0.iter_mut().filter(|(_, f)| f.due_ms <= now_ms);
        let due = due.map(|(relay, feed)| {
            feed.early = 0;
            *relay
        });
        for relay in due.collect::<Vec<SpkiHash>>() {
            self.mint_feed(relay);
        }
    }

    /// New permits for all of them: a new epoch has begun.
    pub(super) fn mint_feeds(&mut self) {
        for relay in self.feeds.0.keys().copied().collect::<Vec<SpkiHash>>() {
            self.mint_feed(relay);
        }
    }

    /// An edge by which a relay gets a smaller rendition has ended there; true
    /// if it is one. It is made anew, but not for ever: then whom the relay
    /// feeds is fed by others.
    pub(super) fn feed_down(&mut self, relay: SpkiHash, edge: &EdgeFailure) -> bool {
        let me = self.me;
        let feed = self.feeds.0.get_mut(&relay);
        let Some(feed) = feed.filter(|f| f.rendition == edge.rendition && edge.other == me) else {
            return false;
        };
        feed.early = feed.early.saturating_add(1);
        if feed.early <= EARLY_PERMITS_MAX {
            self.mint_feed(relay);
        } else {
            self.relay_passes_no_more(relay);
        }
        true
    }

    fn mint_feed(&mut self, relay: SpkiHash) {
        let ends = self.node_ref(relay).zip(self.node_ref(self.me));
        let Some((child, parent)) = ends else { return };
        let Some(rendition) = self.feeds.0.get(&relay).map(|feed| feed.rendition) else {
            return;
        };
        let stripes = StripeSet::from(self.keys.run.stripes);
        let issued = self.clock.unix();
        let permit = Permit {
            scope: self.keys.scope(),
            serial: self.permits.next_serial(),
            kind: PermitKind::Push,
            stripes,
            rendition,
            parent: self.me,
            child: relay,
            parent_order: None,
            child_order: child.admission.as_ref().map(|a| certs::order::id(&a.order)),
            priority: Priority::Relay,
            byte_budget: self.byte_budget_of(rendition, stripes.len().into()),
            issued,
            expiry: issued.plus_ms(PERMIT_LIFE_MS),
        };
        let permit = certs::permit::sign(&self.keys.permit, &permit);
        let dice = super::keys::random(&self.keys.rng).unwrap_or_default();
        let after_ms = renewal_after_ms(PERMIT_LIFE_MS, u16::from_be_bytes(dice));
        if let Some(feed) = self.feeds.0.get_mut(&relay) {
            feed.due_ms = self.clock.mono_ms().saturating_add(after_ms);
        }
        let up = EdgeOrder {
            permit: permit.clone(),
            other: parent,
            dial: false,
        };
        self.say(relay, Down::Edge(Box::new(up)));
        let down = EdgeOrder {
            permit,
            other: child,
            // Everybody dials a relay, and it dials no station.
            dial: true,
        };
        if let Err(e) = self.node.order_edge(down) {
            tracing::warn!("the station's own edge was refused: {e}");
        }
    }

    /// The relay goes, or cannot be relied on: whom it gives a smaller
    /// rendition gets it from others.
    pub(super) fn relay_passes_no_more(&mut self, relay: SpkiHash) {
        let now_ms = self.clock.mono_ms();
        if let Some(ladder) = &mut self.ladder {
            ladder.relay_gone(now_ms, &mut self.planner, relay);
        }
    }

    /// This viewer gets nothing, or nothing good, of a smaller rendition from
    /// this relay; true if it should.
    pub(super) fn passes_nothing(&mut self, child: SpkiHash, relay: SpkiHash) -> bool {
        let now_ms = self.clock.mono_ms();
        let ladder = self.ladder.as_mut();
        ladder.is_some_and(|l| l.failed(now_ms, &mut self.planner, child, relay))
    }

    /// Viewers to whom a relay gives a smaller rendition.
    pub(super) fn passed_on(&self, relay: SpkiHash) -> u32 {
        let below = self.ladder.iter().flat_map(|ladder| {
            let source = |(node, _)| ladder.source(node);
            ladder.below().filter_map(source)
        });
        let here = below.filter(|(parent, _)| *parent == relay);
        u32::try_from(here.count()).unwrap_or(u32::MAX)
    }
}
