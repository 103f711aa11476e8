//! What the page shows, from what the client knows.

use crate::Error;
use crate::sponsor::{GETS, ON_FAILURE, Open};
use crate::verify::report::Report;
use crate::viewer::{Refused, Session};
use attest::offline::Verdict;
use link::Proof;
use page::{Assurance, Hop, Kind, Prompt, Role, Round, Status, TreeNode, Upload, Verifier, View};
use serde_json::json;
use std::net::SocketAddr;
use wire::SpkiHash;
use wire::message::control::{NodeKind, TreePicture};

/// Starts the page, if there is to be one.
pub(crate) async fn start(
    address: Option<SocketAddr>,
    feed: page::Feed,
) -> Result<Option<page::Running>, Error> {
    let Some(address) = address else {
        return Ok(None);
    };
    let config = page::Config {
        address,
        guard: page::Guard::default(),
    };
    Ok(Some(page::Server::start(config, feed).await?))
}

/// The page's word for a node.
fn kind(kind: NodeKind) -> Kind {
    match kind {
        NodeKind::Station => Kind::Station,
        NodeKind::Peer => Kind::Peer,
        NodeKind::Relay => Kind::Relay,
    }
}

fn assurance(assurance: attest::Assurance) -> Assurance {
    match assurance {
        attest::Assurance::Platform => Assurance::Platform,
        attest::Assurance::Operator => Assurance::Operator,
        attest::Assurance::Development => Assurance::Development,
    }
}

/// The words that `roundcast verify` has for the same checks.
fn explanation<T>(verdict: Verdict<T>) -> page::Explanation {
    page::Explanation(json!(Report::of("relay", verdict)))
}

/// Evidence as a file; a certificate that is too long for one was never
/// verified.
fn saved(proof: &Proof) -> Option<String> {
    let json = proof.saved().to_json().ok()?;
    String::from_utf8(json).ok()
}

/// The tree as nodes of the view.
pub(crate) fn tree(picture: &TreePicture, me: SpkiHash) -> Vec<TreeNode> {
    let children_of = |spki: SpkiHash| {
        let count = picture
            .nodes
            .iter()
            .filter(|n| n.parent == Some(spki))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let sponsor_of = |spki: SpkiHash| {
        let round = picture.rounds.iter().find(|r| r.relay == spki)?;
        (!round.sponsor.as_str().is_empty()).then(|| round.sponsor.as_str().to_owned())
    };
    picture
        .nodes
        .iter()
        .map(|node| TreeNode {
            id: node.spki.to_hex(),
            name: node.name.as_str().to_owned(),
            kind: if node.spki == me {
                Kind::You
            } else {
                kind(node.kind)
            },
            parent: node.parent.map(|p| p.to_hex()),
            slots: node.slots,
            children: children_of(node.spki),
            sponsor: sponsor_of(node.spki),
            delay_ms: (node.delay_ms > 0).then_some(node.delay_ms),
            upload_bps: Some(node.sent_bps),
        })
        .collect()
}

/// The rounds as the page shows them.
pub(crate) fn rounds(
    picture: &TreePicture,
    now_ms: u64,
    mine: impl Fn(SpkiHash) -> bool,
) -> Vec<Round> {
    picture
        .rounds
        .iter()
        .map(|round| Round {
            sponsor: (!round.sponsor.as_str().is_empty())
                .then(|| round.sponsor.as_str().to_owned()),
            mine: mine(round.relay),
            ends_at_ms: now_ms.saturating_add(round.left_ms),
            carries: round.carries,
            left_bytes: None,
        })
        .collect()
}

impl Session {
    /// Brings the page up to date.
    pub(crate) fn show(&mut self) {
        let Some(page) = &self.page else { return };
        let now_ms = self.clock.unix().0;
        let me = self.membership_spki();
        let picture = self.tree.as_ref();
        let view = View {
            role: Role::Viewer,
            stream: self.station_name(),
            fingerprint: self.stream_fingerprint(),
            status: self.status(),
            banner: self.options.shared.trust.banner.clone(),
            path: self.hops(),
            refused: self.refused.iter().map(|r| self.refused_hop(r)).collect(),
            tree: picture.map(|p| tree(p, me)).unwrap_or_default(),
            delay_ms: self.playout.report.delay_ms(),
            upload: Upload {
                bytes: self.node.load().1,
                rate_bps: self.sent.bps(),
                limit_bps: Some(self.options.share_bps),
            },
            rounds: picture
                .map(|p| rounds(p, now_ms, |relay| self.sponsor.holds(relay)))
                .unwrap_or_default(),
            prompt: self
                .sponsor
                .prompt()
                .and_then(|open| self.prompt(open, now_ms)),
            counters: self
                .playout
                .report
                .counters()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            notices: self.notices.clone(),
            ..View::default()
        };
        if let Err(e) = page.set_view(view) {
            tracing::warn!("the page was not brought up to date: {e}");
        }
    }

    fn prompt(&self, open: &Open, now_ms: u64) -> Option<Prompt> {
        let quote = open.quote.as_ref()?;
        let waited_ms = self.clock.mono_ms().saturating_sub(open.heard_ms);
        let answer_by_ms = now_ms.saturating_add(open.ask.deadline_ms.saturating_sub(waited_ms));
        Some(Prompt {
            ask: open.ask.ask.0.to_string(),
            step: open.ask.step.name().to_owned(),
            cause: match open.ask.cause {
                wire::statement::Cause::Join => page::Cause::Join,
                wire::statement::Cause::Leave => page::Cause::Leave,
            },
            deficit: format!(
                "short {:.1} Mbit/s for {} viewer(s), says the station",
                crate::station::as_mbps(open.ask.deficit_bps),
                open.ask.viewers_short
            ),
            price_minor: quote.price_minor,
            currency: quote.currency.clone(),
            hours: u32::from(quote.hours),
            gigabytes: quote.gigabytes,
            cap: format!(
                "It ends after {} h or {} GB, whichever is first; nothing more is charged.",
                quote.hours, quote.gigabytes
            ),
            ends_at_ms: now_ms.saturating_add(u64::from(quote.hours) * 3_600_000),
            answer_by_ms,
            on_failure: ON_FAILURE.to_owned(),
            gets: GETS.to_owned(),
        })
    }

    /// The verdict over the path: as good as its weakest hop that this
    /// viewer can judge.
    fn status(&self) -> Status {
        match &self.parent {
            None => Status::Unknown,
            Some(parent) if parent.kind != NodeKind::Relay => Status::Verified,
            Some(parent) if self.expired.contains(&parent.spki) => Status::Expired,
            Some(parent) if self.proofs.contains_key(&parent.spki) => Status::Verified,
            Some(_) => Status::Unknown,
        }
    }

    fn hops(&self) -> Vec<Hop> {
        self.path()
            .into_iter()
            .map(|hop| {
                let proof = hop.spki.and_then(|spki| self.proofs.get(&spki));
                let proof = proof.filter(|_| hop.by_me);
                Hop {
                    name: hop.name,
                    kind: match hop.kind {
                        "you" => Kind::You,
                        "station" => Kind::Station,
                        "relay" => Kind::Relay,
                        _ => Kind::Peer,
                    },
                    verified: if hop.by_me {
                        Verifier::ByMe
                    } else {
                        Verifier::Reported
                    },
                    status: match (hop.by_me, hop.expired) {
                        (true, false) => Status::Verified,
                        (true, true) => Status::Expired,
                        (false, _) => Status::Unknown,
                    },
                    assurance: proof.map(|p| assurance(p.boot.assurance())),
                    release: proof.map(|p| p.boot.release().name.clone()),
                    evidence: proof.map(|p| p.boot.kind().name().to_owned()),
                    verified_at_ms: proof.map(|p| p.at.0),
                    explanation: proof.map(|p| explanation(p.verdict())),
                    saved: proof.and_then(|p| saved(p)),
                }
            })
            .collect()
    }

    fn refused_hop(&self, refused: &Refused) -> Hop {
        let subject = &refused.verdict.subject;
        let nodes = self.tree.iter().flat_map(|tree| tree.nodes.iter());
        let known = nodes.into_iter().find(|node| node.spki == refused.relay);
        Hop {
            name: known.map_or_else(|| refused.relay.short(), |n| n.name.as_str().to_owned()),
            kind: Kind::Relay,
            verified: Verifier::ByMe,
            status: match refused.verdict.status {
                attest::Status::Verified => Status::Verified,
                attest::Status::Refused => Status::Refused,
                attest::Status::Unknown => Status::Unknown,
                attest::Status::Expired => Status::Expired,
            },
            assurance: None,
            release: subject.release.clone(),
            evidence: subject.evidence.map(str::to_owned),
            verified_at_ms: Some(refused.at.0),
            explanation: Some(explanation(refused.verdict.clone())),
            saved: None,
        }
    }
}

#[cfg(test)]
mod tests;
