//! One check of a suite, held against people.

use serde::Serialize;

use super::figures::{self, Figure, Figures, Part};
use super::labelled::{Answered, LabelledVerdict};
use super::recommend::{Recommendation, recommend};
use super::sample::{Sample, representative};
use crate::model::digest::Digest;
use crate::stats::fixed_sequence::Guarantee;

/// A check that asks judges, as the suite has it now.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The suite, by name.
    pub suite: String,
    /// The check's id.
    pub check: String,
    /// Parameters, rubric, files and judge: only labels of the same are counted.
    pub digest: Digest,
    /// The file that the check stands in, as the user would name it.
    pub file: String,
    /// `review.below` as it is.
    pub below: Option<f64>,
}

/// How many labels there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Labels {
    /// Verdicts of the check as it is now that were sent to people.
    pub sent: usize,
    /// Those that are decided, blind or not.
    pub decided: usize,
    /// Those that wait.
    pub open: usize,
    /// Those that nobody could decide.
    pub given_up: usize,
    /// Of those that are decided: by somebody who had seen what the judge says. They are not used.
    pub told: usize,
    /// Of those that are decided: where it is not known whether somebody had. They are not used either.
    pub unknown: usize,
    /// Verdicts of other versions of the check, which are not counted.
    pub other_versions: usize,
}

/// The sample behind the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drawn {
    /// How many verdicts it has, decided or not.
    pub size: usize,
    /// With which probability a verdict is in it.
    pub rate: f64,
    /// Verdicts set aside because they were sent more often than others.
    pub thinned: usize,
    /// Verdicts from times when nothing was drawn at random.
    pub outside: usize,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The suite, by name.
    pub suite: String,
    /// The check's id.
    pub check: String,
    /// The file that it stands in.
    pub file: String,
    /// Who judges.
    pub judge: Option<String>,
    /// How many labels there are.
    pub labels: Labels,
    /// The sample that was drawn at random; `None` where there is none, and the figures are of all that was labelled.
    pub drawn: Option<Drawn>,
    /// The figures.
    pub figures: Figures,
    /// How far people agree with each other (Krippendorff's alpha).
    pub people: Option<Figure>,
    /// Agreement by version of the judge; those that are not counted above are among them.
    pub versions: Vec<Part>,
    /// Agreement over time, of the version as it is.
    pub over_time: Vec<Part>,
    /// The threshold; `None` where it cannot be asked for.
    pub recommendation: Option<Recommendation>,
    /// Why not.
    pub refused: Option<String>,
}

impl Judged {
    /// Holds a check against the labels; those of other checks are passed over.
    pub fn of(wanted: &Wanted, labels: &[LabelledVerdict], guarantee: Guarantee) -> Self {
        let ours: Vec<&LabelledVerdict> =
            labels.iter().filter(|v| v.suite == wanted.suite && v.check == wanted.check).collect();
        let (now, others): (Vec<_>, Vec<_>) = ours.iter().partition(|v| v.check_digest == wanted.digest);
        let sample = representative(&now);
        let refused = match &sample {
            Ok(_) => None,
            Err(_) if now.is_empty() && !others.is_empty() => Some(format!(
                "all {} labelled verdicts are of another version of the check (its rubric, parameters, files or judge \
                 changed since); versions are not mixed",
                others.len()
            )),
            Err(why) => Some(why.to_string()),
        };
        let counted = sample.as_ref().map_or(&now, |s| &s.verdicts);
        let count = |answered: fn(&Answered) -> bool| now.iter().filter(|v| answered(&v.answered)).count();
        Self {
            suite: wanted.suite.clone(),
            check: wanted.check.clone(),
            file: wanted.file.clone(),
            judge: now.iter().find_map(|v| v.judge.clone()),
            labels: Labels {
                sent: now.len(),
                decided: count(|a| matches!(a, Answered::Said(_) | Answered::Told | Answered::Unknown)),
                open: count(|a| *a == Answered::Open),
                given_up: count(|a| *a == Answered::GivenUp),
                told: count(|a| *a == Answered::Told),
                unknown: count(|a| *a == Answered::Unknown),
                other_versions: others.len(),
            },
            drawn: sample.as_ref().ok().map(drawn),
            figures: Figures::of(counted),
            people: figures::alpha(&now),
            versions: figures::by_version(&ours),
            over_time: figures::over_time(counted),
            recommendation: sample.as_ref().ok().map(|s| recommend(s, wanted.below, guarantee)),
            refused,
        }
    }

    /// The threshold that the suite should have, and does not.
    pub fn change(&self) -> Option<f64> {
        self.recommendation.as_ref().filter(|r| r.changes()).and_then(|r| r.below)
    }

    /// Whether a threshold is shown.
    pub fn is_shown(&self) -> bool {
        self.recommendation.as_ref().is_some_and(|r| r.below.is_some())
    }
}

fn drawn(sample: &Sample<'_>) -> Drawn {
    Drawn { size: sample.verdicts.len(), rate: sample.rate, thinned: sample.thinned, outside: sample.outside }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::verdict;
    use super::*;

    /// A judge of which 80 drawn verdicts are labelled, a few of them wrong below 0.8.
    pub fn judged() -> Judged {
        let mut labels: Vec<LabelledVerdict> = Vec::new();
        for i in 0..80u64 {
            let confidence = if i < 64 { 0.9 } else { 0.6 };
            let says = i % 4 != 0;
            let people = if i >= 64 && i % 2 == 0 { !says } else { says };
            let mut one = verdict(i, says, confidence, Answered::Said(people));
            one.people = [("ann".to_owned(), people), ("bob".to_owned(), people != (i == 70))].into();
            one.at = 1_790_000_000_000 + 3_600_000 * one.at;
            labels.push(one);
        }
        Judged::of(&wanted(), &labels, Guarantee { alpha: 0.05, delta: 0.05 })
    }

    fn wanted() -> Wanted {
        Wanted {
            suite: "s".to_owned(),
            check: "c".to_owned(),
            digest: Digest::of(b"now"),
            file: "suites/s.toml".to_owned(),
            below: Some(0.95),
        }
    }

    fn of(labels: &[LabelledVerdict]) -> Judged {
        Judged::of(&wanted(), labels, Guarantee { alpha: 0.05, delta: 0.05 })
    }

    #[test]
    fn a_judge_that_people_bear_out_gets_its_threshold() {
        let found = judged();
        assert_eq!((found.change(), found.is_shown(), found.refused), (Some(0.9), true, None));
        assert_eq!(found.figures.confusion.total(), 80);
        assert_eq!(found.people.map(|p| p.count), Some(80));
    }

    #[test]
    fn labels_of_another_version_are_not_mixed_in() {
        let other = Digest::of(b"before");
        let old = |i| LabelledVerdict { check_digest: other, ..verdict(i, true, 0.9, Answered::Said(true)) };
        let found = of(&(0..80).map(old).collect::<Vec<_>>());
        assert!(found.refused.as_ref().is_some_and(|why| why.contains("all 80")), "{:?}", found.refused);
        assert_eq!((found.labels.sent, found.labels.other_versions, found.is_shown()), (0, 80, false));
        let some: Vec<_> =
            (0..80).map(|i| if i < 30 { old(i) } else { verdict(i, true, 0.9, Answered::Said(true)) }).collect();
        let found = of(&some);
        assert_eq!((found.labels.sent, found.is_shown()), (50, false), "50 are too few, and 30 others do not help");
    }

    #[test]
    fn labels_that_were_not_drawn_are_refused_and_still_shown() {
        let chosen = |i| LabelledVerdict { drawn_at: None, ..verdict(i, true, 0.9, Answered::Said(true)) };
        let found = of(&(0..100).map(chosen).collect::<Vec<_>>());
        assert!(found.refused.as_ref().is_some_and(|why| why.contains("audit")), "{:?}", found.refused);
        assert_eq!((found.recommendation, found.drawn, found.figures.confusion.total()), (None, None, 100));
    }

    #[test]
    fn labels_that_are_not_blind_are_counted_and_show_nothing() {
        for answered in [Answered::Told, Answered::Unknown] {
            let found = of(&(0..100).map(|i| verdict(i, true, 0.9, answered)).collect::<Vec<_>>());
            assert_eq!((found.labels.decided, found.labels.told + found.labels.unknown), (100, 100));
            assert_eq!((found.figures.confusion.total(), found.is_shown()), (0, false), "{answered:?}");
            assert_eq!(found.recommendation.map(|r| r.not_blind), Some(100));
        }
    }

    #[test]
    fn labels_of_other_checks_and_suites_are_passed_over() {
        let stray = [
            LabelledVerdict { check: "d".to_owned(), ..verdict(1, true, 0.9, Answered::Said(true)) },
            LabelledVerdict { suite: "t".to_owned(), ..verdict(2, true, 0.9, Answered::Said(true)) },
        ];
        let found = of(&stray);
        assert_eq!(
            (found.labels, found.refused.as_deref()),
            (Labels::default(), Some("no verdict was sent to people yet"))
        );
    }
}
