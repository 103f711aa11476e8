//! Sponsoring: an ask becomes a prompt with the price of the viewer's own
//! desk, a yes becomes a reservation, a grant becomes a redeemed voucher, and
//! a started relay is verified against the order before it hears a command.

mod holder;
mod quote;
mod redeem;

use crate::Error;
use certs::Verified;
use certs::asking::AskCheck;
use holder::{Held, Introducing};
use link::{Clock, RelayTrust};
use quote::Quote;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use voucher::DeskUri;
use wire::message::control::{Answer, Introduce};
use wire::statement::{Ask, Grant, RunStatement, Signed};
use wire::{AskId, SpkiHash};

pub use wire::message::control::Choice;

/// Asks that may be open at once: the coordinator asks one at a time.
const OPEN_MAX: usize = 4;

/// Whether the user wants to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Ask.
    Ask,
    /// Never ask.
    Never,
    /// Accept up to this price, in minor units.
    Auto {
        /// The most that one round may cost.
        price_minor_max: u64,
    },
}

/// What the session must do next for its sponsor.
pub(crate) enum Step {
    /// Tell an event.
    Tell(&'static str, Value),
    /// Say something that stays on the page, too.
    Say(String),
    /// Show a question in the terminal.
    Prompt(String),
    /// Answer an ask without the user (mode auto, or no desk).
    Answer(Answer),
    /// Introduce a verified relay.
    Introduce(Box<Introduce>),
    /// A granted redemption failed.
    Failed(AskId, Error),
}

/// What tasks in the background report.
pub(crate) enum Report {
    Quoted(AskId, Result<Quote, Error>),
    Step(Step),
    Held(Held),
    Ended(SpkiHash),
}

/// An ask that is open.
pub(crate) struct Open {
    pub(crate) ask: Verified<Ask>,
    pub(crate) quote: Option<Quote>,
    pub(crate) heard_ms: u64,
    answered: bool,
    accepted: bool,
}

/// What sponsoring needs to know of its session.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) mode: Mode,
    /// Whose asks and grants are taken (threat A9).
    pub(crate) asks: AskCheck,
    pub(crate) desk: Option<DeskUri>,
    pub(crate) data: PathBuf,
    pub(crate) trust: Arc<RelayTrust>,
    pub(crate) run: Verified<RunStatement>,
    pub(crate) signed_run: Signed<RunStatement>,
    /// The member who sponsors.
    pub(crate) me: SpkiHash,
    /// Where the holder's own socket is bound.
    pub(crate) local_ip: IpAddr,
    pub(crate) clock: Clock,
}

/// The sponsor's side of one session.
pub(crate) struct Sponsor {
    setting: Setting,
    open: Vec<Open>,
    held: Vec<Held>,
    steps: VecDeque<Step>,
    reports: mpsc::UnboundedSender<Report>,
    reported: mpsc::UnboundedReceiver<Report>,
}

impl Sponsor {
    pub(crate) fn new(setting: Setting) -> Self {
        let (reports, reported) = mpsc::unbounded_channel();
        if let Some(desk) = setting.desk.clone() {
            let data = setting.data.clone();
            tokio::spawn(settle_in_flight(desk, data, reports.clone()));
        }
        Self {
            setting,
            open: Vec::new(),
            held: Vec::new(),
            steps: VecDeque::new(),
            reports,
            reported,
        }
    }

    /// The next thing to do; may be cancelled without loss.
    pub(crate) async fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Some(step);
            }
            match self.reported.recv().await? {
                Report::Quoted(ask, quote) => self.quoted(ask, quote),
                Report::Step(step) => return Some(step),
                Report::Held(held) => self.held.push(held),
                Report::Ended(relay) => self.held.retain(|h| h.relay != relay),
            }
        }
    }

    /// The coordinator asks. The price comes from the viewer's own desk,
    /// never from the coordinator (threat A9).
    pub(crate) fn asked(&mut self, ask: Verified<Ask>) {
        let id = ask.ask;
        self.open.retain(|o| o.ask.ask != id);
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(Open {
            ask,
            quote: None,
            heard_ms: self.setting.clock.mono_ms(),
            answered: false,
            accepted: false,
        });
        let Some(desk) = self.setting.desk.clone() else {
            let text = "you were asked for a round, but you have no desk: --desk URI".to_owned();
            self.steps.push_back(Step::Say(text));
            self.answer_by_itself(id, Choice::Decline);
            return;
        };
        let (data, reports) = (self.setting.data.clone(), self.reports.clone());
        tokio::spawn(async move {
            let quote = quote::quote(&desk, &data).await;
            let _ = reports.send(Report::Quoted(id, quote));
        });
    }

    fn quoted(&mut self, id: AskId, quote: Result<Quote, Error>) {
        let Some(open) = self.open.iter_mut().find(|o| o.ask.ask == id) else {
            return;
        };
        let quote = match quote {
            Ok(quote) => quote,
            Err(e) => {
                self.steps
                    .push_back(Step::Say(format!("no price, no round: {e}")));
                self.answer_by_itself(id, Choice::Decline);
                return;
            }
        };
        let ask = &open.ask;
        self.steps.push_back(Step::Tell(
            "sponsor_prompted",
            json!({
                "ask": id.0, "cause": ask.cause.name(), "step": ask.step.name(),
                "deficit_bps": ask.deficit_bps, "deadline_ms": ask.deadline_ms,
                "price_minor": quote.price_minor, "currency": quote.currency,
            }),
        ));
        self.steps.push_back(Step::Prompt(prompt_text(ask, &quote)));
        let (price_minor, has_voucher) = (quote.price_minor, quote.voucher);
        let class = quote.class.to_string();
        open.quote = Some(quote);
        if !has_voucher {
            let text = format!("you have no voucher of class {class}: roundcast wallet buy");
            self.steps.push_back(Step::Say(text));
        }
        if let Mode::Auto { price_minor_max } = self.setting.mode {
            let choice = if has_voucher && price_minor <= price_minor_max {
                Choice::Accept
            } else {
                Choice::Decline
            };
            self.answer_by_itself(id, choice);
        }
    }

    fn answer_by_itself(&mut self, id: AskId, choice: Choice) {
        if let Some(answer) = self.answer(Some(id.0), choice, false) {
            self.steps.push_back(Step::Answer(answer));
        }
    }

    /// The user's answer to an open ask (the newest, if none is named).
    pub(crate) fn answer(
        &mut self,
        ask: Option<u64>,
        choice: Choice,
        show_name: bool,
    ) -> Option<Answer> {
        let open = self
            .open
            .iter_mut()
            .rev()
            .find(|o| !o.answered && ask.is_none_or(|id| o.ask.ask.0 == id))?;
        open.answered = true;
        open.accepted = choice == Choice::Accept;
        Some(Answer {
            ask: open.ask.ask,
            choice,
            show_name: show_name && choice == Choice::Accept,
        })
    }

    /// The ask is closed; an accepted one costs nothing.
    pub(crate) fn not_needed(&mut self, ask: AskId) -> bool {
        let before = self.open.len();
        self.open.retain(|o| o.ask.ask != ask);
        before != self.open.len()
    }

    /// Only a grant for an ask that the user accepted lets the voucher go.
    pub(crate) fn granted(&mut self, grant: &Signed<Grant>) {
        let now = self.setting.clock.unix();
        let Setting { run, me, asks, .. } = &self.setting;
        let accepted = self.open.iter().filter(|o| o.accepted).map(|o| o.ask.ask);
        let mut refusal = None;
        let mut granted = None;
        for ask in accepted {
            match asks.grant(grant, run, me, ask, now) {
                Ok(grant) => granted = Some(grant.ask),
                Err(e) => refusal = Some(e),
            }
        }
        let (Some(ask), Some(desk)) = (granted, self.setting.desk.clone()) else {
            if let Some(refusal) = refusal {
                let fields = json!({"reason": refusal.reason(), "other": ""});
                self.steps.push_back(Step::Tell("attack_refused", fields));
            }
            let text = "a grant came for nothing that you accepted; your voucher stays".to_owned();
            self.steps.push_back(Step::Say(text));
            return;
        };
        self.open.retain(|o| o.ask.ask != ask);
        let introducing = Introducing {
            ask,
            desk,
            setting: self.setting.clone(),
            reports: self.reports.clone(),
        };
        tokio::spawn(introducing.run());
    }

    /// Tells every held relay to stop: the rest of its paid time is forfeited.
    pub(crate) fn stop(&mut self) {
        if self.held.is_empty() {
            self.steps
                .push_back(Step::Say("you hold no relay".to_owned()));
        }
        for held in &self.held {
            held.stop();
        }
    }

    /// The ask that waits for the user, for the page.
    pub(crate) fn prompt(&self) -> Option<&Open> {
        self.open
            .iter()
            .rev()
            .find(|o| !o.answered && o.quote.is_some())
    }

    /// Relays that obey this sponsor.
    pub(crate) fn holds(&self, relay: SpkiHash) -> bool {
        self.held.iter().any(|h| h.relay == relay)
    }
}

/// Vouchers that were in flight when the client last ended get their true
/// state; a relay that one of them started runs on without a stream until its
/// hour is over, and the user is told.
async fn settle_in_flight(desk: DeskUri, data: PathBuf, reports: mpsc::UnboundedSender<Report>) {
    let text = match redeem::resume_in_flight(&desk, &data).await {
        Ok(relays) if relays.is_empty() => return,
        Ok(relays) => format!(
            "{} relay(s) of an earlier evening still run; they serve no stream",
            relays.len()
        ),
        Err(e) => format!("a voucher that was in flight: {e}"),
    };
    let _ = reports.send(Report::Step(Step::Say(text)));
}

/// What a person must know before he says yes.
fn prompt_text(ask: &Ask, quote: &Quote) -> String {
    format!(
        "Short {:.1} Mbit/s for {} viewer(s). Buy a round? {} h of a relay for {}, at most {} GB \
         (included; it ends after the hour or the gigabytes, and nothing more is charged). {} \
         You get: a place right under your relay, its first priority, and your name on the round \
         if you like. Answer accept, decline or never within {} s.",
        crate::station::as_mbps(ask.deficit_bps),
        ask.viewers_short,
        quote.hours,
        quote.price_text(),
        quote.gigabytes,
        ON_FAILURE,
        ask.deadline_ms / 1000,
    )
}

/// What happens with the money if the relay does not start.
pub(crate) const ON_FAILURE: &str =
    "If no relay can be started, the voucher is refunded; until you are granted, nothing is spent.";
/// What the sponsor gets.
pub(crate) const GETS: &str = "a place right under your relay, its first priority, and your name \
                               on the round if you like";
