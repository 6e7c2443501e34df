//! The page around the data: style and program as they are compiled in, named by their hashes in a policy that allows
//! nothing else; and what can be read before any program ran: the decision, its reasons, the counts.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::embed::escape;
use super::parts;
use crate::eval::exit;
use crate::eval::gate::{Decision, SuiteSummary};
use crate::eval::spend::Spend;
use crate::net::percent;
use crate::report::Drawn;
use crate::report::counts::{grouped, not_passed};

/// Its own style, after that of any page with a session.
const STYLE: &[&str] = &[parts::STYLE[0], parts::STYLE[1], include_str!("page/run.css")];

/// The program, file by file; all share one scope, and later ones use what earlier ones define.
const PROGRAM: &[&[&str]] = &[
    parts::PROGRAM,
    &[
        include_str!("page/data.js"),
        include_str!("page/filter.js"),
        include_str!("page/list.js"),
        include_str!("page/chart.js"),
        include_str!("page/baseline.js"),
        include_str!("page/overview.js"),
        include_str!("page/detail.js"),
        include_str!("page/keys.js"),
        include_str!("page/main.js"),
    ],
];

const SKELETON: &str = include_str!("page/page.html");

fn program() -> String {
    format!("(() => {{\n\"use strict\";\n{}\nmain();\n}})();\n", PROGRAM.concat().join("\n"))
}

fn style() -> String {
    STYLE.concat()
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// Everything up to the data.
pub fn head(drawn: Drawn<'_>) -> String {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        hash(&program()),
        hash(&style())
    );
    let title = format!("{}: {} - seatrial", word(drawn), drawn.summary.run);
    fill(&[("{policy}", &policy), ("{style}", &style()), ("{title}", &escape(&title)), ("{gate}", &gate(drawn))])
}

/// The skeleton with its places filled, in order. What is put in is not looked at again.
fn fill(places: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), SKELETON);
    for (place, content) in places {
        if let Some((before, after)) = rest.split_once(place) {
            out.push_str(before);
            out.push_str(content);
            rest = after;
        }
    }
    out + rest
}

/// Everything after the data.
pub fn tail() -> String {
    format!("<script>{}</script>\n</body>\n</html>\n", program())
}

/// The run's outcome in a word.
fn word(drawn: Drawn<'_>) -> &'static str {
    match drawn.summary.exit_code {
        // Recorded, and nothing is decided.
        exit::PASSED if drawn.plan.shard().is_some() => "deferred",
        exit::PASSED => "passed",
        exit::FAILED => "failed",
        exit::HELD => "held",
        exit::NOT_SHOWN => "not shown",
        exit::INCOMPLETE => "incomplete",
        _ => "bug",
    }
}

/// The decision on top, with its reasons, those that did not pass first.
fn gate(drawn: Drawn<'_>) -> String {
    let summary = drawn.summary;
    let word = word(drawn);
    let class = word.replace(' ', "-");
    let mut out = format!(
        "<h1><span class=\"word {class}\">{word}</span></h1>\n<p class=\"run\">exit code {} <span class=\"dim\">run {}, \
         seatrial {}</span></p>\n",
        summary.exit_code,
        escape(&summary.run),
        escape(&summary.seatrial)
    );
    if let Some(why) = drawn.plan.partial() {
        let _ = writeln!(out, "<p class=\"note\">partial: {}</p>", escape(&why));
    }
    if let Some(why) = &summary.stopped {
        let _ = writeln!(out, "<p class=\"note\">ended early: {}</p>", escape(why));
    }
    let mut suites: Vec<&SuiteSummary> = summary.suites.iter().collect();
    suites.sort_by_key(|s| std::cmp::Reverse(s.decision));
    let several = suites.len() > 1;
    out.push_str("<ul class=\"suites\" id=\"suites\">\n");
    for suite in suites {
        let name = escape(&suite.name);
        let decision = suite.decision.name();
        let _ = writeln!(
            out,
            "<li data-suite=\"{name}\"><a href=\"#/{}\"><span class=\"badge {decision}\">{decision}</span> \
             <b>{name}</b></a> <span class=\"counts\">{}</span>",
            percent::encode(suite.name.as_bytes(), b""),
            escape(&counts(suite))
        );
        if suite.decision != Decision::Passed {
            out.push_str("<ul class=\"reasons\">\n");
            for reason in &suite.reasons {
                let _ = writeln!(out, "<li>{}</li>", escape(reason));
            }
            out.push_str("</ul>");
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n");
    if let Some(spent) = Spend::all(summary.suites.iter().filter_map(SuiteSummary::spent)).filter(|_| several) {
        let _ = writeln!(out, "<p class=\"note\">models in all suites: {}</p>", escape(&spent.told()));
    }
    out
}

/// How the cases went, in words; what there is none of is left out.
fn counts(suite: &SuiteSummary) -> String {
    let c = &suite.cases;
    let mut parts = vec![format!("{} of {} cases passed", grouped(c.passed), grouped(c.total))];
    let among = [(c.surprises, "passed by surprise"), (c.flaky, "flaky")].into_iter().filter(|(n, _)| *n > 0);
    parts.extend(not_passed(c).chain(among).map(|(n, what)| format!("{} {what}", grouped(n))));
    let s = &suite.sessions;
    parts.push(format!("{} of {} sessions evaluated", grouped(s.evaluated), grouped(s.read)));
    if let Some(spent) = suite.spent() {
        parts.push(format!("models: {}", spent.told()));
    }
    parts.extend(suite.driven.as_ref().map(|driven| format!("driving: {}", driven.told())));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_and_the_style_cannot_end_their_elements() {
        assert!(!program().to_lowercase().contains("</script") && !program().contains("<!--"));
        assert!(!style().to_lowercase().contains("</style"));
    }

    #[test]
    fn the_program_writes_no_markup_and_asks_nobody() {
        let program = program();
        for never in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "fetch(",
            "XMLHttpRequest",
            "new Function",
        ] {
            assert!(!program.contains(never), "{never}");
        }
        for asset in [&style(), &program] {
            assert!(!asset.contains("url(") && !asset.contains("@import") && !asset.contains("https:"));
        }
    }
}
