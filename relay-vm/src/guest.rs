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

/// The process that the kernel starts first.
pub const INIT_PID: u32 = 1;

/// What the machine was woken with.
struct Wake {
    line: String,
    /// None where user data took the desk's place.
    channel: Option<Channel>,
    network: Network,
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
            channel: Some(channel),
            network,
        });
    }
    console.tell("guest_without_channel", json!({}));
    let network = join(None)?;
    let line = imds::first_line(imds::SERVICE)?;
    // Refused here already, so that the reason is on the console.
    Opening::parse(&line)?;
    Ok(Wake {
        line,
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
