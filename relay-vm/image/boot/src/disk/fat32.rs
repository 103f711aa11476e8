//! A FAT32 volume with one file in nested folders (Microsoft's "FAT: General
//! Overview of On-Disk Format" 1.03; ECMA-107 for the entries).
//!
//! Clusters are given out in the order of the path, so the file's bytes lie in
//! one piece; dates are the format's first, 1980-01-01.

use super::SECTOR_BYTES;
use crate::Error;
use crate::bytes::{put, u32_at};

/// What makes a volume FAT32 is that it has at least this many clusters.
const CLUSTERS_MIN: usize = 65_525;
/// A little more: some drivers count two off.
const CLUSTERS_SPARE: usize = 16;
/// The largest number of a cluster.
const CLUSTERS_MAX: usize = 0x0fff_fff5;
const RESERVED_SECTORS: usize = 32;
const TABLES: usize = 2;
const ROOT_CLUSTER: usize = 2;
const INFORMATION_SECTOR: usize = 1;
const BACKUP_SECTOR: usize = 6;
const END_OF_CHAIN: u32 = 0x0fff_ffff;
const ENTRY_BYTES: usize = 32;
const DATE_1980: [u8; 2] = [0x21, 0x00];
const VOLUME_NAME: &[u8; 11] = b"ROUNDCAST  ";
/// The same in every image, as the disk's GUID.
const VOLUME_ID: u32 = 0x524f_554e;

const ATTRIBUTE_VOLUME: u8 = 0x08;
const ATTRIBUTE_FOLDER: u8 = 0x10;
const ATTRIBUTE_FILE: u8 = 0x01;

/// The volume.
pub(super) fn write(folders: &[&str], name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
    let file_cluster = ROOT_CLUSTER + 1 + folders.len();
    let file_clusters = data.len().div_ceil(SECTOR_BYTES);
    if data.is_empty() {
        // An entry of an empty file would have to name no cluster.
        return Err(Error::DiskMalformed("file"));
    }
    let used = 1 + folders.len() + file_clusters;
    let clusters = used.max(CLUSTERS_MIN) + CLUSTERS_SPARE;
    let size = u32::try_from(data.len()).map_err(|_| Error::TooLarge("file"))?;
    if clusters > CLUSTERS_MAX {
        return Err(Error::TooLarge("file"));
    }
    let layout = Layout::new(clusters, used);
    let mut volume = vec![0; layout.sectors() * SECTOR_BYTES];
    let mut place = |sector: usize, bytes: &[u8]| {
        put(&mut volume, sector * SECTOR_BYTES, bytes).ok_or(Error::TooLarge("disk"))
    };
    for begin in [0, BACKUP_SECTOR] {
        place(begin, &layout.boot_sector())?;
        place(begin + INFORMATION_SECTOR, &layout.information())?;
    }
    let table = allocation(folders.len(), file_clusters);
    for copy in 0..TABLES {
        place(RESERVED_SECTORS + copy * layout.table_sectors, &table)?;
    }
    for depth in 0..=folders.len() {
        let own = ROOT_CLUSTER + depth;
        let mut entries = match depth {
            0 => entry(VOLUME_NAME, ATTRIBUTE_VOLUME, 0, 0),
            _ => links(own),
        };
        let inside = match folders.get(depth) {
            Some(folder) => entry(&short_name(folder)?, ATTRIBUTE_FOLDER, own + 1, 0),
            None => entry(&short_name(name)?, ATTRIBUTE_FILE, file_cluster, size),
        };
        entries.extend_from_slice(&inside);
        place(layout.sector_of(own), &entries)?;
    }
    place(layout.sector_of(file_cluster), data)?;
    Ok(volume)
}

/// Where the file lies in a volume that [`write`] made, as offset and length.
pub(super) fn file_extent(volume: &[u8], folders: usize) -> Option<(usize, usize)> {
    let table_sectors = usize::try_from(u32_at(volume, 36)?).ok()?;
    let first = table_sectors
        .checked_mul(TABLES)?
        .checked_add(RESERVED_SECTORS)?;
    let sector = |cluster: usize| {
        first
            .checked_add(cluster - ROOT_CLUSTER)?
            .checked_mul(SECTOR_BYTES)
    };
    let last_folder = ROOT_CLUSTER + folders;
    // Behind the entries `.` and `..`.
    let entry = sector(last_folder)?.checked_add(2 * ENTRY_BYTES)?;
    let length = usize::try_from(u32_at(volume, entry.checked_add(28)?)?).ok()?;
    Some((sector(last_folder + 1)?, length))
}

struct Layout {
    clusters: usize,
    used: usize,
    table_sectors: usize,
}

impl Layout {
    const fn new(clusters: usize, used: usize) -> Self {
        let table_sectors = ((clusters + ROOT_CLUSTER) * 4).div_ceil(SECTOR_BYTES);
        Self {
            clusters,
            used,
            table_sectors,
        }
    }

    const fn sectors(&self) -> usize {
        RESERVED_SECTORS + TABLES * self.table_sectors + self.clusters
    }

    const fn sector_of(&self, cluster: usize) -> usize {
        RESERVED_SECTORS + TABLES * self.table_sectors + cluster - ROOT_CLUSTER
    }

    fn boot_sector(&self) -> Vec<u8> {
        let mut sector = vec![0xeb, 0x58, 0x90];
        sector.extend_from_slice(b"ROUNDCST");
        sector.extend_from_slice(&narrow(SECTOR_BYTES));
        sector.push(1); // sectors of a cluster
        sector.extend_from_slice(&narrow(RESERVED_SECTORS));
        sector.push(2); // tables
        sector.extend_from_slice(&[0, 0, 0, 0]); // FAT16's root entries and size
        sector.push(0xf8); // a fixed disk
        sector.extend_from_slice(&[0, 0, 63, 0, 255, 0]); // FAT16's table, geometry
        sector.extend_from_slice(&wide(super::gpt::PARTITION_SECTOR));
        sector.extend_from_slice(&wide(self.sectors()));
        sector.extend_from_slice(&wide(self.table_sectors));
        sector.extend_from_slice(&[0, 0, 0, 0]); // all tables in use, version 0.0
        sector.extend_from_slice(&wide(ROOT_CLUSTER));
        sector.extend_from_slice(&narrow(INFORMATION_SECTOR));
        sector.extend_from_slice(&narrow(BACKUP_SECTOR));
        sector.resize(64, 0);
        sector.extend_from_slice(&[0x80, 0, 0x29]); // drive; three fields follow
        sector.extend_from_slice(&VOLUME_ID.to_le_bytes());
        sector.extend_from_slice(VOLUME_NAME);
        sector.extend_from_slice(b"FAT32   ");
        end_of_sector(sector)
    }

    fn information(&self) -> Vec<u8> {
        let mut sector = b"RRaA".to_vec();
        sector.resize(484, 0);
        sector.extend_from_slice(b"rrAa");
        sector.extend_from_slice(&wide(self.clusters - self.used));
        sector.extend_from_slice(&wide(ROOT_CLUSTER + self.used));
        end_of_sector(sector)
    }
}

fn end_of_sector(mut sector: Vec<u8>) -> Vec<u8> {
    sector.resize(SECTOR_BYTES - 2, 0);
    sector.extend_from_slice(&[0x55, 0xaa]);
    sector
}

/// One cluster for each folder, then the file's chain.
fn allocation(folders: usize, file_clusters: usize) -> Vec<u8> {
    let mut table = vec![0x0fff_fff8, END_OF_CHAIN];
    table.resize(ROOT_CLUSTER + 1 + folders, END_OF_CHAIN);
    for left in (0..file_clusters).rev() {
        let next = u32::try_from(table.len() + 1).unwrap_or(END_OF_CHAIN);
        table.push(if left == 0 { END_OF_CHAIN } else { next });
    }
    table.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// The entries `.` and `..`; above a folder of the root stands 0.
fn links(own: usize) -> Vec<u8> {
    let above = if own == ROOT_CLUSTER + 1 { 0 } else { own - 1 };
    let mut entries = entry(b".          ", ATTRIBUTE_FOLDER, own, 0);
    entries.extend_from_slice(&entry(b"..         ", ATTRIBUTE_FOLDER, above, 0));
    entries
}

fn entry(name: &[u8; 11], attribute: u8, cluster: usize, size: u32) -> Vec<u8> {
    let [low0, low1, high0, high1] = wide(cluster);
    let mut entry = name.to_vec();
    entry.extend_from_slice(&[attribute, 0, 0, 0, 0]);
    entry.extend_from_slice(&DATE_1980); // made
    entry.extend_from_slice(&DATE_1980); // read
    entry.extend_from_slice(&[high0, high1, 0, 0]);
    entry.extend_from_slice(&DATE_1980); // written
    entry.extend_from_slice(&[low0, low1]);
    entry.extend_from_slice(&size.to_le_bytes());
    entry
}

/// `NAME.EXT` in the 11 bytes of an entry.
fn short_name(name: &str) -> Result<[u8; 11], Error> {
    let refused = || Error::DiskName(name.to_owned());
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let plain = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    if stem.is_empty() || stem.len() > 8 || extension.len() > 3 || !plain(stem) || !plain(extension)
    {
        return Err(refused());
    }
    let text = format!("{stem:<8}{extension:<3}");
    text.as_bytes().try_into().map_err(|_| refused())
}

fn narrow(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

fn wide(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}
