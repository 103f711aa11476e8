//! The kernel's modules that a relay needs, in the order of loading.

use crate::Error;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};

/// The last bytes of a module that was signed (Linux,
/// `scripts/sign-file.c`): a locked-down kernel loads no other.
const SIGNED_MARK: &[u8] = b"~Module signature appended~\n";

/// Modules by name, as the kernel's package holds them.
pub type Modules = BTreeMap<String, Vec<u8>>;

/// The form in which the kernel names a module: file names may have dashes.
#[must_use]
pub fn name(file_stem: &str) -> String {
    file_stem.replace('-', "_")
}

/// `wanted` and all that they need, each after what it needs itself. What the
/// kernel has built in is no module and stands in no list.
///
/// # Errors
/// `module_missing`, `module_malformed`, `module_unsigned`, `module_cycle`.
pub fn order(wanted: &[&str], all: &Modules) -> Result<Vec<String>, Error> {
    let mut walk = Walk {
        all,
        placed: Vec::new(),
        open: BTreeSet::new(),
    };
    for module in wanted {
        walk.place(module)?;
    }
    Ok(walk.placed)
}

struct Walk<'a> {
    all: &'a Modules,
    placed: Vec<String>,
    /// Begun and not placed yet: bounds the depth by the number of modules.
    open: BTreeSet<String>,
}

impl Walk<'_> {
    fn place(&mut self, module: &str) -> Result<(), Error> {
        if self.placed.iter().any(|placed| placed == module) {
            return Ok(());
        }
        let data = self
            .all
            .get(module)
            .ok_or_else(|| Error::ModuleMissing(module.to_owned()))?;
        if !self.open.insert(module.to_owned()) {
            return Err(Error::ModuleCycle(module.to_owned()));
        }
        for needed in needs(module, data)? {
            self.place(&needed)?;
        }
        self.placed.push(module.to_owned());
        Ok(())
    }
}

/// The modules that one names in its section `.modinfo`.
fn needs(module: &str, data: &[u8]) -> Result<Vec<String>, Error> {
    let malformed = || Error::ModuleMalformed(module.to_owned());
    if !data.ends_with(SIGNED_MARK) {
        let elf = data.starts_with(b"\x7fELF");
        return Err(if elf {
            Error::ModuleUnsigned(module.to_owned())
        } else {
            malformed()
        });
    }
    let elf = ElfFile64::<object::LittleEndian>::parse(data).map_err(|_| malformed())?;
    let section = elf.section_by_name(".modinfo").ok_or_else(malformed)?;
    let info = section.data().map_err(|_| malformed())?;
    let depends = info
        .split(|byte| *byte == 0)
        .find_map(|line| line.strip_prefix(b"depends="))
        .ok_or_else(malformed)?;
    let text = std::str::from_utf8(depends).map_err(|_| malformed())?;
    Ok(text
        .split(',')
        .filter(|part| !part.is_empty())
        .map(name)
        .collect())
}
