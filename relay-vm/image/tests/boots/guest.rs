//! A machine under software emulation: OVMF, a TPM of swtpm's, one disk.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// An emulated boot takes 15 to 25 s on two cores.
const BOOT_TIME_MAX: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);
/// What OVMF says when Secure Boot stops an image.
const REFUSALS: [&str; 2] = ["Access Denied", "Security Violation"];
/// The last line of the probe.
const END: &str = "probe ends";

/// Guests are heavy: one at once.
static ONE: Mutex<()> = Mutex::new(());

/// A child that does not outlive the test.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Held {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    Held(child.unwrap_or_else(|error| panic!("{name} does not start: {error}; install it")))
}

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The probe ran to its end; its console.
    Ran(String),
    /// Firmware refused the image.
    Refused,
}

/// Boots a disk with fresh TPM state and a copy of `variables`. Changes
/// neither. A boot that is slow on a busy machine is tried once more.
pub(crate) fn boot(disk: &Path, variables: &Path) -> End {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let first = attempt(disk, variables);
    first
        .or_else(|_| attempt(disk, variables))
        .unwrap_or_else(|console| panic!("the machine told nothing; its console:\n{console}"))
}

/// How a boot ended, or the console of one that did not end in time.
fn attempt(disk: &Path, variables: &Path) -> Result<End, String> {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(place("tpm")).unwrap();
    fs::copy(variables, place("variables")).unwrap();
    let _tpm = start(
        Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate"])
            .args([
                format!("dir={}", place("tpm")),
                "--ctrl".into(),
                format!("type=unixio,path={}", place("socket")),
            ]),
    );
    let begin = Instant::now();
    while !Path::new(&place("socket")).exists() {
        assert!(begin.elapsed() < BOOT_TIME_MAX, "swtpm makes no socket");
        sleep(POLL);
    }
    let drives = [
        format!("if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}"),
        format!("if=pflash,format=raw,unit=1,file={}", place("variables")),
        format!(
            "if=none,id=disk,format=raw,file={},snapshot=on",
            disk.display()
        ),
    ];
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args("-accel tcg,thread=multi -machine q35,smm=off -cpu max -smp 2 -m 512".split(' '))
        .args("-nodefaults -no-reboot -display none".split(' '))
        .args(["-serial", &format!("file:{}", place("console"))])
        .args(drives.iter().flat_map(|drive| ["-drive", drive.as_str()]))
        .args([
            "-chardev",
            &format!("socket,id=tpm,path={}", place("socket")),
        ])
        .args("-tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0".split(' '))
        .args("-device nvme,serial=relay,drive=disk,bootindex=1".split(' '));
    let mut qemu = start(&mut qemu);
    let begin = Instant::now();
    loop {
        let ended = qemu.0.try_wait().unwrap().is_some();
        let console = fs::read(place("console")).unwrap_or_default();
        let console = String::from_utf8_lossy(&console).into_owned();
        if console.contains(END) {
            return Ok(End::Ran(console));
        }
        if REFUSALS.iter().any(|words| console.contains(words)) {
            return Ok(End::Refused);
        }
        if ended || begin.elapsed() > BOOT_TIME_MAX {
            return Err(console);
        }
        sleep(POLL);
    }
}
