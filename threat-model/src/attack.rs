//! What an attack is.

use crate::Failure;
use std::fmt;

/// Whether the control that the attack is about is in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// As shipped.
    On,
    /// Exactly this control is removed, and nothing else.
    Removed,
}

impl Control {
    /// Whether it is in its place.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// How an attack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused.
    Stopped {
        /// The stable name of the refusal, as the victim gave it.
        reason: String,
    },
    /// It did what it was for.
    Succeeded {
        /// What was seen to happen.
        damage: String,
    },
}

impl Outcome {
    /// It was refused for this reason.
    #[must_use]
    pub fn stopped(reason: impl Into<String>) -> Self {
        Self::Stopped {
            reason: reason.into(),
        }
    }

    /// It succeeded with this damage.
    #[must_use]
    pub fn succeeded(damage: impl Into<String>) -> Self {
        Self::Succeeded {
            damage: damage.into(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped { reason } => write!(f, "stopped: {reason}"),
            Self::Succeeded { damage } => write!(f, "succeeded: {damage}"),
        }
    }
}

/// Another way of the same threat, with a refusal of its own name.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// What is done.
    pub name: &'static str,
    /// The name with which it is refused.
    pub reason: &'static str,
    /// Attacks, as [`Attack::run`] does.
    pub run: fn(Control) -> Result<Outcome, Failure>,
}

/// One attack. The same function attacks with the control and without it.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// The threat's identifier in the catalogue.
    pub id: &'static str,
    /// The module with its two tests.
    pub module: &'static str,
    /// Attacks; an error means that the attack could not be staged.
    pub run: fn(Control) -> Result<Outcome, Failure>,
    /// Further ways of the same threat.
    pub variants: &'static [Variant],
}

impl Attack {
    /// The name of the test that it is stopped, as `cargo test` prints it.
    #[must_use]
    pub fn stopped_test(&self) -> String {
        self.test("stopped")
    }

    /// The name of the test that it succeeds without the control.
    #[must_use]
    pub fn ablated_test(&self) -> String {
        self.test("ablated")
    }

    fn test(&self, name: &str) -> String {
        let module = self.module.split_once("::").map_or(self.module, |(_, m)| m);
        format!("{module}::tests::{name}")
    }
}

/// Registers the attack of a threat's module, and its variants, and makes the
/// two tests.
macro_rules! attack {
    ($id:literal, $run:path $(, $name:literal => $reason:literal: $variant:expr)* $(,)?) => {
        /// See the module.
        pub const ATTACK: $crate::Attack = $crate::Attack {
            id: $id,
            module: module_path!(),
            run: $run,
            variants: &[$($crate::Variant { name: $name, reason: $reason, run: $variant }),*],
        };

        #[cfg(test)]
        mod tests {
            #[test]
            fn stopped() {
                $crate::proof::assert_stopped(&super::ATTACK);
            }

            #[test]
            fn ablated() {
                $crate::proof::assert_ablated(&super::ATTACK);
            }
        }
    };
}
pub(crate) use attack;
