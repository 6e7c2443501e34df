//! What of the events of a run is words, what a name, and what neither: only words and names go through the rules.
//!
//! What the suite's author wrote (names of suites and checks, descriptions) stays as it is; ids of cases, tags and tools are
//! names, since sessions carry them, too.

use super::baseline::Found;
use super::event::{
    BaselineEvent, Elsewhere, Finished, Header, LeftOutEvent, Plan, SessionEvent, Started, SuiteEnd, SuitePlan,
    SystemEvent,
};
use crate::checks::system::{Cell, SystemFinding};
use crate::model::{LeftOut, Problem, Text, Verdict, Why};
use crate::redact::{Redact, With};

impl Redact for SessionEvent<'_> {
    /// All but the case, which is given as it is written: whether it is declared, the event does not know.
    fn redact(&mut self, with: &With<'_>) {
        name(&mut self.id, with);
        if let Some(trial) = &mut self.trial {
            name(trial, with);
        }
        self.tags.iter_mut().for_each(|tag| with.name(tag));
        with.words_of(self.error.as_mut());
        self.verdicts.redact(with);
        self.row.redact(with);
    }
}

fn name(text: &mut Text<'_>, with: &With<'_>) {
    let written = with.named(text);
    if written != text.as_str() {
        *text = written.into();
    }
}

impl Redact for Verdict {
    fn redact(&mut self, with: &With<'_>) {
        with.words(&mut self.reason);
        for finding in &mut self.findings {
            with.words(&mut finding.reason);
            for why in finding.routed.iter_mut().flat_map(|routed| &mut routed.why) {
                match why {
                    Why::Tag { tag } => with.name(tag),
                    Why::Disagreement { votes } => with.words(votes),
                    Why::Below { .. }
                    | Why::Always
                    | Why::Severity { .. }
                    | Why::Detector { .. }
                    | Why::Quarantine
                    | Why::Audit { .. } => {}
                }
            }
            finding.evidence.iter_mut().for_each(|evidence| with.evidence(evidence));
        }
    }
}

impl Redact for Cell {
    fn redact(&mut self, with: &With<'_>) {
        match self {
            Cell::Missing(why) => with.words(why),
            Cell::Waiting(waiting) => {
                with.words(&mut waiting.why);
                waiting.groups.iter_mut().flatten().for_each(|value| with.name(value));
            }
            Cell::Unselected => {}
            Cell::Samples(samples) => samples.iter_mut().flat_map(|s| &mut s.group).for_each(|g| with.name(g)),
        }
    }
}

impl Redact for LeftOutEvent {
    fn redact(&mut self, with: &With<'_>) {
        with.name(&mut self.file);
        if let Some(id) = &mut self.id {
            with.name(id);
        }
        told(self.kind, &mut self.message, with);
    }
}

impl Redact for Problem {
    fn redact(&mut self, with: &With<'_>) {
        told(self.kind, &mut self.message, with);
    }
}

/// What is said of something that is left out.
fn told(kind: LeftOut, message: &mut String, with: &With<'_>) {
    match kind {
        LeftOut::Malformed | LeftOut::Truncated => with.quoting(message),
        _ => with.words(message),
    }
}

impl Redact for SystemFinding {
    fn redact(&mut self, with: &With<'_>) {
        with.words(&mut self.reason);
        for group in &mut self.groups {
            group.group.iter_mut().for_each(|value| with.name(value));
            with.words(&mut group.reason);
        }
    }
}

impl Redact for SystemEvent {
    fn redact(&mut self, with: &With<'_>) {
        self.finding.redact(with);
    }
}

impl Redact for SuiteEnd {
    fn redact(&mut self, with: &With<'_>) {
        self.files.iter_mut().for_each(|file| with.name(file));
        self.ignored.iter_mut().for_each(|file| with.name(file));
        self.tools_seen.iter_mut().for_each(|tool| with.name(tool));
    }
}

impl Redact for BaselineEvent {
    /// The earlier run may have been written without these rules.
    fn redact(&mut self, with: &With<'_>) {
        match &mut self.found {
            Found::Missing(why) | Found::Refused(why) => with.words(why),
            // Counts, and names that the suite has.
            Found::Labels(_) => {}
            Found::Baseline(baseline) => {
                baseline.cases.iter_mut().for_each(|case| with.name(&mut case.id));
                let groups = baseline.columns.iter_mut().flat_map(|c| &mut c.past.groups);
                groups.flat_map(|g| &mut g.group).for_each(|value| with.name(value));
            }
        }
    }
}

impl Redact for SuitePlan {
    fn redact(&mut self, with: &With<'_>) {
        self.tools.iter_mut().for_each(|tool| with.name(tool));
        for check in &mut self.checks {
            check.tool_names.iter_mut().for_each(|tool| with.name(tool));
            if let Some(case) = &mut check.case {
                with.name(case);
            }
        }
        for case in self.cases.iter_mut().flatten() {
            with.name(&mut case.id);
            case.tags.iter_mut().for_each(|tag| with.name(tag));
            with.words_of(case.skip.as_mut());
            with.words_of(case.expected_fail.as_mut().map(|f| &mut f.reason));
        }
        self.gate.groups.iter_mut().for_each(|group| with.name(&mut group.tag));
    }
}

impl Redact for Elsewhere {
    fn redact(&mut self, _: &With<'_>) {}
}

impl Redact for (u32, SystemFinding) {
    fn redact(&mut self, with: &With<'_>) {
        self.1.redact(with);
    }
}

impl Redact for Plan {
    /// All but the suites, which go through rules of their own.
    fn redact(&mut self, with: &With<'_>) {
        with.words_of(self.filter.as_mut());
        with.words_of(self.rerun.as_mut());
    }
}

impl Redact for Header {
    fn redact(&mut self, _: &With<'_>) {}
}

impl Redact for Started {
    fn redact(&mut self, with: &With<'_>) {
        self.args.redact(with);
    }
}

impl Redact for Finished {
    fn redact(&mut self, with: &With<'_>) {
        with.words_of(self.stopped.as_mut());
    }
}
