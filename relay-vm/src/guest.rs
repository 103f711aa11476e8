//! The relay as a machine: pid 1 of its image.
//!
//! Pid 1 readies the machine, then starts the same program once more as an
//! ordinary process without rights, and stays behind as its supervisor: it
//! carries the boot channel to that process's standard input and output, and
//! turns the machine off when the process, the desk or the network has gone.
//! So the part that strangers' packets reach can neither touch the machine
//! nor keep it on.

mod channel;
mod console;
mod dhcp;
mod harden;
mod imds;
mod interfaces;
mod modules;
mod mounts;
mod power;
mod privilege;
mod pulse;
mod relay;
mod state;
mod supervisor;
mod tpm;
mod vitals;
mod watchdog;

pub use privilege::confine;
pub use pulse::Pulse;

use crate::Error;
use crate::boot::{Opening, Platform};
use crate::network::Static;
use channel::Channel;
use console::Console;
use interfaces::Device;
use serde_json::json;
use wire::UnixMs;

/// The process that the kernel starts first.
pub const INIT_PID: u32 = 1;

/// What the machine was woken with.
struct Wake {
    line: String,
    lease: Paid,
    /// None where user data took the desk's place.
    channel: Option<Channel>,
    network: Network,
}

/// The paid time, as the first line says it.
#[derive(Debug, Clone, Copy)]
struct Paid {
    end: UnixMs,
    lease_ms: u64,
}

impl Paid {
    const fn of(opening: &Opening) -> Self {
        Self {
            end: opening.parameters.lease_end,
            lease_ms: opening.order.lease_ms,
        }
    }

    /// What is left of it at a boot, in ms. Never more than was ordered: a
    /// machine's clock may be years behind.
    fn left_ms(&self, now: UnixMs) -> u64 {
        self.end.since_ms(now).min(self.lease_ms)
    }
}

/// The machine's place in the network.
struct Network {
    device: Device,
    address: Static,
    lease: Option<dhcp::Lease>,
}

/// Runs the machine until its end, then turns it off.
pub fn run() -> ! {
    power::off_on_panic();
    let console = Console::new();
    let ending = match serve(&console) {
        Ok(ending) => ending,
        Err(e) => {
            console.tell(
                "guest_failed",
                json!({"reason": e.reason(), "detail": e.to_string()}),
            );
            e.reason()
        }
    };
    console.tell("guest_power_off", json!({"reason": ending}));
    power::off()
}

fn serve(console: &Console) -> Result<&'static str, Error> {
    mounts::mount_all()?;
    let loaded = modules::load_all()?;
    let lockdown = harden::machine()?;
    console.tell(
        "guest_booted",
        json!({"modules": loaded, "lockdown": lockdown}),
    );
    let watchdog = watchdog::Watchdog::open()?;
    let wake = wake(console)?;
    console.tell(
        "guest_network",
        json!({
            "device": wake.network.device.name,
            "address": wake.network.address.address.to_string(),
            "dhcp": wake.network.lease.is_some(),
        }),
    );
    let heart = pulse::Heart::bind()?;
    let relay = relay::Relay::start()?;
    privilege::drop_all_but_power()?;
    console.tell("guest_confined", json!({"watchdog": watchdog.name()}));
    supervisor::supervise(console, relay, wake, heart, watchdog)
}

/// Hears the first line and joins the network: in this order where a desk
/// speaks to the machine, since it may say the address; in the other where
/// the line has to be fetched.
fn wake(console: &Console) -> Result<Wake, Error> {
    if let Some(mut channel) = Channel::find()? {
        let line = channel.first_line()?;
        let opening = Opening::parse(&line)?;
        let network = join(opening.network)?;
        return Ok(Wake {
            line,
            lease: Paid::of(&opening),
            channel: Some(channel),
            network,
        });
    }
    console.tell("guest_without_channel", json!({}));
    let network = join(None)?;
    let line = imds::first_line(imds::SERVICE)?;
    // Refused here already, so that the reason is on the console.
    let opening = Opening::parse(&line)?;
    Ok(Wake {
        line,
        lease: Paid::of(&opening),
        channel: None,
        network,
    })
}

fn join(told: Option<Static>) -> Result<Network, Error> {
    let device = interfaces::raise()?;
    let (address, lease) = match told {
        Some(told) => (told, None),
        None => {
            let lease = dhcp::ask(&device)?;
            (lease.network(), Some(lease))
        }
    };
    interfaces::assign(&device, &address)?;
    Ok(Network {
        device,
        address,
        lease,
    })
}

/// The machine's platform, for the relay's own process.
///
/// # Errors
/// There is no TPM, or it is not what it has to be.
pub fn platform() -> Result<Box<dyn Platform>, Error> {
    Ok(Box::new(tpm::platform()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_makes_the_paid_time_longer_than_ordered() {
        let paid = Paid {
            end: UnixMs(10_000_000),
            lease_ms: 3_600_000,
        };
        assert_eq!(paid.left_ms(UnixMs(9_000_000)), 1_000_000);
        assert_eq!(paid.left_ms(UnixMs(0)), 3_600_000);
        assert_eq!(paid.left_ms(UnixMs(10_000_001)), 0);
    }
}
