//! The unified kernel image: systemd's stub with what it starts as sections
//! of one executable (UAPI group specification 5).
//!
//! The stub is copied up to the end of its last section; its symbol table,
//! time stamp and checksum are left out, which no firmware reads. New sections
//! follow in a fixed order, each at the next page of memory and the next 512
//! bytes of the file. So the file's length is a multiple of 512, and the
//! signature that is attached behind it changes no byte that is hashed.

use crate::bytes::{put, u32_at};
use crate::{Error, kernel, pe};
use object::LittleEndian as LE;
use object::read::pe::PeFile64;

const STUB: &str = "stub";
/// The command line, in bytes: the kernel's own `COMMAND_LINE_SIZE` on x86.
const COMMAND_LINE_BYTES_MAX: usize = 2047;
/// Sections begin at a page, whatever the stub's own alignment is.
const PAGE_BYTES: u32 = 4096;
/// A section's header in the file.
const SECTION_HEADER_BYTES: usize = 40;
/// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`.
const READ_ONLY_DATA: u32 = 0x4000_0040;

/// What an image is joined of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// `linuxx64.efi.stub` of systemd.
    pub stub: &'a [u8],
    /// The text of `os-release`.
    pub os_release: &'a str,
    /// The kernel's command line.
    pub command_line: &'a str,
    /// The archive of [`crate::cpio`].
    pub initrd: &'a [u8],
    /// The kernel.
    pub kernel: &'a [u8],
}

/// The executable, unsigned.
///
/// # Errors
/// A refusal that names the part that cannot be used.
pub fn assemble(parts: &Parts<'_>) -> Result<Vec<u8>, Error> {
    kernel::version(parts.kernel)?;
    stub_version(parts.stub)?;
    let printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable(parts.command_line) || parts.command_line.len() > COMMAND_LINE_BYTES_MAX {
        return Err(Error::TextMalformed("command line"));
    }
    if !parts.os_release.lines().all(printable) {
        return Err(Error::TextMalformed("os-release"));
    }
    let mut image = Image::new(parts.stub)?;
    let sections = [
        (b".osrel\0\0", parts.os_release.as_bytes()),
        (b".cmdline", parts.command_line.as_bytes()),
        (b".initrd\0", parts.initrd),
        (b".linux\0\0", parts.kernel),
    ];
    image.room_for(sections.len())?;
    for (name, data) in sections {
        image.append(*name, data)?;
    }
    image.finish()
}

/// The stub's version, e.g. `252.39-1~deb12u2`, from its own mark.
///
/// # Errors
/// `stub_unknown` if it is no stub of systemd.
pub fn stub_version(stub: &[u8]) -> Result<&str, Error> {
    let unknown = || Error::StubUnknown("it does not say that it is systemd's".into());
    let parsed = pe::read(stub, STUB)?;
    let mark = pe::section(&parsed, ".sdmagic").ok_or_else(unknown)?;
    let text = std::str::from_utf8(mark).map_err(|_| unknown())?;
    text.trim_end_matches('\0')
        .strip_prefix("#### LoaderInfo: systemd-stub ")
        .and_then(|rest| rest.strip_suffix(" ####"))
        .ok_or_else(unknown)
}

/// An executable that grows by sections.
struct Image {
    bytes: Vec<u8>,
    /// Offsets in the file.
    file_header: usize,
    optional_header: usize,
    /// Where the next section's header goes, and where the first section is.
    next_header: usize,
    headers_end: usize,
    /// The next free address in memory.
    next_address: u32,
    file_alignment: u32,
    sections: u16,
    data_size: u32,
}

impl Image {
    fn new(stub: &[u8]) -> Result<Self, Error> {
        let malformed = |part| Error::Executable { file: STUB, part };
        let parsed = pe::read(stub, STUB)?;
        let (mut file_end, mut next_address) = (0, 0);
        for section in parsed.section_table().iter() {
            let raw = section
                .pointer_to_raw_data
                .get(LE)
                .checked_add(section.size_of_raw_data.get(LE));
            let memory = section
                .virtual_address
                .get(LE)
                .checked_add(section.virtual_size.get(LE));
            file_end = raw.ok_or(malformed("a section"))?.max(file_end);
            next_address = memory.ok_or(malformed("a section"))?.max(next_address);
        }
        let length = usize::try_from(file_end).map_err(|_| malformed("a section"))?;
        let bytes = stub
            .get(..length)
            .ok_or(Error::Truncated { file: STUB })?
            .to_vec();
        let (file_header, sections) = header_places(&parsed).ok_or(malformed("its header"))?;
        let optional = parsed.nt_headers().optional_header;
        let optional_header = file_header + 20;
        let optional_size = parsed
            .nt_headers()
            .file_header
            .size_of_optional_header
            .get(LE);
        let table = optional_header + usize::from(optional_size);
        let headers_end = usize::try_from(optional.size_of_headers.get(LE));
        Ok(Self {
            bytes,
            file_header,
            optional_header,
            next_header: table + usize::from(sections) * SECTION_HEADER_BYTES,
            headers_end: headers_end.map_err(|_| malformed("its header"))?,
            next_address,
            file_alignment: optional.file_alignment.get(LE).max(512),
            sections,
            data_size: optional.size_of_initialized_data.get(LE),
        })
    }

    fn room_for(&self, count: usize) -> Result<(), Error> {
        let end = self.next_header + count * SECTION_HEADER_BYTES;
        if end > self.headers_end || end > self.bytes.len() {
            return Err(Error::StubHeaderFull(count));
        }
        Ok(())
    }

    fn append(&mut self, name: [u8; 8], data: &[u8]) -> Result<(), Error> {
        let large = Error::TooLarge("image");
        let size = u32::try_from(data.len()).map_err(|_| large.clone())?;
        let address = aligned(self.next_address, PAGE_BYTES).ok_or(large.clone())?;
        let raw_size = aligned(size, self.file_alignment).ok_or(large.clone())?;
        let place = u32::try_from(self.bytes.len()).ok();
        let place = place
            .and_then(|place| aligned(place, self.file_alignment))
            .ok_or(large.clone())?;
        let mut header = name.to_vec();
        for field in [size, address, raw_size, place, 0, 0, 0, READ_ONLY_DATA] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        put(&mut self.bytes, self.next_header, &header).ok_or(Error::StubHeaderFull(1))?;
        let alignment = usize::try_from(self.file_alignment).unwrap_or(usize::MAX);
        crate::bytes::pad(&mut self.bytes, alignment);
        self.bytes.extend_from_slice(data);
        crate::bytes::pad(&mut self.bytes, alignment);
        self.next_header += SECTION_HEADER_BYTES;
        self.next_address = address.checked_add(size).ok_or(large.clone())?;
        self.data_size = self.data_size.checked_add(raw_size).ok_or(large)?;
        self.sections += 1;
        Ok(())
    }

    /// Writes the numbers of the headers that the sections changed.
    fn finish(mut self) -> Result<Vec<u8>, Error> {
        let memory = aligned(self.next_address, PAGE_BYTES).ok_or(Error::TooLarge("image"))?;
        let (file, optional) = (self.file_header, self.optional_header);
        let data_size = self.data_size.to_le_bytes();
        let fields: [(usize, &[u8]); 7] = [
            (file + 2, &self.sections.to_le_bytes()),
            (file + 4, &[0; 4]), // time stamp
            (file + 8, &[0; 8]), // symbol table, number of symbols
            (optional + 8, &data_size),
            (optional + 56, &memory.to_le_bytes()),
            (optional + 64, &[0; 4]),          // checksum: not computed
            (optional + 112 + 4 * 8, &[0; 8]), // no signature yet
        ];
        for (place, value) in fields {
            put(&mut self.bytes, place, value).ok_or(Error::Truncated { file: STUB })?;
        }
        Ok(self.bytes)
    }
}

/// Offset of the file header (after "PE\0\0") and the number of sections.
fn header_places(parsed: &PeFile64<'_>) -> Option<(usize, u16)> {
    let file_header = usize::try_from(u32_at(parsed.data(), 0x3c)?)
        .ok()?
        .checked_add(4)?;
    Some((
        file_header,
        parsed.nt_headers().file_header.number_of_sections.get(LE),
    ))
}

fn aligned(value: u32, alignment: u32) -> Option<u32> {
    value.checked_next_multiple_of(alignment)
}
