//! What a viewer's session does for his round: the answers that he gives, and
//! what the work in the background brings.

use super::control::Session;
use crate::Error;
use crate::sponsor::{Choice, Mode, Step};
use serde_json::json;
use wire::SpkiHash;
use wire::message::control::Up;

impl Session {
    pub(super) fn answer(&mut self, ask: Option<u64>, choice: Choice, show_name: bool) {
        if choice == Choice::Never {
            // For a second admission, too: the station is told again.
            self.options.mode = Mode::Never;
        }
        match self.sponsor.answer(ask, choice, show_name) {
            Some(answer) => {
                let _ = self.up.send(Up::Answer(answer));
            }
            None => self.emit.say("nobody asks you at the moment"),
        }
    }

    /// What the sponsor's work in the background has brought.
    pub(super) fn sponsor_step(&mut self, step: Step) {
        match step {
            Step::Tell(kind, fields) => self.emit.tell(kind, fields),
            Step::Say(text) => {
                self.emit.say(&text);
                self.notice(page::Level::Info, text);
            }
            Step::Prompt(text) => self.emit.say(&text),
            Step::Answer(answer) => {
                let _ = self.up.send(Up::Answer(answer));
            }
            Step::Introduce(introduce) => {
                let _ = self.up.send(Up::Introduce(*introduce));
            }
            Step::Regions(regions) => self.tell_regions(regions),
            Step::Metered(fields) => {
                // Every few seconds: for the page and for programs.
                if self.emit.json() {
                    self.emit.tell("relay_metered", fields);
                }
            }
            Step::Distrusted(relay, error) => {
                self.tell_attack(&error.reason(), &relay.to_hex());
                let text = format!(
                    "your relay {} no longer proves what it runs, and is let go: {error}",
                    relay.short()
                );
                self.emit.say(&text);
                self.notice(page::Level::Error, text);
            }
            Step::Failed(ask, error) => {
                if let Error::Link(e) = &error
                    && let Some(verdict) = e.verdict()
                    && let Some(relay) = verdict.subject.spki.as_deref()
                    && let Some(relay) = SpkiHash::from_hex(relay)
                {
                    self.relay_refused(relay, verdict);
                }
                if error.exit_code() == 3 {
                    self.tell_attack(&error.reason(), "");
                }
                let fields = json!({"ask": ask.0, "reason": error.reason()});
                self.emit.tell("redeem_failed", fields);
                self.notice(page::Level::Error, error.to_string());
                self.emit.say(&error.to_string());
                let _ = self.up.send(Up::RedeemFailed(ask));
            }
        }
    }
}
