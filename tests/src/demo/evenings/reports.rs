//! Reports of good evenings, and of evenings with one thing wrong.

use super::super::attack::Attack;
use super::super::report::Report;
use super::super::story::What;
use super::{Line, attacked, evening, json_of, line, lines, no_cloud, report, spki};
use crate::process::Exit;
use serde_json::{Value, json};

#[test]
fn a_good_evening_is_ok() {
    let report = report(|_| {});
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.ok);
    let capacities = json!({"S": 2, "A": 0, "B": 1, "C": 0, "D": 0, "E": 0});
    assert_eq!(json!(report.capacities), capacities);
}

#[test]
fn the_two_views_of_a_question_are_one_event_with_the_price() {
    let report = json_of(&report(|_| {}));
    let events = report["events"].as_array().unwrap();
    let asked: Vec<&Value> = events
        .iter()
        .filter(|e| e["kind"] == "sponsor_asked")
        .collect();
    let who: Vec<_> = asked.iter().map(|e| e["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["D", "A", "C", "B", "D", "E"]);
    let first = json!({"seq": asked[0]["seq"], "at_ms": 2520, "kind": "sponsor_asked", "who": "D",
        "ask": 1, "cause": "join", "step": "affected", "price_minor": 410, "currency": "USD"});
    assert_eq!(*asked[0], first);
}

#[test]
fn events_are_numbered_in_the_order_of_their_stamps() {
    let report = json_of(&report(|lines| lines.reverse()));
    let events = report["events"].as_array().unwrap();
    let stamps: Vec<_> = events
        .iter()
        .map(|e| e["at_ms"].as_u64().unwrap())
        .collect();
    assert!(stamps.is_sorted());
    assert!((0..).zip(events).all(|(n, event)| event["seq"] == n));
}

#[test]
fn keys_become_names_and_redemptions_find_their_sponsor() {
    let report = json_of(&report(|_| {}));
    let events = report["events"].as_array().unwrap();
    let find = |kind: &str, nth: usize| {
        events
            .iter()
            .filter(|e| e["kind"] == kind)
            .nth(nth)
            .unwrap()
    };
    let redeemed = find("voucher_redeemed", 1);
    assert_eq!(
        (&redeemed["who"], &redeemed["ask"]),
        (&json!("D"), &json!(4))
    );
    assert_eq!(find("relay_started", 0)["relay"], "R1");
    assert_eq!(find("relay_admitted", 1)["parent"], "S");
    assert_eq!(find("relay_lost", 0)["relay"], "R1");
    let moved = events
        .iter()
        .find(|e| e["kind"] == "reparented" && e["who"] == "E")
        .unwrap();
    assert_eq!((&moved["from"], &moved["to"]), (&json!("R1"), &json!("R2")));
    assert_eq!(moved["resume_from"], 103);
    assert_eq!(report["viewers"][0]["path"][0]["name"], "R2");
    assert!(!events.iter().any(|e| e.to_string().contains(&spki("R1"))));
}

#[test]
fn a_redemption_without_its_sponsors_word_goes_to_the_newest_grant() {
    let report = json_of(&report(|lines| {
        lines.retain(|line| line.kind != "redeemed")
    }));
    let events = report["events"].as_array().unwrap();
    let redeemed = events.iter().filter(|e| e["kind"] == "voucher_redeemed");
    let who: Vec<_> = redeemed
        .map(|e| (e["who"].as_str().unwrap(), e["ask"].as_u64().unwrap()))
        .collect();
    assert_eq!(who, [("B", 3), ("D", 4)]);
}

#[test]
fn viewers_are_measured_from_outside() {
    let report = report(|_| {});
    let a = &report.viewers[0];
    assert_eq!(
        (a.name.as_str(), a.chunks_due, a.chunks_verified),
        ("A", 146, 146)
    );
    assert_eq!((a.first_chunk_ms, a.longest_gap_ms), (Some(349), 200));
    assert_eq!((a.delay_ms_p50, a.delay_ms_p99), (48, 48));
    assert_eq!(a.bytes, (5..=150).map(|n| 1000 + n).sum::<u64>() + 700);
}

#[test]
fn relays_tell_what_they_proved_and_carried() {
    let report = json_of(&report(|_| {}));
    assert_eq!(report["relays"][0]["children_max"], 3);
    let second = json!({"relay": "R2", "release": "stable 0.1.0", "evidence": "software",
        "assurance": "development", "verified_by": ["D", "S", "A", "E"], "claim_mbps": 100.0,
        "proven_mbps": 3.3, "children_max": 3});
    assert_eq!(report["relays"][1], second);
}

#[test]
fn each_broken_condition_alone_makes_it_not_ok() {
    fn find(lines: &mut [Line], source: &str, kind: &str) -> usize {
        let fits = |line: &Line| line.source == source && line.kind == kind;
        lines.iter().position(fits).unwrap()
    }
    type Change = fn(&mut Vec<Line>);
    let changes: [(&str, Change); 10] = [
        ("a chunk is missing", |lines| {
            let i = find(lines, "C", "chunk_received");
            lines.remove(i + 9);
        }),
        ("a chunk was changed", |lines| {
            let i = find(lines, "C", "chunk_received");
            lines[i + 9].fields["sha256"] = json!(spki("another"));
        }),
        ("a viewer has no init segment", |lines| {
            lines.retain(|l| !(l.source == "E" && l.fields["init"] == true));
        }),
        ("a viewer got nothing", |lines| {
            lines.retain(|l| l.source != "E")
        }),
        ("a chunk was rejected", |lines| {
            let fields = json!({"from": spki("S"), "reason": "block_proof_mismatch"});
            lines.push(line("A", 900, "chunk_rejected", "A", fields));
        }),
        ("rejections are only in the viewer's own count", |lines| {
            let i = find(lines, "A", "viewer_report");
            lines[i].fields["chunks_rejected"] = json!(1);
        }),
        ("a member did not verify its relay", |lines| {
            lines.retain(|l| !(l.source == "E" && l.kind == "relay_verified" && l.at_ms > 9_500));
        }),
        ("the station verified a relay too late", |lines| {
            edge_of_the_station(lines).at_ms = 7600;
        }),
        (
            "the station verified a relay on another link alone",
            |lines| {
                edge_of_the_station(lines).fields["link"] = json!("control");
            },
        ),
        ("somebody was refused who did not attack", |lines| {
            let fields = json!({"reason": "live_binding_mismatch", "other": spki("R1")});
            lines.push(line("A", 900, "attack_refused", "A", fields));
        }),
    ];
    for (what, change) in changes {
        let report = report(change);
        assert!(!report.ok, "{what}");
        assert_eq!(report.problems.len(), 1, "{what}: {:?}", report.problems);
    }
}

/// The station's verification of R1 on its edge.
fn edge_of_the_station(lines: &mut [Line]) -> &mut Line {
    let edge = |l: &&mut Line| l.source == "S" && l.fields["link"] == "edge";
    lines.iter_mut().find(edge).unwrap()
}

#[test]
fn a_member_that_verified_after_its_first_block_is_not_ok() {
    let late = report(|lines| {
        let verified =
            |l: &&mut Line| l.source == "D" && l.kind == "relay_verified" && l.at_ms < 10_000;
        lines.iter_mut().find(verified).unwrap().at_ms = 8051;
    });
    assert_eq!(
        late.problems,
        ["D: linked to R1 before it had verified the relay itself"]
    );
}

#[test]
fn exits_failures_and_kept_files_count() {
    let all = lines();
    for (name, got) in [
        ("A", Exit::Code(1)),
        ("R1", Exit::Code(0)),
        ("R2", Exit::Signal(9)),
    ] {
        let mut evening = evening(&all, None);
        evening.exits.get_mut(name).unwrap().got = Some(got);
        let report = Report::of(&evening);
        assert!(!report.ok && report.problems[0].starts_with(name), "{name}");
    }
    let mut unseen = evening(&all, None);
    unseen.exits.get_mut("R2").unwrap().got = None;
    assert!(!Report::of(&unseen).ok);

    let mut failed = evening(&all, None);
    failed.failures.push("E joins: nothing within 30 s".into());
    assert!(!Report::of(&failed).ok);

    let mut kept = evening(&all, None);
    kept.kept.insert("A".into(), true);
    assert!(Report::of(&kept).ok);
    kept.kept.insert("B".into(), false);
    assert!(!Report::of(&kept).ok);
}

#[test]
fn gaps_are_measured() {
    let report = report(|lines| {
        let mut late = lines
            .iter_mut()
            .filter(|l| l.source == "D" && l.kind == "chunk_received");
        late.find(|l| l.fields["sequence"] == 103).unwrap().at_ms += 900;
        for line in late.filter(|l| l.fields["sequence"].as_u64() < Some(108)) {
            line.at_ms = 103 * 200 + 50 + 900;
        }
    });
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.viewers[3].longest_gap_ms, 1100);
}

#[test]
fn refused_viewers_do_not_count_and_exit_with_1() {
    let report = Report::of(&no_cloud());
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(
        (
            report.viewers[3].chunks_due,
            report.viewers[3].media_identical
        ),
        (0, false)
    );
    assert_eq!(report.exit_codes["E"].expected, Exit::Code(1));
    let refused = report
        .events
        .iter()
        .filter(|e| matches!(e.what, What::JoinRefusedNoCapacity));
    assert_eq!(
        refused.map(|e| e.who.as_str()).collect::<Vec<_>>(),
        ["D", "E"]
    );
}

#[test]
fn an_attack_has_to_be_refused_for_its_reason() {
    let refused =
        |source, kind, reason: &str| line(source, 2000, kind, source, json!({"reason": reason}));
    let by_station = refused("S", "attack_refused", "evidence_missing");
    assert!(attacked(Attack::FakeRelay, std::slice::from_ref(&by_station)).ok);
    assert!(!attacked(Attack::FakeRelay, &[]).ok);
    assert!(!attacked(Attack::OracleRelay, std::slice::from_ref(&by_station)).ok);
    // What the attacker says of a member proves nothing.
    assert!(
        !attacked(
            Attack::FakeRelay,
            &[refused("X", "refused", "evidence_missing")]
        )
        .ok
    );
    // Nor does what it says of the desk: the desk's own word does.
    let by_attacker = refused("X", "refused", "spent");
    assert!(!attacked(Attack::DoubleSpend, std::slice::from_ref(&by_attacker)).ok);
    let by_desk = refused("desk", "redemption_refused", "spent");
    let report = attacked(Attack::DoubleSpend, &[by_attacker, by_desk]);
    assert!(report.ok);
    assert!(report.events.iter().any(|event| event.who == "desk"
        && matches!(&event.what, What::AttackRefused { attack, .. } if attack == "double-spend")));
}

#[test]
fn a_rejected_block_is_the_attack_that_was_stopped() {
    let fields = json!({"from": spki("S"), "reason": "block_proof_mismatch"});
    let rejected = line("A", 2000, "chunk_rejected", "A", fields);
    let report = attacked(Attack::TamperingRelay, &[rejected.clone(), rejected]);
    assert!(report.ok, "{:?}", report.problems);
    let refusals = report
        .events
        .iter()
        .filter(|e| matches!(e.what, What::AttackRefused { .. }));
    assert_eq!(refusals.count(), 1);
    assert_eq!(report.viewers[0].chunks_rejected, 2);
}
