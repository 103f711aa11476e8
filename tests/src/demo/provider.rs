//! Where the evening's relays run, and who believes them.

use super::cast::{SPONSOR, STATION};
use super::patience;
use clap::ValueEnum;
use std::time::Duration;

/// What the desk starts relays with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// A process of this machine.
    #[default]
    Local,
    /// A virtual machine of this machine, booted measured from a signed image.
    Qemu,
}

impl Provider {
    /// The desk's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Qemu => "qemu",
        }
    }

    /// From a grant to the relay in its place.
    #[must_use]
    pub const fn relay_patience(self) -> Duration {
        match self {
            Self::Local => patience::RELAY,
            Self::Qemu => patience::EMULATED_RELAY,
        }
    }

    /// How much of the stream everybody keeps, so that who waits for a relay
    /// misses nothing.
    #[must_use]
    pub const fn kept_ms(self) -> u64 {
        match self {
            Self::Local => 10_000,
            // Shortage, questions and an emulated boot, with head room.
            Self::Qemu => 120_000,
        }
    }
}

/// What the evening has of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// No desk at all.
    Nothing,
    /// Relays that the viewers believe.
    Believed,
    /// Relays of a kind that no viewer has chosen to believe.
    Disbelieved,
    /// Relays that the station and the sponsor believe, and no other viewer.
    Doubted,
}

impl Cloud {
    /// Whether everybody finds a place in the end.
    #[must_use]
    pub const fn carries_all(self) -> bool {
        matches!(self, Self::Believed)
    }

    /// Whether there is a desk.
    #[must_use]
    pub const fn has_desk(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Whether `name` believes the operator of the machines.
    #[must_use]
    pub fn is_believed_by(self, name: &str) -> bool {
        match self {
            Self::Believed => true,
            Self::Doubted => name == STATION || name == SPONSOR,
            Self::Nothing | Self::Disbelieved => false,
        }
    }
}
