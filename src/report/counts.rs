//! How the cases of a suite went, in words that are the same in every report.

use crate::eval::gate::CaseCounts;

/// Cases that did not simply pass, by what became of them; what there is none of is left out. Flaky ones are among the
/// others, and surprises among those that passed: reports name both.
pub fn not_passed(cases: &CaseCounts) -> impl Iterator<Item = (u64, &'static str)> {
    [
        (cases.failed, "failed"),
        (cases.error, "not measured"),
        (cases.held, "held"),
        (cases.skipped, "skipped"),
        (cases.idle, "without a subject of any blocking check"),
        (cases.expected_fail, "failed as expected"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
}

/// A count as it is read: its thousands apart, by a narrow space that no line is broken at.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        let shown = |n| grouped(n).replace('\u{202f}', " ");
        assert_eq!([0, 999, 1_000, 45_678, 1_234_567].map(shown), ["0", "999", "1 000", "45 678", "1 234 567"]);
    }
}
