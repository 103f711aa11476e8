//! The partition table (UEFI 2.10 section 5).

use super::SECTOR_BYTES;
use crate::Error;
use crate::bytes::{put, utf16};
use crate::guid::{DISK, PARTITION, SYSTEM_PARTITION};

/// The partition begins at 1 MiB, as every tool places it.
pub(super) const PARTITION_SECTOR: usize = 2048;
/// The table has room for 128 entries of 128 bytes.
const ENTRIES: usize = 128;
const ENTRY_BYTES: usize = 128;
const TABLE_SECTORS: usize = ENTRIES * ENTRY_BYTES / SECTOR_BYTES;
const HEADER_BYTES: usize = 92;
/// Behind the partition: the second table and its header.
const TAIL_SECTORS: usize = TABLE_SECTORS + 1;

/// A disk with `volume` as its only partition.
pub(super) fn wrap(volume: &[u8]) -> Result<Vec<u8>, Error> {
    let large = || Error::TooLarge("disk");
    let volume_sectors = volume.len().div_ceil(SECTOR_BYTES);
    let sectors = PARTITION_SECTOR + volume_sectors + TAIL_SECTORS;
    let last = sectors - 1;
    let mut disk = vec![0; sectors * SECTOR_BYTES];
    let table = table(PARTITION_SECTOR + volume_sectors - 1);
    let primary = Header {
        own: 1,
        other: last,
        table: 2,
        last_usable: last - TAIL_SECTORS,
    };
    let backup = Header {
        own: last,
        other: 1,
        table: last - TABLE_SECTORS,
        ..primary
    };
    let parts: [(usize, &[u8]); 6] = [
        (0, &protective_record(last)),
        (primary.own, &primary.encode(&table)),
        (primary.table, &table),
        (PARTITION_SECTOR, volume),
        (backup.table, &table),
        (backup.own, &backup.encode(&table)),
    ];
    for (sector, bytes) in parts {
        put(&mut disk, sector * SECTOR_BYTES, bytes).ok_or_else(large)?;
    }
    Ok(disk)
}

/// An old-style record that says that the whole disk is taken.
fn protective_record(last: usize) -> Vec<u8> {
    let mut record = vec![0; 446];
    record.extend_from_slice(&[0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]);
    record.extend_from_slice(&1_u32.to_le_bytes());
    record.extend_from_slice(&u32::try_from(last).unwrap_or(u32::MAX).to_le_bytes());
    record.resize(SECTOR_BYTES - 2, 0);
    record.extend_from_slice(&[0x55, 0xaa]);
    record
}

fn table(partition_last: usize) -> Vec<u8> {
    let mut table = Vec::with_capacity(ENTRIES * ENTRY_BYTES);
    table.extend_from_slice(&SYSTEM_PARTITION);
    table.extend_from_slice(&PARTITION);
    table.extend_from_slice(&wide(PARTITION_SECTOR));
    table.extend_from_slice(&wide(partition_last));
    table.extend_from_slice(&[0; 8]); // attributes
    table.extend_from_slice(&utf16("roundcast"));
    table.resize(ENTRIES * ENTRY_BYTES, 0);
    table
}

#[derive(Clone, Copy)]
struct Header {
    own: usize,
    other: usize,
    table: usize,
    last_usable: usize,
}

impl Header {
    fn encode(&self, table: &[u8]) -> Vec<u8> {
        let mut header = b"EFI PART\0\0\x01\0".to_vec();
        for number in [HEADER_BYTES, 0, 0] {
            header.extend_from_slice(&narrow(number));
        }
        let first_usable = 2 + TABLE_SECTORS;
        for sector in [self.own, self.other, first_usable, self.last_usable] {
            header.extend_from_slice(&wide(sector));
        }
        header.extend_from_slice(&DISK);
        header.extend_from_slice(&wide(self.table));
        header.extend_from_slice(&narrow(ENTRIES));
        header.extend_from_slice(&narrow(ENTRY_BYTES));
        header.extend_from_slice(&crc32fast::hash(table).to_le_bytes());
        // Its own checksum is computed with zeros in its place.
        let checksum = crc32fast::hash(&header).to_le_bytes();
        header.splice(16..20, checksum);
        header
    }
}

fn wide(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes()
}

fn narrow(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}
