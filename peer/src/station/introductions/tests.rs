#![allow(clippy::unwrap_used)]

use super::super::controls::{Controls, DialCheck};
use super::super::coordinator::{Coordinator, Event};
use super::super::scene::{coordinator, enlist};
use super::*;
use crate::viewer::self_signed;
use certs::SigningKey;
use link::Endpoint;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::codec::Text;
use wire::message::control::{Admission, Down, Introduce, NodeKind, Up};
use wire::order::Order;
use wire::statement::Introduction;
use wire::{AskId, Digest};

const SPONSOR: SpkiHash = SpkiHash([4; 32]);
/// Longer than a dial on loopback takes by far.
const QUIET_MS: u64 = 500;

/// A coordinator, one member, and an address that is not to be dialled.
struct Scene {
    coordinator: Coordinator,
    told: mpsc::UnboundedReceiver<Down>,
    target: Endpoint,
    _data: tempfile::TempDir,
}

impl Scene {
    fn set(dials: DialCheck) -> Self {
        let data = tempfile::tempdir().unwrap();
        let controls = Controls {
            dials,
            ..Controls::default()
        };
        let (mut coordinator, _publisher) = coordinator(data.path(), controls);
        let told = enlist(&mut coordinator, SPONSOR, NodeKind::Peer);
        let identity = self_signed(Arc::new(SigningKey::from_seed([8; 32]))).unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            coordinator,
            told,
            target: Endpoint::bind(listen, &identity).unwrap(),
            _data: data,
        }
    }

    /// The member introduces a relay at the target's address.
    fn introduce(&mut self, number: u8) {
        let holder = SigningKey::from_seed([number; 32]);
        let order = Order {
            holder_key: holder.public(),
            voucher_nonce: Digest([number; 32]),
            class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
            channel: Text::new("stable").unwrap(),
            desk_key: holder.public(),
            lease_ms: 3_600_000,
            byte_cap: 1_000_000_000,
        };
        let introduction = Introduction {
            scope: self.coordinator.keys.scope(),
            order: certs::order::id(&order),
            relay: SpkiHash([number; 32]),
            sponsor: SPONSOR,
            address: Text::new(self.target.address().unwrap().to_string()).unwrap(),
            issued: self.coordinator.clock.unix(),
        };
        let admission = Admission {
            order,
            introduction: certs::sign(&holder, &introduction),
        };
        let message = Up::Introduce(Introduce {
            ask: AskId(1),
            admission,
        });
        let from = SPONSOR;
        self.coordinator.take(Event::Up { from, message });
    }

    fn refusal(&mut self) -> Option<Reason> {
        let mut refusal = None;
        while let Ok(message) = self.told.try_recv() {
            if let Down::RelayRefused(refused) = message {
                refusal = Some(refused.reason);
            }
        }
        refusal
    }

    async fn is_dialled(&self) -> bool {
        let quiet = Duration::from_millis(QUIET_MS);
        let dialled = tokio::time::timeout(quiet, self.target.accept()).await;
        dialled.is_ok_and(|accepting| accepting.is_some())
    }
}

#[tokio::test]
async fn nobody_is_dialled_for_a_member_without_a_grant() {
    let mut scene = Scene::set(DialCheck::default());
    scene.introduce(1);
    assert_eq!(scene.refusal(), Some(Reason::PermitMissing));
    assert!(!scene.is_dialled().await);
}

#[tokio::test]
async fn without_the_check_the_station_dials_whatever_a_member_names() {
    let mut scene = Scene::set(DialCheck::dangerously_anybody());
    scene.introduce(1);
    assert_eq!(scene.refusal(), None);
    assert!(scene.is_dialled().await);
}

#[tokio::test]
async fn a_granted_member_has_one_relay_verified_at_a_time() {
    let mut scene = Scene::set(DialCheck::default());
    scene.coordinator.introductions.grant(SPONSOR);
    scene.introduce(1);
    assert_eq!(scene.refusal(), None);
    scene.introduce(2);
    assert_eq!(scene.refusal(), Some(Reason::RateLimited));
    assert!(scene.is_dialled().await);
}

#[test]
fn a_grant_is_good_for_a_few_tries_and_a_relay_of_the_tree_comes_back() {
    let (check, mut all) = (DialCheck::default(), Introductions::default());
    let order = |number| OrderId([number; 32]);
    let tries = |all: &mut Introductions, number| {
        let begun = all.begin(check, SPONSOR, order(number));
        all.end(SPONSOR);
        begun
    };
    all.grant(SPONSOR);
    for _ in 0..PER_GRANT_MAX {
        assert_eq!(tries(&mut all, 1), Ok(()));
    }
    assert_eq!(tries(&mut all, 1), Err(Reason::PermitMissing));
    all.admitted(SPONSOR, order(1));
    assert_eq!(tries(&mut all, 1), Ok(()));
    assert_eq!(tries(&mut all, 2), Err(Reason::PermitMissing));
}
