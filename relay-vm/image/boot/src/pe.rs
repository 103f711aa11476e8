//! Reading EFI executables (PE32+, Microsoft's PE format specification).

use crate::Error;
use object::LittleEndian as LE;
use object::read::pe::PeFile64;

/// An executable whose sections all lie within its bytes.
///
/// # Errors
/// `executable_malformed` or `executable_truncated`, with `file` as its name.
pub fn read<'a>(data: &'a [u8], file: &'static str) -> Result<PeFile64<'a>, Error> {
    let parsed = PeFile64::parse(data).map_err(|_| Error::Executable {
        file,
        part: "its header",
    })?;
    let fits = |begin: u32, size: u32| {
        let end = u64::from(begin) + u64::from(size);
        usize::try_from(end).is_ok_and(|end| end <= data.len())
    };
    let whole = parsed.section_table().iter().all(|section| {
        fits(
            section.pointer_to_raw_data.get(LE),
            section.size_of_raw_data.get(LE),
        )
    });
    if whole {
        Ok(parsed)
    } else {
        Err(Error::Truncated { file })
    }
}

/// The bytes of a section, without the padding of the file; none if there is
/// no such section, or two.
#[must_use]
pub fn section<'a>(image: &PeFile64<'a>, name: &str) -> Option<&'a [u8]> {
    let mut found = image
        .section_table()
        .iter()
        .filter(|section| section.raw_name() == name.as_bytes());
    let (section, second) = (found.next()?, found.next());
    if second.is_some() {
        return None;
    }
    let begin = usize::try_from(section.pointer_to_raw_data.get(LE)).ok()?;
    let size = section
        .virtual_size
        .get(LE)
        .min(section.size_of_raw_data.get(LE));
    let end = begin.checked_add(usize::try_from(size).ok()?)?;
    image.data().get(begin..end)
}
