//! A run that was cut short is taken up: the same keys in a later epoch, the
//! same members with the edges that they have, the same relays.

use super::Options;
use super::coordinator::{Coordinator, Member};
use super::keys::{ChunkKey, Keys};
use super::receipts::Accounts;
use super::saved::journal::{Journal, Published};
use super::saved::store::Store;
use super::saved::{Saved, SavedEdge, SavedGrant, SavedMember, SavedRound};
use crate::Error;
use link::{Clock, Emitter};
use overlay::planner::{Adopted, Peer, Relay, Standing};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use wire::codec::{List, Text};
use wire::message::control::NodeKind;
use wire::{SpkiHash, Stripe};

/// How long after its coordinator is back a member or relay may stay away
/// before it counts as lost: it hears within seconds that the old link is over,
/// and the pause between two of its calls is at most half of this.
pub(super) const RETURN_MS: u64 = 30_000;

/// The run of this start, and where it is saved.
pub(super) struct Begun {
    pub(super) keys: Keys,
    pub(super) chunk_key: ChunkKey,
    /// What was saved of it, if it goes on.
    pub(super) saved: Option<Saved>,
    pub(super) published: Published,
    pub(super) store: Option<Store>,
    pub(super) journal: Option<Journal>,
}

/// Makes a new run, or takes up the one that was cut short. Nothing of a run
/// that goes on is signed before its next life is on the disk.
pub(super) fn begin(options: &mut Options, clock: &Clock, emit: &Emitter) -> Result<Begun, Error> {
    let now = clock.unix();
    let data = options.shared.data.clone();
    if !options.resume {
        let (store, journal) = fresh_store(options, emit)?;
        let name = &options.shared.name;
        let (keys, chunk_key) = Keys::make(&data, name, now, options.run_ms, options.stripes)?;
        return Ok(Begun {
            keys,
            chunk_key,
            saved: None,
            published: Published::default(),
            store,
            journal,
        });
    }
    if !options.saving.saves() {
        return Err(Error::NothingToResume);
    }
    let mut store = Store::open(&data)?;
    let saved = store.read()?.ok_or(Error::NothingToResume)?;
    let (keys, chunk_key) = Keys::resume(&data, &saved, now)?;
    let published = store.published(&keys)?;
    let saved = Saved {
        lives: keys.lives,
        epoch: keys.epoch,
        ..saved
    };
    store.save(&saved)?;
    let journal = store.go_on_journal(options.kept_ms, &published)?;
    if options.shared.listen.port() == 0
        && let Ok(bound) = saved.bound.as_str().parse()
    {
        options.shared.listen = bound;
    }
    Ok(Begun {
        keys,
        chunk_key,
        saved: Some(saved),
        published,
        store: Some(store),
        journal: Some(journal),
    })
}

/// The folder for a new run; none while another station uses it.
fn fresh_store(
    options: &Options,
    emit: &Emitter,
) -> Result<(Option<Store>, Option<Journal>), Error> {
    if !options.smaller.is_empty() {
        emit.tell("run_not_saved", json!({"reason": "several_inputs"}));
        return Ok((None, None));
    }
    if !options.saving.saves() {
        return Ok((None, None));
    }
    let mut store = match Store::open(&options.shared.data) {
        Err(e @ Error::RunLocked) => {
            emit.tell("run_not_saved", json!({"reason": e.reason()}));
            emit.say("another station uses this --data: this run could not be taken up again");
            return Ok((None, None));
        }
        store => store?,
    };
    if !matches!(store.read(), Ok(None)) {
        emit.say("the run before was cut short; to take one up, start with --resume");
    }
    store.end()?;
    let journal = store.begin_journal(options.kept_ms)?;
    Ok((Some(store), Some(journal)))
}

impl Coordinator {
    pub(super) fn snapshot(&self) -> Result<Saved, Error> {
        let placed = |node: &SpkiHash| self.members.get(node).is_some_and(|m| m.placed);
        let order: Vec<SpkiHash> = self.planner.by_age().into_iter().filter(placed).collect();
        let sponsors: BTreeMap<SpkiHash, SpkiHash> = self
            .planner
            .rounds()
            .into_iter()
            .map(|round| (round.relay, round.sponsor))
            .collect();
        let members = order.iter().filter_map(|node| {
            let member = self.members.get(node)?;
            Some(member.saved(*node, sponsors.get(node).copied()))
        });
        let mut places: BTreeMap<SpkiHash, u32> = order.iter().copied().zip(1..).collect();
        places.insert(self.me, 0);
        let edges = self.permits.pairs().into_iter().filter_map(|pair| {
            Some(SavedEdge {
                child: *places.get(&pair.0)?,
                parent: *places.get(&pair.1)?,
                stripes: self.permits.get(pair)?.stripes,
            })
        });
        Ok(Saved {
            run: self.keys.signed_run.clone(),
            keyring: self.keys.keyring.clone(),
            certificate: wire::message::control::Certificate::new(
                self.keys.identity.certificate.clone(),
            )?,
            lives: self.keys.lives,
            epoch: self.keys.epoch,
            bound: Text::new(self.endpoint.address()?.to_string())?,
            members: List::new(members.collect())?,
            edges: List::new(edges.collect())?,
            evicted: List::new(self.evicted.iter().copied().collect())?,
            shown_sponsors: List::new(self.shown_sponsors.iter().copied().collect())?,
            grants: List::new(
                self.introductions
                    .left()
                    .map(|(member, left)| SavedGrant { member, left })
                    .collect(),
            )?,
            rounds: List::new(
                self.introductions
                    .known()
                    .map(|(sponsor, order)| SavedRound { sponsor, order })
                    .collect(),
            )?,
        })
    }

    /// Takes up what was saved: everybody keeps his place, and is away until he
    /// is on the line again.
    pub(super) fn take_up(&mut self, saved: Option<Saved>) {
        let Some(saved) = saved else { return };
        let now_ms = self.clock.mono_ms();
        self.planner
            .number_asks_from(super::permits::first_of_life(saved.lives));
        self.evicted.extend(saved.evicted.iter());
        self.shown_sponsors.extend(saved.shown_sponsors.iter());
        for grant in saved.grants.iter() {
            self.introductions.restore_grant(grant.member, grant.left);
        }
        for round in saved.rounds.iter() {
            self.introductions.admitted(round.sponsor, round.order);
        }
        let adopted = self.adopted(&saved, now_ms);
        for member in saved.members.iter() {
            self.expect_back(member, now_ms);
        }
        self.planner.adopt(now_ms, &adopted);
        self.permit_adopted(now_ms);
        let (members, edges) = (saved.members.len(), saved.edges.len());
        let fields = json!({
            "members": members, "edges": edges, "lives": saved.lives, "epoch": saved.epoch.0,
        });
        self.emit.tell("run_resumed", fields);
    }

    /// The planner's word for what was saved.
    fn adopted(&self, saved: &Saved, now_ms: u64) -> Vec<Adopted<SpkiHash>> {
        let name = |place: u32| match usize::try_from(place).ok()?.checked_sub(1) {
            None => Some(self.me),
            Some(at) => saved.members.get(at).map(|m| m.spki),
        };
        let mut parents: BTreeMap<SpkiHash, Vec<(Stripe, SpkiHash)>> = BTreeMap::new();
        for edge in saved.edges.iter() {
            if let Some((child, parent)) = name(edge.child).zip(name(edge.parent)) {
                let held = parents.entry(child).or_default();
                held.extend(edge.stripes.iter().map(|stripe| (stripe, parent)));
            }
        }
        let members = saved.members.iter().map(|member| Adopted {
            node: member.spki,
            standing: self.standing(member, now_ms),
            parents: parents.remove(&member.spki).unwrap_or_default(),
        });
        members.collect()
    }

    fn standing(&self, member: &SavedMember, now_ms: u64) -> Standing<SpkiHash> {
        match (&member.admission, member.sponsor) {
            (Some(admission), Some(sponsor)) => Standing::Relay(Relay {
                sponsor,
                order: certs::order::id(&admission.order),
                edges: 0,
                lease_end_ms: now_ms.saturating_add(member.lease_end.since_ms(self.clock.unix())),
            }),
            _ => Standing::Peer(Peer {
                edges: 0,
                never_ask: member.never_ask,
                relay_only: member.relay_only,
            }),
        }
    }

    fn expect_back(&mut self, saved: &SavedMember, now_ms: u64) {
        self.away.note(saved.spki, now_ms.saturating_add(RETURN_MS));
        let ceiling = (saved.kind == NodeKind::Relay).then_some(saved.claim_bps);
        self.proven.claim(saved.spki, saved.claim_bps, ceiling);
        let member = Member {
            name: saved.name.clone(),
            key: saved.key,
            kind: saved.kind,
            addresses: saved.addresses.clone(),
            sealing_key: None,
            receipt_key: None,
            relay_only: saved.relay_only,
            never_ask: saved.never_ask,
            // Nobody listens yet.
            down: mpsc::unbounded_channel().0,
            admission: saved.admission.clone(),
            claim_bps: saved.claim_bps,
            lease_end: saved.lease_end,
            load: None,
            placed: true,
            receipts: Accounts::default(),
        };
        self.members.insert(saved.spki, member);
        if let Some(sponsor) = saved.sponsor
            && saved.kind == NodeKind::Relay
        {
            self.call_relay(saved.spki, sponsor, RETURN_MS);
        }
    }

    /// Edges that work and were taken on count as permitted; their permits
    /// follow as soon as both ends are on the line.
    fn permit_adopted(&mut self, now_ms: u64) {
        for edge in self.planner.edges() {
            let pair = (edge.child, edge.parent);
            if edge.parent != self.me {
                self.permits.adopt(pair, edge.stripe, edge.priority, now_ms);
            }
        }
    }
}

impl Member {
    fn saved(&self, spki: SpkiHash, sponsor: Option<SpkiHash>) -> SavedMember {
        SavedMember {
            spki,
            key: self.key,
            name: self.name.clone(),
            kind: self.kind,
            addresses: self.addresses.clone(),
            relay_only: self.relay_only,
            never_ask: self.never_ask,
            claim_bps: self.claim_bps,
            admission: self.admission.clone(),
            sponsor,
            lease_end: self.lease_end,
        }
    }
}

/// What an earlier life published is given to who still lacks it.
pub(super) fn publish_again(node: &link::Node, published: &Published) -> Result<(), Error> {
    for chunk in published.chunks.iter().cloned() {
        let mut blocks = Vec::with_capacity(chunk.blocks.len());
        for ((index, data), path) in (0u16..).zip(chunk.blocks).zip(chunk.paths) {
            let verified = certs::block::verify(&chunk.header, index, &path, &data)?;
            blocks.push((verified, path, data));
        }
        node.publish(chunk.header, chunk.signed, blocks);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
