use certs::Error;
use std::collections::BTreeSet;

#[test]
fn every_reason_is_one_stable_name() {
    let names: BTreeSet<_> = Error::NAMED.iter().map(Error::reason).collect();
    assert_eq!(names.len(), Error::NAMED.len(), "a name is used twice");
    for name in names {
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(plain), "{name}");
    }
}

#[test]
fn every_message_names_the_step_and_the_fix() {
    for error in Error::NAMED {
        let text = error.to_string();
        let (step, rest) = text.split_once(": ").expect("a step");
        assert!(!step.is_empty() && rest.contains([';', ',']), "{text}");
    }
}

#[test]
fn names_agree_with_the_ones_on_the_wire() {
    let on_the_wire: Vec<_> = (0..=u64::from(u8::MAX))
        .filter_map(wire::Reason::from_code)
        .collect();
    for error in Error::NAMED {
        let same = on_the_wire
            .iter()
            .find(|reason| reason.name() == error.reason());
        if let Some(reason) = same {
            assert_eq!(error.wire_reason(), *reason);
        }
    }
    for name in [
        "header_signature_invalid",
        "block_proof_mismatch",
        "sender_inconsistent",
        "spki_not_admitted",
        "invite_invalid",
    ] {
        assert!(
            Error::NAMED.iter().any(|error| error.reason() == name),
            "{name}"
        );
        assert!(
            on_the_wire.iter().any(|reason| reason.name() == name),
            "{name}"
        );
    }
}
