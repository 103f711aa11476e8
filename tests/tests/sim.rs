//! The simulation replays exactly, its scenarios hold together, and each rule
//! around the state machines is worth something.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use tests::sim::scenario::{Event, Lost};
use tests::sim::{Figures, Scenario, figures};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// A scenario of a few dozen viewers.
fn small(name: &str, viewers: u32, stripes: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(name)
        .with_extension("toml");
    let mut scenario = Scenario::read(&file).unwrap();
    scenario.viewers = viewers;
    scenario.seconds = 16;
    scenario.stripes = stripes.to_owned();
    scenario.arrivals.over_ms = 4_000;
    scenario.station.upload_bps = 12_000_000;
    if let Some(event) = &mut scenario.event {
        event.at_ms = 8_000;
    }
    scenario
}

#[test]
fn equal_seeds_give_equal_runs_and_others_other_ones() {
    let scenario = small("churn", 40, "4+1");
    let first = figures(&scenario).unwrap();
    assert_eq!(figures(&scenario).unwrap(), first);
    let other = Scenario {
        seed: scenario.seed + 1,
        ..scenario
    };
    assert_ne!(figures(&other).unwrap().digest, first.digest);
}

#[test]
fn every_scenario_holds_together() {
    for file in files() {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        for stripes in ["1+0", "4+1"] {
            let seen = figures(&small(&name, 40, stripes)).unwrap();
            assert!(seen.continuity > 0.5, "{name} {stripes}: {seen:?}");
        }
    }
}

#[test]
fn silent_parents_are_left_and_without_the_rule_they_are_not() {
    let mut scenario = small("liars", 60, "1+0");
    scenario.cheats.silent_permille = 400;
    scenario.cheats.boasting_permille = 0;
    scenario.cheats.late_permille = 0;
    // Neighbours bring what a silent parent does not.
    scenario.rules.repairs = false;
    let with = figures(&scenario).unwrap().continuity;
    scenario.rules.silence_ms = 0;
    scenario.rules.late_ms = 0;
    let without = figures(&scenario).unwrap().continuity;
    assert!(with > 0.7 && without < with - 0.1, "{with}, {without}");
}

/// By the lines alone, of an audience of three regions. It is small, and has
/// little choice: among a thousand it is a fifth.
#[test]
fn near_parents_make_the_ways_shorter() {
    let mut scenario = small("churn", 120, "4+1");
    scenario.seconds = 40;
    let with = figures(&scenario).unwrap();
    scenario.rules.nears_max = 0;
    let without = figures(&scenario).unwrap();
    let ways = (with.way_ms_p50, without.way_ms_p50);
    assert!(ways.0 < ways.1, "{ways:?}");
    assert!(with.continuity > 0.99, "{with:?}");
}

#[test]
fn who_resumes_skips_what_is_late_and_without_the_rule_falls_behind() {
    let mut scenario = small("relays-lost", 60, "1+0");
    scenario.sponsors.relays_at_start_permille = 100;
    scenario.rules.repairs = false;
    let with = figures(&scenario).unwrap().continuity;
    scenario.rules.skips_late = false;
    let without = figures(&scenario).unwrap().continuity;
    assert!(without < with, "{with}, {without}");
}

#[test]
fn what_parents_do_not_bring_neighbours_do_and_without_them_it_is_missed() {
    let mut scenario = small("quarter-lost", 120, "4+1");
    let with = figures(&scenario).unwrap();
    scenario.rules.repairs = false;
    let without = figures(&scenario).unwrap();
    let missed = |seen: &Figures| 1.0 - seen.continuity_after.unwrap();
    assert!(
        missed(&with) < missed(&without) / 2.0,
        "{with:?}, {without:?}"
    );
}

#[test]
fn a_scenario_with_an_unknown_word_is_refused() {
    let file = files().remove(0);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(Scenario::parse(&text).is_ok());
    assert!(Scenario::parse(&format!("mistake = 1\n{text}")).is_err());
    assert!(Scenario::parse(&text.replace("4+1", "0+1")).is_err());
}

/// What is seen when this is lost of a small audience that has come, by who
/// plays so long after publishing.
fn lost(lost: Lost, stripes: &str, mends: bool, playout_delay_ms: u64) -> Figures {
    let mut scenario = small("relays-lost", 60, stripes);
    scenario.sponsors.relays_at_start_permille = 50;
    scenario.event = Some(Event { at_ms: 9_000, lost });
    scenario.rules.mends = mends;
    // What is shown is the repair alone: who is moved to a nearer parent, or with
    // his part to a higher one, in that very moment has to begin anew, too.
    scenario.rules.nears_max = 0;
    scenario.rules.lifts_max = 0;
    // What neighbours make up for is looked at on its own.
    scenario.rules.repairs = false;
    scenario.stream.playout_delay_ms = playout_delay_ms;
    figures(&scenario).unwrap()
}

/// Less than noticing and repairing takes: what is lost shows.
const SHORT_MS: u64 = 1_000;

#[test]
fn with_parity_nobody_misses_anything_when_the_busiest_viewer_goes() {
    let with = lost(Lost::BusiestViewer, "4+1", true, SHORT_MS);
    let without = lost(Lost::BusiestViewer, "1+0", true, SHORT_MS);
    assert_eq!((with.gap_ms_after, with.missed_after), (0, 0), "{with:?}");
    assert!(without.missed_after > 5, "{without:?}");
}

#[test]
fn with_parity_hardly_anybody_misses_anything_when_the_busiest_relay_dies() {
    let with = lost(Lost::BusiestRelay, "4+1", true, SHORT_MS);
    let without = lost(Lost::BusiestRelay, "1+0", true, SHORT_MS);
    assert!(with.missed_after <= 3, "its sponsor, as a rule: {with:?}");
    assert!(without.missed_after > 10, "{without:?}");
}

#[test]
fn who_loses_the_only_parent_has_the_next_in_time_and_without_repair_none() {
    for whom in [Lost::BusiestViewer, Lost::BusiestRelay] {
        let with = lost(whom, "1+0", true, 2_000);
        let without = lost(whom, "1+0", false, 2_000);
        assert!(with.gap_ms_after <= 2_000, "{whom:?}: {with:?}");
        assert!(without.gap_ms_after >= 4_800, "{whom:?}: {without:?}");
    }
}
