//! No cell of the catalogue is empty, and none points into the void.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use threat_model::catalogue::{Catalogue, Place, Status};
use threat_model::threats;

/// What has to be shown now; the others may be planned.
const SHOWN: &[&str] = &[
    "A3", "A8", "A9", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B13",
    "B14", "C2", "C7", "C8", "C9", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10",
    "D11", "E1", "E2", "E3", "E4", "E5", "E6", "E7", "F1", "F2", "F3", "F4", "F5", "G1", "G2",
    "G3",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Whether the file defines the item: a function, type, constant or field.
fn defines(place: &Place) -> bool {
    let Ok(text) = std::fs::read_to_string(root().join(&place.file)) else {
        return false;
    };
    place.item.split("::").all(|name| {
        let keywords = [
            "fn", "struct", "enum", "trait", "const", "type", "mod", "impl",
        ];
        let defined = keywords.iter().any(|word| {
            [" ", "(", "<", "{", ":", ";"]
                .iter()
                .any(|end| text.contains(&format!("{word} {name}{end}")))
        });
        defined
            || text.contains(&format!("pub {name}: "))
            || text.contains(&format!(" for {name} "))
    })
}

#[test]
fn holds_every_threat_and_no_empty_cell() {
    let catalogue = Catalogue::load().unwrap();
    assert_eq!(catalogue.threats.len(), 62);
    assert!(!catalogue.weaknesses.is_empty());
}

#[test]
fn every_control_is_where_the_catalogue_says() {
    for threat in Catalogue::load().unwrap().threats {
        for place in &threat.control {
            assert!(
                defines(place),
                "{}: {} in {}",
                threat.id,
                place.item,
                place.file
            );
        }
    }
}

#[test]
fn every_further_test_exists() {
    for threat in Catalogue::load().unwrap().threats {
        for test in &threat.further {
            let (file, name) = test.split_once("::").unwrap();
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            // Property tests stand in a macro, and have arguments.
            let written = text.lines().map(str::trim_start).any(|line| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                line.starts_with(&format!("fn {name}("))
            });
            assert!(written, "{}: {test}", threat.id);
        }
    }
}

#[test]
fn what_is_shown_has_an_attack_and_what_has_an_attack_is_shown() {
    let catalogue = Catalogue::load().unwrap();
    let shown: BTreeSet<&str> = catalogue
        .threats
        .iter()
        .filter(|threat| threat.status == Status::Shown)
        .map(|threat| threat.id.as_str())
        .collect();
    let attacks: BTreeSet<&str> = threats::ALL.iter().map(|attack| attack.id).collect();
    assert_eq!(attacks.len(), threats::ALL.len());
    assert_eq!(shown, attacks);
    assert_eq!(shown, SHOWN.iter().copied().collect());
}

#[test]
fn every_attack_is_in_the_module_of_its_name() {
    for attack in threats::ALL {
        let module = attack.id.to_lowercase();
        assert_eq!(
            attack.stopped_test(),
            format!("threats::{module}::tests::stopped")
        );
        assert_eq!(
            attack.ablated_test(),
            format!("threats::{module}::tests::ablated")
        );
        let file = format!("src/threats/{module}.rs");
        let text = std::fs::read_to_string(root().join("threat-model").join(&file)).unwrap();
        // The macro makes both tests: without it there are none.
        assert!(
            text.contains(&format!("attack!(\"{}\", ", attack.id)),
            "{file}"
        );
    }
}
