//! Pid 1 after the relay's start: carries the boot channel, kicks the
//! watchdog while the relay lives, and says when the machine has to go off.

use super::channel::Channel;
use super::console::Console;
use super::pulse::Heart;
use super::relay::Relay;
use super::vitals::{Event, Vitals};
use super::watchdog::Watchdog;
use super::{Network, Paid, Wake, dhcp, state};
use crate::Error;
use crate::boot::line::LINE_BYTES_MAX;
use link::Clock;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;

/// What is carried at once, in bytes.
const PIECE_BYTES: usize = 4 * 1024;

/// Supervises until the machine has to go off; the reason.
///
/// # Errors
/// The machine is out of threads or descriptors.
pub(super) fn supervise(
    console: &Console,
    mut relay: Relay,
    wake: Wake,
    heart: Heart,
    watchdog: Watchdog,
) -> Result<&'static str, Error> {
    let (tell, events) = channel();
    let (input, output) = relay.pipes()?;
    let Wake {
        line,
        lease,
        channel,
        network,
    } = wake;
    let handle = || channel.as_ref().map(Channel::another).transpose();
    let (desk, desk_of_state) = (handle()?, handle()?);
    let gone = tell.clone();
    thread("desk", move || listen(&line, channel, input, &gone))?;
    let (console, console_of_state) = (console.clone(), console.clone());
    thread("relay", move || speak(output, desk, &console))?;
    let beats = tell.clone();
    thread("pulse", move || {
        // With the first beat its socket is bound, and nothing else may be.
        if heart.hear().is_ok() {
            tell_state(&console_of_state, desk_of_state);
        }
        while heart.hear().is_ok() && beats.send(Event::Beat).is_ok() {}
    })?;
    if let Network {
        device,
        lease: Some(lease),
        ..
    } = network
    {
        let lost = tell.clone();
        thread("dhcp", move || {
            dhcp::keep(&device, lease);
            let _ = lost.send(Event::NetworkLost);
        })?;
    }
    thread("wait", move || {
        let _ = tell.send(Event::RelayEnded(relay.wait()));
    })?;
    Ok(watch(&events, watchdog, &lease))
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let started = Builder::new().name(name.to_owned()).spawn(work);
    started
        .map(drop)
        .map_err(Error::system("starting a thread"))
}

/// Kicks the watchdog as long as there is a reason to stay on.
fn watch(events: &Receiver<Event>, mut watchdog: Watchdog, lease: &Paid) -> &'static str {
    let clock = Clock::new();
    let mut vitals = Vitals::new(clock.mono_ms(), lease.left_ms(clock.unix()));
    loop {
        match events.recv_timeout(watchdog.pause()) {
            Ok(event) => vitals.hear(event, clock.mono_ms()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return "supervision_ended",
        }
        if let Some(reason) = vitals.over(clock.mono_ms()) {
            return reason;
        }
        watchdog.kick();
    }
}

/// Tells desk and console what this machine can still do. In one write: the
/// relay's lines go the same way.
fn tell_state(console: &Console, desk: Option<Channel>) {
    let line = console.tell("guest_serving", state::state());
    if let Some(mut desk) = desk {
        let _ = desk.write_all(format!("{line}\n").as_bytes());
    }
}

/// Hands the desk's lines to the relay. With the desk the relay's input ends.
fn listen(line: &str, channel: Option<Channel>, mut input: ChildStdin, gone: &Sender<Event>) {
    let begun = input.write_all(line.as_bytes());
    let Some(mut channel) = channel else {
        // Nobody will say more; the input stays open for as long as pid 1.
        std::thread::park();
        return;
    };
    if begun.is_ok() {
        let mut piece = [0; PIECE_BYTES];
        while let Ok(length @ 1..) = channel.read(&mut piece) {
            if input
                .write_all(piece.get(..length).unwrap_or_default())
                .is_err()
            {
                break;
            }
        }
    }
    drop(input);
    let _ = gone.send(Event::DeskGone);
}

/// Hands the relay's lines to the desk, and its events to the console. The
/// console first: a desk that has gone takes no more.
fn speak(output: ChildStdout, mut desk: Option<Channel>, console: &Console) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut output).take(LINE_BYTES_MAX as u64);
        match bounded.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        console.pass(line.trim_ascii_end());
        if let Some(desk) = &mut desk {
            let _ = desk.write_all(&line);
        }
    }
}
