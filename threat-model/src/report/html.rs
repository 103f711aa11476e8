//! The report as one page that needs nothing else: no script, no font, no
//! picture from anywhere.

use super::{Entry, Report, Way};
use crate::catalogue::{GROUPS, Status};
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8886; --good: #1a7f37; --bad: #c62828; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1.5rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; } h3 { margin: 0 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
section.threat { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 1rem 0; }
dl { display: grid; grid-template-columns: 7rem 1fr; gap: .25rem 1rem; margin: 0; }
dt { font-weight: 600; } dd { margin: 0; }
code { font-size: .9em; overflow-wrap: anywhere; }
.passed { color: var(--good); font-weight: 600; } .failed { color: var(--bad); font-weight: 600; }
.planned { opacity: .75; }
";

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    out.push_str("<title>Threats to Roundcast</title>\n");
    let _ = write!(
        out,
        "<style>{STYLE}</style>\n<h1>Threats to Roundcast</h1>\n"
    );
    summary(&mut out, report);
    weaknesses(&mut out, report);
    overview(&mut out, report);
    for (letter, _, title) in GROUPS {
        let _ = writeln!(out, "<h2>{letter}: {}</h2>", escaped(title));
        for entry in report.threats.iter().filter(|e| e.id.starts_with(letter)) {
            threat(&mut out, entry);
        }
    }
    out.push_str("</html>\n");
    out
}

fn summary(out: &mut String, report: &Report) {
    let shown = |e: &&Entry| e.status == Status::Shown;
    let count = report.threats.iter().filter(shown).count();
    let held = report
        .threats
        .iter()
        .filter(shown)
        .filter(|e| e.holds())
        .count();
    let _ = writeln!(
        out,
        "<p>Each attack below was run twice while this page was written, against the real code: \
         once as shipped, where it has to be refused for a named reason, and once with exactly \
         its control removed, where the same attack has to succeed. {held} of {count} attacks \
         ended so; {} threats are planned and not yet shown.</p>",
        report.threats.len().saturating_sub(count)
    );
}

fn weaknesses(out: &mut String, report: &Report) {
    out.push_str("<h2>Known weaknesses</h2>\n<ul>\n");
    for weakness in &report.weaknesses {
        let _ = writeln!(out, "<li>{}</li>", prose(weakness));
    }
    out.push_str("</ul>\n");
}

fn overview(out: &mut String, report: &Report) {
    out.push_str("<h2>Overview</h2>\n<table>\n<tr><th>Id<th>Attack<th>As shipped<th>Without the control</tr>\n");
    for entry in &report.threats {
        let id = escaped(&entry.id);
        let _ = write!(
            out,
            "<tr class=\"{}\"><td><a href=\"#{id}\">{id}</a><td>{}",
            entry.status.name(),
            escaped(&entry.title)
        );
        match (&entry.stopped.reason, entry.status) {
            (Some(reason), Status::Shown) => {
                let _ = writeln!(
                    out,
                    "<td>{} <code>{}</code><td>{}</tr>",
                    badge(entry.stopped.result, "stopped"),
                    escaped(reason),
                    badge(entry.ablated.result, "succeeds")
                );
            }
            _ => out.push_str("<td colspan=\"2\">planned</tr>\n"),
        }
    }
    out.push_str("</table>\n");
}

fn threat(out: &mut String, entry: &Entry) {
    let _ = writeln!(
        out,
        "<section class=\"threat {}\" id=\"{}\">\n<h3>{}: {}</h3>\n<dl>",
        entry.status.name(),
        escaped(&entry.id),
        escaped(&entry.id),
        escaped(&entry.title)
    );
    let mut row = |name: &str, html: &str| {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{html}</dd>");
    };
    row("Attacker", &prose(&entry.attacker));
    row("At stake", &prose(&entry.stake));
    let mut control = prose(&entry.counter);
    for place in &entry.control {
        let _ = write!(
            control,
            "<br><code>{}: {}</code>",
            escaped(&place.file),
            escaped(&place.item)
        );
    }
    row("Control", &control);
    let stopped = &entry.stopped;
    if let (Some(reason), Some(test)) = (&stopped.reason, &stopped.test) {
        let (badge, reason) = (badge(stopped.result, "stopped"), escaped(reason));
        let test = escaped(test);
        row(
            "As shipped",
            &format!("{badge}: <code>{reason}</code><br><code>{test}</code>"),
        );
    }
    let ablated = &entry.ablated;
    if let (Some(damage), Some(test)) = (&ablated.damage, &ablated.test) {
        let (badge, damage) = (badge(ablated.result, "succeeds"), escaped(damage));
        let test = escaped(test);
        row(
            "Without it",
            &format!("{badge}: {damage}<br><code>{test}</code>"),
        );
    }
    for way in &entry.variants {
        row("Variant", &variant(way));
    }
    if !entry.further.is_empty() {
        let tests = entry.further.iter().map(|test| escaped(test));
        let tests: Vec<_> = tests.map(|test| format!("<code>{test}</code>")).collect();
        row("Other forms", &tests.join("<br>"));
    }
    row("What remains", &prose(&entry.residual));
    row("Status", entry.status.name());
    out.push_str("</dl>\n</section>\n");
}

fn variant(way: &Way) -> String {
    format!(
        "{}<br>{}: <code>{}</code><br>{}: {}",
        escaped(&way.name),
        badge(way.stopped.result, "stopped"),
        escaped(way.stopped.reason.as_deref().unwrap_or_default()),
        badge(way.ablated.result, "succeeds"),
        escaped(way.ablated.damage.as_deref().unwrap_or_default()),
    )
}

fn badge(result: &str, word: &str) -> String {
    let text = if result == "passed" { word } else { "FAILED" };
    format!("<span class=\"{}\">{text}</span>", escaped(result))
}

/// Text in which `this` is code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (position, part) in text.split('`').enumerate() {
        if position > 0 {
            let code_begins = position % 2 == 1;
            out.push_str(if code_begins { "<code>" } else { "</code>" });
        }
        out.push_str(&escaped(part));
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escaped, prose};

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }

    #[test]
    fn backticks_are_code() {
        assert_eq!(prose("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
    }
}
