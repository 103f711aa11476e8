//! The disk: a GUID partition table with one EFI system partition that holds
//! one file, `\EFI\BOOT\BOOTX64.EFI` (UEFI 2.10 section 3.5.1.1).

mod fat32;
mod gpt;

use crate::Error;

/// Of disk and file system alike.
const SECTOR_BYTES: usize = 512;
const BOOT_FOLDERS: [&str; 2] = ["EFI", "BOOT"];
const BOOT_FILE: &str = "BOOTX64.EFI";

/// A disk that boots `executable`.
///
/// # Errors
/// `too_large`, or `disk_malformed` for an empty file.
pub fn write(executable: &[u8]) -> Result<Vec<u8>, Error> {
    let volume = fat32::write(&BOOT_FOLDERS, BOOT_FILE, executable)?;
    gpt::wrap(&volume)
}

/// The executable of a disk that [`write`] made; other disks are refused,
/// since only for this form it is known that the disk holds nothing else.
///
/// # Errors
/// `disk_malformed`.
pub fn executable(disk: &[u8]) -> Result<&[u8], Error> {
    let volume = gpt::PARTITION_SECTOR * SECTOR_BYTES;
    let (begin, length) = disk
        .get(volume..)
        .and_then(|volume| fat32::file_extent(volume, BOOT_FOLDERS.len()))
        .ok_or(Error::DiskMalformed("file system"))?;
    let begin = volume.saturating_add(begin);
    let found = begin
        .checked_add(length)
        .and_then(|end| disk.get(begin..end));
    let found = found.ok_or(Error::DiskMalformed("file"))?;
    if write(found)? == disk {
        Ok(found)
    } else {
        Err(Error::DiskMalformed("content"))
    }
}
