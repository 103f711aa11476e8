//! Made-up evenings, as the programs would tell them, and what becomes of the
//! report when one thing of them is different.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod reports;
mod schema;

use super::attack::Attack;
use super::log::Log;
use super::provider::Cloud;
use super::report::{Evening, ExitReport, Report, expected_exit};
use crate::event::{Event, SCHEMA};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const START_US: u64 = 5_000_000;
const END_US: u64 = START_US + 30_000_000;

/// One line of one program; times in milliseconds since the start.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) source: &'static str,
    pub(super) at_ms: u64,
    pub(super) who: String,
    pub(super) kind: &'static str,
    pub(super) fields: Value,
}

pub(super) fn line(
    source: &'static str,
    at_ms: u64,
    kind: &'static str,
    who: &str,
    fields: Value,
) -> Line {
    Line {
        source,
        at_ms,
        who: who.to_owned(),
        kind,
        fields,
    }
}

/// The hash of a node's key, as the programs print it.
pub(super) fn spki(name: &str) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, name.as_bytes()))
}

fn chunk(sequence: u64) -> Value {
    let sha256 = spki(&format!("chunk {sequence}"));
    json!({"init": false, "sequence": sequence, "key": sequence.is_multiple_of(5), "sha256": sha256,
        "bytes": 1000 + sequence})
}

fn init() -> Value {
    json!({"init": true, "sequence": 0, "key": false, "sha256": spki("init"), "bytes": 700})
}

fn from(mut piece: Value, parent: &str) -> Value {
    piece["from"] = json!(spki(parent));
    piece
}

/// A chunk is published every 200 ms from the start.
fn station() -> Vec<Line> {
    let mut lines = vec![
        line(
            "S",
            0,
            "station_ready",
            "S",
            json!({"spki": spki("S"), "slots": 2, "stream": spki("stream"),
            "invite": "roundcast:v1/x", "page": null}),
        ),
        line("S", 1, "chunk_published", "S", init()),
    ];
    lines.extend((0..=152).map(|n| line("S", n * 200 + 2, "chunk_published", "S", chunk(n))));
    for (name, at_ms, slots) in [
        ("A", 500, 0),
        ("B", 900, 1),
        ("C", 1500, 0),
        ("D", 2500, 0),
        ("E", 9000, 0),
    ] {
        lines.push(line("S", at_ms, "joined", name, json!({"slots": slots})));
    }
    for (at_ms, child, parent) in [
        (510, "A", "S"),
        (910, "B", "S"),
        (1510, "C", "B"),
        (7500, "R1", "S"),
        (7510, "B", "R1"),
        (7520, "D", "R1"),
        (9010, "E", "R1"),
        (18_200, "B", "S"),
        (20_500, "R2", "S"),
        (20_510, "A", "R2"),
        (20_520, "D", "R2"),
        (20_530, "E", "R2"),
    ] {
        let edge = json!({"child": spki(child), "parent": spki(parent)});
        lines.push(line("S", at_ms, "attached", "S", edge));
    }
    lines
}

fn asking() -> Vec<Line> {
    let mut lines = vec![
        line(
            "S",
            2510,
            "capacity_short",
            "S",
            json!({"deficit_bps": 1_375_000}),
        ),
        line(
            "S",
            18_210,
            "capacity_short",
            "S",
            json!({"deficit_bps": 2_750_000}),
        ),
    ];
    for (at_ms, kind, who, ask, cause, step) in [
        (2520, "sponsor_asked", "D", 1, "join", "affected"),
        (2600, "sponsor_declined", "D", 1, "join", "affected"),
        (2610, "sponsor_asked", "A", 2, "join", "leaves"),
        (2611, "sponsor_asked", "C", 2, "join", "leaves"),
        (2700, "sponsor_declined", "A", 2, "join", "leaves"),
        (5620, "sponsor_timed_out", "C", 2, "join", "leaves"),
        (5630, "sponsor_asked", "B", 3, "join", "inner"),
        (5700, "sponsor_accepted", "B", 3, "join", "inner"),
        (5710, "sponsor_granted", "B", 3, "join", "inner"),
        (18_220, "sponsor_asked", "D", 4, "leave", "affected"),
        (18_221, "sponsor_asked", "E", 4, "leave", "affected"),
        (18_300, "sponsor_accepted", "D", 4, "leave", "affected"),
        (18_310, "sponsor_granted", "D", 4, "leave", "affected"),
        (18_320, "sponsor_not_needed", "E", 4, "leave", "affected"),
    ] {
        let fields = json!({"ask": ask, "cause": cause, "step": step});
        lines.push(line("S", at_ms, kind, who, fields.clone()));
        let member = ["A", "B", "C", "D", "E"]
            .into_iter()
            .find(|name| *name == who)
            .unwrap();
        let mut priced = fields;
        priced["price_minor"] = json!(410);
        priced["currency"] = json!("USD");
        if kind == "sponsor_asked" {
            lines.push(line(member, at_ms + 5, "sponsor_prompted", who, priced));
        }
    }
    lines
}

fn relay(name: &'static str, sponsor: &'static str, ask: u64, at_ms: u64) -> Vec<Line> {
    let order = spki(&format!("order {name}"));
    let verified = |link| {
        json!({"relay": spki(name), "link": link, "order": order, "evidence": "software",
            "assurance": "development", "release": "stable 0.1.0"})
    };
    vec![
        line(
            sponsor,
            at_ms + 1,
            "redeemed",
            sponsor,
            json!({"order": order, "ask": ask}),
        ),
        line(
            "desk",
            at_ms + 10,
            "voucher_redeemed",
            "desk",
            json!({"order": order, "holder": spki("holder")}),
        ),
        line(
            "desk",
            at_ms + 60,
            "relay_started",
            "desk",
            json!({"relay": spki(name), "order": order, "pid": 4711, "address": "127.1.2.3:4"}),
        ),
        line(
            sponsor,
            at_ms + 100,
            "relay_verified",
            sponsor,
            verified("command"),
        ),
        line("S", at_ms + 150, "relay_verified", "S", verified("control")),
        line(
            "S",
            at_ms + 160,
            "relay_admitted",
            "S",
            json!({"relay": spki(name), "parent": spki("S"),
            "slots": 4, "order": order, "claim_mbps": 100.0}),
        ),
        line("S", at_ms + 1780, "relay_verified", "S", verified("edge")),
        line(
            "S",
            at_ms + 1781,
            "edge_up",
            "S",
            json!({"other": spki(name), "child": false}),
        ),
    ]
}

/// What a viewer tells: when it verified which relay, and from whom it had
/// which chunks.
fn viewer(name: &'static str, relays: &[(u64, &str)], parents: &[(u64, &str)]) -> Vec<Line> {
    let (first, parent) = parents[0];
    let (_, last) = parents[parents.len() - 1];
    let kind = if last.starts_with('R') {
        "relay"
    } else {
        "station"
    };
    let start_ms = first * 200;
    let mut lines = vec![
        line(
            name,
            start_ms.saturating_sub(300),
            "viewer_ready",
            name,
            json!({"spki": spki(name), "page": null}),
        ),
        line(
            name,
            start_ms + 40,
            "chunk_received",
            name,
            from(init(), parent),
        ),
        line(
            name,
            start_ms + 49,
            "first_chunk",
            name,
            json!({"from": spki(parent), "ms": 349}),
        ),
        line(name, 29_000, "path", name, {
            let hops = json!([
                {"name": name, "spki": spki(name), "kind": "you", "verified": "by_me"},
                {"name": "relay 0", "spki": spki(last), "kind": kind, "verified": "by_me"},
                {"name": "S", "spki": spki("S"), "kind": "station", "verified": "reported"}]);
            json!({"hops": hops, "paths": [{"stripes": [0], "hops": hops}]})
        }),
        line(
            name,
            30_400,
            "viewer_report",
            name,
            json!({"chunks_rejected": 0}),
        ),
    ];
    for (at_ms, relay) in relays {
        let fields = json!({"relay": spki(relay), "link": "edge", "evidence": "software",
            "assurance": "development", "release": "stable 0.1.0"});
        lines.push(line(name, *at_ms, "relay_verified", name, fields));
    }
    for pair in parents.windows(2) {
        let fields =
            json!({"from": spki(pair[0].1), "to": spki(pair[1].1), "resume_from": pair[1].0});
        lines.push(line(name, pair[1].0 * 200 + 40, "reparented", name, fields));
    }
    for n in first..=150 {
        let current = parents.iter().rev().find(|(since, _)| *since <= n).unwrap();
        lines.push(line(
            name,
            n * 200 + 50,
            "chunk_received",
            name,
            from(chunk(n), current.1),
        ));
    }
    lines
}

/// The evening of the paper's figure 1, and after.
pub(super) fn lines() -> Vec<Line> {
    let mut lines = station();
    lines.extend(asking());
    lines.extend(relay("R1", "B", 3, 5720));
    lines.extend(relay("R2", "D", 4, 18_320));
    lines.extend(viewer("A", &[(20_505, "R2")], &[(5, "S"), (103, "R2")]));
    lines.extend(viewer(
        "B",
        &[(7505, "R1")],
        &[(5, "S"), (38, "R1"), (91, "S")],
    ));
    lines.extend(viewer("C", &[], &[(10, "B")]));
    lines.extend(viewer(
        "D",
        &[(7515, "R1"), (20_512, "R2")],
        &[(40, "R1"), (103, "R2")],
    ));
    lines.extend(viewer(
        "E",
        &[(9005, "R1"), (20_515, "R2")],
        &[(50, "R1"), (103, "R2")],
    ));
    lines.push(line(
        "S",
        18_100,
        "relay_lost",
        "S",
        json!({"relay": spki("R1")}),
    ));
    lines.push(line(
        "S",
        28_000,
        "relay_proven",
        "S",
        json!({"relay": spki("R2"), "proven_mbps": 3.3}),
    ));
    lines
}

/// How the processes of a good evening end.
pub(super) fn exits() -> BTreeMap<String, ExitReport> {
    ["S", "A", "B", "C", "D", "E", "desk", "R1", "R2"]
        .into_iter()
        .map(|name| {
            let expected = expected_exit(name, Cloud::Believed);
            (
                name.to_owned(),
                ExitReport {
                    got: Some(expected),
                    expected,
                },
            )
        })
        .collect()
}

/// An evening of these lines.
pub(super) fn evening(lines: &[Line], attack: Option<Attack>) -> Evening {
    let mut log = Log::new(attack);
    for line in lines {
        let mut event = json!({"schema": SCHEMA, "mono_us": START_US + line.at_ms * 1000,
            "kind": line.kind, "who": line.who});
        let fields = line.fields.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(fields);
        log.add(Event::parse(line.source, &event.to_string()).unwrap());
    }
    for name in ["A", "B", "C", "D", "E"] {
        log.leaves(name, END_US + 200_000);
    }
    Evening {
        seed: 7,
        cloud: Cloud::Believed,
        started_us: START_US,
        ended_us: END_US,
        log,
        exits: exits(),
        kept: BTreeMap::new(),
        failures: Vec::new(),
    }
}

/// The report of the evening with something changed.
pub(super) fn report(change: impl FnOnce(&mut Vec<Line>)) -> Report {
    let mut lines = lines();
    change(&mut lines);
    Report::of(&evening(&lines, None))
}

/// As `--json` prints it.
pub(super) fn json_of(report: &Report) -> Value {
    serde_json::to_value(report).unwrap()
}

/// Without a desk D and E are refused, and do not count.
pub(super) fn no_cloud() -> Evening {
    let mut kept = station();
    kept.retain(|line| line.kind != "attached" || line.at_ms < 2000);
    kept.extend(viewer("A", &[], &[(5, "S")]));
    kept.extend(viewer("B", &[], &[(5, "S")]));
    kept.extend(viewer("C", &[], &[(10, "B")]));
    for (name, at_ms) in [("D", 2600), ("E", 9100)] {
        kept.push(line(
            name,
            at_ms - 200,
            "viewer_ready",
            name,
            json!({"spki": spki(name)}),
        ));
        kept.push(line(
            "S",
            at_ms,
            "join_refused_no_capacity",
            name,
            json!({}),
        ));
        kept.push(line(
            name,
            at_ms + 5,
            "refused",
            name,
            json!({"reason": "no_capacity"}),
        ));
    }
    let mut evening = evening(&kept, None);
    evening.cloud = Cloud::Nothing;
    evening
        .exits
        .retain(|name, _| !name.starts_with('R') && name != "desk");
    for name in ["D", "E"] {
        let expected = expected_exit(name, Cloud::Nothing);
        evening.exits.insert(
            name.into(),
            ExitReport {
                got: Some(expected),
                expected,
            },
        );
    }
    evening
}

/// The report of the evening with an attack and these refusals.
pub(super) fn attacked(attack: Attack, refusals: &[Line]) -> Report {
    let mut all = lines();
    all.extend_from_slice(refusals);
    let mut evening = evening(&all, Some(attack));
    let expected = expected_exit("X", Cloud::Believed);
    evening.exits.insert(
        "X".into(),
        ExitReport {
            got: Some(expected),
            expected,
        },
    );
    Report::of(&evening)
}
