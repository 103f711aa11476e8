//! What the machine's kernel may no longer do once its modules are loaded.

use crate::Error;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::ErrorKind;
use std::path::Path;

/// The kernel's own guard against its root user.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// Its strictest level: root reads no kernel memory either.
const LEVEL: &str = "confidentiality";

/// A setting below `/proc/sys`.
struct Setting {
    name: &'static str,
    value: &'static str,
    /// Not every kernel has it.
    optional: bool,
}

const fn must(name: &'static str, value: &'static str) -> Setting {
    Setting {
        name,
        value,
        optional: false,
    }
}

const fn may(name: &'static str, value: &'static str) -> Setting {
    Setting {
        name,
        value,
        optional: true,
    }
}

/// In this order: `modules_disabled` closes the way back. Hibernation is the
/// command line's (`nohibernate`), and lockdown refuses it too.
const SETTINGS: [Setting; 13] = [
    must("kernel/sysrq", "0"),
    // An empty line: nothing is not even written.
    must("kernel/core_pattern", "\n"),
    must("fs/suid_dumpable", "0"),
    must("kernel/dmesg_restrict", "1"),
    must("kernel/kptr_restrict", "2"),
    // A kernel that has erred, or lost pid 1, begins anew; it does not hang.
    must("kernel/panic_on_oops", "1"),
    must("kernel/panic", "-1"),
    must("user/max_user_namespaces", "0"),
    // So that the relay binds any port without a right.
    must("net/ipv4/ip_unprivileged_port_start", "0"),
    may("kernel/unprivileged_bpf_disabled", "1"),
    may("kernel/yama/ptrace_scope", "3"),
    // Also kdump's way in.
    must("kernel/kexec_load_disabled", "1"),
    must("kernel/modules_disabled", "1"),
];

/// Applies all of it; the level of lockdown that holds afterwards.
///
/// # Errors
/// [`Error::System`] names the setting.
pub(super) fn machine() -> Result<String, Error> {
    for Setting {
        name,
        value,
        optional,
    } in SETTINGS
    {
        match std::fs::write(Path::new("/proc/sys").join(name), value) {
            Err(e) if optional && e.kind() == ErrorKind::NotFound => {}
            written => written.map_err(Error::system(format!("setting {name}")))?,
        }
    }
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(Error::call("forbidding core dumps"))?;
    lockdown()
}

/// The settings, in their order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
}

/// The level of lockdown that holds, if the kernel tells it.
pub(super) fn level_now() -> Option<String> {
    let text = std::fs::read_to_string(LOCKDOWN).ok()?;
    level(&text).map(str::to_owned)
}

/// Raises lockdown, should the command line not have done so.
fn lockdown() -> Result<String, Error> {
    let read = || std::fs::read_to_string(LOCKDOWN).map_err(Error::system("reading lockdown"));
    if level(&read()?) != Some(LEVEL) {
        std::fs::write(LOCKDOWN, LEVEL).map_err(Error::system("raising lockdown"))?;
    }
    match level(&read()?) {
        Some(level) if level == LEVEL => Ok(level.to_owned()),
        _ => Err(Error::Guest("the kernel does not lock down")),
    }
}

/// The chosen one of `none [integrity] confidentiality`.
fn level(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(level, _)| level)
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn finds_the_chosen_level() {
        assert_eq!(
            level("none [integrity] confidentiality\n"),
            Some("integrity")
        );
        assert_eq!(level("[none] integrity confidentiality\n"), Some("none"));
        assert_eq!(level("none integrity"), None);
    }
}
