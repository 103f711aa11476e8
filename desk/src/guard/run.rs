//! The guard's main loop. Children are started from the main thread alone:
//! the kernel's parent-death signal is tied to the thread that forked.

use super::pidfile::Processes;
use super::plan::{PLAN_BYTES_MAX, PROGRAMS_MAX, Plan, Program, Ready, Told};
use super::process::Process;
use crate::Error;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long one program may take to be ready, in ms: a TPM's manufacture
/// takes a second of a busy machine.
pub const STEP_MS_MAX: u64 = 20_000;
/// How often the guard looks at its programs, in ms.
const LOOK_MS: u64 = 50;
/// From util-linux, on every Debian: the safe way to a parent-death signal.
const SETPRIV: &str = "setpriv";

/// The main of `roundcast-desk guard`: reads a [`Plan`] from the first line of
/// standard input, runs it in the current folder, and ends when that input,
/// its time, or one of its programs does. Nothing that it started runs then.
///
/// # Errors
/// [`Error::Plan`], [`Error::File`].
pub fn main() -> Result<(), Error> {
    let (plan, desk) = listen()?;
    let deadline = Instant::now()
        .checked_add(Duration::from_millis(plan.life_ms_max))
        .ok_or(Error::Plan("its time has no end"))?;
    let mut guard = Guard {
        running: Vec::new(),
        desk,
        deadline,
    };
    guard.note().map_err(Error::file(
        "write the pid file in",
        Path::new("the boot's folder"),
    ))?;
    let _ = guard.run(&plan);
    guard.end();
    tell(&Told::Done);
    Ok(())
}

/// The plan, and a channel that closes with standard input.
fn listen() -> Result<(Plan, Receiver<()>), Error> {
    let (alive, desk) = channel();
    let (send_plan, plan) = channel();
    std::thread::spawn(move || {
        let mut input = BufReader::new(std::io::stdin());
        let mut line = Vec::new();
        let read = (&mut input)
            .take(PLAN_BYTES_MAX as u64)
            .read_until(b'\n', &mut line);
        let _ = send_plan.send(read.map(|_| line));
        let mut rest = [0; 64];
        while input.read(&mut rest).is_ok_and(|count| count > 0) {}
        drop(alive);
    });
    let line = plan
        .recv()
        .ok()
        .and_then(Result::ok)
        .ok_or(Error::Plan("it cannot be read"))?;
    let plan: Plan =
        serde_json::from_slice(&line).map_err(|_| Error::Plan("it is no plan of this version"))?;
    if plan.programs.len() > PROGRAMS_MAX {
        return Err(Error::Plan("it has too many programs"));
    }
    Ok((plan, desk))
}

/// Nobody may be listening any more: that is no reason to stop guarding.
fn tell(told: &Told) {
    let mut out = std::io::stdout().lock();
    if let Ok(line) = serde_json::to_string(told) {
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

fn tell_ended(ended: &[(String, ExitStatus)]) {
    for (name, status) in ended {
        tell(&Told::Ended {
            name: name.clone(),
            code: status.code(),
            signal: status.signal(),
        });
    }
}

/// The end of a plan.
struct Over;

struct Guard {
    running: Vec<(String, Child)>,
    desk: Receiver<()>,
    deadline: Instant,
}

impl Guard {
    fn run(&mut self, plan: &Plan) -> Result<(), Over> {
        for program in &plan.programs {
            self.start(program)?;
            self.await_ready(program)?;
        }
        loop {
            self.pause()?;
            self.look(None)?;
        }
    }

    fn start(&mut self, program: &Program) -> Result<(), Over> {
        let name = program.name.clone();
        let Ok(child) = spawn(&program.argv) else {
            tell(&Told::Failed { name });
            return Err(Over);
        };
        let pid = child.id();
        self.running.push((name.clone(), child));
        if self.note().is_err() {
            // A program that the next desk could not find must not run.
            tell(&Told::Failed { name });
            return Err(Over);
        }
        tell(&Told::Started { name, pid });
        Ok(())
    }

    fn await_ready(&mut self, program: &Program) -> Result<(), Over> {
        let late = Instant::now() + Duration::from_millis(STEP_MS_MAX);
        while Instant::now() < late {
            let ready = match &program.ready {
                Ready::Started => true,
                Ready::Path(path) => path.exists(),
                Ready::Exits => self.running.iter().all(|(name, _)| *name != program.name),
            };
            if ready {
                return Ok(());
            }
            self.pause()?;
            let exits = matches!(program.ready, Ready::Exits).then_some(&*program.name);
            self.look(exits)?;
        }
        tell(&Told::Failed {
            name: program.name.clone(),
        });
        Err(Over)
    }

    /// Waits a moment; over if the desk or the time is.
    fn pause(&self) -> Result<(), Over> {
        if Instant::now() >= self.deadline {
            return Err(Over);
        }
        match self.desk.recv_timeout(Duration::from_millis(LOOK_MS)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Over),
        }
    }

    /// Looks for programs that have ended. Over unless there is none, or only
    /// the one that `exits`, with success.
    fn look(&mut self, exits: Option<&str>) -> Result<(), Over> {
        let mut ended = self.reap();
        if ended.is_empty() {
            return Ok(());
        }
        if let [(name, status)] = ended.as_slice()
            && exits == Some(name)
            && status.success()
        {
            tell_ended(&ended);
            return Ok(());
        }
        // A TPM ends with its machine: whichever was seen first, both are
        // told.
        std::thread::sleep(Duration::from_millis(LOOK_MS));
        ended.extend(self.reap());
        tell_ended(&ended);
        Err(Over)
    }

    /// Lets go of programs that have ended: their numbers are others' soon.
    fn reap(&mut self) -> Vec<(String, ExitStatus)> {
        let mut ended = Vec::new();
        let mut running = Vec::new();
        for (name, mut child) in std::mem::take(&mut self.running) {
            match child.try_wait() {
                Ok(Some(status)) => ended.push((name, status)),
                Ok(None) | Err(_) => running.push((name, child)),
            }
        }
        self.running = running;
        ended
    }

    /// Kills everything, and is done when it is gone.
    fn end(&mut self) {
        for (_, child) in &self.running {
            kill_group(child);
        }
        for (_, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Writes down who runs.
    fn note(&self) -> std::io::Result<()> {
        let pids = self.running.iter().map(|(_, child)| child.id());
        let processes = std::iter::once(std::process::id())
            .chain(pids)
            .filter_map(Process::of)
            .collect();
        Processes { processes }.write(Path::new("."))
    }
}

/// Starts a program in a process group of its own, so that what it starts is
/// killed with it.
fn spawn(argv: &[String]) -> std::io::Result<Child> {
    Command::new(SETPRIV)
        .args(["--pdeathsig", "KILL", "--"])
        .args(argv)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()
}

fn kill_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
