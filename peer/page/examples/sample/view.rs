//! An evening in the middle: a round runs, another is asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use page::{
    Assurance, Cause, Choice, Explanation, Hop, Invite, Kind, Level, Notice, Prompt, Role, Round,
    SCHEMA, Status, TreeNode, Upload, Verifier, View,
};
use serde_json::json;

const MINUTE_MS: u64 = 60_000;
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// What the replies change.
pub(crate) struct Sample {
    started_ms: u64,
    answer: Option<Choice>,
    stopped: bool,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            started_ms: now_ms(),
            answer: None,
            stopped: false,
        }
    }
}

impl Sample {
    pub(crate) fn answered(&mut self, answer: Choice) {
        self.answer = Some(answer);
    }

    pub(crate) fn stopped(&mut self) {
        self.stopped = true;
    }

    pub(crate) fn view(&self) -> View {
        let now = now_ms();
        let given = now.saturating_sub(self.started_ms).saturating_mul(750);
        View {
            schema: SCHEMA.into(),
            role: Role::Station,
            stream: "Friday evening at Mira’s".into(),
            fingerprint: "7f3a 91c2 04be 5d18 aa60 3c77".into(),
            status: Status::Verified,
            banner: Some(
                "Development roots are on: what is shown as verified proves nothing.".into(),
            ),
            path: self.path(),
            guaranteed: None,
            refused: Vec::new(),
            tree: tree(),
            delay_ms: Some(438),
            clocks_disagree: false,
            upload: Upload {
                bytes: given,
                rate_bps: 6_000_000,
                limit_bps: Some(8_000_000),
            },
            rounds: self.rounds(),
            prompt: self.answer.is_none().then(|| self.prompt()),
            invite: Some(Invite::new("roundcast:sample-that-opens-nothing".into())),
            counters: [("chunks_verified".into(), given / 150_000)].into(),
            notices: self.notices(),
        }
    }

    fn path(&self) -> Vec<Hop> {
        let hop = |name: &str, kind| Hop {
            name: name.into(),
            kind,
            verified: Verifier::ByMe,
            status: Status::Verified,
            assurance: None,
            release: None,
            evidence: None,
            verified_at_ms: Some(self.started_ms - 12_000),
            explanation: None,
            saved: None,
        };
        let step = |check: &str, detail: &str| json!({"check": check, "result": "passed", "detail": detail});
        let relay = Hop {
            assurance: Some(Assurance::Development),
            release: Some("0.1.0".into()),
            evidence: Some("software".into()),
            explanation: Some(Explanation(json!({
                "schema": "roundcast.explanation/1",
                "kind": "relay",
                "status": "verified",
                "reason": null,
                "meaning": "judged on a connection of that moment, by its answer to a nonce",
                "subject": {"judged": "live"},
                "steps": [
                    step("permit", "names this key and this order"),
                    step("release", "0.1.0, security version 1, signed by 2 of 3"),
                    step("measurements", "equal to the release’s"),
                    step("boot evidence", "binds key, order and parameters"),
                    step("live challenge", "answered in 41 ms, 3 in the batch"),
                ],
            }))),
            ..hop("relay-1", Kind::Relay)
        };
        let peer = Hop {
            verified: Verifier::Reported,
            ..hop(HOSTILE, Kind::Peer)
        };
        vec![
            hop("Ana", Kind::You),
            relay,
            peer,
            hop("Mira", Kind::Station),
        ]
    }

    fn rounds(&self) -> Vec<Round> {
        let round = Round {
            sponsor: Some("Ben".into()),
            mine: true,
            verified: Verifier::ByMe,
            ends_at_ms: self.started_ms + 42 * MINUTE_MS,
            carries: 20,
            left_bytes: Some(31_400_000_000),
        };
        if self.stopped {
            Vec::new()
        } else {
            vec![round]
        }
    }

    fn prompt(&self) -> Prompt {
        Prompt {
            ask: "sample".into(),
            step: "the leaves of the tree".into(),
            cause: Cause::Join,
            deficit: "short 14 Mbit/s".into(),
            price_minor: 410,
            currency: "USD".into(),
            hours: 1,
            gigabytes: 45,
            cap: "one hour or 45 GB, whichever is first; the voucher is all you can spend".into(),
            ends_at_ms: self.started_ms + 60 * MINUTE_MS,
            answer_by_ms: self.started_ms + 20 * MINUTE_MS,
            on_failure: "if the relay does not start, the desk refunds the voucher".into(),
            gets: "a place right under your relay, your blocks first".into(),
        }
    }

    fn notices(&self) -> Vec<Notice> {
        let notice = |level, text: &str| Notice {
            level,
            at_ms: self.started_ms,
            text: text.into(),
        };
        vec![
            notice(
                Level::Info,
                "Ben bought a round; the relay carries 20 more.",
            ),
            notice(
                Level::Warning,
                "Relay 203.0.113.7 was refused: evidence_missing.",
            ),
        ]
    }
}

fn tree() -> Vec<TreeNode> {
    let node = |id: &str, name: &str, kind, parent: Option<&str>, slots, children| TreeNode {
        id: id.into(),
        name: name.into(),
        kind,
        parents: parent.map(Into::into).into_iter().collect(),
        slots,
        children,
        sponsor: None,
        verified: Verifier::Reported,
        delay_ms: parent.map(|_| 180 + 60 * u64::from(slots)),
        upload_bps: Some(3_000_000 * u64::from(children)),
    };
    let relay = TreeNode {
        sponsor: Some("Ben".into()),
        ..node("r", "relay-1", Kind::Relay, Some("s"), 20, 4)
    };
    vec![
        node("s", "Mira", Kind::Station, None, 2, 2),
        relay,
        node("a", "Ana", Kind::You, Some("r"), 2, 1),
        node("b", "Ben", Kind::Peer, Some("r"), 1, 1),
        node("c", "Chidi", Kind::Peer, Some("b"), 0, 0),
        node("d", HOSTILE, Kind::Peer, Some("r"), 0, 0),
        node(
            "e",
            "Élodie with a rather long name",
            Kind::Peer,
            Some("a"),
            0,
            0,
        ),
        node("f", "Farah", Kind::Peer, Some("s"), 1, 0),
        node("g", "Goran", Kind::Peer, Some("r"), 0, 0),
    ]
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
