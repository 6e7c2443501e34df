//! Krippendorff's alpha: how far any number of people agree who each labelled some of the same things.

/// What the labels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Kinds without an order, such as pass and fail.
    Nominal,
    /// Ranks: only their order counts.
    Ordinal,
    /// Numbers whose differences count.
    Interval,
    /// Numbers from zero on, whose ratios count.
    Ratio,
}

/// Krippendorff's alpha of things that were labelled by one or more, each given as the labels it has (K. Krippendorff,
/// Content Analysis, 2004): 1 less the observed over the expected disagreement. A thing with fewer than two labels
/// says nothing about agreement and is left out.
///
/// `None` when nothing was labelled twice, when all labels are alike (chance alone explains that), or a label is not
/// finite, or is below zero on a ratio scale.
pub fn alpha<L: AsRef<[f64]>>(things: &[L], scale: Scale) -> Option<f64> {
    let pairable = || things.iter().map(AsRef::as_ref).filter(|labels| labels.len() >= 2);
    let sound = |v: &f64| v.is_finite() && (scale != Scale::Ratio || *v >= 0.0);
    if !pairable().flatten().all(sound) {
        return None;
    }
    let mut values: Vec<f64> = pairable().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let place = |v: &f64| values.binary_search_by(|x| x.total_cmp(v)).ok();

    // Coincidences: every ordered pair of labels of one thing, of which there are m (m - 1), counts 1 / (m - 1).
    let mut seen = vec![vec![0.0; values.len()]; values.len()];
    for labels in pairable() {
        let share = 1.0 / (labels.len() - 1) as f64;
        for (i, a) in labels.iter().enumerate() {
            for (j, b) in labels.iter().enumerate() {
                if i != j {
                    seen[place(a)?][place(b)?] += share;
                }
            }
        }
    }
    let often: Vec<f64> = seen.iter().map(|row| row.iter().sum()).collect();
    let all: f64 = often.iter().sum();
    let (mut observed, mut expected) = (0.0, 0.0);
    for a in 0..values.len() {
        for b in 0..values.len() {
            let apart = scale.apart(&values, &often, a, b);
            observed += seen[a][b] * apart;
            expected += often[a] * often[b] * apart;
        }
    }
    (expected > 0.0).then(|| 1.0 - (all - 1.0) * observed / expected)
}

impl Scale {
    /// The squared difference between two labels.
    fn apart(self, values: &[f64], often: &[f64], a: usize, b: usize) -> f64 {
        if a == b {
            return 0.0;
        }
        let (low, high) = (a.min(b), a.max(b));
        let difference = match self {
            Self::Nominal => 1.0,
            // As many labels as lie between the middles of the two.
            Self::Ordinal => often[low..=high].iter().sum::<f64>() - f64::midpoint(often[low], often[high]),
            Self::Interval => values[high] - values[low],
            Self::Ratio => (values[high] - values[low]) / (values[high] + values[low]),
        };
        difference * difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook's four people and twelve things; 0 is a missing label.
    const TEXTBOOK: [[u8; 12]; 4] = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ];

    #[test]
    fn agrees_with_the_textbook_with_missing_labels() {
        // The package krippendorff 0.9.
        let things: Vec<Vec<f64>> = (0..12)
            .map(|i| TEXTBOOK.iter().map(|person| f64::from(person[i])).filter(|v| *v > 0.0).collect())
            .collect();
        for (scale, expected) in [
            (Scale::Nominal, 0.743_421_052),
            (Scale::Ordinal, 0.815_387_503),
            (Scale::Interval, 0.849_107_142),
            (Scale::Ratio, 0.797_402_774),
        ] {
            let found = alpha(&things, scale).unwrap();
            assert!((found - expected).abs() < 1e-6, "{scale:?}: {found}");
        }
    }

    #[test]
    fn what_nobody_labelled_twice_says_nothing() {
        assert_eq!(alpha(&[vec![1.0], vec![0.0]], Scale::Nominal), None);
        assert_eq!(alpha::<Vec<f64>>(&[], Scale::Nominal), None);
    }

    #[test]
    fn labels_that_are_all_alike_say_nothing() {
        assert_eq!(alpha(&[[1.0, 1.0], [1.0, 1.0]], Scale::Nominal), None);
    }

    #[test]
    fn what_is_no_label_of_the_scale_says_nothing() {
        assert_eq!(alpha(&[[1.0, f64::NAN], [0.0, 1.0]], Scale::Nominal), None);
        assert_eq!(alpha(&[[1.0, -1.0], [0.0, 1.0]], Scale::Ratio), None);
    }

    proptest! {
        #[test]
        fn perfect_agreement_is_one_and_order_does_not_matter(labels in prop::collection::vec((0u8..3, 0u8..3), 3..30)) {
            prop_assume!(labels.iter().any(|(a, _)| *a != labels[0].0));
            let same: Vec<[f64; 2]> = labels.iter().map(|(a, _)| [f64::from(*a); 2]).collect();
            prop_assert!((alpha(&same, Scale::Ordinal).unwrap() - 1.0).abs() < 1e-12);
            let two: Vec<[f64; 2]> = labels.iter().map(|(a, b)| [f64::from(*a), f64::from(*b)]).collect();
            let turned: Vec<[f64; 2]> = two.iter().rev().map(|[a, b]| [*b, *a]).collect();
            let (a, b) = (alpha(&two, Scale::Nominal).unwrap(), alpha(&turned, Scale::Nominal).unwrap());
            prop_assert!((a - b).abs() < 1e-9 && a <= 1.0 + 1e-12);
        }
    }
}
