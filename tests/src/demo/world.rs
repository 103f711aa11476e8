//! The processes of an evening, and waiting for what they do.

use super::attack::Attack;
use super::cast::VIEWERS;
use super::error::Error;
use super::log::Log;
use super::narrator::Narrator;
use super::patience;
use super::prompts::{self, Act};
use super::report::ExitReport;
use super::story;
use crate::event::Event;
use crate::process::{Exit, Launch, Output, Process};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Running processes, what they said, and who tells of it. Dropping it kills
/// every process.
#[derive(Debug)]
pub struct World {
    sender: UnboundedSender<Output>,
    outputs: UnboundedReceiver<Output>,
    processes: BTreeMap<String, Process>,
    /// Those whose end is no accident.
    leaving: BTreeSet<String>,
    closed: BTreeSet<String>,
    /// What the programs said.
    pub log: Log,
    /// Tells the story.
    pub narrator: Narrator,
    /// How far the evening has come.
    pub act: Act,
    /// How processes ended, and had to.
    pub exits: BTreeMap<String, ExitReport>,
    /// What went wrong, in words.
    pub failures: Vec<String>,
}

impl World {
    /// A world without processes.
    #[must_use]
    pub fn new(attack: Option<Attack>, narrator: Narrator) -> Self {
        let (sender, outputs) = unbounded_channel();
        Self {
            sender,
            outputs,
            processes: BTreeMap::new(),
            leaving: BTreeSet::new(),
            closed: BTreeSet::new(),
            log: Log::new(attack),
            narrator,
            act: Act::Gathering,
            exits: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Starts a process under a name.
    ///
    /// # Errors
    /// [`Error::Process`].
    pub fn start(&mut self, name: &str, launch: &Launch) -> Result<(), Error> {
        let process = Process::start(name, launch, self.sender.clone())?;
        self.processes.insert(name.to_owned(), process);
        Ok(())
    }

    /// Writes a line to a process.
    ///
    /// # Errors
    /// [`Error::Process`].
    pub async fn tell(&mut self, name: &str, line: &str) -> Result<(), Error> {
        match self.processes.get_mut(name) {
            Some(process) => Ok(process.tell(line).await?),
            None => Ok(()),
        }
    }

    /// Asks a process to end with SIGTERM.
    ///
    /// # Errors
    /// [`Error::Process`].
    pub fn terminate(&self, name: &str) -> Result<(), Error> {
        match self.processes.get(name) {
            Some(process) => Ok(process.terminate()?),
            None => Ok(()),
        }
    }

    /// From now on the end of a process is no accident.
    pub fn may_leave(&mut self, name: &str) {
        self.leaving.insert(name.to_owned());
    }

    /// Whether a process still runs, as far as its standard output tells.
    #[must_use]
    pub fn runs(&self, name: &str) -> bool {
        self.processes.contains_key(name) && !self.closed.contains(name)
    }

    /// Waits until the log answers `until` with yes. `awaited` says what for.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `patience`; [`Error::Died`] if a process ends
    /// before its time.
    pub async fn wait(
        &mut self,
        awaited: &str,
        patience: Duration,
        until: impl Fn(&Log) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        while !until(&self.log) {
            self.check_alive(awaited)?;
            match timeout_at(deadline, self.outputs.recv()).await {
                Ok(Some(output)) => self.take(output).await,
                // We hold a sender: the channel does not end.
                Ok(None) => {}
                Err(_) => return Err(self.timeout(awaited, patience)),
            }
        }
        Ok(())
    }

    /// Lets the evening go on until a point of time.
    ///
    /// # Errors
    /// [`Error::Died`] if a process ends before its time.
    pub async fn play_until(&mut self, end: Instant, meanwhile: &str) -> Result<(), Error> {
        loop {
            self.check_alive(meanwhile)?;
            tokio::select! {
                () = sleep_until(end) => return Ok(()),
                output = self.outputs.recv() => if let Some(output) = output {
                    self.take(output).await;
                },
            }
        }
    }

    /// Waits for the end of a process, helps if it takes longer than
    /// `patience`, and notes how it ended.
    ///
    /// # Errors
    /// [`Error::Process`].
    pub async fn end(
        &mut self,
        name: &str,
        expected: Exit,
        patience: Duration,
    ) -> Result<(), Error> {
        self.may_leave(name);
        let Some(mut process) = self.processes.remove(name) else {
            return Ok(());
        };
        let got = Some(process.end(patience).await?);
        self.exits
            .insert(name.to_owned(), ExitReport { got, expected });
        // Its last lines come through the channel, then the end.
        let deadline = Instant::now() + patience::LAST_LINES;
        while !self.closed.contains(name) {
            match timeout_at(deadline, self.outputs.recv()).await {
                Ok(Some(output)) => self.take(output).await,
                _ => break,
            }
        }
        Ok(())
    }

    /// The processes that still run, in no particular order.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        self.processes.keys().cloned().collect()
    }

    async fn take(&mut self, output: Output) {
        match output {
            Output::Event(event) => self.happen(event).await,
            Output::Stray {
                source,
                line,
                error,
            } => {
                let shown: String = line.chars().take(80).collect();
                self.failures
                    .push(format!("{source}: printed {shown:?}: {error}"));
            }
            Output::Closed { source } => {
                self.closed.insert(source);
            }
        }
    }

    async fn happen(&mut self, event: Event) {
        self.log.add(event.clone());
        if let Some(entry) = story::translate(&self.log, &event) {
            self.narrator.tell(&entry);
        }
        if event.kind == "sponsor_prompted" && VIEWERS.contains(&event.source.as_str()) {
            self.answer(&event).await;
        }
    }

    /// Gives a viewer's answer to the question that it was just shown.
    async fn answer(&mut self, asked: &Event) {
        let cause = asked.text("cause").unwrap_or_default();
        let Some(ask) = asked.number("ask") else {
            return;
        };
        let Some(answer) = prompts::answer(&asked.source, self.act, cause) else {
            return;
        };
        if let Err(error) = self.tell(&asked.source, &answer.line(ask)).await {
            // It may be leaving; else its end is noticed where it matters.
            self.narrator.say(&format!("({error})"));
        }
    }

    fn check_alive(&self, awaited: &str) -> Result<(), Error> {
        let dead = self
            .closed
            .iter()
            .find(|name| !self.leaving.contains(*name));
        match dead {
            Some(name) => Err(Error::Died {
                awaited: awaited.to_owned(),
                name: name.clone(),
                log: self
                    .processes
                    .get(name)
                    .map(Process::log_tail)
                    .unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    fn timeout(&self, awaited: &str, patience: Duration) -> Error {
        let newest = self.log.newest().map(|event| {
            let who = self.log.names.name(&event.who);
            format!(
                "{} {who} {:?} (told by {})",
                event.kind, event.fields, event.source
            )
        });
        Error::Timeout {
            awaited: awaited.to_owned(),
            seconds: patience.as_secs(),
            last_seen: newest.unwrap_or_else(|| "nothing".to_owned()),
        }
    }
}

/// Now, in microseconds of the monotonic clock that all events are stamped by.
#[must_use]
pub fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    u64::try_from(us).unwrap_or(0)
}
