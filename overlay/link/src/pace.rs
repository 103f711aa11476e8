//! The upload limit, enforced where bytes are sent. On a full uplink better
//! standing goes first, and within one standing who waits longest.

use crate::Clock;
use crate::node::lock;
use overlay::bucket::TokenBucket;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use wire::statement::Priority;

/// Burst of a fast uplink, as time at its rate: timers go by milliseconds, and
/// what is earned while one oversleeps must not be lost.
const BURST_MS: u64 = 3;
/// How long the queue goes without a look at the limit, which may be changed.
const LOOK_MS_MAX: u64 = 100;

/// What is sent: the stream to those who count on it comes before what others
/// pull for a repair, whatever their standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Push,
    Repair,
}

/// Service and standing.
type Turn = (Service, Priority);

/// A turn, then order of arrival. Each child waits for one thing at
/// a time, so that within one standing they take turns.
type Place = (Service, Priority, u64);

/// One token bucket for all that a node sends.
#[derive(Debug)]
pub(crate) struct Pace {
    uplink: Arc<Mutex<Uplink>>,
    clock: Clock,
}

#[derive(Debug)]
struct Uplink {
    bucket: TokenBucket,
    waiting: BTreeMap<Place, Waiting>,
    arrivals: u64,
    /// A task serves those who wait.
    served: bool,
}

#[derive(Debug)]
struct Waiting {
    bytes: u64,
    go: oneshot::Sender<()>,
}

/// What the queue does next.
enum Next {
    Nobody,
    /// Somebody went.
    Again,
    /// The first one goes after so many microseconds, unless a better one
    /// comes.
    Wait(u64),
}

impl Uplink {
    fn enqueue(&mut self, turn: Turn, bytes: u64) -> oneshot::Receiver<()> {
        let (go, gone) = oneshot::channel();
        self.arrivals = self.arrivals.saturating_add(1);
        let place = (turn.0, turn.1, self.arrivals);
        self.waiting.insert(place, Waiting { bytes, go });
        gone
    }

    /// Lets the first one go if its bytes fit. Who is first is decided as late
    /// as that: whoever has just sent is in the queue again by then.
    fn next(&mut self, now_us: u64) -> Next {
        let Some(first) = self.waiting.first_entry() else {
            self.served = false;
            return Next::Nobody;
        };
        if first.get().go.is_closed() {
            // It waits no more, and its bytes are nobody's.
            first.remove();
            return Next::Again;
        }
        let bytes = first.get().bytes;
        if !self.bucket.try_take(bytes, now_us) {
            return Next::Wait(self.bucket.wait_us(bytes, now_us));
        }
        let _ = first.remove().go.send(());
        Next::Again
    }
}

fn bucket(rate_bps: u64, clock: &Clock) -> TokenBucket {
    let burst_bytes = TokenBucket::BURST_BYTES.max(rate_bps / 8 * BURST_MS / 1_000);
    TokenBucket::with_burst(rate_bps, burst_bytes, clock.mono_us())
}

impl Pace {
    /// `rate_bps` in bit/s.
    pub(crate) fn new(rate_bps: u64, clock: Clock) -> Self {
        let uplink = Uplink {
            bucket: bucket(rate_bps, &clock),
            waiting: BTreeMap::new(),
            arrivals: 0,
            served: false,
        };
        Self {
            uplink: Arc::new(Mutex::new(uplink)),
            clock,
        }
    }

    /// Changes the limit, e.g. to the holder's `rate_bps_max`.
    pub(crate) fn limit(&self, rate_bps: u64) {
        lock(&self.uplink).bucket = bucket(rate_bps, &self.clock);
    }

    /// Charges `bytes` that do not wait themselves: what follows does.
    pub(crate) fn charge(&self, bytes: usize) {
        let now_us = self.clock.mono_us();
        let _ = lock(&self.uplink).bucket.take(bytes as u64, now_us);
    }

    /// Waits until `bytes` of the stream may be sent.
    pub(crate) async fn acquire(&self, priority: Priority, bytes: usize) {
        self.wait_for((Service::Push, priority), bytes).await;
    }

    /// Waits until `bytes` of a repair may be sent.
    pub(crate) async fn acquire_repair(&self, priority: Priority, bytes: usize) {
        self.wait_for((Service::Repair, priority), bytes).await;
    }

    async fn wait_for(&self, turn: Turn, bytes: usize) {
        let bytes = bytes as u64;
        let go = {
            let mut uplink = lock(&self.uplink);
            // While nobody waits, this lock is all that a block costs.
            let idle = uplink.waiting.is_empty();
            if idle && uplink.bucket.try_take(bytes, self.clock.mono_us()) {
                return;
            }
            let go = uplink.enqueue(turn, bytes);
            if !std::mem::replace(&mut uplink.served, true) {
                tokio::spawn(serve(self.uplink.clone(), self.clock.clone()));
            }
            go
        };
        // The queue is served until it is empty.
        let _ = go.await;
    }
}

/// Serves those who wait until nobody does.
async fn serve(uplink: Arc<Mutex<Uplink>>, clock: Clock) {
    loop {
        let next = lock(&uplink).next(clock.mono_us());
        match next {
            Next::Nobody => return,
            Next::Again => {}
            Next::Wait(us) => {
                let look_us = us.min(LOOK_MS_MAX * 1_000);
                tokio::time::sleep(Duration::from_micros(look_us)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinHandle;

    const BLOCK: usize = 16 * 1024;

    /// An uplink that lets a block pass in a twentieth of a second, and owes
    /// so many that everybody has come before the first one goes.
    fn full() -> Arc<Pace> {
        let pace = Pace::new(BLOCK as u64 * 160, Clock::new());
        pace.charge(12 * BLOCK);
        Arc::new(pace)
    }

    type Done = Arc<Mutex<Vec<u32>>>;

    /// Somebody who waits to send a block.
    async fn arrive(pace: &Arc<Pace>, done: &Done, place: (Priority, u32)) -> JoinHandle<()> {
        let (pace, done) = (pace.clone(), done.clone());
        let task = tokio::spawn(async move {
            pace.acquire(place.0, BLOCK).await;
            lock(&done).push(place.1);
        });
        tokio::task::yield_now().await;
        task
    }

    #[tokio::test]
    async fn better_standing_is_served_first_and_equals_in_turn() {
        let (pace, done) = (full(), Done::default());
        let arrivals = [
            (Priority::FreeRider, 1),
            (Priority::Contributor, 2),
            (Priority::FreeRider, 3),
            (Priority::OwnSponsor, 4),
            (Priority::Contributor, 5),
            (Priority::Relay, 6),
        ];
        let mut tasks = Vec::new();
        for place in arrivals {
            tasks.push(arrive(&pace, &done, place).await);
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*lock(&done), [4, 6, 2, 5, 1, 3]);
    }

    #[tokio::test]
    async fn repairs_wait_for_the_stream_and_go_by_standing_among_themselves() {
        let (pace, done) = (full(), Done::default());
        let mut tasks = Vec::new();
        for (turn, name) in [
            ((Service::Repair, Priority::FreeRider), 1),
            ((Service::Repair, Priority::Sponsor), 2),
            ((Service::Push, Priority::FreeRider), 3),
            ((Service::Push, Priority::Contributor), 4),
        ] {
            let (pace, done) = (pace.clone(), done.clone());
            tasks.push(tokio::spawn(async move {
                pace.wait_for(turn, BLOCK).await;
                lock(&done).push(name);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*lock(&done), [4, 3, 2, 1]);
    }

    #[tokio::test]
    async fn who_sends_without_pause_keeps_his_standing() {
        let (pace, done) = (full(), Done::default());
        let rider = arrive(&pace, &done, (Priority::FreeRider, 1)).await;
        for _ in 0..5 {
            pace.acquire(Priority::OwnSponsor, BLOCK).await;
            lock(&done).push(0);
        }
        rider.await.unwrap();
        assert_eq!(*lock(&done), [0, 0, 0, 0, 0, 1]);
    }

    #[tokio::test]
    async fn who_goes_away_costs_the_others_nothing() {
        let (pace, done) = (full(), Done::default());
        let gone = arrive(&pace, &done, (Priority::OwnSponsor, 1)).await;
        let stays = arrive(&pace, &done, (Priority::FreeRider, 2)).await;
        gone.abort();
        stays.await.unwrap();
        assert_eq!(*lock(&done), [2]);
        tokio::task::yield_now().await;
        assert!(!lock(&pace.uplink).served, "nobody waits, nobody serves");
    }

    #[tokio::test]
    async fn an_idle_uplink_lets_everybody_pass_without_a_queue() {
        let pace = Pace::new(u64::MAX, Clock::new());
        for _ in 0..100 {
            pace.acquire(Priority::FreeRider, BLOCK).await;
        }
        assert_eq!(lock(&pace.uplink).arrivals, 0);
    }

    #[tokio::test]
    async fn a_limit_that_is_raised_frees_those_who_wait() {
        let pace = Arc::new(Pace::new(0, Clock::new()));
        pace.charge(3 * BLOCK);
        let waits = arrive(&pace, &Done::default(), (Priority::FreeRider, 1)).await;
        pace.limit(u64::MAX);
        let soon = Duration::from_secs(10);
        tokio::time::timeout(soon, waits).await.unwrap().unwrap();
    }
}
