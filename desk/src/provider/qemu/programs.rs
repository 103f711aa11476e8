//! The programs that a machine needs, found before the first is started.

use super::setting::{NetworkKind, QemuSetting};
use crate::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where each is, absolute.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) qemu: String,
    pub(super) swtpm: String,
    pub(super) swtpm_setup: String,
    pub(super) swtpm_localca: String,
    pub(super) nsenter: String,
    pub(super) firmware: String,
}

impl Programs {
    /// Looks for each in `path`, a list as in the variable `PATH`.
    pub(super) fn find(setting: &QemuSetting, path: &OsStr) -> Result<Self, Error> {
        let find = |program, package| find(program, package, path);
        // Only guards call it, and only they would miss it: too late.
        find(Path::new("setpriv"), "util-linux")?;
        let in_namespace = setting.network == NetworkKind::Tap
            && setting.tap.iter().any(|tap| tap.namespace.is_some());
        Ok(Self {
            qemu: find(&setting.qemu, "qemu-system-x86")?,
            swtpm: find(&setting.swtpm, "swtpm")?,
            swtpm_setup: find(&setting.swtpm_setup, "swtpm-tools")?,
            swtpm_localca: find(&setting.swtpm_localca, "swtpm-tools")?,
            nsenter: if in_namespace {
                find(Path::new("nsenter"), "util-linux")?
            } else {
                String::new()
            },
            firmware: find(&setting.firmware, "ovmf")?,
        })
    }
}

fn find(program: &Path, package: &'static str, path: &OsStr) -> Result<String, Error> {
    let missing = || Error::Program {
        program: program.to_owned(),
        package,
    };
    // A name with a folder in it is a path, as for a shell.
    let candidates: Vec<PathBuf> = if program.components().count() > 1 {
        vec![program.to_owned()]
    } else {
        std::env::split_paths(path)
            .map(|folder| folder.join(program))
            .collect()
    };
    let found = candidates.iter().find(|candidate| candidate.is_file());
    let absolute = found.and_then(|found| std::path::absolute(found).ok());
    absolute
        .and_then(|path| path.to_str().map(str::to_owned))
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["setpriv", "qemu-system-x86_64", "swtpm", "swtpm_setup"];
        let packages = ["util-linux", "qemu-system-x86", "swtpm", "swtpm-tools"];
        for (name, package) in names.iter().zip(packages) {
            let missing = Programs::find(&QemuSetting::default(), folder.path().as_os_str());
            let text = missing.unwrap_err().to_string();
            assert!(text.contains(name) && text.contains(package), "{text}");
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::write(folder.path().join("swtpm_localca"), "").unwrap();
        let mut setting = QemuSetting {
            firmware: folder.path().join("no_firmware"),
            ..QemuSetting::default()
        };
        let missing = Programs::find(&setting, folder.path().as_os_str());
        let error = missing.unwrap_err();
        assert_eq!(error.reason(), "program_missing");
        assert!(error.to_string().contains("ovmf"), "{error}");
        setting.firmware = folder.path().join("swtpm");
        let found = Programs::find(&setting, folder.path().as_os_str()).unwrap();
        assert!(found.qemu.ends_with("/qemu-system-x86_64") && found.qemu.starts_with('/'));
    }
}
