//! From one rendition to another: at a group of the new one that begins where
//! what was put out ends.

use super::playout::Playout;
use link::Node;
use wire::message::control::{Move, MoveCause};
use wire::{Rendition, Sequence};

/// Groups of two renditions begin at the same time, but for what their encoders
/// make of it.
const EARLY_US_MAX: u64 = 150_000;
/// If the old rendition has brought nothing of so much that the new one has, it
/// brings nothing more.
const BEHIND_US_MAX: u64 = 2_000_000;

/// Another rendition is played from now on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switched {
    /// None: the first one.
    pub(super) from: Option<Rendition>,
    pub(super) to: Rendition,
    pub(super) cause: Option<MoveCause>,
}

impl Playout {
    /// The rendition that is put out, once there is one.
    pub(super) const fn rendition(&self) -> Option<Rendition> {
        self.rendition
    }

    /// Another rendition is to be put out.
    pub(super) fn aim(&mut self, to: Move) {
        let Move { rendition, cause } = to;
        self.aim = Some((rendition, cause));
        if self.rendition == Some(rendition) {
            self.switched = Some(Switched {
                from: self.rendition,
                to: rendition,
                cause: Some(cause),
            });
        }
    }

    /// What has changed since the last time.
    pub(super) fn take_switched(&mut self) -> Option<Switched> {
        self.switched.take()
    }

    /// The first rendition of all is the one that comes first.
    pub(super) fn begin_with(&mut self, rendition: Rendition, at: Sequence) {
        self.next = Some(at);
        if self.rendition != Some(rendition) {
            self.go_over(rendition);
        }
    }

    /// Goes over to the rendition that is to be put out, if it has a group that
    /// begins where the last chunk ended. True if it has.
    pub(super) fn switch(&mut self, node: &Node) -> bool {
        let aim = self.aim.map(|(rendition, _)| rendition);
        let Some(to) = aim.filter(|to| Some(*to) != self.rendition) else {
            return false;
        };
        let starts = node.starts(to);
        let end_us = self.end_us;
        let fits = |(_, time_us): &&(Sequence, u64)| time_us.saturating_add(EARLY_US_MAX) >= end_us;
        let Some((at, time_us)) = starts.iter().find(fits).copied() else {
            return false;
        };
        let newest_us = starts.last().map_or(time_us, |(_, time_us)| *time_us);
        let gap = time_us > end_us.saturating_add(EARLY_US_MAX);
        if gap && newest_us < end_us.saturating_add(BEHIND_US_MAX) {
            // What is between is still to come of the old one.
            return false;
        }
        self.next = Some(at);
        self.init = None;
        self.go_over(to);
        true
    }

    fn go_over(&mut self, to: Rendition) {
        let aim = self.aim.filter(|(rendition, _)| *rendition == to);
        self.switched = Some(Switched {
            from: self.rendition,
            to,
            cause: aim.map(|(_, cause)| cause),
        });
        self.rendition = Some(to);
    }
}
