//! What an operator may set of the provider `qemu`.

use super::network::Network;
use crate::Error;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Machines at once, of all desks: two emulated boots are all that a small
/// computer carries.
pub const GUESTS_MAX: usize = 2;
/// A boot, in ms: an emulated one takes 15 to 25 s, a busy machine's longer.
pub const BOOT_MS_MAX: u64 = 90_000;
/// Less than this no firmware, kernel and relay fit into, in MiB.
const MEMORY_MIB_MIN: u32 = 256;
/// More than this no relay needs, in MiB.
const MEMORY_MIB_MAX: u32 = 4096;
/// Processors of a machine.
const CPUS_MAX: u8 = 4;
/// A network interface's name, in bytes (`IFNAMSIZ` less its end).
const INTERFACE_BYTES_MAX: usize = 15;
/// A network namespace's name, in bytes.
const NAMESPACE_BYTES_MAX: usize = 64;

/// Settings of the provider `qemu`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QemuSetting {
    /// The firmware's code.
    pub firmware: PathBuf,
    /// The emulator: a path, or a name that is looked for in `PATH`.
    pub qemu: PathBuf,
    /// The TPM.
    pub swtpm: PathBuf,
    /// What manufactures a TPM's state.
    pub swtpm_setup: PathBuf,
    /// What certifies a TPM's endorsement key.
    pub swtpm_localca: PathBuf,
    /// Memory of a machine, in MiB.
    pub memory_mib: u32,
    /// Processors of a machine.
    pub cpus: u8,
    /// Machines at once; at most [`GUESTS_MAX`].
    pub guests_max: usize,
    /// The folder of the lock files by which all desks of this computer share
    /// its [`GUESTS_MAX`] places for machines.
    pub places: PathBuf,
    /// How long a boot may take, in ms; at most [`BOOT_MS_MAX`].
    pub boot_ms_max: u64,
    /// How machines are reached.
    pub network: NetworkKind,
    /// With the network `user`: addresses of this machine at which relays are
    /// reached, taken in turn.
    pub relay_addresses: Vec<IpAddr>,
    /// With the network `tap`: one interface for each machine.
    pub tap: Vec<TapSetting>,
}

/// How machines are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Through a UDP port of this machine; a machine reaches this one's
    /// loopback addresses not at all, so relays cannot link to each other.
    User,
    /// On interfaces that the operator made.
    Tap,
}

/// A tap interface, and the machine's address behind it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapSetting {
    /// The network namespace that it is in, by its name under `/run/netns`;
    /// the desk's own without.
    pub namespace: Option<String>,
    /// Its name.
    pub interface: String,
    /// The machine's address.
    pub address: IpAddr,
    /// Length of its network's prefix, in bits.
    pub prefix: u8,
    /// The way to everybody else.
    pub gateway: Option<IpAddr>,
}

impl Default for QemuSetting {
    fn default() -> Self {
        Self {
            firmware: "/usr/share/OVMF/OVMF_CODE_4M.fd".into(),
            qemu: "qemu-system-x86_64".into(),
            swtpm: "swtpm".into(),
            swtpm_setup: "swtpm_setup".into(),
            swtpm_localca: "swtpm_localca".into(),
            memory_mib: 512,
            cpus: 2,
            guests_max: GUESTS_MAX,
            places: "/run/lock".into(),
            boot_ms_max: BOOT_MS_MAX,
            network: NetworkKind::User,
            relay_addresses: vec![IpAddr::from([127, 0, 0, 1])],
            tap: Vec::new(),
        }
    }
}

impl QemuSetting {
    /// Whether every value is one that can be used.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        let checks = [
            (
                (MEMORY_MIB_MIN..=MEMORY_MIB_MAX).contains(&self.memory_mib),
                "qemu.memory_mib has to be 256 to 4096",
            ),
            (
                (1..=CPUS_MAX).contains(&self.cpus),
                "qemu.cpus has to be 1 to 4",
            ),
            (
                (1..=GUESTS_MAX).contains(&self.guests_max),
                "qemu.guests_max has to be 1 or 2",
            ),
            (
                (1..=BOOT_MS_MAX).contains(&self.boot_ms_max),
                "qemu.boot_ms_max has to be 1 to 90000",
            ),
        ];
        if let Some((_, wrong)) = checks.iter().find(|(good, _)| !good) {
            return Err(Error::Setting(wrong));
        }
        match self.network {
            NetworkKind::User => self.check_user(),
            NetworkKind::Tap => self.check_tap(),
        }
    }

    fn check_user(&self) -> Result<(), Error> {
        if !self.tap.is_empty() {
            return Err(Error::Setting("qemu.tap needs qemu.network = \"tap\""));
        }
        // The emulator forwards ports of IPv4 alone.
        if self.relay_addresses.is_empty() || !self.relay_addresses.iter().all(IpAddr::is_ipv4) {
            return Err(Error::Setting(
                "qemu.relay_addresses has to hold IPv4 addresses",
            ));
        }
        Ok(())
    }

    fn check_tap(&self) -> Result<(), Error> {
        if self.tap.len() < self.guests_max {
            return Err(Error::Setting(
                "qemu.tap has to name an interface for each of qemu.guests_max machines",
            ));
        }
        if !self.tap.iter().all(TapSetting::is_good) {
            return Err(Error::Setting(
                "qemu.tap has a name or address that no interface can have",
            ));
        }
        let same = |a: &TapSetting, b: &TapSetting| {
            a.address == b.address || (a.interface == b.interface && a.namespace == b.namespace)
        };
        let repeated = self
            .tap
            .iter()
            .enumerate()
            .any(|(at, tap)| self.tap.iter().skip(at + 1).any(|other| same(tap, other)));
        if repeated {
            return Err(Error::Setting("qemu.tap names an interface twice"));
        }
        Ok(())
    }

    /// Networks that machines can be given: each serves one at a time.
    pub(super) fn networks(&self) -> Vec<Network> {
        match self.network {
            NetworkKind::User => (0..self.guests_max)
                .filter_map(|at| self.relay_addresses.get(at % self.relay_addresses.len()))
                .map(|address| Network::User { address: *address })
                .collect(),
            NetworkKind::Tap => self
                .tap
                .iter()
                .take(self.guests_max)
                .cloned()
                .map(Network::Tap)
                .collect(),
        }
    }
}

impl TapSetting {
    fn is_good(&self) -> bool {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        let word = |text: &str, bytes_max: usize| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=bytes_max).contains(&text.len()) && text.bytes().all(plain)
        };
        word(&self.interface, INTERFACE_BYTES_MAX)
            && self
                .namespace
                .as_deref()
                .is_none_or(|name| word(name, NAMESPACE_BYTES_MAX))
            && (1..=bits).contains(&self.prefix)
            && !self.address.is_unspecified()
            && !self.address.is_loopback()
            && !self.address.is_multicast()
            && self
                .gateway
                .is_none_or(|gateway| gateway.is_ipv4() == self.address.is_ipv4())
    }

    /// The relay's address as others see it.
    #[must_use]
    pub const fn reached(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let setting: QemuSetting = toml::from_str(text).map_err(|error| error.to_string())?;
        setting.check().map_err(|error| error.to_string())
    }

    const TAPS: &str = "network = 'tap'\n\
        [[tap]]\nnamespace = 'evening'\ninterface = 'tap0'\naddress = '10.77.0.2'\nprefix = 24\n\
        [[tap]]\nnamespace = 'evening'\ninterface = 'tap1'\naddress = '10.77.0.3'\nprefix = 24\n";

    #[test]
    fn the_defaults_and_a_pair_of_taps_are_good() {
        QemuSetting::default().check().unwrap();
        check(TAPS).unwrap();
        check("relay_addresses = ['127.0.0.8', '127.0.0.9']").unwrap();
    }

    #[test]
    fn unknown_fields_and_values_that_cannot_be_are_refused() {
        for text in [
            "colour = 'red'".to_owned(),
            "memory_mib = 128".to_owned(),
            "memory_mib = 100000".to_owned(),
            "cpus = 0".to_owned(),
            "guests_max = 0".to_owned(),
            "guests_max = 3".to_owned(),
            "boot_ms_max = 0".to_owned(),
            "boot_ms_max = 90001".to_owned(),
            "network = 'bridge'".to_owned(),
            "network = 'tap'".to_owned(),
            "relay_addresses = []".to_owned(),
            "relay_addresses = ['::1']".to_owned(),
            TAPS.replace("network = 'tap'\n", ""),
            TAPS.replace("tap1", "tap0"),
            TAPS.replace("10.77.0.3", "10.77.0.2"),
            TAPS.replace("tap1", "tap1,script=/bin/sh"),
            TAPS.replace("tap1", "a-name-that-is-too-long"),
            TAPS.replace("'evening'", "'../evening'"),
            TAPS.replace("prefix = 24", "prefix = 33"),
            TAPS.replace("10.77.0.3", "127.0.0.1"),
            TAPS.replace("10.77.0.3", "0.0.0.0"),
            format!("{TAPS}gateway = 'fd00::1'\n"),
        ] {
            assert!(check(&text).is_err(), "{text}");
        }
    }
}
