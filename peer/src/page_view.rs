//! What the page shows, from what the client knows.

use crate::Error;
use crate::sponsor::{GETS, ON_FAILURE, Open, Sponsor};
use crate::verify::report::Report;
use crate::viewer::{Path, PathHop, Refused, Session};
use attest::offline::Verdict;
use link::{NodeLoad, Proof};
use page::{Assurance, Hop, Kind, Prompt, Role, Round, Status, TreeNode, Upload, Verifier, View};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use wire::message::control::{NodeKind, TreePicture};
use wire::{SpkiHash, UnixMs};

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

/// Tells people where their page is, and what a player of theirs opens.
pub(crate) fn say_links(emit: &link::Emitter, page: Option<&str>, live: Option<&str>) {
    if let Some(page) = page {
        emit.say(&format!("Your page: {page}"));
    }
    if let Some(live) = live {
        emit.say(&format!("For VLC or mpv: {live}"));
    }
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

fn by_me(by_me: bool) -> Verifier {
    if by_me {
        Verifier::ByMe
    } else {
        Verifier::Reported
    }
}

/// The tree as nodes of the view; of which nodes this client speaks by itself
/// it says, the others are the station's word.
pub(crate) fn tree(
    picture: &TreePicture,
    me: SpkiHash,
    by_me_too: &BTreeSet<SpkiHash>,
) -> Vec<TreeNode> {
    // Edges: a child takes one for each stripe that it gets there.
    let edges_of = |spki: SpkiHash| {
        let edges = picture.nodes.iter().flat_map(|n| picture.parents(n));
        let edges = edges.filter(|(parent, _)| parent.spki == spki);
        edges.fold(0u32, |sum, (_, stripes)| sum.saturating_add(stripes.len()))
    };
    let parents_of = |node| {
        let parents = picture.parents(node);
        parents.map(|(parent, _)| parent.spki.to_hex()).collect()
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
            parents: parents_of(node),
            slots: node.edges,
            children: edges_of(node.spki),
            sponsor: sponsor_of(node.spki),
            delay_ms: (node.delay_ms > 0).then_some(node.delay_ms),
            verified: by_me(by_me_too.contains(&node.spki)),
            upload_bps: Some(node.sent_bps),
        })
        .collect()
}

/// Whose page shows the rounds.
pub(crate) enum Whose<'a> {
    /// The station's: it speaks by itself.
    Station,
    /// A viewer's, who may have bought some.
    Sponsor(&'a Sponsor),
}

/// What was left out for children that, or with an uplink that, were too slow.
pub(crate) const fn left_out(load: &NodeLoad) -> [(&'static str, u64); 2] {
    [
        ("child_chunks_left_out", load.left_out_chunks),
        ("child_gaps", load.left_out_times),
    ]
}

/// The rounds as the page shows them; `told_ms` is when the picture was told.
pub(crate) fn rounds(picture: &TreePicture, told_ms: u64, whose: &Whose<'_>) -> Vec<Round> {
    picture
        .rounds
        .iter()
        .map(|round| {
            let mine = match whose {
                Whose::Station => None,
                Whose::Sponsor(sponsor) => Some(*sponsor).filter(|s| s.holds(round.relay)),
            };
            let meter = mine.and_then(|sponsor| sponsor.meter(round.relay));
            Round {
                sponsor: (!round.sponsor.as_str().is_empty())
                    .then(|| round.sponsor.as_str().to_owned()),
                mine: mine.is_some(),
                verified: by_me(matches!(whose, Whose::Station) || meter.is_some()),
                ends_at_ms: meter.map_or_else(
                    || told_ms.saturating_add(round.left_ms),
                    |meter| meter.lease_end.0,
                ),
                carries: round.carries,
                left_bytes: meter.map(|meter| meter.bytes_left),
            }
        })
        .collect()
}

impl Session {
    /// Brings the page up to date.
    pub(crate) fn show(&mut self) {
        let Some(page) = &self.page else { return };
        let me = self.membership_spki();
        let picture = self.tree.as_ref();
        let load = self.node.load();
        let counters = self.playout.report.counters();
        let view = View {
            role: Role::Viewer,
            stream: self.station_name(),
            fingerprint: self.stream_fingerprint(),
            status: self.status(),
            banner: self.options.shared.trust.banner.clone(),
            path: self.hops(),
            guaranteed: self.guaranteed,
            refused: self.refused.iter().map(|r| self.refused_hop(r)).collect(),
            tree: picture
                .map(|(p, _)| tree(p, me, &self.known_by_me()))
                .unwrap_or_default(),
            delay_ms: self.playout.report.delay_ms(),
            clocks_disagree: self.playout.report.clocks_disagree(),
            upload: Upload {
                bytes: load.sent_bytes,
                rate_bps: self.sent.bps(),
                limit_bps: Some(self.options.share_bps),
            },
            rounds: picture
                .map(|(p, told_ms)| rounds(p, *told_ms, &Whose::Sponsor(&self.sponsor)))
                .unwrap_or_default(),
            prompt: self
                .sponsor
                .prompt()
                .and_then(|open| self.prompt(open, self.clock.unix())),
            counters: counters
                .into_iter()
                .chain(left_out(&load))
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            notices: self.notices.clone(),
            ..View::default()
        };
        if let Err(e) = page.set_view(view) {
            tracing::warn!("the page was not brought up to date: {e}");
        }
    }

    fn prompt(&self, open: &Open, now: UnixMs) -> Option<Prompt> {
        let terms = open.terms(now, None)?;
        let (ask, quote) = (terms.ask, terms.quote);
        let waited_ms = self.clock.mono_ms().saturating_sub(open.heard_ms);
        Some(Prompt {
            ask: ask.ask.0.to_string(),
            step: ask.step.name().to_owned(),
            cause: match ask.cause {
                wire::statement::Cause::Join => page::Cause::Join,
                wire::statement::Cause::Leave => page::Cause::Leave,
            },
            deficit: terms.deficit(),
            price_minor: terms.price_minor(),
            currency: quote.currency.clone(),
            hours: u32::from(quote.hours),
            gigabytes: quote.gigabytes,
            cap: terms.cap(),
            ends_at_ms: terms.ends().0,
            answer_by_ms: now.plus_ms(ask.deadline_ms.saturating_sub(waited_ms)).0,
            on_failure: format!("{ON_FAILURE}."),
            gets: GETS.to_owned(),
        })
    }

    /// The verdict over the path: as good as its weakest hop. What was only
    /// reported to this viewer, or does not reach the station, is unknown.
    fn status(&self) -> Status {
        let paths = self.paths();
        let of = |path: &Path| weakest(&self.shown(&path.hops));
        worst(paths.iter().map(of))
    }

    /// The nodes of the tree of which this viewer does not need the station's
    /// word: itself, and whom it takes the stream from.
    fn known_by_me(&self) -> BTreeSet<SpkiHash> {
        let parents = self.parents.values().map(|p| p.spki);
        parents.chain([self.membership_spki()]).collect()
    }

    /// The hops of the path of stripe 0.
    fn hops(&self) -> Vec<Hop> {
        self.shown(&self.path())
    }

    pub(crate) fn shown(&self, hops: &[PathHop]) -> Vec<Hop> {
        hops.iter()
            .map(|hop| {
                let proof = hop.spki.and_then(|spki| self.proofs.get(&spki));
                let proof = proof.filter(|_| hop.by_me);
                Hop {
                    name: hop.name.clone(),
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
        let nodes = self.tree.iter().flat_map(|(tree, _)| tree.nodes.iter());
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

/// The weakest verdict of a path that ends at the station.
fn weakest(hops: &[Hop]) -> Status {
    if hops.last().is_none_or(|hop| hop.kind != Kind::Station) {
        return Status::Unknown;
    }
    worst(hops.iter().map(|hop| hop.status))
}

fn worst(statuses: impl Iterator<Item = Status>) -> Status {
    let statuses: Vec<Status> = statuses.collect();
    [Status::Refused, Status::Expired, Status::Unknown]
        .into_iter()
        .find(|worse| statuses.contains(worse))
        .unwrap_or(Status::Verified)
}

#[cfg(test)]
mod tests;
