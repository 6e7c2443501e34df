//! Which keys there are: those of the moment on the last lines, all of them in the help.

use super::machine::{Desk, Mode};
use crate::ledger::SkipReason;
use crate::report::safe;
use crate::report::transcript::layout::{Paint, width, wrapped};

/// The keys, as they are listed on the last lines.
pub(super) fn foot(desk: &Desk, has_baseline: bool, paint: Paint, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if let Some(notice) = &desk.notice {
        lines.extend(wrapped(&safe::terminal(notice), columns).iter().map(|line| paint.bold(line)));
    }
    if desk.helping {
        lines.push(paint.dim("any key goes back"));
        return lines;
    }
    let keys: Vec<(String, &str)> = match &desk.mode {
        Mode::Asking => named(&[
            ("p", "pass"),
            ("f", "fail"),
            ("s", "skip"),
            ("c", "comment"),
            ("n", "not now"),
            ("u", "undo"),
            ("d", "whole session"),
            ("o", "baseline"),
            ("?", "help"),
            ("q", "quit"),
        ]),
        Mode::Commenting { text } => {
            lines.extend(wrapped(&format!("comment: {}_", safe::line(text)), columns));
            named(&[("enter", "keeps it"), ("escape", "throws it away")])
        }
        Mode::Skipping => {
            lines.push("why can you not answer?".to_owned());
            let reasons = SkipReason::ALL.iter().zip(1..).map(|(reason, n)| (format!("{n}"), reason.words()));
            reasons.chain([("any other".to_owned(), "back")]).collect()
        }
        Mode::Answered(_) => named(&[
            ("enter", "next"),
            ("u", "take it back"),
            ("r", "regression case"),
            ("d", "whole session"),
            ("?", "help"),
            ("q", "quit"),
        ]),
        Mode::Idle => named(&[("enter", "look again"), ("u", "take the last answer back"), ("q", "quit")]),
    };
    let keys: Vec<_> = keys.into_iter().filter(|(key, _)| key != "o" || has_baseline).collect();
    lines.extend(hints(&keys, paint, columns));
    lines
}

fn named(keys: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    keys.iter().map(|(key, does)| ((*key).to_owned(), *does)).collect()
}

fn hints(keys: &[(String, &str)], paint: Paint, columns: usize) -> Vec<String> {
    let (mut lines, mut used) = (vec![String::new()], 0);
    for (key, does) in keys {
        let wide = width(key) + 1 + width(does);
        if used > 0 && used + 3 + wide > columns {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut();
        let gap = if used > 0 { "   " } else { "" };
        used += gap.len() + wide;
        if let Some(line) = line {
            line.push_str(&format!("{gap}{} {does}", paint.call(key)));
        }
    }
    lines
}

pub(super) fn help(paint: Paint) -> Vec<String> {
    let keys = [
        ("p", "the subject meets what is asked"),
        ("f", "it does not"),
        ("s", "you cannot say: gives it to others, with your reason"),
        ("c", "write a comment that goes with your answer"),
        ("n", "not now: give it back, and go on with another"),
        ("u", "take back your last answer of this sitting"),
        ("r", "make a regression case of the item that you answered, in the folder that --suites names"),
        ("d", "the whole session, or back"),
        ("o", "the session of the baseline, or back"),
        ("arrows, j, k", "one line"),
        ("space, b", "one page"),
        ("g, G", "beginning, end"),
        ("q, escape, ctrl-c", "end; an item that you have not answered goes back to the queue"),
    ];
    let mut lines = vec![paint.bold("keys"), String::new()];
    lines.extend(keys.map(|(key, does)| format!("  {}  {does}", paint.call(&format!("{key:18}")))));
    lines.push(String::new());
    lines.push("What the check says is shown after your answer, so that it is your own.".to_owned());
    lines
}
