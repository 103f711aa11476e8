//! A run as a picture: a few panels, one above the other, over time.

use std::fmt::Write;

/// One line in a panel.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) color: &'static str,
    /// A value for each second; none where there is nothing to show.
    pub(super) values: Vec<Option<f64>>,
}

/// One panel.
pub(super) struct Panel {
    pub(super) title: String,
    /// The lowest and, if it is not the greatest value, the highest shown.
    pub(super) from: f64,
    pub(super) to: Option<f64>,
    pub(super) lines: Vec<Line>,
}

const WIDTH: f64 = 760.0;
const PANEL: f64 = 150.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 44.0;
const GAP: f64 = 44.0;
const RIGHT: f64 = 20.0;

/// Draws panels over `seconds`, with a mark at `mark_s`.
pub(super) fn draw(title: &str, seconds: usize, mark_s: Option<f64>, panels: &[Panel]) -> String {
    let height = TOP + panels.len() as f64 * (PANEL + GAP);
    let mut out = String::new();
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/><text x="{LEFT}" y="22" font-size="15">{}</text>"##,
        escape(title)
    );
    for (at, panel) in panels.iter().enumerate() {
        let top = TOP + at as f64 * (PANEL + GAP);
        draw_panel(&mut out, panel, top, seconds.max(1) as f64, mark_s);
    }
    out.push_str("</svg>\n");
    out
}

fn draw_panel(out: &mut String, panel: &Panel, top: f64, seconds: f64, mark_s: Option<f64>) {
    let values = panel.lines.iter().flat_map(|l| &l.values).flatten();
    let greatest = values.copied().fold(panel.from, f64::max);
    let to = panel.to.unwrap_or(greatest * 1.05).max(panel.from + 1e-6);
    let x = |s: f64| LEFT + s / seconds * (WIDTH - LEFT - RIGHT);
    let y = |v: f64| {
        let part = ((v - panel.from) / (to - panel.from)).clamp(0.0, 1.0);
        top + 16.0 + (1.0 - part) * (PANEL - 16.0)
    };
    let (left, right, bottom) = (x(0.0), x(seconds), y(panel.from));
    let _ = write!(
        out,
        r##"<text x="{LEFT}" y="{:.1}">{}</text><path d="M{left:.1} {:.1}V{bottom:.1}H{right:.1}" fill="none" stroke="#888"/>"##,
        top + 8.0,
        escape(&panel.title),
        y(to),
    );
    for part in [0.0, 0.5, 1.0] {
        let value = panel.from + part * (to - panel.from);
        let _ = write!(
            out,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#555">{}</text>"##,
            LEFT - 6.0,
            y(value) + 4.0,
            number(value)
        );
        let _ = write!(
            out,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="middle" fill="#555">{} s</text>"##,
            x(part * seconds),
            bottom + 14.0,
            number(part * seconds)
        );
    }
    if let Some(s) = mark_s.filter(|s| *s <= seconds) {
        let _ = write!(
            out,
            r##"<path d="M{0:.1} {1:.1}V{bottom:.1}" stroke="#c33" stroke-dasharray="4 3"/>"##,
            x(s),
            y(to)
        );
    }
    let mut legend = right;
    for line in panel.lines.iter().rev() {
        draw_line(out, line, &x, &y);
        let _ = write!(
            out,
            r##"<text x="{legend:.1}" y="{:.1}" text-anchor="end" fill="{}">{}</text>"##,
            top + 8.0,
            line.color,
            line.name
        );
        legend -= 7.0 * line.name.len() as f64 + 16.0;
    }
}

fn draw_line(out: &mut String, line: &Line, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    let mut path = String::new();
    let mut drawing = false;
    for (second, value) in line.values.iter().enumerate() {
        let Some(value) = value else {
            drawing = false;
            continue;
        };
        let command = if drawing { 'L' } else { 'M' };
        let _ = write!(path, "{command}{:.1} {:.1}", x(second as f64), y(*value));
        drawing = true;
    }
    let _ = write!(
        out,
        r##"<path d="{path}" fill="none" stroke="{}" stroke-width="1.6"/>"##,
        line.color
    );
}

fn number(value: f64) -> String {
    if value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_there_is_nothing() {
        let line = Line {
            name: "mean",
            color: "#06c",
            values: vec![Some(1.0), Some(0.5), None, Some(1.0)],
        };
        let panel = Panel {
            title: "continuity < 1 & more".to_owned(),
            from: 0.0,
            to: Some(1.0),
            lines: vec![line],
        };
        let svg = draw("a run", 4, Some(2.0), &[panel]);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("M60.0").count(), 2, "an axis and a line: {svg}");
        assert!(svg.contains("continuity &lt; 1 &amp; more"));
        assert!(!svg.contains("NaN"));
    }
}
