#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use attest::live::Rate;
use proptest::prelude::*;

/// What the network may add to a challenge on its way, in milliseconds.
const NETWORK_MS_MAX: u64 = 900;

/// A relay, as the schedule meets it: how each challenge travels and ends.
#[derive(Debug, Clone)]
struct Turn {
    answered: bool,
    way_ms: u64,
    thinking_ms: u64,
    random: u64,
}

fn turn() -> impl Strategy<Value = Turn> {
    (
        prop::bool::weighted(0.4),
        0..=NETWORK_MS_MAX,
        0u64..3_000,
        any::<u64>(),
    )
        .prop_map(|(answered, way_ms, thinking_ms, random)| Turn {
            answered,
            way_ms,
            thinking_ms,
            random,
        })
}

fn times() -> impl Strategy<Value = ReverifyTimes> {
    (0u64..200_000, 0u64..100_000, 1_000u64..5_000, 0u64..5_000).prop_map(
        |(period_ms, period_jitter_ms, retry_ms_min, more_ms)| ReverifyTimes {
            period_ms,
            period_jitter_ms,
            retry_ms_min,
            retry_ms_max: retry_ms_min + more_ms,
            ..ReverifyTimes::default()
        },
    )
}

/// Plays the turns; gives (begin, arrival, end at the relay) of each challenge.
fn play(times: ReverifyTimes, turns: &[Turn]) -> (Vec<[u64; 3]>, Option<Step>) {
    let mut schedule = Schedule::new(times, 0);
    let mut seen = vec![[0, 0, 0]];
    let mut at_ms = schedule.first_ms(turns.first().map_or(0, |t| t.random));
    for turn in turns {
        schedule.begin(at_ms);
        let arrived_ms = at_ms + turn.way_ms;
        let (answer, now_ms, end_ms) = if turn.answered {
            let end_ms = arrived_ms + turn.thinking_ms;
            (Answer::Good, end_ms + turn.way_ms, end_ms)
        } else {
            let now_ms = at_ms + times.answer_ms_max;
            // It hears that nobody waits any more, or sees it by itself.
            (Answer::Missing, now_ms, now_ms + NETWORK_MS_MAX)
        };
        seen.push([at_ms, arrived_ms, end_ms]);
        match schedule.answered(now_ms, answer, turn.random) {
            Step::Challenge { at_ms: next_ms } => at_ms = next_ms,
            step => return (seen, Some(step)),
        }
    }
    (seen, None)
}

#[test]
fn three_tries_follow_a_challenge_without_an_answer_and_then_the_relay_is_given_up() {
    let mut schedule = Schedule::new(ReverifyTimes::default(), 0);
    let mut at_ms = schedule.first_ms(0);
    assert_eq!(at_ms, 120_000);
    for _ in 0..TRIES_MAX {
        schedule.begin(at_ms);
        match schedule.answered(at_ms + AGE_MS_MAX, Answer::Missing, 0) {
            Step::Challenge { at_ms: next_ms } => at_ms = next_ms,
            step => panic!("{step:?}"),
        }
    }
    schedule.begin(at_ms);
    let last = schedule.answered(at_ms + AGE_MS_MAX, Answer::Missing, 0);
    assert_eq!(last, Step::Unresponsive);
}

#[test]
fn a_good_answer_in_between_gives_all_three_tries_back() {
    let mut schedule = Schedule::new(ReverifyTimes::default(), 0);
    for answer in [Answer::Missing, Answer::Missing, Answer::Missing] {
        schedule.begin(0);
        assert_ne!(schedule.answered(0, answer, 7), Step::Unresponsive);
    }
    schedule.begin(0);
    schedule.answered(0, Answer::Good, 7);
    for _ in 0..TRIES_MAX {
        schedule.begin(0);
        let step = schedule.answered(0, Answer::Missing, 7);
        assert!(matches!(step, Step::Challenge { .. }), "{step:?}");
    }
    schedule.begin(0);
    assert_eq!(schedule.answered(0, Answer::Missing, 7), Step::Unresponsive);
}

#[test]
fn jitter_reaches_both_bounds_and_goes_no_further() {
    let mut drawn: Vec<u64> = (0..9).map(|random| between(3, 5, random)).collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [3, 4, 5]);
    assert_eq!(between(7, 7, u64::MAX), 7);
}

proptest! {
    #[test]
    fn never_more_challenges_than_the_relay_allows(
        times in times(),
        turns in prop::collection::vec(turn(), 1..40),
    ) {
        let (seen, _) = play(times, &turns);
        // The relay's own limiter is the judge.
        let (mut relay, mut last_end_ms) = (Rate::default(), 0);
        for [_, arrived_ms, end_ms] in &seen {
            prop_assert!(*arrived_ms >= last_end_ms, "one is outstanding: {seen:?}");
            prop_assert_eq!(relay.begin(*arrived_ms), Ok(()), "{:?}", seen);
            relay.end();
            last_end_ms = *end_ms;
        }
    }

    #[test]
    fn the_next_challenge_comes_within_the_named_bounds(
        times in times(),
        now_ms in 100_000u64..1_000_000,
        answered in any::<bool>(),
        random in any::<u64>(),
    ) {
        let mut schedule = Schedule::new(times, 0);
        schedule.begin(now_ms);
        let (answer, least_ms, most_ms) = if answered {
            (Answer::Good, times.period_ms, times.period_ms + times.period_jitter_ms)
        } else {
            (Answer::Missing, times.retry_ms_min, times.retry_ms_max)
        };
        let step = schedule.answered(now_ms, answer, random);
        let Step::Challenge { at_ms } = step else { panic!("{step:?}") };
        let delay_ms = at_ms - now_ms;
        prop_assert!(least_ms <= delay_ms && delay_ms <= most_ms, "{delay_ms}");
    }

    #[test]
    fn a_wrong_answer_never_waits(
        times in times(),
        turns in prop::collection::vec(turn(), 0..6),
        random in any::<u64>(),
    ) {
        let mut schedule = Schedule::new(times, 0);
        for turn in turns {
            schedule.begin(0);
            let answer = if turn.answered { Answer::Good } else { Answer::Missing };
            schedule.answered(0, answer, turn.random);
        }
        schedule.begin(0);
        prop_assert_eq!(schedule.answered(0, Answer::Wrong, random), Step::Leave);
    }

    #[test]
    fn whatever_the_times_nothing_overflows(
        numbers in prop::array::uniform6(any::<u64>()),
        now_ms in any::<u64>(),
        random in any::<u64>(),
    ) {
        let [period_ms, period_jitter_ms, retry_ms_min, retry_ms_max, window_ms, answer_ms_max] =
            numbers;
        let times = ReverifyTimes {
            period_ms,
            period_jitter_ms,
            retry_ms_min,
            retry_ms_max,
            answer_ms_max,
            window_ms,
            handover_ms_max: 0,
        };
        let mut schedule = Schedule::new(times, now_ms);
        for answer in [Answer::Good, Answer::Missing, Answer::Missing, Answer::Missing] {
            schedule.begin(now_ms);
            schedule.answered(now_ms, answer, random);
        }
    }
}
