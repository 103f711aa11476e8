//! The simulation replays exactly, its scenarios hold together, and each rule
//! around the state machines is worth something.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use tests::sim::{Scenario, figures};

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
    let with = figures(&scenario).unwrap().continuity;
    scenario.rules.silence_ms = 0;
    scenario.rules.late_ms = 0;
    let without = figures(&scenario).unwrap().continuity;
    assert!(with > 0.7 && without < with - 0.2, "{with}, {without}");
}

#[test]
fn who_resumes_skips_what_is_late_and_without_the_rule_falls_behind() {
    let mut scenario = small("relays-lost", 60, "1+0");
    scenario.sponsors.relays_at_start_permille = 100;
    let with = figures(&scenario).unwrap().continuity;
    scenario.rules.skips_late = false;
    let without = figures(&scenario).unwrap().continuity;
    assert!(without < with, "{with}, {without}");
}

#[test]
fn a_scenario_with_an_unknown_word_is_refused() {
    let file = files().remove(0);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(Scenario::parse(&text).is_ok());
    assert!(Scenario::parse(&format!("mistake = 1\n{text}")).is_err());
    assert!(Scenario::parse(&text.replace("4+1", "0+1")).is_err());
}
