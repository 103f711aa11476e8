//! The catalogue: what `catalogue.toml` says, checked.

use crate::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The file, as it was when this was built.
const TEXT: &str = include_str!("../catalogue.toml");

/// The letters of the catalogue and how many threats each has.
pub const GROUPS: [(&str, u32, &str); 7] = [
    ("A", 10, "The sponsor's money and account"),
    ("B", 15, "Who the relay is"),
    ("C", 9, "Cheating about service"),
    ("D", 11, "The content"),
    ("E", 7, "The tree and the coordinator"),
    ("F", 6, "The viewer's own machine and privacy"),
    ("G", 4, "Staying up"),
];

/// Whether the two tests exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Both exist and run.
    Shown,
    /// They do not yet.
    Planned,
}

impl Status {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Planned => "planned",
        }
    }
}

/// Where a control is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The file, from the root of the project.
    pub file: String,
    /// The item in it; a method behind its type's name.
    pub item: String,
}

/// One threat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threat {
    /// Stable identifier.
    pub id: String,
    /// The attack in one line.
    pub title: String,
    /// Who attacks, and what they can do.
    pub attacker: String,
    /// What is at stake.
    pub stake: String,
    /// The control in words.
    pub counter: String,
    /// Where the control is.
    pub control: Vec<Place>,
    /// Whether the tests exist.
    pub status: Status,
    /// Shown: the name of the refusal.
    #[serde(default)]
    pub reason: String,
    /// Shown: what the attack achieves without the control.
    #[serde(default)]
    pub damage: String,
    /// Tests beside the two, `file::function`: other forms of the attack, and
    /// real boots.
    #[serde(default)]
    pub further: Vec<String>,
    /// What remains.
    pub residual: String,
}

/// All threats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Known weaknesses, for the first page.
    pub weaknesses: Vec<String>,
    /// The threats in the catalogue's order.
    pub threats: Vec<Threat>,
}

impl Catalogue {
    /// The catalogue that this was built with.
    ///
    /// # Errors
    /// [`Failure::Catalogue`]: a malformed file, a missing or unknown
    /// identifier, an empty cell.
    pub fn load() -> Result<Self, Failure> {
        let catalogue: Self =
            toml::from_str(TEXT).map_err(|e| Failure::Catalogue(e.to_string()))?;
        catalogue.check()?;
        Ok(catalogue)
    }

    /// The threat with this identifier.
    #[must_use]
    pub fn threat(&self, id: &str) -> Option<&Threat> {
        self.threats.iter().find(|threat| threat.id == id)
    }

    fn check(&self) -> Result<(), Failure> {
        let found: BTreeSet<String> = self.threats.iter().map(|t| t.id.clone()).collect();
        let wanted: BTreeSet<String> = GROUPS
            .iter()
            .flat_map(|(letter, last, _)| (1..=*last).map(move |n| format!("{letter}{n}")))
            .collect();
        if found.len() != self.threats.len() {
            return Err(Failure::Catalogue("an identifier occurs twice".into()));
        }
        if let Some(id) = found.symmetric_difference(&wanted).next() {
            return Err(Failure::Catalogue(format!("{id} is missing or unknown")));
        }
        match self.threats.iter().find_map(Threat::empty_cell) {
            Some((id, cell)) => Err(Failure::Catalogue(format!("{id}: {cell} is empty"))),
            None => Ok(()),
        }
    }
}

impl Threat {
    fn empty_cell(&self) -> Option<(&str, &'static str)> {
        let shown = self.status == Status::Shown;
        let cells = [
            (self.title.is_empty(), "title"),
            (self.attacker.is_empty(), "attacker"),
            (self.stake.is_empty(), "stake"),
            (self.counter.is_empty(), "counter"),
            (self.residual.is_empty(), "residual"),
            (shown && self.control.is_empty(), "control"),
            (shown && self.reason.is_empty(), "reason"),
            (shown && self.damage.is_empty(), "damage"),
        ];
        let (_, cell) = cells.into_iter().find(|(empty, _)| *empty)?;
        Some((&self.id, cell))
    }
}
