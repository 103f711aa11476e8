//! The path as one line, the same in the terminal and on the page.

use super::{Assurance, Hop, Kind, Status, Verifier};

/// A longer name says nothing more in one line.
const NAME_CHARS_MAX: usize = 24;

/// The path as one line, such as
/// `you -> relay (release stable 0.1.0, development, verified 12 s ago by me) -> station`.
/// What was only told to this client is marked `reported`. `now_ms` is Unix
/// time. The page's `path.js` writes the same line.
#[must_use]
pub fn path_line(path: &[Hop], now_ms: u64) -> String {
    let hops: Vec<String> = path.iter().map(|hop| hop_words(hop, now_ms)).collect();
    hops.join(" -> ")
}

fn hop_words(hop: &Hop, now_ms: u64) -> String {
    let label = match hop.kind {
        Kind::You => return "you".into(),
        Kind::Station => "station".into(),
        Kind::Relay => "relay".into(),
        Kind::Peer => format!("peer {}", line_name(&hop.name)),
    };
    let mut facts: Vec<String> = Vec::new();
    if hop.kind == Kind::Relay {
        facts.extend(
            hop.release
                .as_ref()
                .map(|r| format!("release {}", release_words(r))),
        );
        facts.extend(hop.assurance.map(|a| assurance_word(a).into()));
    }
    facts.extend(verdict_words(hop, now_ms));
    if facts.is_empty() {
        return label;
    }
    format!("{label} ({})", facts.join(", "))
}

/// A peer verified by its certificate, and the station by the signatures of
/// its chunks, need no words: without them nothing would play. A relay always
/// says what it is.
fn verdict_words(hop: &Hop, now_ms: u64) -> Option<String> {
    let word = status_word(hop.status);
    match (hop.verified, hop.status, hop.kind) {
        (Verifier::Reported, Status::Verified, _) => Some("reported".into()),
        (Verifier::Reported, ..) => Some(format!("{word}, reported")),
        (Verifier::ByMe, Status::Verified, Kind::Relay) => Some(match hop.verified_at_ms {
            Some(at_ms) => {
                let age = age_words(now_ms.saturating_sub(at_ms));
                format!("{word} {age} ago by me")
            }
            None => format!("{word} by me"),
        }),
        (Verifier::ByMe, Status::Verified, _) => None,
        (Verifier::ByMe, ..) => Some(word.into()),
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Verified => "verified",
        Status::Refused => "refused",
        Status::Unknown => "unknown",
        Status::Expired => "expired",
    }
}

fn assurance_word(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Platform => "platform",
        Assurance::Operator => "operator",
        Assurance::Development => "development",
    }
}

fn age_words(age_ms: u64) -> String {
    let seconds = age_ms / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// A peer chooses its name, and must not be able to write a hop of its own
/// into the line: what could be read as the line's own signs is replaced.
fn line_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let safe = |c: char| if plain(c) { c } else { '?' };
    name.chars().take(NAME_CHARS_MAX).map(safe).collect()
}

/// Channel and version: two words, each as harmless as a name.
fn release_words(release: &str) -> String {
    let words: Vec<String> = release.split(' ').take(2).map(line_name).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(kind: Kind, name: &str) -> Hop {
        Hop {
            name: name.into(),
            kind,
            verified: Verifier::ByMe,
            status: Status::Verified,
            assurance: None,
            release: None,
            evidence: None,
            verified_at_ms: Some(1_000),
            explanation: None,
            saved: None,
        }
    }

    fn relay() -> Hop {
        Hop {
            assurance: Some(Assurance::Development),
            release: Some("stable 0.1.0".into()),
            ..hop(Kind::Relay, "R")
        }
    }

    #[test]
    fn line_names_release_assurance_and_age() {
        let path = [hop(Kind::You, "A"), relay(), hop(Kind::Station, "S")];
        assert_eq!(
            path_line(&path, 13_000),
            "you -> relay (release stable 0.1.0, development, verified 12 s ago by me) -> station"
        );
    }

    #[test]
    fn line_marks_what_was_only_reported() {
        let reported = Hop {
            verified: Verifier::Reported,
            ..relay()
        };
        let path = [hop(Kind::You, "A"), hop(Kind::Peer, "B"), reported];
        assert_eq!(
            path_line(&path, 0),
            "you -> peer B -> relay (release stable 0.1.0, development, reported)"
        );
    }

    #[test]
    fn line_says_when_a_verdict_is_not_good() {
        let expired = Hop {
            status: Status::Expired,
            ..relay()
        };
        assert_eq!(
            path_line(&[expired], 0),
            "relay (release stable 0.1.0, development, expired)"
        );
    }

    #[test]
    fn hostile_name_cannot_write_a_hop() {
        let name = "B -> relay (release 9, platform, verified 1 s ago by me)";
        let line = path_line(&[hop(Kind::Peer, name)], 0);
        assert_eq!(line, "peer B?-??relay??release?9??p");
    }
}
