//! The subscribers, all in one process: each has a socket and a link of its
//! own, receives the whole track, and notes when.

use crate::client::{AGE_MAX, BROADCAST, LINK_MAX, TRACK, client, link};
use crate::clock::{left, mono_us};
use crate::error::Error;
use crate::lines::{Casting, Input, Received, Window};
use bytes::Buf;
use moq_net::group;
use moq_net::track::{self, Subscription};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Dials at the same time: a handshake must not wait for hundreds of others.
const DIALS_MAX: usize = 16;
/// After the window: what a late block may need.
const GRACE_US: u64 = 1_500_000;

/// One block at one subscriber.
struct Sample {
    planned_us: u64,
    arrived_us: u64,
    bytes: u64,
}

/// What all subscribers note.
#[derive(Default)]
struct Notes {
    samples: Vec<Sample>,
    lost: u64,
}

type Shared = Arc<Mutex<Notes>>;

fn note(notes: &Shared, change: impl FnOnce(&mut Notes)) {
    change(&mut notes.lock().unwrap_or_else(PoisonError::into_inner));
}

/// The program: reads its casting, links all subscribers, says `ready`, reads
/// the window, and tells what was received in it.
pub(crate) async fn serve() -> Result<(), Error> {
    let mut input = Input::new();
    let casting: Casting = input.hear().await?;
    let notes = Shared::default();
    link_all(&casting, &notes).await?;
    println!("ready");
    let window: Window = input.hear().await?;
    tokio::time::sleep(left(window.until_us.saturating_add(GRACE_US))).await;
    let received = {
        let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        received(&notes, window)
    };
    println!("{}", serde_json::to_string(&received)?);
    input.end().await;
    Ok(())
}

fn received(notes: &Notes, window: Window) -> Received {
    let inside = |us: u64| (window.from_us..window.until_us).contains(&us);
    let planned = notes.samples.iter().filter(|s| inside(s.planned_us));
    let mut latencies: Vec<u64> = planned
        .map(|s| s.arrived_us.saturating_sub(s.planned_us))
        .collect();
    latencies.sort_unstable();
    let arrived = notes.samples.iter().filter(|s| inside(s.arrived_us));
    Received {
        blocks: latencies.len() as u64,
        bytes: arrived.map(|s| s.bytes).sum(),
        latency_us_p50: percentile(&latencies, 50),
        latency_us_p99: percentile(&latencies, 99),
        lost: notes.lost,
    }
}

/// The nearest-rank percentile of sorted values; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

async fn link_all(casting: &Casting, notes: &Shared) -> Result<(), Error> {
    let turns = Arc::new(Semaphore::new(DIALS_MAX));
    let mut dials = JoinSet::new();
    for _ in 0..casting.children {
        let (turns, notes) = (turns.clone(), notes.clone());
        let address = casting.address.clone();
        dials.spawn(async move {
            let turn = turns.acquire_owned().await;
            let linked = subscribe(&address, notes).await;
            drop(turn);
            linked
        });
    }
    while let Some(dial) = dials.join_next().await {
        dial.map_err(|_| Error::Task)??;
    }
    Ok(())
}

/// Links one subscriber; it receives until the program ends.
async fn subscribe(address: &str, notes: Shared) -> Result<(), Error> {
    let origin = moq_tokio::origin::spawn();
    let consumer = origin.consume();
    let mut announced = consumer.announced();
    let client = client()?.with_subscriber(origin);
    let connection = link(&client, address).await?;
    let subscribed = async {
        // A broadcast is known from its announcement on.
        let update = announced.next().await;
        update.ok_or(Error::Timeout("hear of the broadcast"))?;
        let broadcast = consumer.request_broadcast(BROADCAST).await;
        let broadcast = broadcast.map_err(Error::step("find the broadcast"))?;
        let track = broadcast.track(TRACK);
        let track = track.map_err(Error::step("find the track"))?;
        let wish = Subscription::default().with_max_age(AGE_MAX);
        let track = track.subscribe(wish).await;
        track.map_err(Error::step("subscribe"))
    };
    let track = tokio::time::timeout(LINK_MAX, subscribed).await;
    let track = track.map_err(|_| Error::Timeout("subscribe"))??;
    tokio::spawn(async move {
        let _held = (client, connection, announced);
        receive(track, &notes).await;
        note(&notes, |notes| notes.lost += 1);
    });
    Ok(())
}

/// Takes groups until the track ends.
async fn receive(mut track: track::Subscriber, notes: &Shared) {
    while let Ok(Some(group)) = track.recv_group().await {
        tokio::spawn(frames(group, notes.clone()));
    }
}

async fn frames(mut group: group::Consumer, notes: Shared) {
    while let Ok(Some(frame)) = group.read_frame().await {
        let mut payload = frame.payload;
        let bytes = payload.len() as u64;
        let Ok(planned_us) = payload.try_get_u64() else {
            return;
        };
        let arrived_us = mono_us();
        note(&notes, |notes| {
            notes.samples.push(Sample {
                planned_us,
                arrived_us,
                bytes,
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 50), 100);
        assert_eq!(percentile(&values, 99), 198);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn what_arrives_late_counts_as_received_but_not_as_sent_in_the_window() {
        let sample = |planned_us, arrived_us| Sample {
            planned_us,
            arrived_us,
            bytes: 10,
        };
        let notes = Notes {
            samples: vec![sample(5, 15), sample(15, 18), sample(19, 25)],
            lost: 0,
        };
        let window = Window {
            from_us: 10,
            until_us: 20,
        };
        let received = received(&notes, window);
        assert_eq!((received.blocks, received.bytes), (2, 20));
    }
}
