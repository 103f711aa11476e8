//! Prediction. That it is right is for the tests that boot; here is what it
//! depends on, and what it refuses.

use crate::common::{executable, kernel, stub};
use boot::guid::OWNER;
use boot::pcr::Bank;
use boot::predict::{Profile, REGISTERS, SecureBoot, predict};
use boot::secure_boot::Certificates;
use boot::uki::{Parts, assemble};

fn profile(command_line: &str, initrd: &[u8], setting: SecureBoot<'_>) -> Profile {
    let (stub, kernel) = (stub(), kernel());
    let os_release = "ID=x\n";
    let parts = Parts {
        stub: &stub,
        os_release,
        command_line,
        initrd,
        kernel: &kernel,
    };
    predict(&assemble(&parts).unwrap(), Bank::Sha256, setting).unwrap()
}

fn changed(one: &Profile, other: &Profile) -> Vec<u8> {
    REGISTERS
        .into_iter()
        .filter(|register| one.value(*register) != other.value(*register))
        .collect()
}

#[test]
fn each_change_shows_in_the_registers_that_cover_it() {
    let keys = |db: u8| Certificates {
        owner: OWNER,
        pk: vec![1],
        kek: vec![2],
        db: vec![db],
    };
    let (own, foreign) = (keys(3), keys(4));
    let base = profile("quiet", b"one", SecureBoot::On(&own));
    let other = |line, initrd, keys| changed(&base, &profile(line, initrd, SecureBoot::On(keys)));
    assert_eq!(other("quiet", b"one", &own), []);
    assert_eq!(other("debug", b"one", &own), [4, 9, 11]);
    assert_eq!(other("quiet", b"two", &own), [4, 9, 11]);
    assert_eq!(other("quiet", b"one", &foreign), [7]);
    assert_eq!(
        changed(&base, &profile("quiet", b"one", SecureBoot::Off)),
        [4, 7]
    );
    assert_eq!(base.value(12).unwrap(), "0".repeat(64));
    assert_eq!(base.value(13).unwrap(), "0".repeat(64));
}

#[test]
fn stubs_and_sections_that_are_measured_otherwise_are_refused() {
    let reason = |sections: &[(&str, &[u8])]| {
        predict(&executable(sections), Bank::Sha256, SecureBoot::Off)
            .unwrap_err()
            .reason()
    };
    let mark = |version: &str| format!("#### LoaderInfo: systemd-stub {version} ####").into_bytes();
    for version in ["251.4", "253.1", "254", "257.1-2", "x"] {
        assert_eq!(
            reason(&[(".sdmagic", &mark(version))]),
            "stub_unknown",
            "{version}"
        );
    }
    let known = mark("252");
    assert_eq!(reason(&[(".sdmagic", &known)]), "section_missing");
    let more = [(".sdmagic", known.as_slice()), (".dtb", b"x")];
    assert_eq!(reason(&more), "executable_malformed");
    let twice = [
        (".sdmagic", known.as_slice()),
        (".linux", b"x"),
        (".linux", b"y"),
    ];
    assert_eq!(reason(&twice), "section_missing");
}
