//! What a process has used, as the kernel counts it.

use super::Error;
use std::fs;

/// Processor time of all threads of a process, in nanoseconds. The scheduler's
/// own count: `/proc/PID/stat` has it in ticks of 10 ms only.
pub(super) fn cpu_ns(pid: u32) -> Result<u64, Error> {
    let missing = |what| move |_| Error::Usage { pid, what };
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_err(missing("task"))?;
    let mut sum = 0u64;
    for thread in threads.flatten() {
        // A thread may end between the listing and the reading.
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let ran: Option<u64> = text.split(' ').next().and_then(|ns| ns.parse().ok());
        sum = sum.saturating_add(ran.unwrap_or(0));
    }
    if sum == 0 {
        let what = "schedstat";
        return Err(Error::Usage { pid, what });
    }
    Ok(sum)
}

/// Processor time that all cores of the machine together were not idle, in
/// nanoseconds: counted by the kernel in ticks of 10 ms.
pub(super) fn machine_ns() -> Result<u64, Error> {
    let (pid, what) = (0, "stat");
    let text = fs::read_to_string("/proc/stat").map_err(|_| Error::Usage { pid, what })?;
    busy_ns(&text).ok_or(Error::Usage { pid, what })
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq,
/// softirq, steal, and guests, who are in the first two already.
fn busy_ns(text: &str) -> Option<u64> {
    const TICK_NS: u64 = 10_000_000;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return None;
    };
    Some((user + nice + system + irq + softirq + steal) * TICK_NS)
}

/// Resident memory of a process, in bytes.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, Error> {
    let what = "VmRSS";
    let text = fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|_| Error::Usage { pid, what })?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb: Option<u64> = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok());
    kb.map(|kb| kb.saturating_mul(1024))
        .ok_or(Error::Usage { pid, what })
}

/// The system's monotonic clock, which all processes share, in microseconds.
pub(super) fn mono_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    u64::try_from(us).unwrap_or(0)
}

/// Waits until the clock shows `at_us`.
pub(super) async fn until(at_us: u64) {
    let left = at_us.saturating_sub(mono_us());
    tokio::time::sleep(std::time::Duration::from_micros(left)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_use_is_told() {
        let pid = std::process::id();
        assert!(cpu_ns(pid).unwrap() > 0);
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert!(mono_us() > 0);
    }

    #[test]
    fn the_machine_is_busy_for_what_is_neither_idle_nor_waiting() {
        let text = "cpu  10 1 5 1000 20 2 3 4 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_ns(text), Some(25 * 10_000_000));
        assert_eq!(busy_ns("cpu  10 1 5"), None);
        assert!(machine_ns().unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_none_is_named() {
        let error = cpu_ns(u32::MAX).unwrap_err();
        assert_eq!(error.reason(), "usage_unknown");
    }
}
