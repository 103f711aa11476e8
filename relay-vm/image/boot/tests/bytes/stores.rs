//! Enrolling keys in OVMF's variables.

use boot::guid::OWNER;
use boot::secure_boot::Certificates;
use boot::variables::enrol;

fn certificates() -> Certificates {
    Certificates {
        owner: OWNER,
        pk: vec![1; 700],
        kek: vec![2; 701],
        db: vec![3; 702],
    }
}

/// An empty store of `size` bytes behind a header of 72, in its volume.
pub(crate) fn template(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; 72];
    bytes[16..32].copy_from_slice(&[
        0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f,
        0x50,
    ]);
    bytes[32..40].copy_from_slice(&(72 + size as u64).to_le_bytes());
    bytes[40..44].copy_from_slice(b"_FVH");
    bytes[48] = 72;
    bytes.extend_from_slice(&[
        0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77,
        0x92,
    ]);
    bytes.extend_from_slice(&(size as u32).to_le_bytes());
    bytes.extend_from_slice(&[0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
    bytes.resize(72 + size, 0xff);
    bytes
}

#[test]
fn three_variables_are_written_one_behind_the_other() {
    let template = template(4096);
    let store = enrol(&template, &certificates()).unwrap();
    assert_eq!(store.len(), template.len());
    // Header 60, name, list header 28, owner 16, certificate; then to four.
    let sizes = [60 + 6 + 44 + 700, 60 + 8 + 44 + 701, 60 + 6 + 44 + 702];
    let mut place = 72 + 28;
    for size in sizes {
        assert_eq!(store[place..place + 3], [0xaa, 0x55, 0x3f]);
        place += usize::next_multiple_of(size, 4);
    }
    assert!(store[place..].iter().all(|byte| *byte == 0xff));
}

#[test]
fn a_store_with_keys_or_without_room_or_of_another_kind_is_refused() {
    let reason = |bytes: &[u8]| enrol(bytes, &certificates()).unwrap_err().reason();
    let enrolled = enrol(&template(4096), &certificates()).unwrap();
    assert_eq!(reason(&enrolled), "variable_set");
    assert_eq!(reason(&template(2000)), "variables_full");
    assert_eq!(reason(&[0; 200]), "variables_malformed");
    assert_eq!(reason(&template(4096)[..200]), "variables_malformed");
    let mut used = template(4096);
    used[72 + 28 + 100] = 0;
    assert_eq!(reason(&used), "variables_malformed");
}
