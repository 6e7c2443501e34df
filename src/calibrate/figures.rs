//! How a judge and people compare, in numbers: for the terminal, the page and `--json` alike.

use std::collections::BTreeMap;

use serde::Serialize;

use super::labelled::{Answered, LabelledVerdict};
use crate::ledger::Millis;
use crate::stats::Interval;
use crate::stats::agreement::{Agreement, Weights};
use crate::stats::calibration::{self, Bin, Platt, Said};
use crate::stats::confusion::{Confusion, Rate};
use crate::stats::krippendorff::{self, Scale};
use crate::stats::risk_coverage::{self, Point};

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// Bins of the reliability diagram.
const BINS: u32 = 10;

/// From so many labels on, what a confidence is worth needs no shape to be supposed.
const ENOUGH_TO_POOL: usize = 200;

/// Spans of time that agreement is shown over.
const SPANS: usize = 6;

/// A number with its interval at 95%.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// Its interval; `None` where labels have no spread to tell it from.
    pub interval: Option<[f64; 2]>,
    /// How many labels are behind it.
    pub count: u64,
}

impl Figure {
    fn rate(rate: Rate) -> Self {
        Self { value: rate.value(), interval: rate.interval(CONFIDENCE).map(|i| i.ends()), count: rate.of }
    }

    fn agreement(found: Agreement, interval: Option<Interval>, count: u64) -> Self {
        Self { value: found.value, interval: interval.map(|i| i.ends()), count }
    }
}

/// What a confidence is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Worth {
    /// The confidence.
    pub confidence: f64,
    /// How often verdicts of it are right.
    pub right: f64,
}

/// How often the judge was right in some of the labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What they have in common: a version, or a span of time.
    pub name: String,
    /// The first time one of them was sent, in milliseconds since the epoch.
    pub from: Millis,
    /// The last time.
    pub to: Millis,
    /// The share that the judge was right in.
    pub agreement: Figure,
}

/// Everything that can be counted. A number that cannot be known is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// The four counts.
    pub confusion: Confusion,
    /// How often the judge says what people say.
    pub agreement: Option<Figure>,
    /// What people pass and the judge passes, too.
    pub sensitivity: Option<Figure>,
    /// What people fail and the judge fails, too.
    pub specificity: Option<Figure>,
    /// Cohen's kappa of judge and people.
    pub kappa: Option<Figure>,
    /// Gwet's AC1 of judge and people.
    pub ac1: Option<Figure>,
    /// Matthews' correlation coefficient.
    pub mcc: Option<f64>,
    /// The Brier score of the confidences.
    pub brier: Option<f64>,
    /// The expected calibration error over ten bins.
    pub expected_error: Option<f64>,
    /// The reliability diagram.
    pub reliability: Vec<Bin>,
    /// What a confidence is worth by these labels: how often verdicts of it are right, rising with it. By pooling adjacent
    /// violators from 200 labels on, by Platt's sigmoid below; empty where either cannot be fitted.
    pub worth: Vec<Worth>,
    /// The risk at every coverage.
    pub risk_coverage: Vec<Point>,
    /// The mean risk over all coverages.
    pub mean_risk: Option<f64>,
}

impl Figures {
    /// Counts verdicts that were decided blind; others are passed over.
    pub fn of(labels: &[&LabelledVerdict]) -> Self {
        let decided = || {
            labels.iter().filter_map(|v| match v.answered {
                Answered::Said(people) => Some((v, people)),
                Answered::Told | Answered::Unknown | Answered::Open | Answered::GivenUp => None,
            })
        };
        let confusion: Confusion = decided().map(|(v, people)| (v.says, people)).collect();
        let said: Vec<Said> =
            decided().map(|(v, people)| Said { confidence: v.confidence, right: v.says == people }).collect();
        let table = confusion.table();
        let n = confusion.total();
        let reliability = calibration::reliability(&said, BINS).unwrap_or_default();
        let risk_coverage = risk_coverage::curve(&said);
        Self {
            confusion,
            agreement: confusion.agreement().map(Figure::rate),
            sensitivity: confusion.sensitivity().map(Figure::rate),
            specificity: confusion.specificity().map(Figure::rate),
            kappa: table.as_ref().and_then(|t| {
                Some(Figure::agreement(t.kappa(Weights::Alike)?, t.kappa_interval(Weights::Alike, CONFIDENCE), n))
            }),
            ac1: table.as_ref().map(|t| Figure::agreement(t.ac1(), t.ac1_interval(CONFIDENCE), n)),
            mcc: table.as_ref().and_then(|t| t.mcc()),
            brier: calibration::brier(&said),
            expected_error: (!reliability.is_empty()).then(|| calibration::expected_error(&reliability)),
            worth: worth(&said),
            reliability,
            mean_risk: risk_coverage::area(&risk_coverage),
            risk_coverage,
        }
    }
}

/// Fits how often verdicts are right to their confidences: at each confidence there is.
fn worth(said: &[Said]) -> Vec<Worth> {
    let mut sorted = said.to_vec();
    // Of one confidence the right ones first, so that they are pooled with the others.
    sorted.sort_by(|a, b| a.confidence.total_cmp(&b.confidence).then(b.right.cmp(&a.right)));
    let fitted: Vec<f64> = if sorted.len() >= ENOUGH_TO_POOL {
        let right: Vec<f64> = sorted.iter().map(|s| f64::from(u8::from(s.right))).collect();
        calibration::isotonic(&right)
    } else {
        let pairs: Vec<(f64, bool)> = sorted.iter().map(|s| (s.confidence, s.right)).collect();
        match Platt::fit(&pairs) {
            Some(platt) => sorted.iter().map(|s| platt.chance(s.confidence)).collect(),
            None => return Vec::new(),
        }
    };
    let mut worth: Vec<Worth> =
        sorted.iter().zip(fitted).map(|(s, right)| Worth { confidence: s.confidence, right }).collect();
    worth.dedup_by_key(|w| w.confidence);
    worth
}

/// How far people agree with each other where several answered; `None` where nobody did, or all answers are alike.
pub fn alpha(labels: &[&LabelledVerdict]) -> Option<Figure> {
    let number = |pass: &bool| f64::from(u8::from(*pass));
    let several: Vec<Vec<f64>> =
        labels.iter().filter(|v| v.people.len() > 1).map(|v| v.people.values().map(number).collect()).collect();
    let value = krippendorff::alpha(&several, Scale::Nominal)?;
    Some(Figure { value, interval: None, count: several.len() as u64 })
}

/// Agreement by version of the judge, in the order in which they came.
pub fn by_version(labels: &[&LabelledVerdict]) -> Vec<Part> {
    let mut versions: BTreeMap<String, Vec<&LabelledVerdict>> = BTreeMap::new();
    for v in labels {
        let version = v.judge_version.clone().unwrap_or_else(|| v.check_digest.to_string());
        versions.entry(version).or_default().push(v);
    }
    let mut parts: Vec<Part> = versions.into_iter().filter_map(|(name, labels)| part(name, &labels)).collect();
    parts.sort_by_key(|p| p.from);
    parts
}

/// Agreement over time, in spans of as many labels each.
pub fn over_time(labels: &[&LabelledVerdict]) -> Vec<Part> {
    let mut decided: Vec<&LabelledVerdict> = labels.iter().copied().filter(|v| v.is_right().is_some()).collect();
    decided.sort_by(|a, b| (a.at, &a.item).cmp(&(b.at, &b.item)));
    let size = decided.len().div_ceil(SPANS).max(1);
    decided.chunks(size).filter_map(|span| part(String::new(), span)).collect()
}

fn part(name: String, labels: &[&LabelledVerdict]) -> Option<Part> {
    let decided = || labels.iter().filter(|v| v.is_right().is_some());
    let hits = decided().filter(|v| v.is_right() == Some(true)).count() as u64;
    let of = decided().count() as u64;
    let times = || decided().map(|v| v.at);
    let (from, to) = (times().min()?, times().max()?);
    Some(Part { name, from, to, agreement: Figure::rate(Rate { hits, of }) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::verdict;
    use super::*;
    use Answered::{GivenUp, Open, Said as People, Told, Unknown};

    fn figures(labels: &[LabelledVerdict]) -> Figures {
        Figures::of(&labels.iter().collect::<Vec<_>>())
    }

    #[test]
    fn counts_what_is_decided_and_nothing_else() {
        let labels = [
            verdict(1, true, 0.9, People(true)),
            verdict(2, true, 0.6, People(false)),
            verdict(3, false, 0.8, People(false)),
            verdict(4, true, 0.9, Open),
            verdict(5, true, 0.9, GivenUp),
            verdict(6, true, 0.9, Told),
            verdict(7, true, 0.9, Unknown),
        ];
        let found = figures(&labels);
        assert_eq!(found.confusion, Confusion { true_pass: 1, false_pass: 1, false_fail: 0, true_fail: 1 });
        assert_eq!(found.agreement.map(|f| (f.value, f.count)), Some((2.0 / 3.0, 3)));
        assert_eq!(found.reliability.iter().map(|b| b.count).sum::<u64>(), 3);
        assert_eq!(found.risk_coverage.last().map(|p| (p.accepted, p.wrong)), Some((3, 1)));
    }

    #[test]
    fn what_cannot_be_known_is_absent() {
        let found = figures(&[verdict(1, true, 0.9, Open)]);
        assert_eq!(
            (found.agreement, found.kappa, found.ac1, found.brier, found.mean_risk),
            (None, None, None, None, None)
        );
        let one = figures(&[verdict(1, true, 0.9, People(true))]);
        assert_eq!((one.specificity, one.kappa), (None, None));
        assert!(one.ac1.unwrap().interval.unwrap()[0] < 0.0, "one label that agrees is not certainty: {:?}", one.ac1);
    }

    #[test]
    fn what_a_confidence_is_worth_rises_with_it() {
        let many = |n: u64| -> Vec<LabelledVerdict> {
            let part = |i: u64| [(0.6, 2), (0.8, 4), (0.9, 50)][(i % 3) as usize];
            (0..n).map(|i| verdict(i, true, part(i).0, People(!(i / 3).is_multiple_of(part(i).1)))).collect()
        };
        let pooled = figures(&many(300)).worth;
        assert_eq!(pooled.iter().map(|w| w.confidence).collect::<Vec<_>>(), [0.6, 0.8, 0.9]);
        assert!(pooled.iter().zip([0.5, 0.75, 0.98]).all(|(w, right)| (w.right - right).abs() < 1e-9), "{pooled:?}");
        let fitted = figures(&many(120)).worth;
        assert_eq!(fitted.len(), 3);
        assert!(fitted.windows(2).all(|two| two[0].right < two[1].right), "{fitted:?}");
        assert_eq!(figures(&[verdict(1, true, 0.9, People(true))]).worth, []);
    }

    #[test]
    fn several_people_have_an_alpha() {
        let mut labels = [verdict(1, true, 0.9, People(true)), verdict(2, true, 0.9, People(false))];
        for (label, answers) in labels.iter_mut().zip([[true, true], [false, false]]) {
            label.people = [("ann".to_owned(), answers[0]), ("bob".to_owned(), answers[1])].into();
        }
        let all: Vec<&LabelledVerdict> = labels.iter().collect();
        assert_eq!(alpha(&all).map(|f| (f.value, f.count)), Some((1.0, 2)));
        assert_eq!(alpha(&[]), None);
    }

    #[test]
    fn agreement_is_told_by_version_and_over_time() {
        let labels: Vec<LabelledVerdict> = (0..12)
            .map(|i| LabelledVerdict {
                judge_version: Some(if i < 6 { "old" } else { "new" }.to_owned()),
                ..verdict(i, true, 0.9, People(i >= 6))
            })
            .collect();
        let all: Vec<&LabelledVerdict> = labels.iter().collect();
        let versions: Vec<(String, f64)> = by_version(&all).into_iter().map(|p| (p.name, p.agreement.value)).collect();
        assert_eq!(versions, [("old".to_owned(), 0.0), ("new".to_owned(), 1.0)]);
        let spans: Vec<(i64, i64)> = over_time(&all).iter().map(|p| (p.from, p.to)).collect();
        assert_eq!(spans, [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)]);
    }
}
