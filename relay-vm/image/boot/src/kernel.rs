//! The kernel file: an EFI executable (`bzImage` with the EFI stub).

use crate::bytes::{array_at, u16_at};
use crate::{Error, pe};

const FILE: &str = "kernel";
/// Longest version text that is read.
const VERSION_BYTES_MAX: usize = 256;

/// Checks a kernel and returns its version text, e.g. `6.1.0-56-cloud-amd64
/// (debian-kernel@...) ...` (Linux, `Documentation/arch/x86/boot.rst`).
///
/// # Errors
/// `executable_truncated`, `executable_malformed` or `kernel_unusable`.
pub fn version(data: &[u8]) -> Result<&str, Error> {
    let header: [u8; 4] =
        array_at(data, 0x202).ok_or(Error::KernelUnusable("it is no kernel: too short"))?;
    if &header != b"HdrS" {
        return Err(Error::KernelUnusable("it is no kernel: no setup header"));
    }
    pe::read(data, FILE)?;
    let begin = u16_at(data, 0x20e)
        .and_then(|offset| usize::from(offset).checked_add(0x200))
        .ok_or(Error::KernelUnusable("it names no version"))?;
    let rest = data.get(begin..).unwrap_or_default();
    let text = rest
        .iter()
        .take(VERSION_BYTES_MAX)
        .position(|byte| *byte == 0)
        .and_then(|end| rest.get(..end))
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
    text.ok_or(Error::KernelUnusable("it names no version"))
}
