//! The real program as a child process, its lines read as they come.

// Each test file uses its own part of this.
#![allow(dead_code)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long any single thing may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The clip that the repository carries.
pub(crate) fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/media/clip.mp4")
}

/// `roundcast` with these arguments.
pub(crate) fn roundcast(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundcast"));
    command.args(arguments);
    command
}

/// Runs to the end, with nothing on standard input.
pub(crate) fn finish(arguments: &[&str]) -> Output {
    roundcast(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// The exit code and what was said to people.
pub(crate) fn said(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "no panic on input: {text}");
    (output.status.code(), text)
}

/// A running program that tells events.
pub(crate) struct Program {
    child: Child,
    events: Receiver<Value>,
}

impl Program {
    /// Starts it with pipes at both ends.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = sender.send(event);
                }
            }
        });
        Self { child, events }
    }

    /// The next event of this kind.
    pub(crate) fn event(&self, kind: &str) -> Value {
        self.event_passing(kind, |_| {})
    }

    /// The next event of this kind; `pass` sees those before it.
    pub(crate) fn event_passing(&self, kind: &str, mut pass: impl FnMut(&Value)) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) if event["kind"] == kind => return event,
                Ok(event) => pass(&event),
                Err(RecvTimeoutError::Timeout) => panic!("no {kind} in time"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {kind}"),
            }
        }
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it listens");
    }

    /// Gives it bytes on standard input.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(bytes).expect("it reads");
    }

    /// Its standard input, which ends when this is dropped.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("piped")
    }

    /// Ends its standard input.
    pub(crate) fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for the end: exit code, and what it said to people.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut text = String::new();
        let stderr = self.child.stderr.take().expect("piped");
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            text.push_str(&line);
            text.push('\n');
        }
        assert!(!text.contains("panicked"), "no panic on input: {text}");
        let status = self.child.wait().expect("it has ended");
        (status.code(), text)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A station on a free port of 127.0.0.1.
pub(crate) fn station(data: &Path, input: &Path, more: &[&str]) -> Program {
    let mut command = roundcast(&[
        "broadcast",
        "--listen",
        "127.0.0.1:0",
        "--no-page",
        "--json",
    ]);
    command
        .args(["--upload-mbps", "20", "--stream-mbps", "1.1", "--name", "S"])
        .arg("--input")
        .arg(input)
        .arg("--data")
        .arg(data.join("station"))
        .args(more);
    Program::start(command)
}

/// A viewer of this invite.
pub(crate) fn viewer(data: &Path, invite: &str, more: &[&str]) -> Program {
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--name", "V"])
        .arg("--data")
        .arg(data.join("viewer"))
        .args(more);
    Program::start(command)
}

/// The invite that a station prints.
pub(crate) fn invite(station: &Program) -> String {
    let ready = station.event("station_ready");
    ready["invite"].as_str().expect("an invite").to_owned()
}
