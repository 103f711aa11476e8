//! Reading what the probe wrote.

use boot::event_log::{self, Event};
use boot::pcr::Bank;
use data_encoding::HEXLOWER;

/// A register's value, in hexadecimal.
pub(crate) fn register(console: &str, bank: Bank, register: u8) -> &str {
    let mark = format!("probe pcr {} {register} ", bank.name());
    let line = console
        .lines()
        .find_map(|line| line.trim_end().split_once(&mark));
    line.unwrap_or_else(|| panic!("no {mark}in:\n{console}")).1
}

/// The firmware's event log.
pub(crate) fn events(console: &str) -> Vec<Event> {
    let digits: String = console
        .lines()
        .filter_map(|line| line.trim_end().split_once("probe log "))
        .map(|(_, digits)| digits)
        .collect();
    event_log::parse(&HEXLOWER.decode(digits.as_bytes()).unwrap()).unwrap()
}
