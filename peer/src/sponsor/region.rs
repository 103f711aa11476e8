//! The round trips from here to the regions that a desk sells. Who waits for a
//! place tells them to the station, and whoever is asked for a round hears the
//! average of those who wait; where there is none, his own count.
//!
//! Only a TCP handshake is timed, with an address that the user's own desk has
//! named and signed; nothing is sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use voucher::{Region, RegionProbe};
use wire::codec::{List, Text};
use wire::limits::REGIONS_MAX;
use wire::message::lines::{RegionRtt, Regions};

/// A region that does not answer in this time is not measured: who is asked
/// waits for the price meanwhile.
const PROBE_MS_MAX: u64 = 1_000;
/// Handshakes with one address; the shortest counts.
const TRIES: u32 = 2;

/// Round trips by region, in milliseconds; those that do not answer are missing.
pub(crate) type Rtts = BTreeMap<Region, u64>;

/// Measures all of them at once.
pub(crate) async fn measure(probes: &[RegionProbe]) -> Rtts {
    let mut under_way: JoinSet<Option<(Region, u64)>> = probes
        .iter()
        .cloned()
        .map(|probe| async move { Some((probe.region, round_trip_ms(&probe.address).await?)) })
        .collect();
    let mut rtts = Rtts::new();
    while let Some(measured) = under_way.join_next().await {
        rtts.extend(measured.ok().flatten());
    }
    rtts
}

async fn round_trip_ms(address: &str) -> Option<u64> {
    let all = async {
        let address = tokio::net::lookup_host(address).await.ok()?.next()?;
        let mut best: Option<Duration> = None;
        for _ in 0..TRIES {
            let began = Instant::now();
            TcpStream::connect(address).await.ok()?;
            let took = began.elapsed();
            best = Some(best.map_or(took, |best| best.min(took)));
        }
        best
    };
    let patience = Duration::from_millis(PROBE_MS_MAX);
    let best = tokio::time::timeout(patience, all).await.ok().flatten()?;
    u64::try_from(best.as_millis()).ok()
}

/// The nearest of these regions, if any was measured.
pub(crate) fn nearest<'a>(
    regions: impl IntoIterator<Item = &'a Region>,
    rtts: &Rtts,
) -> Option<Region> {
    overlay::near::nearest_region(regions.into_iter().cloned(), rtts)
}

/// As they are told: no more than a message holds, the nearest first.
pub(crate) fn told(rtts: &Rtts) -> Regions {
    let told = |(region, ms): (&Region, &u64)| {
        Some(RegionRtt {
            region: Text::new(region.as_str()).ok()?,
            rtt_ms: *ms,
        })
    };
    let mut regions: Vec<RegionRtt> = rtts.iter().filter_map(told).collect();
    regions.sort_by_key(|r| r.rtt_ms);
    regions.truncate(REGIONS_MAX);
    let regions = List::new(regions).unwrap_or_default();
    Regions { regions }
}

/// As they were heard; what no desk could call a region is left out.
pub(crate) fn heard(regions: &[RegionRtt]) -> Rtts {
    let heard = regions.iter();
    heard
        .filter_map(|r| Some((r.region.as_str().parse().ok()?, r.rtt_ms)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn what_answers_is_measured_and_what_does_not_is_left_out() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = closed.local_addr().unwrap().to_string();
        drop(closed);
        let probe = |name, address| RegionProbe {
            region: region(name),
            address,
        };
        let here = listener.local_addr().unwrap().to_string();
        let rtts = measure(&[probe("eu", here), probe("us", nobody)]).await;
        assert_eq!(rtts.keys().collect::<Vec<_>>(), [&region("eu")]);
        let regions = [region("us"), region("eu")];
        assert_eq!(nearest(&regions, &rtts), Some(region("eu")));
        assert_eq!(nearest(&regions, &Rtts::new()), None);
        assert_eq!(heard(&told(&rtts).regions), rtts);
    }

    #[test]
    fn names_that_no_desk_could_sell_are_not_heard() {
        let rtt = |name| RegionRtt {
            region: Text::new(name).unwrap(),
            rtt_ms: 3,
        };
        let heard = heard(&[rtt("eu"), rtt("no such PLACE"), rtt("")]);
        assert_eq!(heard, Rtts::from([(region("eu"), 3)]));
    }
}
