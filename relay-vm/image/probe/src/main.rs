//! `roundcast-probe`: stands in the relay's place in an image that a test
//! boots. It writes the TPM's registers and the firmware's event log on the
//! console, loads the modules, and powers the machine off.

use data_encoding::HEXLOWER;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const BANKS: [&str; 2] = ["sha256", "sha384"];
const REGISTERS: u32 = 24;
/// Of the log, on one line.
const LINE_BYTES: usize = 512;

fn main() {
    if let Err(e) = tell() {
        println!("probe failed {e}");
    }
    // There is nobody to tell if the machine cannot be switched off.
    let _ = io::stdout().flush();
    let _ = reboot(RebootCommand::PowerOff);
}

fn tell() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("sysfs", "/sys", "sysfs", flags, None)?;
    mount(
        "securityfs",
        "/sys/kernel/security",
        "securityfs",
        flags,
        None,
    )?;
    println!("probe begins");
    for bank in BANKS {
        let folder = Path::new("/sys/class/tpm/tpm0").join(format!("pcr-{bank}"));
        for register in 0..REGISTERS {
            let value = fs::read_to_string(folder.join(register.to_string()))?;
            println!(
                "probe pcr {bank} {register} {}",
                value.trim().to_lowercase()
            );
        }
    }
    for line in fs::read("/sys/kernel/security/tpm0/binary_bios_measurements")?.chunks(LINE_BYTES) {
        println!("probe log {}", HEXLOWER.encode(line));
    }
    load_modules()?;
    println!("probe ends");
    Ok(())
}

/// Loads the image's modules as the relay does, in their order.
fn load_modules() -> io::Result<()> {
    for name in fs::read_to_string("/modules/order")?.lines() {
        let file = fs::File::open(format!("/modules/{name}.ko"))?;
        match finit_module(&file, c"", 0) {
            Ok(()) => println!("probe loaded {name}"),
            Err(e) => println!("probe refused {name} {e}"),
        }
    }
    Ok(())
}
