//! What an invite says, and what it cannot say. Its secret is never shown.

use super::report::{Line, Report};
use attest::{Outcome, Status};
use serde_json::json;
use wire::invite::Invite;

/// Parses the invite strictly and says what is still to be seen.
pub(super) fn explain(text: &str) -> Report {
    match Invite::parse(text) {
        Ok(invite) => well_formed(&invite),
        Err(error) => Report::new(
            "invite",
            Status::Refused,
            Some(error.reason()),
            json!({}),
            vec![line("invite_form", Outcome::Failed, error.to_string())],
        ),
    }
}

fn well_formed(invite: &Invite) -> Report {
    let addresses: Vec<_> = invite.addresses.iter().map(ToString::to_string).collect();
    let stream = invite.stream.to_hex();
    let lines = vec![
        line(
            "invite_form",
            Outcome::Passed,
            "the one spelling of an invite".to_owned(),
        ),
        line(
            "stream_key",
            Outcome::Passed,
            format!("{stream}: compare it with what the sender told you by another way"),
        ),
        line(
            "audience_secret",
            Outcome::Passed,
            "present, and not shown: whoever has this invite can join".to_owned(),
        ),
        line(
            "sender",
            Outcome::NotChecked,
            "an invite proves nothing about who made it: that the sender holds the stream key \
             is seen in the run statement when you join"
                .to_owned(),
        ),
        line(
            "addresses",
            Outcome::NotChecked,
            format!("{}: not dialled", addresses.join(", ")),
        ),
    ];
    let subject = json!({ "stream": stream, "addresses": addresses });
    Report::new("invite", Status::Verified, None, subject, lines)
}

fn line(check: &str, result: Outcome, detail: String) -> Line {
    Line {
        check: check.to_owned(),
        result,
        detail,
    }
}
