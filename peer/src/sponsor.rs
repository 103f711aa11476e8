//! Sponsoring: an ask becomes a prompt with the price of the viewer's own
//! desk, a yes becomes a reservation, a grant becomes a redeemed voucher, and
//! a started relay is verified against the order before it hears a command.

mod holder;
mod quote;
mod redeem;
pub(crate) mod region;
mod terms;

#[cfg(test)]
mod tests;

use crate::Error;
use certs::Verified;
use certs::asking::AskCheck;
use holder::{Errand, Held, Introducing, Meter};
use link::{Clock, RelayTrust, Reverification};
use quote::Quote;
use redeem::Ordered;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use voucher::DeskUri;
use wire::message::control::{Answer, Introduce};
use wire::message::lines::Regions;
use wire::statement::{Ask, Grant, RunStatement, Signed};
use wire::{AskId, Reason, SpkiHash, UnixMs};

pub(crate) use terms::{GETS, ON_FAILURE, Terms};
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
    /// A relay that served has failed a check since.
    Distrusted(SpkiHash, Error),
    /// What a relay says that is left of it; for programs and the page.
    Metered(Value),
    /// How far the regions are that the desk sells.
    Regions(Regions),
}

/// What tasks in the background report.
pub(crate) enum Report {
    Quoted(AskId, Result<Quote, Error>),
    Step(Step),
    /// A relay was paid for, and is being brought to the stream.
    Held(Held),
    /// A relay of an earlier session runs, and serves nobody.
    Paid(Box<Ordered>),
    Metered(SpkiHash, Meter),
    Ended(SpkiHash),
}

/// An ask that is open.
pub(crate) struct Open {
    pub(crate) ask: Verified<Ask>,
    pub(crate) quote: Option<Quote>,
    /// Until when a relay is paid for that a yes would use.
    paid_until: Option<UnixMs>,
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
    /// What the user must not forget about his trust.
    pub(crate) banner: Option<String>,
    /// When held relays are verified again.
    pub(crate) reverification: Reverification,
}

/// The sponsor's side of one session.
pub(crate) struct Sponsor {
    setting: Setting,
    open: Vec<Open>,
    held: Vec<Held>,
    /// Paid for in an earlier session; used before a voucher is.
    paid: Vec<Ordered>,
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
            paid: Vec::new(),
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
                Report::Paid(ordered) => self.paid.push(*ordered),
                Report::Metered(relay, meter) => return Some(self.metered(relay, meter)),
                Report::Ended(relay) => self.held.retain(|h| h.relay != relay),
            }
        }
    }

    /// The coordinator asks. The price comes from the viewer's own desk,
    /// never from the coordinator (threat A9). Who is not to be asked is not:
    /// that does not rest on the coordinator's memory.
    pub(crate) fn asked(&mut self, ask: Verified<Ask>) {
        let id = ask.ask;
        if self.setting.mode == Mode::Never {
            let (choice, show_name) = (Choice::Never, false);
            self.steps.push_back(Step::Answer(Answer {
                ask: id,
                choice,
                show_name,
            }));
            return;
        }
        let waiting = region::heard(&ask.regions);
        self.open.retain(|o| o.ask.ask != id);
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(Open {
            ask,
            quote: None,
            paid_until: None,
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
            let quote = quote::quote(&desk, &data, waiting).await;
            let _ = reports.send(Report::Quoted(id, quote));
        });
    }

    /// The viewer waits for a place. How far a relay would be is measured, if
    /// he has a desk; the station hears of it.
    pub(crate) fn look_around(&self) {
        let Some(desk) = self.setting.desk.clone() else {
            return;
        };
        let reports = self.reports.clone();
        tokio::spawn(async move {
            // Without an answer nothing is told: he waits all the same.
            let rtts = quote::look_around(&desk).await.unwrap_or_default();
            if !rtts.is_empty() {
                let _ = reports.send(Report::Step(Step::Regions(region::told(&rtts))));
            }
        });
    }

    fn quoted(&mut self, id: AskId, quote: Result<Quote, Error>) {
        let (now, paid_until) = (self.setting.clock.unix(), self.paid_until());
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
        if !quote.rtts.is_empty() {
            let regions = region::told(&quote.rtts);
            self.steps.push_back(Step::Regions(regions));
        }
        let (has_voucher, class) = (quote.voucher, quote.class.to_string());
        open.paid_until = paid_until;
        open.quote = Some(quote);
        let Some(terms) = open.terms(now, self.setting.banner.as_deref()) else {
            return;
        };
        let (price_minor, text) = (terms.price_minor(), terms.text());
        let told = Step::Tell("sponsor_prompted", terms.fields());
        self.steps.extend([told, Step::Prompt(text)]);
        let can_pay = has_voucher || paid_until.is_some();
        if !can_pay {
            let text = format!("you have no voucher of class {class}: roundcast wallet buy");
            self.steps.push_back(Step::Say(text));
        }
        if let Mode::Auto { price_minor_max } = self.setting.mode {
            let choice = if can_pay && price_minor <= price_minor_max {
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
        if choice == Choice::Never {
            self.setting.mode = Mode::Never;
        }
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
        let quoted = self.open.iter().find(|o| o.ask.ask == ask);
        let rtts = quoted
            .and_then(|o| o.quote.as_ref())
            .map(|q| q.counts().clone());
        self.open.retain(|o| o.ask.ask != ask);
        let now = self.setting.clock.unix();
        if let Some(idle) = self.held.iter().find(|held| held.is_idle(now)) {
            idle.run(Errand::Introduce(ask));
            return;
        }
        self.paid.retain(|ordered| ordered.lease_end > now);
        let introducing = Introducing {
            ask,
            desk,
            rtts: rtts.unwrap_or_default(),
            paid: self.paid.pop(),
            setting: self.setting.clone(),
            reports: self.reports.clone(),
        };
        tokio::spawn(introducing.run());
    }

    /// Until when a relay is paid for that serves nobody.
    fn paid_until(&self) -> Option<UnixMs> {
        let now = self.setting.clock.unix();
        let held = self.held.iter().filter(|held| held.is_idle(now));
        let paid = self.paid.iter().map(|ordered| ordered.lease_end);
        held.map(|held| held.lease_end)
            .chain(paid.filter(|end| *end > now))
            .next()
    }

    /// The coordinator has taken the relay: it serves.
    pub(crate) fn admitted(&mut self, relay: SpkiHash) {
        if let Some(held) = self.held.iter_mut().find(|held| held.relay == relay) {
            held.admitted = true;
            held.run(Errand::Admitted);
            self.steps.push_back(Step::Say(terms::STOP.to_owned()));
        }
    }

    /// The coordinator has not taken the relay: it is tried again if that may
    /// pass.
    pub(crate) fn refused(&self, relay: SpkiHash, reason: Reason) {
        if let Some(held) = self.held.iter().find(|held| held.relay == relay) {
            held.run(Errand::Refused(reason));
        }
    }

    fn metered(&mut self, relay: SpkiHash, meter: Meter) -> Step {
        let now = self.setting.clock.unix();
        if let Some(held) = self.held.iter_mut().find(|held| held.relay == relay) {
            held.meter = Some(meter);
        }
        Step::Metered(json!({
            "relay": relay.to_hex(), "children": meter.children,
            "sent_bytes": meter.sent_bytes, "bytes_left": meter.bytes_left,
            "left_ms": meter.lease_end.since_ms(now), "verified": "reported",
        }))
    }

    /// What a held relay says of itself.
    pub(crate) fn meter(&self, relay: SpkiHash) -> Option<Meter> {
        self.held.iter().find(|held| held.relay == relay)?.meter
    }

    /// Tells every held relay to stop: the rest of its paid time is forfeited.
    pub(crate) fn stop(&mut self) {
        if self.held.is_empty() {
            self.steps
                .push_back(Step::Say("you hold no relay".to_owned()));
        }
        for held in &self.held {
            held.run(Errand::Stop);
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

impl Open {
    /// What a yes rests on, once the desk has said its price.
    pub(crate) fn terms<'a>(&'a self, now: UnixMs, banner: Option<&'a str>) -> Option<Terms<'a>> {
        Some(Terms {
            ask: &self.ask,
            quote: self.quote.as_ref()?,
            paid_until: self.paid_until,
            banner,
            now,
        })
    }
}

/// Vouchers that were in flight when the client last ended get their true
/// state. A relay that one of them started runs until its hour is over: it
/// is what serves after the next yes.
async fn settle_in_flight(desk: DeskUri, data: PathBuf, reports: mpsc::UnboundedSender<Report>) {
    let text = match redeem::resume_in_flight(&desk, &data).await {
        Ok(relays) if relays.is_empty() => return,
        Ok(relays) => {
            let count = relays.len();
            for ordered in relays {
                let _ = reports.send(Report::Paid(Box::new(ordered)));
            }
            format!(
                "{count} relay(s) of an earlier evening still run and serve no stream; your next \
                 yes uses them before a voucher"
            )
        }
        Err(e) => format!("a voucher that was in flight: {e}"),
    };
    let _ = reports.send(Report::Step(Step::Say(text)));
}
