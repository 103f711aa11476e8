//! What the coordinator says to many at once is spread, so that the stream
//! keeps its part of the upload meanwhile.

use super::coordinator::Coordinator;
use overlay::TokenBucket;
use overlay::room::control_bucket;
use std::collections::VecDeque;
use tokio::sync::mpsc::UnboundedSender;
use wire::message::control::Down;
use wire::{Encode, SpkiHash};

/// A message, its link, and when it may set out, in microseconds.
type Waiting = (u64, UnboundedSender<Down>, Down);

/// Messages that wait for their turn, in the order in which they were said.
#[derive(Debug)]
pub(super) struct Spreading {
    /// None: everything sets out at once.
    bucket: Option<TokenBucket>,
    waiting: VecDeque<Waiting>,
}

impl Spreading {
    /// For a station with this upload.
    pub(super) fn new(upload_bps: u64, now_us: u64) -> Self {
        Self {
            bucket: Some(control_bucket(upload_bps, now_us)),
            waiting: VecDeque::new(),
        }
    }

    /// Says it, now or when it is its turn.
    fn say(&mut self, now_us: u64, to: &UnboundedSender<Down>, message: Down) {
        let wait_us = self.bucket.as_mut().map_or(0, |bucket| {
            bucket.take(message.to_bytes().len() as u64, now_us)
        });
        if wait_us == 0 && self.waiting.is_empty() {
            let _ = to.send(message);
            return;
        }
        let due_us = now_us.saturating_add(wait_us);
        self.waiting.push_back((due_us, to.clone(), message));
    }

    /// Lets go what has waited long enough. Whoever has gone meanwhile hears
    /// nothing: his link is another one when he is back.
    pub(super) fn flush(&mut self, now_us: u64) {
        while let Some((_, to, message)) = self.waiting.pop_front_if(|(due, ..)| *due <= now_us) {
            let _ = to.send(message);
        }
    }
}

impl Coordinator {
    /// Says something to a member or relay.
    pub(super) fn say(&mut self, to: SpkiHash, message: Down) {
        let now_us = self.clock.mono_us();
        if let Some(member) = self.members.get(&to) {
            self.spreading.flush(now_us);
            self.spreading.say(now_us, &member.down, message);
        }
    }

    /// Lets go what has waited for its turn.
    pub(super) fn go_on_saying(&mut self) {
        self.spreading.flush(self.clock.mono_us());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::sync::mpsc::{self, UnboundedReceiver};
    use wire::AskId;

    const UPLOAD_BPS: u64 = 8_000_000;
    const SECOND_US: u64 = 1_000_000;
    /// More than the upload takes in ten seconds.
    const MESSAGES: u64 = 1_100_000;

    /// Everybody is told something at once; who has heard after a second of a
    /// station that flushes twenty times in it, and after all.
    fn crowd(spreads: bool) -> (Vec<u64>, Vec<u64>) {
        let mut spreading = Spreading::new(UPLOAD_BPS, 0);
        spreading.bucket = spreading.bucket.filter(|_| spreads);
        let (to, mut heard) = mpsc::unbounded_channel();
        for n in 0..MESSAGES {
            spreading.say(0, &to, Down::NotNeeded(AskId(1 << 40 | n)));
        }
        for turn in 1..=20 {
            spreading.flush(turn * SECOND_US / 20);
        }
        let all = |heard: &mut UnboundedReceiver<Down>| {
            let each = std::iter::from_fn(|| heard.try_recv().ok());
            each.filter_map(|message| match message {
                Down::NotNeeded(ask) => Some(ask.0 & 0xffff_ffff),
                _ => None,
            })
            .collect::<Vec<u64>>()
        };
        let first = all(&mut heard);
        spreading.flush(u64::MAX);
        (first, all(&mut heard))
    }

    #[test]
    fn half_of_the_upload_is_the_streams_whatever_is_said() {
        let (first, rest) = crowd(true);
        let bytes = Down::NotNeeded(AskId(1 << 40)).to_bytes().len() as u64;
        let said_bps = first.len() as u64 * bytes * 8;
        assert!(said_bps > UPLOAD_BPS / 2, "{said_bps}");
        assert!(said_bps < UPLOAD_BPS * 2 / 3, "{said_bps}");
        let order: Vec<u64> = first.into_iter().chain(rest).collect();
        assert!(order.iter().copied().eq(0..MESSAGES), "in order, and all");
    }

    #[test]
    fn without_that_everything_sets_out_at_once() {
        let (first, rest) = crowd(false);
        assert_eq!(first.len() as u64, MESSAGES);
        assert!(rest.is_empty());
    }

    #[test]
    fn little_is_said_at_once() {
        let mut spreading = Spreading::new(UPLOAD_BPS, 0);
        let (to, mut heard) = mpsc::unbounded_channel();
        spreading.say(0, &to, Down::NotNeeded(AskId(1)));
        assert!(heard.try_recv().is_ok());
    }
}
