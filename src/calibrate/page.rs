//! A calibration as one page: opens offline, without a program, under a policy that allows nothing but its own style.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::chart;
use super::figures::{Figure, Part};
use super::judged::Judged;
use super::text::{advice, day, told};
use crate::report::html::escape;

const STYLE: &str = include_str!("page.css");

/// The page of some checks.
pub fn draw(judged: &[Judged]) -> String {
    let style = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE.as_bytes())));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {style}; base-uri 'none'; \
         form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>calibration - seatrial</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Judges held against people</h1>\n"
    );
    judged.iter().for_each(|one| check(one, &mut out));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn check(judged: &Judged, out: &mut String) {
    let judge = judged.judge.as_deref().map(|j| format!(" <small>judged by {}</small>", escape(j))).unwrap_or_default();
    put(out, format_args!("<section>\n<h2>{}: {}{judge}</h2>", escape(&judged.suite), escape(&judged.check)));
    let class = if judged.is_shown() { "shown" } else { "open" };
    put(out, format_args!("<ul class=\"advice {class}\">"));
    advice(judged).iter().for_each(|line| put(out, format_args!("<li>{}</li>", escape(line))));
    put(out, format_args!("</ul>"));
    labels(judged, out);
    let f = &judged.figures;
    if f.confusion.total() > 0 {
        confusion(judged, out);
        put(out, format_args!("<div class=\"charts\">"));
        figure("Reliability", &chart::reliability(&f.reliability, &f.worth), out);
        figure("Risk and coverage", &chart::risk_coverage(&f.risk_coverage), out);
        put(out, format_args!("</div>"));
        parts("Agreement over time", &judged.over_time, out);
        parts("Agreement by version of the judge", &judged.versions, out);
    }
    put(out, format_args!("</section>"));
}

fn labels(judged: &Judged, out: &mut String) {
    let l = judged.labels;
    put(
        out,
        format_args!(
            "<p>{} verdicts sent to people: {} decided, {} wait, {} given up, {} answered after seeing the judge's verdict; {} \
         of other versions are not counted.</p>",
            l.sent, l.decided, l.open, l.given_up, l.told, l.other_versions
        ),
    );
    match judged.drawn {
        Some(d) => put(
            out,
            format_args!(
                "<p>The numbers are of {} verdicts drawn at random at the rate {}; {} sent more often are thinned out, {} are from \
             times without a draw.</p>",
                d.size, d.rate, d.thinned, d.outside
            ),
        ),
        None => put(
            out,
            format_args!(
                "<p>No verdict was drawn at random: the numbers are of what was labelled, and not of all verdicts.</p>"
            ),
        ),
    }
}

fn confusion(judged: &Judged, out: &mut String) {
    let (f, c) = (&judged.figures, judged.figures.confusion);
    put(
        out,
        format_args!(
            "<div class=\"tables\"><table><caption>Judge and people</caption>\n<tr><td></td><th scope=\"col\">people pass</th>\
         <th scope=\"col\">people fail</th></tr>\n<tr><th scope=\"row\">judge passes</th><td>{}</td><td>{}</td></tr>\n\
         <tr><th scope=\"row\">judge fails</th><td>{}</td><td>{}</td></tr></table>",
            c.true_pass, c.false_pass, c.false_fail, c.true_fail
        ),
    );
    put(out, format_args!("<table><caption>Figures, with intervals at 95%</caption>"));
    let rows: [(&str, Option<Figure>, bool); 6] = [
        ("agreement", f.agreement, true),
        ("sensitivity: of what people pass", f.sensitivity, true),
        ("specificity: of what people fail", f.specificity, true),
        ("Cohen's kappa", f.kappa, false),
        ("Gwet's AC1", f.ac1, false),
        ("Krippendorff's alpha: people among each other", judged.people, false),
    ];
    for (name, figure, is_share) in rows {
        let value = figure.map_or_else(|| "not known".to_owned(), |figure| told(&figure, is_share));
        put(out, format_args!("<tr><th scope=\"row\">{}</th><td>{value}</td></tr>", escape(name)));
    }
    let numbers = [
        ("Brier score", f.brier),
        ("expected calibration error", f.expected_error),
        ("mean risk", f.mean_risk),
        ("Matthews' correlation", f.mcc),
    ];
    for (name, value) in numbers {
        let value = value.map_or_else(|| "not known".to_owned(), |v| format!("{v:.4}"));
        put(out, format_args!("<tr><th scope=\"row\">{}</th><td>{value}</td></tr>", escape(name)));
    }
    put(out, format_args!("</table></div>"));
}

fn figure(title: &str, svg: &str, out: &mut String) {
    put(out, format_args!("<figure><figcaption>{title}</figcaption>{svg}</figure>"));
}

fn parts(title: &str, parts: &[Part], out: &mut String) {
    put(out, format_args!("<table><caption>{title}</caption>"));
    for part in parts {
        let name = match part.name.as_str() {
            "" => String::new(),
            name => format!("{}: ", escape(name)),
        };
        put(
            out,
            format_args!(
                "<tr><th scope=\"row\">{name}{} to {}</th><td>{}</td></tr>",
                day(part.from),
                day(part.to),
                told(&part.agreement, true)
            ),
        );
    }
    put(out, format_args!("</table>"));
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::judged;
    use super::*;

    #[test]
    fn the_page_asks_for_nothing_and_runs_nothing() {
        let page = draw(&[judged()]);
        assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{page}");
        for bad in ["<script", "http://", "https://", "src=", "url(", "@import", "style=\""] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
    }

    #[test]
    fn what_a_suite_says_is_never_markup() {
        let mut hostile = judged();
        hostile.judge = Some("<script>alert(1)</script>".to_owned());
        hostile.check = "\"><img onerror=x>".to_owned();
        hostile.refused = Some("<b>no</b>".to_owned());
        let page = draw(&[hostile]);
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }
}
