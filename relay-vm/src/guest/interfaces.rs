//! The machine's network interfaces, through netlink.

use crate::Error;
use crate::network::Static;
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

/// Where the kernel lists them.
const INTERFACES: &str = "/sys/class/net";
/// Loopback always is the first.
const LOOPBACK_INDEX: u32 = 1;
/// `ARPHRD_ETHER` of the kernel's interface types.
const ETHERNET: &str = "1";
/// How long a driver may take to show its device, and a link to come up, in ms.
const READY_MS_MAX: u64 = 10_000;
/// Pause between two looks, in ms.
const LOOK_MS: u64 = 20;

/// An Ethernet interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) hardware: [u8; 6],
}

/// Brings loopback and the first Ethernet interface up.
///
/// # Errors
/// There is none, or it has no link.
pub(super) fn raise() -> Result<Device, Error> {
    let folder = Path::new(INTERFACES);
    let device = wait(|| first(folder)).ok_or(Error::Guest("there is no Ethernet device"))?;
    netlink(async |handle| {
        for index in [LOOPBACK_INDEX, device.index] {
            let up = LinkUnspec::new_with_index(index).up().build();
            handle.link().set(up).execute().await?;
        }
        Ok(())
    })?;
    let carrier = folder.join(&device.name).join("carrier");
    wait(|| (fact(&carrier)? == "1").then_some(()))
        .ok_or_else(|| Error::Network(format!("{} has no link", device.name)))?;
    Ok(device)
}

/// Gives the device its address, and the machine its way out.
///
/// # Errors
/// The kernel refuses.
pub(super) fn assign(device: &Device, network: &Static) -> Result<(), Error> {
    netlink(async |handle| {
        let (address, prefix) = (network.address, network.prefix);
        let add = handle.address().add(device.index, address, prefix);
        add.execute().await?;
        let Some(gateway) = network.gateway else {
            return Ok(());
        };
        // On the link: some clouds put the gateway outside of the network.
        let route = match gateway {
            IpAddr::V4(gateway) => RouteMessageBuilder::<Ipv4Addr>::new()
                .output_interface(device.index)
                .gateway(gateway)
                .onlink()
                .build(),
            IpAddr::V6(gateway) => RouteMessageBuilder::<Ipv6Addr>::new()
                .output_interface(device.index)
                .gateway(gateway)
                .onlink()
                .build(),
        };
        handle.route().add(route).execute().await
    })
}

/// One conversation with the kernel.
fn netlink<F>(talk: F) -> Result<(), Error>
where
    F: AsyncFnOnce(Handle) -> Result<(), rtnetlink::Error>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("making an event loop"))?;
    runtime.block_on(async {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(Error::system("opening netlink"))?;
        tokio::spawn(connection);
        let talked = talk(handle).await;
        talked.map_err(|e| Error::Network(format!("the kernel refuses: {e}")))
    })
}

/// The first in the order of names: a machine has one.
fn first(folder: &Path) -> Option<Device> {
    let entries = std::fs::read_dir(folder).ok()?;
    let devices = entries.flatten().filter_map(|entry| device(&entry.path()));
    devices.min_by(|a, b| a.name.cmp(&b.name))
}

fn device(path: &Path) -> Option<Device> {
    if fact(&path.join("type"))? != ETHERNET {
        return None;
    }
    Some(Device {
        name: path.file_name()?.to_str()?.to_owned(),
        index: fact(&path.join("ifindex"))?.parse().ok()?,
        hardware: hardware(&fact(&path.join("address"))?)?,
    })
}

fn fact(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// Six bytes in hexadecimal, with colons between.
fn hardware(text: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    bytes?.try_into().ok()
}

fn wait<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    for _ in 0..READY_MS_MAX / LOOK_MS {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_the_first_ethernet_device() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kind, index) in [("lo", "772", "1"), ("eth1", "1", "3"), ("eth0", "1", "2")] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("type"), format!("{kind}\n")).unwrap();
            std::fs::write(path.join("ifindex"), format!("{index}\n")).unwrap();
            std::fs::write(path.join("address"), "52:54:00:12:34:56\n").unwrap();
        }
        let found = first(folder.path()).unwrap();
        assert_eq!((found.name.as_str(), found.index), ("eth0", 2));
        assert_eq!(found.hardware, [0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    }

    #[test]
    fn refuses_hardware_addresses_of_another_length() {
        for text in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:56:78",
            "52:54:00:12:34:zz",
        ] {
            assert_eq!(hardware(text), None, "{text}");
        }
    }
}
