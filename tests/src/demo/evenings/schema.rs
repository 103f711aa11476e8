//! The reports against their schema.

use super::super::attack::Attack;
use super::super::report::Report;
use super::{attacked, evening, json_of, no_cloud, report, spki};
use serde_json::{Value, json};

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../demo.schema.json")).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn reports_are_valid() {
    let validator = validator();
    let reports = [
        report(|_| {}),
        Report::of(&no_cloud()),
        attacked(Attack::ForeignCommand, &[]),
        Report::of(&evening(&[], None)),
    ];
    for report in reports {
        let report = json_of(&report);
        let errors: Vec<_> = validator
            .iter_errors(&report)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn altered_reports_are_refused() {
    let validator = validator();
    let good = json_of(&report(|_| {}));
    let changes: [(&str, Value); 18] = [
        ("/schema", json!("roundcast.demo/2")),
        ("/ok", json!("yes")),
        ("/seconds", json!(-1)),
        ("/stream", json!("not a key")),
        ("/extra", json!(1)),
        ("/capacities/S", json!(-2)),
        ("/events/0/kind", json!("party")),
        ("/events/0/extra", json!(1)),
        ("/events/0/at_ms", json!(1.5)),
        ("/events/0/who", json!(spki("A"))),
        ("/events/4/at_ms", Value::Null),
        ("/viewers/0/media_identical", json!(1)),
        ("/viewers/0/extra", json!(1)),
        ("/viewers/0/path/0/verified", json!("surely")),
        ("/relays/0/relay", json!("B")),
        ("/relays/0/proven_mbps", json!("much")),
        ("/exit_codes/R1/got", json!("9")),
        ("/exit_codes/R1/expected", Value::Null),
    ];
    for (pointer, value) in changes {
        let mut bad = good.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = bad.pointer_mut(parent).unwrap();
        parent
            .as_object_mut()
            .unwrap()
            .insert(field.to_owned(), value);
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
    for pointer in ["/events", "/viewers", "/problems", "/exit_codes"] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(&pointer[1..]);
        assert!(!validator.is_valid(&bad), "without {pointer}");
    }
    let mut bad = good.clone();
    bad["viewers"][0]
        .as_object_mut()
        .unwrap()
        .remove("delay_ms_p99");
    assert!(!validator.is_valid(&bad));
}
