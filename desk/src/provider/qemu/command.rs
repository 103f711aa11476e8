//! The command lines of a machine and its TPM. All files of one boot are
//! named relative to its folder, in which the programs run: a socket's path
//! has 108 bytes at most.

use super::network::{GUEST_PORT, Network};
use super::programs::Programs;
use std::net::SocketAddr;

/// The copy of the firmware's variables.
pub(super) const VARIABLES: &str = "vars.fd";
/// The TPM's state.
pub(super) const TPM_STATE: &str = "tpm";
/// The TPM's control socket.
pub(super) const TPM_SOCKET: &str = "tpm.sock";
/// The boot channel; the desk listens.
pub(super) const BOOT_SOCKET: &str = "boot.sock";
/// The machine's serial console; the desk listens.
pub(super) const CONSOLE_SOCKET: &str = "console.sock";
/// The boot channel's name inside the machine.
const BOOT_PORT: &str = "roundcast.boot";

/// One machine.
#[derive(Debug, Clone)]
pub(super) struct Machine<'a> {
    pub(super) programs: &'a Programs,
    /// The release's disk, absolute.
    pub(super) disk: &'a str,
    pub(super) memory_mib: u32,
    pub(super) cpus: u8,
    pub(super) network: &'a Network,
    /// Where the relay is to be found.
    pub(super) reached: SocketAddr,
    /// The desk's name for this boot: its last bytes make the network card's
    /// address, so that two machines on one bridge differ.
    pub(super) boot: &'a [u8; 16],
}

impl Machine<'_> {
    /// The emulator's command line: OVMF without system-management mode
    /// enforces Secure Boot by the keys in the variables; the disk is opened
    /// for reading, and what the machine writes is thrown away with it.
    pub(super) fn command(&self) -> Vec<String> {
        let mut line = self.namespace();
        line.push(self.programs.qemu.clone());
        let fixed = [
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-accel",
            "tcg,thread=multi",
            "-machine",
            "q35,smm=off",
            "-cpu",
            "max",
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ];
        line.extend(fixed.map(str::to_owned));
        let mut option = |name: &str, value: String| line.extend([name.to_owned(), value]);
        option("-smp", self.cpus.to_string());
        option("-m", self.memory_mib.to_string());
        self.firmware(&mut option);
        self.channels(&mut option);
        self.tpm(&mut option);
        self.disk(&mut option);
        self.network(&mut option);
        option("-device", "virtio-rng-pci".to_owned());
        line
    }

    fn namespace(&self) -> Vec<String> {
        match self.network {
            Network::Tap(tap) => tap.namespace.as_ref().map_or_else(Vec::new, |name| {
                vec![
                    self.programs.nsenter.clone(),
                    format!("--net=/run/netns/{name}"),
                    "--".to_owned(),
                ]
            }),
            Network::User { .. } => Vec::new(),
        }
    }

    fn firmware(&self, option: &mut impl FnMut(&str, String)) {
        let code = value(&self.programs.firmware);
        option(
            "-drive",
            format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"),
        );
        option(
            "-drive",
            format!("if=pflash,format=raw,unit=1,file={VARIABLES}"),
        );
    }

    fn channels(&self, option: &mut impl FnMut(&str, String)) {
        let socket = |id: &str, path: &str| format!("socket,id={id},path={path}");
        option("-chardev", socket("console", CONSOLE_SOCKET));
        option("-serial", "chardev:console".to_owned());
        option("-chardev", socket("boot", BOOT_SOCKET));
        option("-device", "virtio-serial-pci".to_owned());
        option(
            "-device",
            format!("virtserialport,chardev=boot,name={BOOT_PORT}"),
        );
    }

    fn tpm(&self, option: &mut impl FnMut(&str, String)) {
        option("-chardev", format!("socket,id=tpm,path={TPM_SOCKET}"));
        option("-tpmdev", "emulator,id=tpm0,chardev=tpm".to_owned());
        option("-device", "tpm-crb,tpmdev=tpm0".to_owned());
    }

    fn disk(&self, option: &mut impl FnMut(&str, String)) {
        let disk = value(self.disk);
        option(
            "-drive",
            format!("if=none,id=disk0,format=raw,snapshot=on,file={disk}"),
        );
        option(
            "-device",
            "nvme,serial=relay,drive=disk0,bootindex=1".to_owned(),
        );
    }

    fn network(&self, option: &mut impl FnMut(&str, String)) {
        let back_end = match self.network {
            Network::User { .. } => {
                format!("user,id=net0,hostfwd=udp:{}-:{GUEST_PORT}", self.reached)
            }
            Network::Tap(tap) => format!(
                "tap,id=net0,ifname={},script=no,downscript=no",
                tap.interface
            ),
        };
        option("-netdev", back_end);
        let [.., a, b, c] = self.boot;
        // 52:54:00 is the emulator's own prefix; no option ROM: nothing boots
        // from a network.
        option(
            "-device",
            format!("virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:{a:02x}:{b:02x}:{c:02x}"),
        );
    }
}

/// A value in a list of the emulator's options: a comma is written twice.
fn value(text: &str) -> String {
    text.replace(',', ",,")
}

/// Manufactures a TPM's state: an endorsement key, and the certificate of the
/// local CA that `config` names. `boot` stands in it as the subject's name.
pub(super) fn manufacture(programs: &Programs, config: &str, boot: &str) -> Vec<String> {
    [
        &programs.swtpm_setup,
        "--tpm2",
        "--config",
        config,
        "--tpm-state",
        TPM_STATE,
        "--create-ek-cert",
        "--lock-nvram",
        "--pcr-banks",
        "sha256",
        "--vmid",
        boot,
        "--logfile",
        "tpm-setup.log",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Runs a TPM until its machine is gone.
pub(super) fn tpm(programs: &Programs) -> Vec<String> {
    [
        &programs.swtpm,
        "socket",
        "--tpm2",
        "--tpmstate",
        &format!("dir={TPM_STATE}"),
        "--ctrl",
        &format!("type=unixio,path={TPM_SOCKET}"),
        "--terminate",
        "--log",
        "file=tpm.log,level=1",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::setting::TapSetting;
    use super::*;
    use std::net::IpAddr;

    fn programs() -> Programs {
        Programs {
            qemu: "/usr/bin/qemu-system-x86_64".to_owned(),
            swtpm: "/usr/bin/swtpm".to_owned(),
            swtpm_setup: "/usr/bin/swtpm_setup".to_owned(),
            swtpm_localca: "/usr/bin/swtpm_localca".to_owned(),
            nsenter: "/usr/bin/nsenter".to_owned(),
            firmware: "/fw/code,4m.fd".to_owned(),
        }
    }

    fn command(network: &Network) -> Vec<String> {
        Machine {
            programs: &programs(),
            disk: "/r/disk.img",
            memory_mib: 512,
            cpus: 2,
            network,
            reached: "127.0.0.8:17000".parse().unwrap(),
            boot: &[7; 16],
        }
        .command()
    }

    const USER: Network = Network::User {
        address: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 8)),
    };

    #[test]
    fn the_machine_is_exactly_this() {
        let expected = "/usr/bin/qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
            -display none -accel tcg,thread=multi -machine q35,smm=off -cpu max -sandbox \
            on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -smp 2 -m 512 \
            -drive if=pflash,format=raw,unit=0,readonly=on,file=/fw/code,,4m.fd \
            -drive if=pflash,format=raw,unit=1,file=vars.fd \
            -chardev socket,id=console,path=console.sock -serial chardev:console \
            -chardev socket,id=boot,path=boot.sock -device virtio-serial-pci \
            -device virtserialport,chardev=boot,name=roundcast.boot \
            -chardev socket,id=tpm,path=tpm.sock -tpmdev emulator,id=tpm0,chardev=tpm \
            -device tpm-crb,tpmdev=tpm0 \
            -drive if=none,id=disk0,format=raw,snapshot=on,file=/r/disk.img \
            -device nvme,serial=relay,drive=disk0,bootindex=1 \
            -netdev user,id=net0,hostfwd=udp:127.0.0.8:17000-:7000 \
            -device virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:07:07:07 \
            -device virtio-rng-pci";
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(command(&USER), expected);
    }

    #[test]
    fn a_tap_takes_the_place_of_the_emulator_s_network() {
        let tap = |namespace: Option<&str>| {
            Network::Tap(TapSetting {
                namespace: namespace.map(str::to_owned),
                interface: "tap1".to_owned(),
                address: IpAddr::from([10, 77, 0, 3]),
                prefix: 24,
                gateway: None,
            })
        };
        let line = command(&tap(Some("evening")));
        let first: Vec<_> = line.iter().take(4).map(String::as_str).collect();
        let expected = [
            "/usr/bin/nsenter",
            "--net=/run/netns/evening",
            "--",
            "/usr/bin/qemu-system-x86_64",
        ];
        assert_eq!(first, expected);
        assert!(line.contains(&"tap,id=net0,ifname=tap1,script=no,downscript=no".to_owned()));
        assert!(!line.iter().any(|word| word.contains("hostfwd")));
        let (user, own) = (command(&USER), command(&tap(None)));
        let differ: Vec<_> = user.iter().zip(&own).filter(|(a, b)| a != b).collect();
        assert_eq!(differ.len(), 1);
    }

    #[test]
    fn the_tpm_s_lines_name_its_state_its_ca_and_this_boot() {
        let line = manufacture(&programs(), "/data/tpm-ca/swtpm_setup.conf", "0707");
        let after = |word: &str| {
            let at = line.iter().position(|other| other == word).unwrap();
            line.get(at + 1).unwrap().as_str()
        };
        assert_eq!(after("--config"), "/data/tpm-ca/swtpm_setup.conf");
        assert_eq!(after("--vmid"), "0707");
        assert_eq!(after("--tpm-state"), TPM_STATE);
        assert!(tpm(&programs()).contains(&"dir=tpm".to_owned()));
    }
}
