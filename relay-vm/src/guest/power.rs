//! The end of the machine. Turning it off is what ends the lease with the
//! cloud, so nothing that goes wrong may leave it on.

use rustix::system::{RebootCommand, reboot};

/// Turns the machine off. If the kernel refuses, pid 1 ends, which the
/// kernel answers with a panic and, as [`super::harden`] told it, a restart.
pub(super) fn off() -> ! {
    rustix::fs::sync();
    let refused = reboot(RebootCommand::PowerOff);
    eprintln!("guest: turning off failed ({refused:?}); pid 1 ends");
    std::process::exit(1)
}

/// A panic of pid 1 turns the machine off as well. The message has no
/// payload of the network: panics name a place and a violated expectation.
pub(super) fn off_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("guest: {panic}");
        off()
    }));
}
