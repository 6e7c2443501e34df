//! How far two who label the same things agree, beyond what chance would give.
//!
//! Cohen's kappa and Gwet's AC1 are shown side by side: where nearly all labels are of one kind kappa is low however
//! often the two agree (the prevalence paradox), and AC1 is not. Neither says who is right; that is
//! [`super::confusion`].

use super::interval::{Interval, alpha};
use super::special::normal_quantile;

/// How often the first said one thing while the second said another: `counts[first][second]`, over the same kinds in
/// the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    counts: Vec<Vec<u64>>,
}

/// What a disagreement costs, when kinds have an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Every disagreement alike: kinds without an order.
    Alike,
    /// By how far apart the two are.
    Linear,
    /// By the square of how far apart the two are.
    Quadratic,
}

/// A coefficient of agreement: 1 is perfect, 0 what chance gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The coefficient.
    pub value: f64,
    /// Its standard error in large samples.
    pub se: f64,
}

impl Agreement {
    /// The published two-sided interval in large samples, kept to -1 and 1. It covers too seldom where few labels disagree;
    /// to show use [`Table::kappa_interval`] and [`Table::ac1_interval`].
    ///
    /// `None` for no such confidence, and where the labels have no spread to estimate an error from: five labels that
    /// agree do not show perfect agreement.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let reach = normal_quantile(1.0 - alpha(confidence)? / 2.0) * self.se;
        (self.se > 0.0).then(|| Interval { low: (self.value - reach).max(-1.0), high: (self.value + reach).min(1.0) })
    }
}

impl Table {
    /// A table of counts.
    ///
    /// `None` unless it is square, of two kinds or more, and holds anything.
    pub fn new(counts: Vec<Vec<u64>>) -> Option<Self> {
        let square = counts.len() >= 2 && counts.iter().all(|row| row.len() == counts.len());
        (square && counts.iter().flatten().any(|n| *n > 0)).then_some(Self { counts })
    }

    /// The table of pairs of labels out of `kinds`.
    ///
    /// `None` as for [`Table::new`], and when a label is none of the kinds.
    pub fn of_pairs(kinds: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Option<Self> {
        let mut counts = vec![vec![0; kinds]; kinds];
        for (a, b) in pairs {
            *counts.get_mut(a)?.get_mut(b)? += 1;
        }
        Self::new(counts)
    }

    /// How many things were labelled.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// On how many the two agree.
    pub fn agreed(&self) -> u64 {
        self.counts.iter().enumerate().map(|(i, row)| row[i]).sum()
    }

    /// Cohen's kappa, with the standard error of Fleiss, Cohen and Everitt (Psychological Bulletin 72, 1969).
    ///
    /// `None` when both always say the same one thing: chance alone then explains everything.
    pub fn kappa(&self, weights: Weights) -> Option<Agreement> {
        let (rows, columns) = self.margins();
        let kinds = rows.len();
        let w = |i: usize, j: usize| weights.credit(i, j, kinds);
        let observed = self.sum(|i, j, p| w(i, j) * p);
        let expected = sum_over(kinds, |i, j| w(i, j) * rows[i] * columns[j]);
        let rest = 1.0 - expected;
        if rest <= 1e-12 {
            return None;
        }
        // What a label of this kind is worth on average against the other's margins.
        let of_row: Vec<f64> = (0..kinds).map(|i| (0..kinds).map(|j| w(i, j) * columns[j]).sum()).collect();
        let of_column: Vec<f64> = (0..kinds).map(|j| (0..kinds).map(|i| w(i, j) * rows[i]).sum()).collect();
        let squares = self.sum(|i, j, p| p * (w(i, j) * rest - (of_row[i] + of_column[j]) * (1.0 - observed)).powi(2));
        let mean = observed * expected - 2.0 * expected + observed;
        let variance = (squares - mean * mean).max(0.0) / (self.total() as f64 * rest.powi(4));
        Some(Agreement { value: (observed - expected) / rest, se: variance.sqrt() })
    }

    /// Gwet's AC1, with his standard error (British Journal of Mathematical and Statistical Psychology 61, 2008).
    pub fn ac1(&self) -> Agreement {
        let (rows, columns) = self.margins();
        let kinds = rows.len() as f64;
        let share: Vec<f64> = rows.iter().zip(&columns).map(|(r, c)| f64::midpoint(*r, *c)).collect();
        let observed = self.agreed() as f64 / self.total() as f64;
        let expected = share.iter().map(|p| p * (1.0 - p)).sum::<f64>() / (kinds - 1.0);
        let rest = 1.0 - expected;
        let same = self.sum(|i, j, p| if i == j { p * (1.0 - share[i]) } else { 0.0 }) / (kinds - 1.0);
        let squares = self.sum(|i, j, p| p * (1.0 - f64::midpoint(share[i], share[j])).powi(2)) / (kinds - 1.0).powi(2);
        // 1 - AC1: how much an error in what is expected counts.
        let away = (1.0 - observed) / rest;
        let variance = observed * (1.0 - observed) - 4.0 * away * (same - observed * expected)
            + 4.0 * away * away * (squares - expected * expected);
        let se = (variance.max(0.0) / self.total() as f64).sqrt() / rest;
        Agreement { value: (observed - expected) / rest, se }
    }

    /// The two-sided interval of kappa: that of large samples with one more label in every cell, reaching to kappa itself.
    /// The published one shrinks to a point where none disagree, and covers too seldom where few do.
    ///
    /// `None` as for [`Table::kappa`], and for no such confidence.
    pub fn kappa_interval(&self, weights: Weights, confidence: f64) -> Option<Interval> {
        let limits = self.with_one_more().kappa(weights)?.interval(confidence)?;
        Some(limits.reaching(self.kappa(weights)?.value))
    }

    /// The two-sided interval of AC1, as [`Table::kappa_interval`].
    ///
    /// `None` for no such confidence.
    pub fn ac1_interval(&self, confidence: f64) -> Option<Interval> {
        Some(self.with_one_more().ac1().interval(confidence)?.reaching(self.ac1().value))
    }

    /// With one more label in every cell.
    fn with_one_more(&self) -> Self {
        Self { counts: self.counts.iter().map(|row| row.iter().map(|n| n.saturating_add(1)).collect()).collect() }
    }

    /// Matthews' correlation coefficient; with more than two kinds that of Gorodkin (2004).
    ///
    /// `None` when either always says the same.
    pub fn mcc(&self) -> Option<f64> {
        let (rows, columns) = self.margins();
        let same = self.agreed() as f64 / self.total() as f64;
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let spread = (1.0 - product(&rows, &rows)) * (1.0 - product(&columns, &columns));
        (spread > 1e-15).then(|| (same - product(&rows, &columns)) / spread.sqrt())
    }

    /// The shares of each kind, by the first and by the second.
    fn margins(&self) -> (Vec<f64>, Vec<f64>) {
        let total = self.total() as f64;
        let rows = self.counts.iter().map(|row| row.iter().sum::<u64>() as f64 / total).collect();
        let columns = (0..self.counts.len()).map(|j| self.counts.iter().map(|r| r[j]).sum::<u64>() as f64 / total);
        (rows, columns.collect())
    }

    fn sum(&self, of: impl Fn(usize, usize, f64) -> f64) -> f64 {
        let total = self.total() as f64;
        sum_over(self.counts.len(), |i, j| of(i, j, self.counts[i][j] as f64 / total))
    }
}

impl Weights {
    /// 1 for agreement, less the further apart.
    fn credit(self, i: usize, j: usize, kinds: usize) -> f64 {
        let apart = i.abs_diff(j) as f64 / (kinds - 1) as f64;
        match self {
            Self::Alike => f64::from(u8::from(i == j)),
            Self::Linear => 1.0 - apart,
            Self::Quadratic => 1.0 - apart * apart,
        }
    }
}

fn sum_over(kinds: usize, of: impl Fn(usize, usize) -> f64) -> f64 {
    (0..kinds).flat_map(|i| (0..kinds).map(move |j| (i, j))).map(|(i, j)| of(i, j)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table<const N: usize>(counts: [[u64; N]; N]) -> Table {
        Table::new(counts.iter().map(|row| row.to_vec()).collect()).unwrap()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn kappa_agrees_with_the_reference_numbers() {
        // statsmodels.stats.inter_rater.cohens_kappa; its errors again by a numeric derivative over the multinomial.
        let found = table([[20, 5], [10, 15]]).kappa(Weights::Alike).unwrap();
        close(found.value, 0.4);
        close(found.se, 0.126_996_062_931);
        let limits = found.interval(0.95).unwrap();
        close(limits.low, 0.151_092_290);
        close(limits.high, 0.648_907_709);
        let three = table([[10, 2, 1], [3, 12, 4], [0, 2, 16]]);
        for (weights, value, se) in [
            (Weights::Alike, 0.636_143_117, 0.091_125_097),
            (Weights::Linear, 0.698_515_770, 0.081_027_581),
            (Weights::Quadratic, 0.763_406_940, 0.077_710_998),
        ] {
            let found = three.kappa(weights).unwrap();
            close(found.value, value);
            close(found.se, se);
        }
    }

    #[test]
    fn weighted_kappa_agrees_with_the_reference_numbers() {
        // sklearn.metrics.cohen_kappa_score; the errors by statsmodels.
        let a = [1, 2, 3, 4, 5, 3, 2, 1, 5, 4];
        let b = [1, 2, 4, 4, 4, 3, 1, 1, 5, 3];
        let pairs = a.iter().zip(&b).map(|(a, b)| (a - 1, b - 1));
        let table = Table::of_pairs(5, pairs).unwrap();
        for (weights, value, se) in [
            (Weights::Alike, 0.5, 0.190_394_328),
            (Weights::Linear, 0.75, 0.106_891_446),
            (Weights::Quadratic, 0.9, 0.049_446_941),
        ] {
            let found = table.kappa(weights).unwrap();
            close(found.value, value);
            close(found.se, se);
        }
        close(table.mcc().unwrap(), 0.512_989_176);
    }

    #[test]
    fn ac1_and_mcc_agree_with_the_reference_numbers() {
        // AC1's errors by a numeric derivative over the multinomial, in numpy; MCC by sklearn.
        let even = table([[20, 5], [10, 15]]);
        close(even.ac1().value, 0.405_940_594);
        close(even.ac1().se, 0.130_151_718);
        close(even.mcc().unwrap(), 0.408_248_290);
        let three = table([[10, 2, 1], [3, 12, 4], [0, 2, 16]]);
        close(three.ac1().value, 0.642_378_185);
        close(three.ac1().se, 0.090_201_399);
        close(three.mcc().unwrap(), 0.639_638_427);
    }

    #[test]
    fn where_nearly_all_are_of_one_kind_kappa_is_low_and_ac1_is_not() {
        let skewed = table([[90, 4], [3, 3]]);
        close(skewed.kappa(Weights::Alike).unwrap().value, 0.424_342_105);
        close(skewed.kappa(Weights::Alike).unwrap().se, 0.179_160_681);
        close(skewed.ac1().value, 0.920_314_190);
        close(skewed.ac1().se, 0.031_045_537);
        close(skewed.mcc().unwrap(), 0.425_784_316);
    }

    #[test]
    fn five_labels_that_agree_show_little() {
        let five = table([[3, 0], [0, 2]]);
        // The published interval would be a point.
        assert_eq!(five.kappa(Weights::Alike).unwrap().interval(0.95), None);
        assert_eq!(five.ac1().interval(0.95), None);
        close(five.ac1().value, 1.0);
        let limits = [five.kappa_interval(Weights::Alike, 0.95).unwrap(), five.ac1_interval(0.95).unwrap()];
        assert!(limits.iter().all(|i| i.low < 0.1 && i.high == 1.0), "{limits:?}");
        assert_eq!(table([[7, 0], [0, 0]]).kappa_interval(Weights::Alike, 0.95), None);
    }

    #[test]
    fn the_intervals_that_are_shown_are_those_of_one_more_label_in_every_cell() {
        let (labels, more) = (table([[90, 4], [3, 3]]), table([[91, 5], [4, 4]]));
        let (kappa, ac1) = (more.kappa(Weights::Alike).unwrap().interval(0.95), more.ac1().interval(0.95));
        assert_eq!((labels.kappa_interval(Weights::Alike, 0.95), labels.ac1_interval(0.95)), (kappa, ac1));
        assert_eq!((labels.kappa_interval(Weights::Alike, 1.0), labels.ac1_interval(1.0)), (None, None));
    }

    #[test]
    fn what_cannot_be_known_is_nothing() {
        assert_eq!(Table::new(vec![vec![0, 0], vec![0, 0]]), None);
        assert_eq!((Table::new(vec![vec![1]]), Table::new(vec![vec![1, 2], vec![1]])), (None, None));
        assert_eq!(Table::of_pairs(2, [(0, 2)]), None);
        let one_kind = table([[7, 0], [0, 0]]);
        assert_eq!((one_kind.kappa(Weights::Alike), one_kind.mcc()), (None, None));
        assert_eq!(table([[1, 1], [1, 1]]).ac1().interval(1.0), None);
    }

    proptest! {
        #[test]
        fn who_is_first_does_not_matter(n in prop::collection::vec(0u64..50, 9), more in 1u64..9) {
            let counts: Vec<Vec<u64>> = n.chunks(3).map(<[u64]>::to_vec).collect();
            let turned: Vec<Vec<u64>> = (0..3).map(|j| (0..3).map(|i| counts[i][j] + u64::from(i == j) * more).collect()).collect();
            let straight: Vec<Vec<u64>> = (0..3).map(|i| (0..3).map(|j| counts[i][j] + u64::from(i == j) * more).collect()).collect();
            let (a, b) = (Table::new(straight).unwrap(), Table::new(turned).unwrap());
            prop_assert!((a.ac1().value - b.ac1().value).abs() < 1e-12 && (a.ac1().se - b.ac1().se).abs() < 1e-12);
            for weights in [Weights::Alike, Weights::Linear, Weights::Quadratic] {
                match (a.kappa(weights), b.kappa(weights)) {
                    (Some(a), Some(b)) => prop_assert!((a.value - b.value).abs() < 1e-9 && (a.se - b.se).abs() < 1e-9 && a.value <= 1.0 + 1e-12),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }
}
