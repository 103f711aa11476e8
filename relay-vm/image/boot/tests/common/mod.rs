//! Small files in the forms of the real ones: an EFI executable, a kernel, a
//! stub, a module.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests"
)]

/// The mark of a stub whose measurements are known.
pub const STUB_MARK: &[u8] = b"#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####";
/// Header bytes of [`executable`]: room for four more sections at least.
const HEADERS: usize = 0x400;
const PE: usize = 0x40;
const OPTIONAL: usize = PE + 24;
const TABLE: usize = OPTIONAL + 240;

/// A PE32+ executable for x86-64 with these sections.
pub fn executable(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = vec![0; HEADERS];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &(PE as u32).to_le_bytes());
    put(PE, b"PE\0\0\x64\x86");
    put(PE + 6, &(sections.len() as u16).to_le_bytes());
    put(PE + 8, &0x6565_6565_u32.to_le_bytes()); // a time stamp
    put(PE + 20, &[240, 0, 0x06, 0x02]);
    put(OPTIONAL, &[0x0b, 0x02]);
    put(OPTIONAL + 32, &0x1000_u32.to_le_bytes());
    put(OPTIONAL + 36, &0x200_u32.to_le_bytes());
    put(OPTIONAL + 60, &(HEADERS as u32).to_le_bytes());
    put(OPTIONAL + 64, &0x7777_7777_u32.to_le_bytes()); // a checksum
    put(OPTIONAL + 68, &[10, 0]);
    put(OPTIONAL + 108, &[16, 0, 0, 0]);
    let (mut place, mut address) = (HEADERS, 0x1000);
    for (index, (name, data)) in sections.iter().enumerate() {
        let raw = data.len().next_multiple_of(0x200);
        let header = TABLE + 40 * index;
        put(header, name.as_bytes());
        for (offset, field) in [(8, data.len()), (12, address), (16, raw), (20, place)] {
            put(header + offset, &(field as u32).to_le_bytes());
        }
        place += raw;
        address += data.len().next_multiple_of(0x1000);
    }
    for (_, data) in sections {
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(0x200), 0);
    }
    out
}

/// A stub, with a symbol table behind its sections.
pub fn stub() -> Vec<u8> {
    let mut stub = executable(&[(".text", &[0xc3; 700]), (".sdmagic", STUB_MARK)]);
    stub.extend_from_slice(b"symbols");
    stub
}

/// A kernel that calls itself `6.1.0-1-cloud-amd64 (fake)`.
pub fn kernel() -> Vec<u8> {
    let mut kernel = executable(&[(".text", &[0x90; 1000])]);
    let version = b"6.1.0-1-cloud-amd64 (fake)\0";
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    kernel[0x300..0x300 + version.len()].copy_from_slice(version);
    kernel
}

/// A signed module that needs others.
pub fn module(depends: &str) -> Vec<u8> {
    let info = format!("license=GPL\0depends={depends}\0name=m\0").into_bytes();
    let names = b"\0.modinfo\0.shstrtab\0";
    let info_at = 64;
    let names_at = info_at + info.len();
    let table_at = (names_at + names.len()).next_multiple_of(8);
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    out.extend_from_slice(&[1, 0, 0x3e, 0, 1, 0, 0, 0]);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&(table_at as u64).to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    out.extend_from_slice(&info);
    out.extend_from_slice(names);
    out.resize(table_at, 0);
    out.extend_from_slice(&[0; 64]);
    for (name, kind, at, size) in [
        (1_u32, 1_u32, info_at, info.len()),
        (10, 3, names_at, names.len()),
    ] {
        let mut section = [name.to_le_bytes(), kind.to_le_bytes()].concat();
        section.resize(24, 0);
        section.extend_from_slice(&(at as u64).to_le_bytes());
        section.extend_from_slice(&(size as u64).to_le_bytes());
        section.resize(48, 0);
        section.extend_from_slice(&1_u64.to_le_bytes());
        section.resize(64, 0);
        out.extend_from_slice(&section);
    }
    out.extend_from_slice(b"signature~Module signature appended~\n");
    out
}
