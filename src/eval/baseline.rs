//! What a decision needs of an earlier run, and nothing else of it: how every trial of every case went by every check,
//! which sessions those were, the means of metrics by case, and the columns that checks compare. It is read once, before the run, and embedded in the record, so that the same
//! decision can be made again from the record alone.

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::event::{ColumnPlan, SuitePlan};
use super::fold::SuiteFold;
use super::prints::Prints;
use super::remembered::{CaseMean, OfCase};
use super::rollup;
use crate::checks::prices;
use crate::checks::system::past::Past;
use crate::checks::system::{Case, End, TrialOutcome};
use crate::model::digest::Digest;
use crate::model::{Level, Status};
use crate::suite::{BaselineBar, Subject};

/// One suite of a run, as a later run is compared with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The run's id.
    pub run: String,
    /// Digest of the suite as it was then.
    pub suite: Digest,
    /// Who was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Digest of the prices that its costs are by, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Digest>,
    /// The checks, in order.
    pub checks: Vec<PastCheck>,
    /// The cases, in order.
    pub cases: Vec<PastCase>,
    /// The metrics whose means by case are known, in the order of [`PastCase::means`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<String>,
    /// The columns that are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<PastColumn>,
}

/// How what waits for people is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// As waiting.
    Now,
    /// As they decide.
    Decided(End),
    /// As they decide for the agent, but that what may turn out as not measured by what they decide does so.
    Erring,
}

/// What is wanted of an earlier run beside how its trials went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Columns that checks compare.
    pub columns: Vec<ColumnPlan>,
    /// Metrics whose means by case are compared.
    pub means: Vec<String>,
}

impl Wanted {
    /// What a bar of the gate wants by itself.
    pub fn of_gate(bar: &BaselineBar) -> Self {
        Self { columns: Vec::new(), means: bar.means.iter().map(|mean| mean.metric.clone()).collect() }
    }
}

/// A check of a baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastCheck {
    /// Its id.
    pub id: String,
    /// Parameters, rule and files behind it: only what has the same digest is compared.
    pub digest: Digest,
    /// Whether a trial passes only when it does.
    pub blocks: bool,
}

/// A case of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastCase {
    /// Its id.
    pub id: String,
    /// Its trials in ordinal order.
    pub trials: Vec<PastTrial>,
    /// Trials that were wanted and not recorded.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub missing: u64,
    /// Which sessions its trials were, in the same order.
    #[serde(default, skip_serializing_if = "Prints::is_empty")]
    pub sessions: Prints,
    /// Its mean of each metric of [`Baseline::means`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<CaseMean>,
}

/// The verdicts of one trial: a letter for each check by position, in front of them `!` where the trial could not be
/// measured as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastTrial(String);

/// A column of a baseline, over all its sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastColumn {
    /// Which column.
    #[serde(flatten)]
    pub column: ColumnPlan,
    /// Its samples.
    #[serde(flatten)]
    pub past: Past,
}

/// What became of looking for a baseline, or for labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// It was read.
    Baseline(Baseline),
    /// Labels of people were read.
    Labels(Calibration),
    /// It is not there, or cannot be read; why.
    Missing(String),
    /// It is there and must not be one: partial, a shard, interrupted, the same run; why.
    Refused(String),
}

impl Baseline {
    /// What a run leaves of a suite for a comparison. Of its columns, `wanted` are kept.
    pub fn of(fold: &SuiteFold<'_>, run: &str, wanted: &[ColumnPlan]) -> Self {
        Self::at(fold, View::Now, run, wanted)
    }

    /// The same as people may decide over what waits for them.
    pub fn at(fold: &SuiteFold<'_>, view: View, run: &str, wanted: &[ColumnPlan]) -> Self {
        let plan = fold.plan;
        let checks = plan.checks.iter().map(|c| PastCheck {
            id: c.id.clone(),
            digest: c.digest,
            blocks: c.severity.blocks() && c.level != Level::System && !c.inactive,
        });
        let checks: Vec<PastCheck> = checks.collect();
        let remembered = fold.remembered.as_ref();
        let mut of_cases = remembered.map(|r| r.cases(fold.cases.len())).unwrap_or_default().into_iter();
        let cases = fold.cases.iter().filter_map(|case| {
            let of_case = of_cases.next().unwrap_or_default();
            past_case(plan, &checks, case, of_case, view)
        });
        let cases: Vec<PastCase> = cases.collect();
        let columns = plan.columns.iter().zip(&fold.columns).filter(|(c, _)| wanted.contains(c));
        Self {
            run: run.to_owned(),
            suite: plan.digest,
            subject: plan.subject.clone(),
            prices: plan.prices(),
            cases,
            means: remembered.into_iter().flat_map(|r| r.metrics()).map(str::to_owned).collect(),
            columns: columns.map(|(c, folded)| PastColumn { column: c.clone(), past: Past::of(folded) }).collect(),
            checks,
        }
    }

    /// Gives up what is not wanted.
    pub fn keep(&mut self, wanted: &Wanted) {
        self.columns.retain(|past| wanted.columns.contains(&past.column));
        if wanted.means.is_empty() {
            self.means.clear();
            self.cases.iter_mut().for_each(|case| case.means.clear());
        }
    }

    /// Why what a metric says of this run cannot be held against what it says of another, whose prices are given; `None`
    /// where it can.
    pub fn otherwise_priced(&self, metric: &str, prices: Option<Digest>) -> Option<String> {
        let alike = self.prices.is_some() && self.prices == prices;
        (metric == prices::METRIC && !alike).then(|| {
            "its costs are by other prices than those of this run: run it again with these, then compare".to_owned()
        })
    }

    /// The column that a check compares; `None` when the run did not measure it.
    pub fn column(&self, wanted: &ColumnPlan) -> Option<&Past> {
        self.columns.iter().find(|c| c.column == *wanted).map(|c| &c.past)
    }
}

/// A case of the run; `None` for one that the filter or the suite takes out.
fn past_case(plan: &SuitePlan, checks: &[PastCheck], case: Case<'_>, of_case: OfCase, view: View) -> Option<PastCase> {
    let declared = plan.cases.as_ref().and_then(|c| c.get(case.index()));
    if declared.is_some_and(|c| c.filtered || c.skip.is_some()) {
        return None;
    }
    let wanted = plan.wanted(declared);
    let missing = wanted.saturating_sub(case.trials().count() as u64);
    if case.trials().next().is_none() && missing == 0 {
        return None;
    }
    Some(PastCase {
        id: case.id().to_owned(),
        trials: case.trials().map(|trial| PastTrial::of(trial, checks, view)).collect(),
        missing,
        sessions: of_case.sessions,
        means: of_case.means,
    })
}

impl PastTrial {
    fn of(trial: &TrialOutcome, checks: &[PastCheck], view: View) -> Self {
        let mut letters = vec![b'-'; checks.len()];
        let (verdicts, status, erring): (_, _, &[u32]) = match (view, trial.checks.open()) {
            (View::Now, _) | (_, None) => (&*trial.checks, trial.status, &[]),
            (View::Decided(end), Some(_)) => (trial.checks.at(end), trial.at(end), &[]),
            (View::Erring, Some(open)) => (trial.checks.at(End::Best), trial.at(End::Best), &open.erring),
        };
        for (check, status) in verdicts {
            if let Some(letter) = letters.get_mut(*check as usize) {
                *letter = letter_of(if erring.contains(check) { Status::Error } else { *status });
            }
        }
        let blocking = checks.iter().zip(&letters).filter(|(c, _)| c.blocks);
        // An error that no verdict explains is one of the session as a whole.
        let explained = blocking.clone().any(|(_, letter)| *letter == letter_of(Status::Error));
        let whole = status == Status::Error && !explained;
        Self(whole.then_some('!').into_iter().chain(letters.into_iter().map(char::from)).collect())
    }

    /// The verdict of the check at a position; `None` when it did not apply.
    pub fn verdict(&self, check: usize) -> Option<Status> {
        match self.0.strip_prefix('!') {
            // Nothing at all could be said of the trial, so nor of this check.
            Some(letters) => Some(letters.as_bytes().get(check).and_then(|l| status_of(*l)).unwrap_or(Status::Error)),
            None => self.0.as_bytes().get(check).and_then(|l| status_of(*l)),
        }
    }

    /// The trial by some of the checks: it passes when all of them that apply do.
    pub fn status(&self, checks: impl IntoIterator<Item = usize>) -> Status {
        if self.0.starts_with('!') {
            return Status::Error;
        }
        rollup::all(checks.into_iter().filter_map(|check| self.verdict(check)))
    }
}

const LETTERS: [(Status, u8); 5] =
    [(Status::Pass, b'p'), (Status::Fail, b'f'), (Status::Error, b'e'), (Status::Held, b'h'), (Status::Skip, b's')];

fn letter_of(status: Status) -> u8 {
    LETTERS.iter().find(|(s, _)| *s == status).map_or(b'e', |(_, letter)| *letter)
}

/// `None` where a check did not apply. A letter that nobody writes is an error, never a pass.
fn status_of(letter: u8) -> Option<Status> {
    match letter {
        b'-' => None,
        letter => Some(LETTERS.iter().find(|(_, l)| *l == letter).map_or(Status::Error, |(status, _)| *status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::testing::{add, plan};
    use crate::model::Status::{Error, Fail, Held, Pass};

    const CHECKS: &str = "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n\
                          [[session]]\nid = \"w\"\nseverity = \"warn\"\ncheck = \"contains\"\nvalue = \"y\"\n";

    #[test]
    fn keeps_every_verdict_of_every_trial_and_comes_back_from_a_record_the_same() {
        let plan = plan(CHECKS);
        let mut fold = SuiteFold::new(&plan, 0);
        add(&mut fold, "c", &[Pass, Fail]);
        add(&mut fold, "c", &[Held, Error]);
        let baseline = Baseline::of(&fold, "r", &[]);
        let text = serde_json::to_string(&Found::Baseline(baseline.clone())).unwrap();
        assert!(text.contains(r#""cases":[{"id":"c","trials":["pf","he"]}]"#), "{text}");
        assert_eq!(serde_json::from_str::<Found>(&text).unwrap(), Found::Baseline(baseline.clone()));
        let trials = &baseline.cases[0].trials;
        assert_eq!((trials[0].verdict(0), trials[0].verdict(1)), (Some(Pass), Some(Fail)));
        assert_eq!((trials[0].status([0]), trials[0].status([0, 1]), trials[1].status([0])), (Pass, Fail, Held));
        assert_eq!((trials[0].verdict(7), trials[0].status([7])), (None, Status::Skip));
    }

    #[test]
    fn a_trial_that_could_not_be_measured_as_a_whole_is_an_error_of_every_check() {
        let checks = [PastCheck { id: "a".into(), digest: Digest::of(b""), blocks: true }];
        let broken = PastTrial::of(&TrialOutcome { status: Error, checks: Default::default() }, &checks, View::Now);
        assert_eq!((broken.verdict(0), broken.status([0]), broken.status([])), (Some(Error), Error, Error));
    }

    #[test]
    fn a_letter_that_nobody_writes_is_never_a_pass() {
        assert_eq!(PastTrial("x".into()).status([0]), Error);
    }
}
