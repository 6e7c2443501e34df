//! A calibration in the terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style};

use super::figures::{Figure, Part};
use super::judged::Judged;
use super::recommend::Recommendation;
use crate::ledger::Millis;
use crate::report::safe;
use crate::stats::risk_coverage::Point;

const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const UNSURE: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// Cells that a share of 1 fills.
const BAR: f64 = 20.0;

/// Rows of the risk-coverage curve.
const ROWS: usize = 12;

/// Draws one check.
pub fn draw(judged: &Judged) -> String {
    let mut out = String::new();
    let judge = judged.judge.as_deref().map(|j| format!(" judged by {}", safe::line(j))).unwrap_or_default();
    let name = format!("{}: {}", safe::line(&judged.suite), safe::line(&judged.check));
    put(&mut out, format_args!("{BOLD}{name}{BOLD:#}{DIM}{judge}{DIM:#}"));
    labels(judged, &mut out);
    if judged.figures.confusion.total() > 0 {
        figures(judged, &mut out);
        reliability(judged, &mut out);
        risk(judged, &mut out);
        parts("agreement over time", &judged.over_time, &mut out);
        if judged.versions.len() > 1 {
            parts("agreement by version", &judged.versions, &mut out);
        }
    }
    for line in advice(judged) {
        let style = if judged.is_shown() { GOOD } else { UNSURE };
        put(&mut out, format_args!("  {style}>{style:#} {}", safe::line(&line)));
    }
    out
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{line}");
}

/// What is recommended, in words: also for the page.
pub fn advice(judged: &Judged) -> Vec<String> {
    if let Some(why) = &judged.refused {
        return vec![format!("no threshold: {why}")];
    }
    let Some(r) = &judged.recommendation else { return Vec::new() };
    let mut lines = vec![threshold(r)];
    if r.open > 0 {
        let hope = match r.if_agreed {
            Some(t) => format!("; if people agree with the judge on them, {t:.2} is shown"),
            None => String::new(),
        };
        let wait = match r.open {
            1 => "1 drawn verdict waits for an answer and counts".to_owned(),
            n => format!("{n} drawn verdicts wait for an answer and count"),
        };
        lines.push(format!("{wait} against the judge until then{hope}"));
    }
    if r.given_up > 0 {
        let given_up = match r.given_up {
            1 => "1 drawn verdict could not be decided by people and counts".to_owned(),
            n => format!("{n} drawn verdicts could not be decided by people and count"),
        };
        lines.push(format!("{given_up} against the judge"));
    }
    if r.not_blind > 0 {
        lines.push(format!(
            "{} drawn verdicts were decided by people who had seen what the judge says, or may have, and count against the judge",
            r.not_blind
        ));
    }
    lines.extend(missing(r));
    lines
}

fn threshold(r: &Recommendation) -> String {
    let g = r.scan.guarantee;
    let promise = format!(
        "at most {} of the verdicts left to the judge are wrong, with {} confidence",
        share(g.alpha),
        share(1.0 - g.delta)
    );
    let Some(below) = r.below else {
        return format!("no threshold: the labels do not show that {promise}");
    };
    let step = r.scan.steps.iter().find(|s| s.threshold == below);
    let why = step
        .map(|s| format!(" ({} of {} labelled wrong, at most {})", s.wrong, s.labels, share(s.upper)))
        .unwrap_or_default();
    match r.now {
        Some(now) if now == below => format!("review.below = {below:.2} is right: {promise}{why}"),
        Some(now) => format!("review.below = {below:.2} instead of {now}: {promise}{why}"),
        None => format!("review.below = {below:.2}: {promise}{why}"),
    }
}

fn missing(r: &Recommendation) -> Option<String> {
    let m = r.scan.missing?;
    let what = match m.threshold {
        t if t > 0.0 => format!("a threshold of {t:.2}"),
        _ => "a threshold".to_owned(),
    };
    let rate = match m.at_this_rate {
        Some(n) if n == m.at_best => String::new(),
        Some(n) => format!(", {n} if as many are as so far"),
        None => ", and no number if as many are as so far".to_owned(),
    };
    (m.at_best > 0).then(|| format!("{} more labels would show {what} if none of them is wrong{rate}", m.at_best))
}

fn labels(judged: &Judged, out: &mut String) {
    let l = judged.labels;
    let mut text = format!("{} sent to people, {} decided", l.sent, l.decided);
    let parts = [
        (l.told, "of those after seeing the judge's verdict"),
        (l.unknown, "of those by people who may have seen it"),
        (l.open, "wait"),
        (l.given_up, "given up"),
    ];
    for (n, what) in parts {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    if l.other_versions > 0 {
        text.push_str(&format!("; {} of other versions are not counted", l.other_versions));
    }
    put(out, format_args!("  labels       {text}"));
    match judged.drawn {
        Some(d) => {
            let mut text = format!("{} drawn at random, at the rate {}", d.size, number(d.rate));
            for (n, what) in [(d.thinned, "sent more often are thinned out"), (d.outside, "from times without a draw")]
            {
                if n > 0 {
                    text.push_str(&format!("; {n} {what}"));
                }
            }
            put(out, format_args!("  sample       {text}"));
        }
        None if l.decided > 0 => {
            put(
                out,
                format_args!("  sample       none: the numbers are of what was labelled, and not of all verdicts"),
            );
        }
        None => {}
    }
}

fn figures(judged: &Judged, out: &mut String) {
    let f = &judged.figures;
    let c = f.confusion;
    put(out, format_args!("  {DIM}people          pass   fail{DIM:#}"));
    put(out, format_args!("  judge pass   {:>7}{:>7}", c.true_pass, c.false_pass));
    put(out, format_args!("  judge fail   {:>7}{:>7}", c.false_fail, c.true_fail));
    let rows: [(&str, Option<Figure>, bool); 6] = [
        ("agreement", f.agreement, true),
        ("sensitivity", f.sensitivity, true),
        ("specificity", f.specificity, true),
        ("kappa", f.kappa, false),
        ("AC1", f.ac1, false),
        ("alpha", judged.people, false),
    ];
    for (name, figure, is_share) in rows {
        let note = match name {
            "sensitivity" => " that people pass",
            "specificity" => " that people fail",
            "alpha" => " that several people answered",
            _ => "",
        };
        if let Some(figure) = figure {
            put(out, format_args!("  {name:<12} {}{DIM}{note}{DIM:#}", told(&figure, is_share)));
        }
    }
    if let (Some(brier), Some(off)) = (f.brier, f.expected_error) {
        put(out, format_args!("  Brier        {brier:.4}, confidences are off by {off:.4} on average"));
    }
}

/// A figure in words: its value, interval and count.
pub fn told(figure: &Figure, is_share: bool) -> String {
    let say = |v: f64| if is_share { share(v) } else { format!("{v:.3}") };
    let interval = match figure.interval {
        Some([low, high]) => format!(" [{}, {}]", say(low), say(high)),
        None => String::new(),
    };
    format!("{}{interval} of {}", say(figure.value), figure.count)
}

fn reliability(judged: &Judged, out: &mut String) {
    put(out, format_args!("  {DIM}confidence   right of those that say so{DIM:#}"));
    for bin in &judged.figures.reliability {
        let (right, mark) = (cells(bin.share()), cells(bin.confidence));
        // The mark is where the bar would end if the confidence meant what it says.
        let bar: String = (0..=BAR as usize)
            .map(|i| match (i == mark, i < right) {
                (true, _) => '|',
                (_, true) => '#',
                _ => '.',
            })
            .collect();
        put(out, format_args!("  {:.2}-{:.2}    {bar} {} of {}", bin.low, bin.high, share(bin.share()), bin.count));
    }
}

fn risk(judged: &Judged, out: &mut String) {
    put(out, format_args!("  {DIM}accepted from    left to the judge   wrong{DIM:#}"));
    for point in thinned(&judged.figures.risk_coverage) {
        let bar = "#".repeat(cells(point.coverage()));
        put(
            out,
            format_args!(
                "  {:<14.4} {bar:<20} {:>6}  {} ({} of {})",
                point.threshold,
                share(point.coverage()),
                share(point.risk()),
                point.wrong,
                point.accepted
            ),
        );
    }
}

/// At most so many points, evenly, the first and the last among them.
fn thinned(points: &[Point]) -> Vec<&Point> {
    let last = points.len().saturating_sub(1);
    let wanted = points.len().min(ROWS);
    let mut picked: Vec<usize> = (0..wanted).map(|i| if wanted < 2 { 0 } else { i * last / (wanted - 1) }).collect();
    picked.dedup();
    picked.iter().filter_map(|i| points.get(*i)).collect()
}

fn parts(title: &str, parts: &[Part], out: &mut String) {
    if parts.is_empty() {
        return;
    }
    put(out, format_args!("  {DIM}{title}{DIM:#}"));
    for part in parts {
        let name = safe::line(&part.name).chars().take(12).collect::<String>();
        let name = if name.is_empty() { String::new() } else { format!("{name}  ") };
        put(out, format_args!("  {name}{} to {}  {}", day(part.from), day(part.to), told(&part.agreement, true)));
    }
}

/// The day of a time, UTC.
pub fn day(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |t| t.strftime("%Y-%m-%d").to_string())
}

/// A share in percent.
pub fn share(value: f64) -> String {
    format!("{}%", number((value * 1000.0).round() / 10.0))
}

fn number(value: f64) -> String {
    crate::checks::system::words::number(value)
}

fn cells(share: f64) -> usize {
    (share * BAR).round() as usize
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::judged;
    use super::*;

    #[test]
    fn a_calibration_in_the_terminal() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&draw(&judged())));
    }

    #[test]
    fn what_a_suite_says_cannot_move_the_cursor() {
        let mut hostile = judged();
        hostile.judge = Some("j\u{1b}[2J\u{202e}".to_owned());
        let text = draw(&hostile);
        assert!(text.contains("j\\x1b[2J\\u{202e}"), "{text}");
    }

    #[test]
    fn a_refusal_says_why_and_nothing_else() {
        let refused = Judged { refused: Some("because".to_owned()), recommendation: None, ..judged() };
        assert_eq!(advice(&refused), ["no threshold: because"]);
    }
}
