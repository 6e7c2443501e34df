//! The two charts of a calibration as SVG: numbers alone go into it, and no text of a suite or session.

use std::fmt::Write;

use super::figures::Worth;
use crate::stats::calibration::Bin;
use crate::stats::risk_coverage::Point;

/// The confidence of the intervals that are drawn.
const CONFIDENCE: f64 = 0.95;

/// Where the plot begins and how large it is, in the picture's own units.
const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const SIZE: f64 = 220.0;

fn x(value: f64) -> f64 {
    LEFT + value * SIZE
}

fn y(value: f64) -> f64 {
    TOP + (1.0 - value) * SIZE
}

/// The share that was right against the confidence, with intervals, and a curve of what confidences are worth; a judge that
/// means what it says lies on the line.
pub fn reliability(bins: &[Bin], worth: &[Worth]) -> String {
    let most = bins.iter().map(|b| b.count).max().unwrap_or(1).max(1);
    let mut marks = format!(
        "<line class=\"ideal\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    if worth.len() > 1 {
        let points: Vec<String> = worth.iter().map(|w| format!("{:.1},{:.1}", x(w.confidence), y(w.right))).collect();
        put(&mut marks, format_args!("<polyline class=\"curve\" points=\"{}\"/>", points.join(" ")));
    }
    for bin in bins {
        let (at, share) = (x(bin.confidence), bin.share());
        if let Some(limits) = bin.interval(CONFIDENCE) {
            put(
                &mut marks,
                format_args!(
                    "<line class=\"limits\" x1=\"{at:.1}\" y1=\"{:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\"/>",
                    y(limits.low),
                    y(limits.high)
                ),
            );
        }
        let radius = 3.0 + 5.0 * (bin.count as f64 / most as f64).sqrt();
        put(
            &mut marks,
            format_args!(
                "<circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"><title>{} labels, confidence {:.3}, right {:.3}</title></circle>",
                y(share),
                bin.count,
                bin.confidence,
                share
            ),
        );
    }
    let about = format!(
        "Reliability: the share of verdicts that people bear out, against the confidence, in {} bins",
        bins.len()
    );
    frame(&about, ("confidence", 1.0), ("right", 1.0), &marks)
}

/// The share that is wrong among what is accepted, against how much that is.
pub fn risk_coverage(points: &[Point]) -> String {
    // Risks are small: the axis ends at the next tenth above.
    let most = points.iter().map(Point::risk).fold(0.0, f64::max);
    let top = ((most * 10.0).floor() / 10.0 + 0.1).min(1.0);
    let mut path = String::new();
    for (i, point) in points.iter().enumerate() {
        let command = if i == 0 { 'M' } else { 'L' };
        put(&mut path, format_args!("{command}{:.1} {:.1} ", x(point.coverage()), y(point.risk() / top)));
    }
    let mut marks = format!("<path class=\"curve\" d=\"{}\"/>", path.trim_end());
    // One mark for every confidence would be a blot where each has its own.
    for point in points.iter().filter(|_| points.len() <= 40) {
        put(
            &mut marks,
            format_args!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>from {:.4}: {} of {} accepted are wrong</title></circle>",
                x(point.coverage()),
                y(point.risk() / top),
                point.threshold,
                point.wrong,
                point.accepted
            ),
        );
    }
    frame(
        "Risk and coverage: the share of wrong verdicts among those left to the judge, against how many those are",
        ("left to the judge", 1.0),
        ("wrong", top),
        &marks,
    )
}

/// Axes around marks; the horizontal and the vertical one with their names and ends.
fn frame(about: &str, across: (&str, f64), up: (&str, f64), marks: &str) -> String {
    let (right, bottom) = (LEFT + SIZE, TOP + SIZE);
    let mut grid = String::new();
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        put(
            &mut grid,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{right}\" y2=\"{0:.1}\"/>\
             <text x=\"{1}\" y=\"{2:.1}\" class=\"up\">{3}</text><text x=\"{4:.1}\" y=\"{5}\" class=\"across\">{6}</text>",
                y(part),
                LEFT - 5.0,
                y(part) + 4.0,
                percent(part * up.1),
                x(part),
                bottom + 14.0,
                percent(part * across.1)
            ),
        );
    }
    format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{about}\">{grid}{marks}\
         <text x=\"{}\" y=\"{}\" class=\"name across\">{}</text><text x=\"{LEFT}\" y=\"{}\" class=\"name\">{}</text></svg>",
        right + 16.0,
        bottom + 34.0,
        LEFT + SIZE / 2.0,
        bottom + 29.0,
        across.0,
        TOP + 12.0,
        up.0
    )
}

fn percent(share: f64) -> String {
    super::text::share(share)
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    fn count(svg: &str, name: &str) -> usize {
        let mut reader = Reader::from_str(svg);
        let mut found = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Start(e) | Event::Empty(e) if e.name().as_ref() == name => found += 1,
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    #[test]
    fn every_bin_is_a_mark_with_its_limits() {
        let bin = |low: f64, count, right| Bin { low, high: low + 0.1, count, right, confidence: low + 0.05 };
        let worth = [0.55, 0.95].map(|confidence| Worth { confidence, right: 0.9 });
        let svg = reliability(&[bin(0.5, 4, 2), bin(0.9, 40, 39)], &worth);
        assert_eq!((count(&svg, "circle"), count(&svg, "line"), count(&svg, "polyline")), (2, 5 + 1 + 2, 1));
    }

    #[test]
    fn the_curve_goes_through_every_point_and_stays_in_its_frame() {
        let points: Vec<Point> = (1u64..=3)
            .map(|i| Point { threshold: 1.0 - i as f64 / 10.0, accepted: i * 10, wrong: i - 1, of: 30 })
            .collect();
        let svg = risk_coverage(&points);
        assert_eq!(count(&svg, "circle"), 3);
        // The last: everything accepted, 2 of 30 wrong on an axis that ends at 10%.
        assert!(svg.contains("L264.0 83.3"), "{svg}");
    }

    #[test]
    fn nothing_labelled_is_an_empty_frame() {
        assert_eq!((count(&reliability(&[], &[]), "circle"), count(&risk_coverage(&[]), "circle")), (0, 0));
    }
}
