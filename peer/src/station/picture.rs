//! The picture of the tree: who gets it when, so that pictures for many
//! members leave the uplink to the stream.

use super::coordinator::Coordinator;
use overlay::bucket::TokenBucket;
use std::collections::BTreeMap;
use wire::message::control::{Down, NodeKind, TreePicture};
use wire::{Encode, SpkiHash};

/// Part of the upload that pictures may take, in percent. A picture of n
/// members goes to n members: with many of them each gets a new one less
/// often, and the stream does not notice.
const SHARE_PERCENT: u64 = 5;

/// What members have been shown.
#[derive(Debug)]
pub(super) struct Pictures {
    newest: Option<TreePicture>,
    /// Counts how often the picture has changed.
    version: u64,
    /// The version that each member has.
    shown: BTreeMap<SpkiHash, u64>,
    share: TokenBucket,
}

impl Pictures {
    /// For a station that may upload so much, in bit/s.
    pub(super) fn new(upload_bps: u64, now_us: u64) -> Self {
        let share_bps = upload_bps.saturating_mul(SHARE_PERCENT) / 100;
        Self {
            newest: None,
            version: 0,
            shown: BTreeMap::new(),
            share: TokenBucket::with_burst(share_bps, share_bps / 8, now_us),
        }
    }

    /// Who of the members should get the picture now: those who have an older
    /// one, whoever waits longest first, while the share lasts.
    fn due(
        &mut self,
        picture: &TreePicture,
        members: impl Iterator<Item = SpkiHash>,
        now_us: u64,
    ) -> Vec<SpkiHash> {
        if self.newest.as_ref().is_none_or(|n| !alike(n, picture)) {
            self.newest = Some(picture.clone());
            self.version = self.version.saturating_add(1);
        }
        let shown = std::mem::take(&mut self.shown);
        let mut order: Vec<(u64, SpkiHash)> = members
            .map(|member| (shown.get(&member).copied().unwrap_or(0), member))
            .collect();
        order.sort_unstable();
        let bytes = Down::Tree(picture.clone()).to_bytes().len() as u64;
        let mut due = Vec::new();
        for (version, member) in order {
            let goes = version < self.version && self.share.try_take(bytes, now_us);
            let has = if goes { self.version } else { version };
            self.shown.insert(member, has);
            if goes {
                due.push(member);
            }
        }
        due
    }

    /// A new member, who has seen nothing yet.
    pub(super) fn forget(&mut self, member: SpkiHash) {
        self.shown.remove(&member);
    }
}

/// Whether two pictures differ in nothing but the time that is left of rounds,
/// which everybody can count down himself.
fn alike(one: &TreePicture, other: &TreePicture) -> bool {
    let rounds = |picture: &TreePicture| {
        let rounds = picture.rounds.iter();
        rounds
            .map(|r| (r.relay, r.sponsor.clone(), r.carries))
            .collect::<Vec<_>>()
    };
    *one.nodes == *other.nodes && rounds(one) == rounds(other)
}

impl Coordinator {
    /// Gives the picture to those members whose turn it is.
    pub(super) fn send_picture(&mut self, picture: &TreePicture) {
        let members = self.members.iter();
        let members = members.filter(|(_, m)| m.placed && m.kind == NodeKind::Peer);
        let members = members.map(|(node, _)| *node);
        let now_us = self.clock.mono_us();
        for member in self.pictures.due(picture, members, now_us) {
            self.say(member, Down::Tree(picture.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::codec::List;
    use wire::message::control::{Name, Round, TreeNode, TreeParent};
    use wire::{Rendition, Stripe};

    const SECOND_US: u64 = 1_000_000;

    fn node(number: u8, sent_bps: u64) -> TreeNode {
        TreeNode {
            spki: SpkiHash([number; 32]),
            kind: NodeKind::Peer,
            name: Name::new("somebody").unwrap(),
            parents: List::new(vec![TreeParent {
                node: 0,
                rendition: Rendition(0),
                stripes: Stripe(0).into(),
            }])
            .unwrap(),
            edges: 1,
            delay_ms: 100,
            sent_bps,
        }
    }

    fn picture(members: u8, sent_bps: u64) -> TreePicture {
        let nodes = (1..=members).map(|n| node(n, sent_bps)).collect();
        TreePicture {
            nodes: List::new(nodes).unwrap(),
            rounds: List::default(),
        }
    }

    fn members(count: u8) -> impl Iterator<Item = SpkiHash> {
        (1..=count).map(|n| SpkiHash([n; 32]))
    }

    #[test]
    fn a_picture_is_sent_when_it_changes_and_to_who_has_none() {
        let mut pictures = Pictures::new(20_000_000, 0);
        let mut picture = picture(3, 7);
        assert_eq!(pictures.due(&picture, members(3), 0).len(), 3);
        let round = |left_ms| Round {
            relay: SpkiHash([9; 32]),
            sponsor: Name::default(),
            left_ms,
            carries: 2,
        };
        picture.rounds = List::new(vec![round(60_000)]).unwrap();
        let second = pictures.due(&picture, members(3), SECOND_US);
        assert_eq!(second.len(), 3, "a round is news");
        picture.rounds = List::new(vec![round(59_000)]).unwrap();
        let third = pictures.due(&picture, members(3), 2 * SECOND_US);
        assert!(third.is_empty(), "the time that passes is none");
        pictures.forget(SpkiHash([2; 32]));
        let again = pictures.due(&picture, members(3), 3 * SECOND_US);
        assert_eq!(again, [SpkiHash([2; 32])]);
    }

    #[test]
    fn pictures_of_many_members_stay_within_their_share_and_reach_everybody() {
        const UPLOAD_BPS: u64 = 10_000_000;
        const SECONDS: u64 = 180;
        let mut pictures = Pictures::new(UPLOAD_BPS, 0);
        let (mut bytes, mut reached) = (0, BTreeMap::<SpkiHash, u64>::new());
        for second in 0..SECONDS {
            // Somebody's rate has changed, as it always has.
            let picture = picture(200, second);
            let each = Down::Tree(picture.clone()).to_bytes().len() as u64;
            for member in pictures.due(&picture, members(200), second * SECOND_US) {
                bytes += each;
                *reached.entry(member).or_default() += 1;
            }
        }
        let share_bytes = UPLOAD_BPS * SHARE_PERCENT / 100 / 8;
        assert!(bytes <= share_bytes * (SECONDS + 1), "{bytes} bytes");
        let (most, least) = (reached.values().max(), reached.values().min());
        assert_eq!(reached.len(), 200, "nobody is forgotten");
        assert!(most.unwrap() - least.unwrap() <= 1, "{most:?} {least:?}");
    }
}
