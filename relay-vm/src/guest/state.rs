//! What the machine can still do, read back from the kernel once the relay
//! serves: not what was set, but what holds.

use super::harden;
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The kernel's tables of sockets.
const TABLES: [&str; 4] = ["udp", "udp6", "tcp", "tcp6"];
/// Ways to hibernate, the chosen one in brackets.
const HIBERNATION: &str = "/sys/power/disk";

/// The watchdog that pid 1 has opened.
const WATCHDOG: &str = "/sys/class/watchdog/watchdog0";

/// Settings, lockdown, loaded modules, the watchdog and open sockets. What cannot be read
/// is null, and nothing is left out.
pub(super) fn state() -> Value {
    json!({
        "settings": settings(),
        "lockdown": harden::level_now(),
        "hibernation": read(Path::new(HIBERNATION)),
        "modules": read(Path::new("/proc/modules")).map(|text| json!(modules(&text))),
        "watchdog": {
            "identity": read(&Path::new(WATCHDOG).join("identity")),
            "state": read(&Path::new(WATCHDOG).join("state")),
        },
        "sockets": TABLES.map(|table| json!({
            "table": table,
            "addresses": read(&Path::new("/proc/net").join(table)).map(|text| sockets(&text)),
        })),
    })
}

fn settings() -> Map<String, Value> {
    let value = |name: &str| read(&Path::new("/proc/sys").join(name)).into();
    harden::names()
        .map(|name| (name.to_owned(), value(name)))
        .collect()
}

fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// The first word of each line, in the order of loading.
fn modules(text: &str) -> Vec<&str> {
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.reverse();
    names
}

/// Local addresses in a table; one that cannot be read is told as it stands.
fn sockets(text: &str) -> Vec<String> {
    let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    text.lines()
        .skip(1)
        .filter_map(local)
        .map(|field| address(&field).map_or(field, |address| address.to_string()))
        .collect()
}

/// `ADDRESS:PORT` in hexadecimal; the address as 32-bit words, each in this
/// machine's order of bytes.
fn address(field: &str) -> Option<SocketAddr> {
    let (words, port) = field.split_once(':')?;
    let word = |from: usize| {
        let digits = words.get(from..from + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match words.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_table_of_sockets_becomes_addresses() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
        let text = format!(
            "{head}  5: 0100007F:1B58 00000000:0000 07 00000000:00000000\n\
             6: 000080FE00000000FF005450BD0BCDFE:0050 0:0 0A\n 7: odd 0:0 0A\n"
        );
        let expected = ["127.0.0.1:7000", "[fe80::5054:ff:fecd:bbd]:80", "odd"];
        assert_eq!(sockets(&text), expected);
        assert!(sockets(head).is_empty());
    }

    #[test]
    fn this_machine_s_own_socket_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0");
        let own = socket.as_ref().unwrap().local_addr().unwrap().to_string();
        let table = read(Path::new("/proc/net/udp")).unwrap();
        assert!(sockets(&table).contains(&own), "{own} in {table}");
    }

    #[test]
    fn modules_stand_in_the_order_of_loading() {
        let text = "softdog 20480 1 - Live 0x0\nwatchdog 45056 1 softdog, Live 0x0\n";
        assert_eq!(modules(text), ["watchdog", "softdog"]);
    }
}
