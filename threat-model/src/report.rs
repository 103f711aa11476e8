//! The report for an auditor: every threat, its control, and both runs of its
//! attack, made while the report is written.

mod html;

use crate::catalogue::{Catalogue, Place, Status, Threat};
use crate::proof::{Run, Verdict, prove};
use crate::{Failure, threats};
use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

pub use html::page;

/// Name and version of the JSON form.
const SCHEMA: &str = "roundcast.threats/1";
/// Attacks that are played at the same time: most of their time is waiting.
const PLAYERS: usize = 3;
/// Result of a run that does not exist yet.
const PLANNED: &str = "planned";

/// The report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name and version of this form.
    pub schema: &'static str,
    /// Known weaknesses.
    pub weaknesses: Vec<String>,
    /// The threats in the catalogue's order.
    pub threats: Vec<Entry>,
}

/// One threat of the report.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Stable identifier.
    pub id: String,
    /// The attack in one line.
    pub title: String,
    /// Who attacks.
    pub attacker: String,
    /// What is at stake.
    pub stake: String,
    /// The control in words.
    pub counter: String,
    /// Where it is.
    pub control: Vec<Place>,
    /// The run with the control.
    pub stopped: Stopped,
    /// The run without it.
    pub ablated: Ablated,
    /// Tests of other forms of the attack, which this report does not run.
    pub further: Vec<String>,
    /// Further ways of the same threat, run the same way.
    pub variants: Vec<Way>,
    /// What remains.
    pub residual: String,
    /// Whether the tests exist.
    pub status: Status,
}

/// One variant of a threat.
#[derive(Debug, Serialize)]
pub struct Way {
    /// What is done.
    pub name: String,
    /// The run with the control.
    pub stopped: Stopped,
    /// The run without it.
    pub ablated: Ablated,
}

/// The run with the control.
#[derive(Debug, Serialize)]
pub struct Stopped {
    /// The test that makes the same run; null if planned.
    pub test: Option<String>,
    /// `passed`, `failed` or `planned`.
    pub result: &'static str,
    /// The refusal's name, as it was seen.
    pub reason: Option<String>,
}

/// The run without the control.
#[derive(Debug, Serialize)]
pub struct Ablated {
    /// The test that makes the same run; null if planned.
    pub test: Option<String>,
    /// `passed`, `failed` or `planned`.
    pub result: &'static str,
    /// What the attack achieved, as it was seen.
    pub damage: Option<String>,
}

impl Report {
    /// Runs every attack that is shown, both ways; `told` hears of each as it
    /// ends.
    ///
    /// # Errors
    /// The catalogue is not good, or an attack is missing.
    pub fn make(told: impl Fn(&Entry)) -> Result<Self, Failure> {
        let catalogue = Catalogue::load()?;
        Ok(Self {
            schema: SCHEMA,
            threats: entries(&catalogue.threats, told)?,
            weaknesses: catalogue.weaknesses,
        })
    }

    /// Whether every run ended as it has to.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.threats.iter().all(Entry::holds)
    }
}

impl Entry {
    /// Whether both runs ended as they have to, if it is shown.
    #[must_use]
    pub fn holds(&self) -> bool {
        let held = match self.status {
            Status::Shown => Verdict::Passed.name(),
            Status::Planned => PLANNED,
        };
        let variants = self.variants.iter();
        let variants = variants.flat_map(|way| [way.stopped.result, way.ablated.result]);
        let mut results = [self.stopped.result, self.ablated.result]
            .into_iter()
            .chain(variants);
        results.all(|result| result == held)
    }
}

/// The entries in the catalogue's order, several being made at a time.
fn entries(threats: &[Threat], told: impl Fn(&Entry)) -> Result<Vec<Entry>, Failure> {
    let next = AtomicUsize::new(0);
    let (made, ends) = mpsc::channel();
    let mut found = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            let (made, next) = (made.clone(), &next);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(threat) = threats.get(at) else { break };
                    if made.send((at, entry(threat))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(made);
        for (at, entry) in ends {
            let entry = entry?;
            told(&entry);
            found.push((at, entry));
        }
        Ok::<(), Failure>(())
    })?;
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

fn entry(threat: &Threat) -> Result<Entry, Failure> {
    let proof = match threat.status {
        Status::Planned => None,
        Status::Shown => Some(prove(threat).ok_or_else(|| {
            Failure::Catalogue(format!("{} is shown and has no attack", threat.id))
        })?),
    };
    let (stopped, ablated, variants) = match proof {
        None => (None, None, Vec::new()),
        Some(proof) => (Some(proof.stopped), Some(proof.ablated), proof.variants),
    };
    let variants = variants.into_iter().map(|(name, stopped, ablated)| Way {
        name: name.to_owned(),
        stopped: Stopped::of(Some(stopped)),
        ablated: Ablated::of(Some(ablated)),
    });
    Ok(Entry {
        id: threat.id.clone(),
        title: threat.title.clone(),
        attacker: threat.attacker.clone(),
        stake: threat.stake.clone(),
        counter: threat.counter.clone(),
        control: threat.control.clone(),
        stopped: Stopped::of(stopped),
        ablated: Ablated::of(ablated),
        variants: variants.collect(),
        further: threat.further.clone(),
        residual: threat.residual.clone(),
        status: threat.status,
    })
}

impl Stopped {
    fn of(run: Option<Run>) -> Self {
        Self {
            result: result(run.as_ref()),
            test: run.as_ref().map(|run| run.test.clone()),
            reason: run.map(|run| run.seen),
        }
    }
}

impl Ablated {
    fn of(run: Option<Run>) -> Self {
        Self {
            result: result(run.as_ref()),
            test: run.as_ref().map(|run| run.test.clone()),
            damage: run.map(|run| run.seen),
        }
    }
}

fn result(run: Option<&Run>) -> &'static str {
    run.map_or(PLANNED, |run| run.verdict.name())
}

/// The page of one threat, for the terminal.
#[must_use]
pub fn explain(threat: &Threat) -> String {
    let mut out = format!("{}  {}\n", threat.id, threat.title);
    let mut line = |name: &str, text: &str| out.push_str(&format!("  {name:<9} {text}\n"));
    line("attacker", &threat.attacker);
    line("stake", &threat.stake);
    line("control", &threat.counter);
    for place in &threat.control {
        line("", &format!("{}: {}", place.file, place.item));
    }
    if let Some(attack) = threats::attack(&threat.id) {
        line(
            "stopped",
            &format!("{} ({})", threat.reason, attack.stopped_test()),
        );
        line(
            "ablated",
            &format!("{} ({})", threat.damage, attack.ablated_test()),
        );
        for variant in attack.variants {
            line("variant", &format!("{}: {}", variant.name, variant.reason));
        }
    }
    for test in &threat.further {
        line("further", test);
    }
    line("residual", &threat.residual);
    line("status", threat.status.name());
    out
}
