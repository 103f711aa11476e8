//! Rights: what pid 1 gives up, and what the relay's process may ask of the
//! kernel.

use crate::Error;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

/// What pid 1 keeps: to turn the machine off.
const KEPT: CapabilitySet = CapabilitySet::SYS_BOOT;

/// Leaves pid 1 with the right to turn the machine off and no other, for
/// good. The relay's process was started before, as a user without any.
///
/// # Errors
/// The kernel refuses.
pub(super) fn drop_all_but_power() -> Result<(), Error> {
    let step = "giving up rights";
    for capability in CapabilitySet::all().iter() {
        // Newer names than the kernel's are not in its set.
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability).map_err(Error::call(step))?;
        }
    }
    let sets = CapabilitySets {
        effective: KEPT,
        permitted: KEPT,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(Error::call(step))?;
    set_no_new_privs(true).map_err(Error::call(step))
}

/// Confines this process to the system calls that serving needs, for good:
/// another one ends it. No new rights by executing, no new programs, no
/// files, no executable memory, no sockets but those of the internet.
///
/// # Errors
/// [`Error::Confinement`].
pub fn confine() -> Result<(), Error> {
    open_sources()?;
    set_no_new_privs(true).map_err(Error::call("forbidding new rights"))?;
    // The stricter answer of the two filters counts.
    for filter in [denied()?, allowed()?] {
        apply_filter_all_threads(&filter).map_err(refused)?;
    }
    Ok(())
}

/// Has libraries open now what they look for at their first use.
fn open_sources() -> Result<(), Error> {
    // The vDSO, on older kernels by a file.
    let _ = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // In a static program these crates do not find the C library's call, take
    // the device instead, and keep it open.
    let mut bytes = [0; 1];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    getrandom_of_quinn::fill(&mut bytes).map_err(|_| Error::Random)
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Confinement(error.to_string())
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, Error> {
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(refused)?;
    SeccompFilter::new(rules, otherwise, matched, target)
        .and_then(BpfProgram::try_from)
        .map_err(refused)
}

/// Calls that libraries try and live without: `clone3`, whose flags no filter
/// can read (the C library then takes `clone`).
fn denied() -> Result<BpfProgram, Error> {
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let rules = [(libc::SYS_clone3, Vec::new())];
    program(rules.into(), SeccompAction::Allow, absent)
}

fn allowed() -> Result<BpfProgram, Error> {
    let mut rules: Rules = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(X86_ONLY.iter().map(|call| (*call, Vec::new())));
    // The first filter answers it.
    rules.insert(libc::SYS_clone3, Vec::new());
    // Threads, never processes.
    rules.insert(libc::SYS_clone, when(0, &[flags(libc::CLONE_THREAD)])?);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, when(2, &[without(libc::PROT_EXEC)])?);
    }
    let families = [libc::AF_INET, libc::AF_INET6].map(exactly);
    rules.insert(libc::SYS_socket, when(0, &families)?);
    // The event loop's own pair, whose ends lead nowhere else.
    rules.insert(libc::SYS_socketpair, when(0, &[exactly(libc::AF_UNIX)])?);
    let names = [libc::PR_SET_NAME, libc::PR_SET_VMA].map(exactly);
    rules.insert(libc::SYS_prctl, when(0, &names)?);
    let modes = [libc::FIONBIO].map(|mode| Test(SeccompCmpOp::Eq, mode));
    rules.insert(libc::SYS_ioctl, when(1, &modes)?);
    program(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

/// A test of an argument's value.
struct Test(SeccompCmpOp, u64);

const fn exactly(value: i32) -> Test {
    Test(SeccompCmpOp::Eq, value.unsigned_abs() as u64)
}

/// All of these bits are set.
const fn flags(bits: i32) -> Test {
    let bits = bits.unsigned_abs() as u64;
    Test(SeccompCmpOp::MaskedEq(bits), bits)
}

/// None of these bits is set.
const fn without(bits: i32) -> Test {
    Test(SeccompCmpOp::MaskedEq(bits.unsigned_abs() as u64), 0)
}

/// One of the tests holds for the argument.
fn when(argument: u8, tests: &[Test]) -> Result<Vec<SeccompRule>, Error> {
    tests
        .iter()
        .map(|Test(test, value)| {
            let width = SeccompCmpArgLen::Dword;
            SeccompCondition::new(argument, width, test.clone(), *value)
                .and_then(|condition| SeccompRule::new(vec![condition]))
                .map_err(refused)
        })
        .collect()
}

/// Calls that are allowed whatever their arguments.
const ALWAYS: [i64; 60] = [
    // Open descriptors: pipes, sockets, the TPM.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    // Sockets.
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Threads.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // Signals: of this process to itself, when it aborts.
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Time and randomness.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_prlimit64,
];

/// Older names of the same.
#[cfg(target_arch = "x86_64")]
const X86_ONLY: [i64; 3] = [libc::SYS_poll, libc::SYS_epoll_wait, libc::SYS_time];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};

    /// Names the forbidden thing that a confined copy of this test does.
    const DEED: &str = "ROUNDCAST_TEST_DEED";

    /// Runs one of this module's tests in a process of its own.
    fn confined(deed: &str) -> ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "guest::privilege::tests::deed", "--nocapture"])
            .args(["--test-threads", "1"])
            .env(DEED, deed)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    }

    /// Does nothing unless it is a confined copy.
    #[test]
    fn deed() {
        let Ok(deed) = std::env::var(DEED) else {
            return;
        };
        confine().unwrap();
        match deed.as_str() {
            "serve" => {
                let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_nonblocking(true).unwrap();
                let sum = std::thread::spawn(|| vec![1u8; 1 << 22].len()).join();
                assert_eq!(sum.unwrap(), 1 << 22);
            }
            "file" => drop(std::fs::File::open("/dev/null")),
            "program" => drop(Command::new("/bin/true").status()),
            "unix" => drop(std::os::unix::net::UnixDatagram::unbound()),
            "signal" => {
                let init = rustix::process::Pid::INIT;
                let _ = rustix::process::test_kill_process(init);
            }
            "reboot" => {
                let _ = rustix::system::reboot(rustix::system::RebootCommand::CadOn);
            }
            _ => {}
        }
        std::process::exit(0);
    }

    #[test]
    fn a_confined_process_has_sockets_threads_and_memory() {
        let status = confined("serve");
        assert_eq!(status.code(), Some(0), "{status}");
    }

    #[test]
    fn everything_else_ends_a_confined_process() {
        for deed in ["file", "program", "unix", "signal", "reboot"] {
            let status = confined(deed);
            assert_eq!(status.signal(), Some(libc::SIGSYS), "{deed}: {status}");
        }
    }
}
