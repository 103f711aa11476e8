//! The line to the station: up, or being made again.

use super::membership::{Readmission, Rejoining};
use link::{Channel, Receiver, Sender};
use wire::message::control::{Down, Up};

/// The line to the station.
pub(super) enum Line {
    /// Both ends talk.
    Up {
        sender: Sender,
        receiver: Receiver<Down>,
    },
    /// The viewer joins again.
    Again(Rejoining),
}

/// What comes over a line.
pub(super) enum Heard {
    /// The station's next word; none or an error at its end.
    Word(Result<Option<Down>, link::Error>),
    /// How joining again went.
    Again(Box<Readmission>),
}

impl Line {
    pub(super) fn up(channel: Channel) -> Self {
        let (sender, receiver) = channel.split::<Down>();
        Self::Up { sender, receiver }
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }

    pub(super) async fn next(&mut self) -> Heard {
        match self {
            Self::Up { receiver, .. } => Heard::Word(receiver.recv().await),
            Self::Again(task) => Heard::Again(Box::new(task.await.unwrap_or_else(|_| {
                // The task was dropped with its runtime.
                Err(link::Error::Timeout("admission").into())
            }))),
        }
    }

    /// Says something to the station. That a line is lost, its other
    /// direction tells.
    pub(super) async fn send(&mut self, message: &Up) {
        if let Self::Up { sender, .. } = self {
            let _ = sender.send(message).await;
        }
    }

    /// The last word has been said.
    pub(super) async fn finish(self) {
        if let Self::Up { sender, .. } = self {
            sender.finish().await;
        }
    }
}
