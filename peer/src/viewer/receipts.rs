//! This viewer's receipts: one account for each stripe of each parent, so that
//! each is judged by what it sent itself.

use bytes::Bytes;
use certs::Verified;
use certs::bundle::MemberSecrets;
use certs::receipt::{Accumulator, Samplings};
use std::collections::BTreeMap;
use wire::limits::RENDITIONS_MAX;
use wire::message::receipt::{Receipt, Sampling};
use wire::statement::ChunkHeader;
use wire::{Rendition, Scope, SpkiHash, Stripe, StripeSet};

/// The accounts of one session.
#[derive(Debug)]
pub(crate) struct Receipts {
    scope: Scope,
    me: SpkiHash,
    accounts: BTreeMap<(SpkiHash, Stripe), Accumulator>,
    interval: u64,
    samplings: BTreeMap<Rendition, Samplings>,
}

impl Receipts {
    pub(super) const fn new(scope: Scope, me: SpkiHash) -> Self {
        Self {
            scope,
            me,
            accounts: BTreeMap::new(),
            interval: 0,
            samplings: BTreeMap::new(),
        }
    }

    /// The coordinator's rule of which chunks are receipted; one for chunks
    /// that another rules already changes nothing.
    pub(super) fn sample(&mut self, rule: Sampling) {
        if rule.rendition.0 < RENDITIONS_MAX {
            let rules = self.samplings.entry(rule.rendition);
            rules.or_default().learn(rule);
        }
    }

    /// The stripes of this chunk that are receipted.
    pub(super) fn asked(&self, header: &ChunkHeader, secrets: &MemberSecrets) -> StripeSet {
        let (key, all) = (&secrets.receipt_key, StripeSet::ALL);
        let rules = self.samplings.get(&header.rendition);
        rules.map_or(all, |rules| rules.stripes(key, header.sequence, all))
    }

    /// A stripe of this parent works, in this rendition. What is counted begins
    /// at zero, as the coordinator's account of it does.
    pub(super) fn open(&mut self, parent: SpkiHash, rendition: Rendition, stripe: Stripe) {
        let scope = self.scope.clone();
        let account = Accumulator::new(scope, self.me, parent, stripe, rendition);
        self.accounts.insert((parent, stripe), account);
    }

    /// Whether anything ends if only these stripes of this parent go on.
    pub(super) fn closes(&self, parent: SpkiHash, stripes: StripeSet) -> bool {
        let mut edges = self.accounts.keys();
        edges.any(|(from, stripe)| *from == parent && !stripes.has(*stripe))
    }

    /// Of this parent only these stripes go on; the receipts for what the
    /// others brought last, if there is anything.
    pub(super) fn keep(
        &mut self,
        parent: SpkiHash,
        stripes: StripeSet,
        secrets: &MemberSecrets,
    ) -> Vec<Receipt> {
        let over = |(from, stripe): &(SpkiHash, Stripe)| *from == parent && !stripes.has(*stripe);
        let over: Vec<_> = self.accounts.keys().copied().filter(over).collect();
        let closed = over.into_iter().filter_map(|edge| {
            let mut account = self.accounts.remove(&edge)?;
            finish(&mut account, &mut self.interval, secrets)
        });
        closed.collect()
    }

    /// Takes a verified block that `from` sent; in time or late.
    pub(super) fn add(
        &mut self,
        from: SpkiHash,
        header: &Verified<ChunkHeader>,
        (index, block): (u16, &Bytes),
        in_time: bool,
    ) {
        let stripe = header.layout.stripe_of(index);
        if let Some(account) = self.accounts.get_mut(&(from, stripe)) {
            // Refused is only what is of another run.
            let _ = account.add(header, index, block, in_time);
        }
    }

    /// A receipt for each parent that has sent something since the last time.
    pub(super) fn write(&mut self, secrets: &MemberSecrets) -> Vec<Receipt> {
        let interval = &mut self.interval;
        let accounts = self.accounts.values_mut();
        accounts
            .filter_map(|account| finish(account, interval, secrets))
            .collect()
    }

    /// All edges are over, and who is told of them has forgotten them.
    pub(super) fn clear(&mut self) {
        self.accounts.clear();
    }
}

/// The account's next receipt; none if it would say nothing.
fn finish(
    account: &mut Accumulator,
    interval: &mut u64,
    secrets: &MemberSecrets,
) -> Option<Receipt> {
    let receipt = account.finish(*interval, secrets.epoch, &secrets.receipt_key);
    let receipt = receipt.ok()?;
    let says = !(receipt.in_time.is_empty() && receipt.late.is_empty());
    says.then(|| {
        *interval = interval.saturating_add(1);
        receipt
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use certs::SigningKey;
    use certs::receipt::ReceiptKey;
    use certs::seal::{EpochSecret, Publisher, SealedChunk};
    use ring::rand::SystemRandom;
    use wire::statement::{ChunkFlags, RunStatement};
    use wire::{Epoch, RunId, StreamId, Stripes, UnixMs};

    const OLD: SpkiHash = SpkiHash([1; 32]);
    const NEW: SpkiHash = SpkiHash([2; 32]);
    const ME: SpkiHash = SpkiHash([3; 32]);
    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn secrets() -> MemberSecrets {
        let rng = SystemRandom::new();
        MemberSecrets {
            epoch: Epoch(0),
            epoch_secret: EpochSecret::generate(&rng).unwrap(),
            receipt_key: ReceiptKey::generate(&rng).unwrap(),
        }
    }

    /// Chunks of two blocks each.
    fn programme(secrets: &MemberSecrets, count: u64) -> (Scope, Vec<SealedChunk>) {
        let key = |seed: u8| SigningKey::from_seed([seed; 32]);
        let statement = RunStatement {
            scope: Scope {
                stream: StreamId(*key(1).public().as_bytes()),
                run: RunId([5; 16]),
                epoch: Epoch(0),
            },
            start: NOW,
            end: NOW.plus_ms(3_600_000),
            ca_key: key(2).public(),
            chunk_key: key(3).public(),
            permit_key: key(4).public(),
            beacon_key: key(5).public(),
            coordinator: SpkiHash([9; 32]),
            stripes: Stripes::SINGLE,
        };
        let signed = certs::sign(&key(1), &statement);
        let run = certs::run::verify(&signed, &statement.scope.stream, NOW).unwrap();
        let (epoch, secret) = (secrets.epoch, &secrets.epoch_secret);
        let mut publisher = Publisher::new(key(3), &run, epoch, secret, Rendition(0)).unwrap();
        let init = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        publisher.publish(b"init", 0, 0, NOW, init).unwrap();
        let flags = ChunkFlags::default();
        let chunks = (0..count).map(|n| {
            let time_us = n * 200_000;
            let chunk = publisher.publish(&[7; 20_000], time_us, 200_000, NOW, flags);
            chunk.unwrap()
        });
        (statement.scope, chunks.collect())
    }

    fn add(receipts: &mut Receipts, chunk: &SealedChunk, senders: [SpkiHash; 2]) {
        for ((index, block), from) in (0u16..).zip(&chunk.blocks).zip(senders) {
            receipts.add(from, &chunk.header, (index, block), true);
        }
    }

    fn close(receipts: &mut Receipts, parent: SpkiHash, secrets: &MemberSecrets) -> Receipt {
        let mut last = receipts.keep(parent, StripeSet::EMPTY, secrets);
        assert_eq!(last.len(), 1);
        last.remove(0)
    }

    fn marked(receipt: &Receipt) -> u32 {
        receipt.in_time.iter().map(|byte| byte.count_ones()).sum()
    }

    #[test]
    fn each_parent_is_receipted_for_the_chunks_that_it_sent_whole() {
        let secrets = secrets();
        let (scope, chunks) = programme(&secrets, 4);
        assert_eq!(chunks[0].blocks.len(), 2);
        let mut receipts = Receipts::new(scope, ME);
        receipts.open(OLD, Rendition(0), Stripe(0));
        receipts.open(NEW, Rendition(0), Stripe(0));
        add(&mut receipts, &chunks[0], [OLD, OLD]);
        add(&mut receipts, &chunks[1], [OLD, NEW]);
        add(&mut receipts, &chunks[2], [NEW, NEW]);
        add(&mut receipts, &chunks[3], [NEW, NEW]);
        let written = receipts.write(&secrets);
        let told: Vec<_> = written.iter().map(|r| (r.parent, marked(r))).collect();
        assert_eq!(told, [(OLD, 1), (NEW, 2)]);
        assert!(receipts.write(&secrets).is_empty(), "nothing new, no word");
    }

    #[test]
    fn of_a_large_audience_each_receipts_a_share() {
        let secrets = secrets();
        let (scope, chunks) = programme(&secrets, 40);
        let mut receipts = Receipts::new(scope, ME);
        let asked = |receipts: &Receipts| {
            let asked = |chunk: &&SealedChunk| {
                let stripes = receipts.asked(&chunk.header, &secrets);
                stripes.has(Stripe(0))
            };
            chunks.iter().filter(asked).count()
        };
        assert_eq!(asked(&receipts), 40);
        let rule = Sampling {
            rendition: Rendition(0),
            from: chunks[20].header.sequence,
            window_chunks: 1,
            one_in: 4,
        };
        receipts.sample(rule.clone());
        assert_eq!(asked(&receipts), 20 + 5);
        receipts.sample(Sampling { one_in: 1, ..rule });
        assert_eq!(asked(&receipts), 20 + 5, "that was ruled already");
    }

    #[test]
    fn a_parent_that_one_comes_back_to_is_counted_from_zero() {
        let secrets = secrets();
        let (scope, chunks) = programme(&secrets, 3);
        let mut receipts = Receipts::new(scope, ME);
        receipts.open(OLD, Rendition(0), Stripe(0));
        add(&mut receipts, &chunks[0], [OLD, OLD]);
        let last = close(&mut receipts, OLD, &secrets);
        add(&mut receipts, &chunks[1], [OLD, OLD]);
        assert!(receipts.write(&secrets).is_empty(), "no edge, no receipt");
        receipts.open(OLD, Rendition(0), Stripe(0));
        add(&mut receipts, &chunks[2], [OLD, OLD]);
        let next = close(&mut receipts, OLD, &secrets);
        assert_eq!(next.cumulative_bytes, last.cumulative_bytes);
        assert!(next.interval > last.interval);
    }
}
