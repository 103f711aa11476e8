//! The disk.

use boot::disk::{executable, write};

#[test]
fn a_disk_gives_back_its_executable() {
    for length in [1, 511, 512, 513, 100_000] {
        let file = vec![0xa5; length];
        assert_eq!(
            executable(&write(&file).unwrap()).unwrap(),
            file,
            "{length} bytes"
        );
    }
}

#[test]
fn a_disk_with_anything_else_on_it_is_refused() {
    let disk = write(&[0xa5; 5000]).unwrap();
    let places = [
        0,
        440,
        510,
        512,
        1024,
        2048 * 512,
        disk.len() / 2,
        disk.len() - 1,
    ];
    for place in places {
        let mut altered = disk.clone();
        altered[place] ^= 1;
        assert_eq!(
            executable(&altered).unwrap_err().reason(),
            "disk_malformed",
            "byte {place}"
        );
    }
    let longer = [disk.as_slice(), b"\0"].concat();
    assert_eq!(executable(&longer).unwrap_err().reason(), "disk_malformed");
    assert_eq!(
        executable(&disk[..512]).unwrap_err().reason(),
        "disk_malformed"
    );
    assert_eq!(write(b"").unwrap_err().reason(), "disk_malformed");
}

#[test]
fn both_tables_hold_the_checksums_that_firmware_computes() {
    let disk = write(b"x").unwrap();
    let last = disk.len() - 512;
    for header in [512, last] {
        let number = |at: usize| u32::from_le_bytes(disk[header + at..][..4].try_into().unwrap());
        let mut bytes = disk[header..header + 92].to_vec();
        bytes[16..20].fill(0);
        assert_eq!(crc32fast::hash(&bytes), number(16));
        let table = number(72) as usize * 512;
        assert_eq!(crc32fast::hash(&disk[table..table + 128 * 128]), number(88));
    }
}
