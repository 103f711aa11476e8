//! A sponsor, with a desk, a wallet and a relay, and no screen.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::desk_client::test_desk::TestDesk;
use crate::sponsor::region::Rtts;
use crate::test_relay::{CAP_BYTES, Cloud, Manner, SENT_BYTES, TIMES, TestRelay};
use crate::wallet::Contents;
use crate::wallet::tests::wallet_with_one;
use link::ReverifyTimes;
use std::time::Duration;
use tempfile::TempDir;
use voucher::State;
use wire::statement::{Cause, Step as Asked};

const ME: SpkiHash = SpkiHash([7; 32]);
const PATIENCE: Duration = Duration::from_secs(15);

struct Scene {
    cloud: Cloud,
    desk: TestDesk,
    data: TempDir,
    sponsor: Sponsor,
}

impl Scene {
    async fn set(seed: u8, mode: Mode, times: ReverifyTimes) -> Self {
        let (cloud, desk) = (Cloud::new(), TestDesk::start().await);
        let (data, _) = wallet_with_one(&desk, seed).await;
        let sponsor = Sponsor::new(Setting {
            asks: certs::asking::AskCheck::default(),
            mode,
            desk: Some(desk.uri.clone()),
            data: data.path().to_owned(),
            trust: cloud.trust(),
            run: cloud.run.clone(),
            signed_run: cloud.signed_run.clone(),
            me: ME,
            local_ip: [127, 0, 0, 1].into(),
            clock: Clock::new(),
            banner: Some("DEVELOPMENT: relays prove nothing".to_owned()),
            reverification: Reverification::scheduled(times),
        });
        Self {
            cloud,
            desk,
            data,
            sponsor,
        }
    }

    /// A relay that was paid for, and serves nobody.
    fn paid_for(&mut self) -> TestRelay {
        let relay = TestRelay::start(&self.cloud);
        self.sponsor.paid.push(Ordered {
            order_id: certs::order::id(&relay.order),
            order: relay.order.clone(),
            holder: relay.holder.clone(),
            address: relay.address,
            relay: relay.spki,
            lease_end: Clock::new().unix().plus_ms(3_600_000),
        });
        relay
    }

    fn ask(&mut self, id: u64) {
        self.ask_for(id, Rtts::new());
    }

    /// Asked for those who wait, who are so far from the regions.
    fn ask_for(&mut self, id: u64, waiting: Rtts) {
        let ask = Ask {
            scope: self.cloud.run.scope.clone(),
            ask: AskId(id),
            member: ME,
            cause: Cause::Join,
            step: Asked::Affected,
            deficit_bps: 1_000_000,
            viewers_short: 1,
            rounds_wanted: 1,
            deadline_ms: 20_000,
            issued: Clock::new().unix(),
            regions: region::told(&waiting).regions,
        };
        let ask = certs::sign(&self.cloud.permit, &ask);
        let now = Clock::new().unix();
        let ask = certs::asking::verify_ask(&ask, &self.cloud.run, &ME, now).unwrap();
        self.sponsor.asked(ask);
    }

    fn grant(&mut self, id: u64) {
        let grant = Grant {
            scope: self.cloud.run.scope.clone(),
            ask: AskId(id),
            member: ME,
            expiry: Clock::new().unix().plus_ms(60_000),
        };
        self.sponsor
            .granted(&certs::sign(&self.cloud.permit, &grant));
    }

    /// Asked, accepted, granted.
    async fn yes(&mut self, id: u64) -> Value {
        self.ask(id);
        let prompted = self.told("sponsor_prompted").await;
        let answer = self
            .sponsor
            .answer(Some(id), Choice::Accept, false)
            .unwrap();
        assert_eq!((answer.ask, answer.show_name), (AskId(id), false));
        self.grant(id);
        prompted
    }

    async fn step<T>(&mut self, mut wanted: impl FnMut(Step) -> Option<T>) -> T {
        let found = async {
            loop {
                let step = self.sponsor.next().await.unwrap();
                if let Some(found) = wanted(step) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }

    async fn told(&mut self, kind: &str) -> Value {
        self.step(|step| match step {
            Step::Tell(told, fields) if told == kind => Some(fields),
            _ => None,
        })
        .await
    }

    async fn introduced(&mut self) -> Box<Introduce> {
        self.step(|step| match step {
            Step::Introduce(introduce) => Some(introduce),
            _ => None,
        })
        .await
    }

    fn vouchers(&self) -> Vec<State> {
        let vouchers = Contents::read(self.data.path()).unwrap().vouchers;
        vouchers.iter().map(|record| record.state()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_tells_how_far_the_regions_of_his_desk_are() {
    let mut scene = Scene::set(46, Mode::Never, TIMES).await;
    let address = format!("127.0.0.1:{}", scene.desk.uri.port());
    let probe = voucher::RegionProbe {
        region: "local".parse().unwrap(),
        address,
    };
    scene.desk.set(|script| script.probes = vec![probe]);
    scene.sponsor.look_around();
    let regions = scene.step(|step| match step {
        Step::Regions(regions) => Some(regions),
        _ => None,
    });
    let told: Vec<String> = region::heard(&regions.await.regions)
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, ["local"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_says_how_far_those_who_wait_are() {
    let mut scene = Scene::set(47, Mode::Ask, TIMES).await;
    let waiting = Rtts::from([("local".parse().unwrap(), 41)]);
    scene.ask_for(1, waiting);
    let prompted = scene.told("sponsor_prompted").await;
    assert_eq!(prompted["region"], "local");
    assert_eq!(prompted["region_waiting_rtt_ms"], 41);
    assert_eq!(prompted["region_rtt_ms"], Value::Null, "nothing to measure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_never_is_kept_and_answers_the_next_ask_by_itself() {
    let mut scene = Scene::set(40, Mode::Ask, TIMES).await;
    scene.ask(1);
    scene.told("sponsor_prompted").await;
    let never = scene.sponsor.answer(None, Choice::Never, true).unwrap();
    assert!(!never.show_name);
    let keys_asked = scene.desk.sent("/v1/keys").len();
    scene.ask(2);
    let answer = scene.step(|step| match step {
        Step::Answer(answer) => Some(answer),
        Step::Tell("sponsor_prompted", fields) => panic!("asked all the same: {fields}"),
        _ => None,
    });
    let answer = answer.await;
    assert_eq!((answer.ask, answer.choice), (AskId(2), Choice::Never));
    assert_eq!(scene.desk.sent("/v1/keys").len(), keys_asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_paid_for_serves_the_next_yes_before_a_voucher_is_taken() {
    let mut scene = Scene::set(41, Mode::Ask, TIMES).await;
    let relay = scene.paid_for();
    let prompted = scene.yes(1).await;
    assert_eq!(prompted["paid_already"], true);
    assert_eq!(prompted["price_minor"], 0);
    let introduce = scene.introduced().await;
    let order = certs::order::id(&introduce.admission.order);
    assert_eq!(order, certs::order::id(&relay.order));
    assert_eq!(scene.vouchers(), [State::Unspent]);
    assert!(scene.desk.sent("/v1/redeem").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_relay_out_of_reach_is_kept_and_serves_the_next_yes() {
    let mut scene = Scene::set(42, Mode::Ask, TIMES).await;
    let relay = scene.paid_for();
    relay.behave(Manner::Gone);
    scene.yes(1).await;
    let retried = scene.told("relay_retried").await;
    assert_eq!(retried["reason"], "peer_gone");
    relay.behave(Manner::Answers);
    let prompted = scene.yes(2).await;
    assert_eq!(prompted["paid_already"], true, "the order is kept");
    assert_eq!(scene.introduced().await.ask, AskId(2));
    assert_eq!(scene.vouchers(), [State::Unspent]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_the_coordinator_could_not_reach_is_brought_again() {
    let mut scene = Scene::set(43, Mode::Ask, TIMES).await;
    let relay = scene.paid_for();
    scene.yes(1).await;
    scene.introduced().await;
    scene.sponsor.refused(relay.spki, Reason::Timeout);
    assert_eq!(scene.told("relay_retried").await["reason"], "timeout");
    let prompted = scene.yes(2).await;
    assert_eq!(prompted["paid_already"], true);
    assert_eq!(scene.introduced().await.ask, AskId(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_with_wrong_evidence_is_given_up_by_name_at_once() {
    let mut scene = Scene::set(44, Mode::Ask, TIMES).await;
    let relay = scene.paid_for();
    relay.behave(Manner::Wrong);
    scene.yes(1).await;
    let failed = scene.step(|step| match step {
        Step::Failed(ask, error) => Some((ask, error.reason())),
        Step::Tell("relay_retried", _) => panic!("no second chance"),
        _ => None,
    });
    let expected = (AskId(1), "live_binding_mismatch".to_owned());
    assert_eq!(failed.await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_held_relay_is_read_from_it() {
    let mut scene = Scene::set(45, Mode::Ask, TIMES).await;
    let relay = scene.paid_for();
    scene.yes(1).await;
    let metered = scene.step(|step| match step {
        Step::Metered(fields) => Some(fields),
        _ => None,
    });
    let left = CAP_BYTES - SENT_BYTES;
    assert_eq!(metered.await["bytes_left"], left);
    let meter = scene.sponsor.meter(relay.spki).unwrap();
    assert_eq!((meter.bytes_left, meter.children), (left, 2));
}

/// From an admitted relay that begins to answer wrongly: what its holder
/// hears within a second and a half.
async fn after_a_wrong_answer(seed: u8, times: ReverifyTimes) -> Option<(SpkiHash, String)> {
    let mut scene = Scene::set(seed, Mode::Ask, times).await;
    let relay = scene.paid_for();
    scene.yes(1).await;
    scene.introduced().await;
    scene.sponsor.admitted(relay.spki);
    relay.behave(Manner::Wrong);
    let distrusted = scene.step(|step| match step {
        Step::Distrusted(relay, error) => Some((relay, error.reason())),
        _ => None,
    });
    let heard = tokio::time::timeout(Duration::from_millis(1_500), distrusted).await;
    heard
        .ok()
        .inspect(|(found, _)| assert_eq!(*found, relay.spki))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_relay_that_answers_wrongly_is_let_go_by_name() {
    let heard = after_a_wrong_answer(46, TIMES).await;
    assert_eq!(heard.unwrap().1, "live_binding_mismatch");
}

/// What the control is good for: the same relay, never verified again within
/// the evening, stays in its holder's confidence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_re_verification_such_a_relay_stays_held() {
    let never = ReverifyTimes {
        period_ms: u64::MAX,
        ..TIMES
    };
    assert!(after_a_wrong_answer(47, never).await.is_none());
}
