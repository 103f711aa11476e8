//! What the user decides on the page.

use serde::Deserialize;

/// One decision of the user, on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer to the prompt.
    Answer(Answer),
    /// A command to stop what is the user's own.
    Stop(Stop),
}

/// An answer to the prompt that was open when it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which ask, as in [`crate::Prompt::ask`].
    pub ask: String,
    /// Yes, no, or never.
    pub answer: Choice,
    /// Whether the sponsor's name may stand on the round. Off unless chosen.
    #[serde(default)]
    pub show_name: bool,
}

/// The three answers to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Buy the round, if it is granted.
    Accept,
    /// Not this time.
    Decline,
    /// Not this time, and do not ask again.
    Never,
}

/// A stop of something that the user pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// What is to stop.
    pub what: Stopped,
}

/// What can be stopped from the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The user's own relay, with its 10 s of notice.
    Relay,
}
