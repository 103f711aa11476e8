//! The order of modules.

use crate::common::module;
use boot::modules::{Modules, name, order};

fn modules(list: &[(&str, &str)]) -> Modules {
    list.iter()
        .map(|(name, needs)| ((*name).to_owned(), module(needs)))
        .collect()
}

#[test]
fn what_a_module_needs_is_loaded_before_it_and_once() {
    let all = modules(&[
        ("net", "pci,fail-over"),
        ("pci", "ring"),
        ("ring", ""),
        ("fail_over", "ring"),
    ]);
    assert_eq!(
        order(&["net", "pci"], &all).unwrap(),
        ["ring", "pci", "fail_over", "net"]
    );
    assert_eq!(name("virtio-rng"), "virtio_rng");
}

#[test]
fn missing_circular_unsigned_and_compressed_modules_are_refused_by_name() {
    let reason = |all: &Modules| order(&["a"], all).unwrap_err().reason();
    assert_eq!(reason(&modules(&[("a", "b")])), "module_missing");
    assert_eq!(reason(&modules(&[("a", "b"), ("b", "a")])), "module_cycle");
    let mut all = modules(&[("a", "")]);
    let signed = all.get_mut("a").unwrap();
    signed.pop();
    assert_eq!(reason(&all), "module_unsigned");
    all.insert("a".into(), b"\xfd7zXZ\0".to_vec());
    assert_eq!(reason(&all), "module_malformed");
}
