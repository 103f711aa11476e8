//! Damaged files lead to an error, never to a panic.

use crate::common::{kernel, module, stub};
use crate::stores::template;
use boot::guid::OWNER;
use boot::modules::{Modules, order};
use boot::pcr::Bank;
use boot::predict::{SecureBoot, predict};
use boot::secure_boot::Certificates;
use boot::uki::{Parts, assemble};
use boot::{authenticode, disk, event_log, variables};
use proptest::collection::vec;
use proptest::prelude::*;
use ring::digest::SHA256;
use std::sync::LazyLock;

/// A file with some of its bytes replaced and its end cut off.
fn damaged(file: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = file.len();
    let changes = vec((0..length.min(2048), any::<u8>()), 0..8);
    (changes, 0..=length).prop_map(move |(changes, end)| {
        let mut file = file.clone();
        for (place, value) in changes {
            file[place] = value;
        }
        // Half of them keep their length.
        file.truncate(if end % 2 == 0 { length } else { end });
        file
    })
}

fn image() -> Vec<u8> {
    let (stub, kernel) = (stub(), kernel());
    let (os_release, command_line) = ("ID=x\n", "quiet");
    let parts = Parts {
        stub: &stub,
        os_release,
        command_line,
        initrd: b"x",
        kernel: &kernel,
    };
    assemble(&parts).unwrap()
}

const SECTOR: usize = 512;
/// Where the volume begins, and in it the length of a table, in sectors.
const VOLUME: usize = 2048 * SECTOR;
const TABLES_AT: usize = VOLUME + 36;
/// The third folder's cluster: behind two tables of 513 sectors and 32 more.
const FOLDER: usize = VOLUME + (32 + 2 * 513 + 2) * SECTOR;
/// The length of its first file, behind `.` and `..`.
const LENGTH_AT: usize = FOLDER + 2 * 32 + 28;

/// The beginning of a disk, up to its file and a little more.
static DISK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut disk = disk::write(&[0xa5; 5000]).unwrap();
    assert_eq!(disk[LENGTH_AT..][..4], 5000_u32.to_le_bytes());
    assert_eq!(disk[TABLES_AT..][..4], 513_u32.to_le_bytes());
    disk.truncate(FOLDER + 40 * SECTOR);
    disk
});

/// A log with one event in two banks.
fn log() -> Vec<u8> {
    let specification =
        b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x02\0\0\0\x0b\0\x20\0\x0c\0\x30\0\0";
    let mut log = vec![0; 28];
    log.extend_from_slice(&(specification.len() as u32).to_le_bytes());
    log.extend_from_slice(specification);
    log.extend_from_slice(&[4, 0, 0, 0, 7, 0, 0, 0x80, 2, 0, 0, 0, 0x0b, 0]);
    log.extend_from_slice(&[1; 32]);
    log.extend_from_slice(&[0x0c, 0]);
    log.extend_from_slice(&[2; 48]);
    log.extend_from_slice(&[3, 0, 0, 0, 9, 9, 9]);
    log
}

#[test]
fn an_event_is_read_with_its_digests_and_data() {
    let events = event_log::parse(&log()).unwrap();
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.register, event.data.as_slice()),
        (4, [9, 9, 9].as_slice())
    );
    assert_eq!(event.digests[1], (0x0c, vec![2; 48]));
    let replayed = event_log::replay(&events, 4, Bank::Sha384);
    assert_ne!(replayed.value(), [0; 48]);
    assert_eq!(event_log::replay(&events, 5, Bank::Sha384).value(), [0; 48]);
}

#[test]
fn every_log_cut_short_is_refused() {
    let log = log();
    let first = log.len() - 12 - 34 - 50 - 7;
    for length in (0..log.len()).filter(|length| *length != first) {
        assert!(event_log::parse(&log[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(event_log::parse(&log[..first]).unwrap(), []);
}

proptest! {
    #[test]
    fn logs(log in damaged(log())) {
        let _ = event_log::parse(&log);
    }

    #[test]
    fn images(image in damaged(image())) {
        let _ = predict(&image, Bank::Sha256, SecureBoot::Off);
        let _ = authenticode::digest(&image, &SHA256);
        let _ = authenticode::unsigned(&image);
        let _ = authenticode::verify(&image, b"no certificate");
    }

    #[test]
    fn stubs_and_kernels(stub in damaged(stub()), kernel in damaged(kernel())) {
        let (os_release, command_line) = ("", "");
        let parts = Parts { stub: &stub, os_release, command_line, initrd: b"", kernel: &kernel };
        let _ = assemble(&parts);
    }

    #[test]
    fn kernel_modules(module in damaged(module("b"))) {
        let _ = order(&["a"], &Modules::from([("a".to_owned(), module)]));
    }

    #[test]
    fn variable_stores(store in damaged(template(4096))) {
        let certificates = Certificates { owner: OWNER, pk: vec![], kek: vec![], db: vec![] };
        let _ = variables::enrol(&store, &certificates);
    }

    #[test]
    fn disks(
        tables in prop_oneof![Just(None), any::<u32>().prop_map(Some), (0_u32..600).prop_map(Some)],
        length in prop_oneof![any::<u32>(), 0_u32..100_000],
        end in 0..=DISK.len(),
    ) {
        let mut disk = DISK.clone();
        disk[LENGTH_AT..][..4].copy_from_slice(&length.to_le_bytes());
        if let Some(tables) = tables {
            disk[TABLES_AT..][..4].copy_from_slice(&tables.to_le_bytes());
        }
        disk.truncate(if end % 2 == 0 { DISK.len() } else { end });
        let refused = disk::executable(&disk).unwrap_err();
        prop_assert_eq!(refused.reason(), "disk_malformed");
    }
}
