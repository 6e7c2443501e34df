//! How the cases of a suite went, in words that are the same in every report.

use crate::eval::gate::CaseCounts;

/// Cases that did not simply pass, by what became of them; what there is none of is left out. Flaky ones are among the
/// others, and surprises among those that passed: reports name both.
pub fn not_passed(cases: &CaseCounts) -> impl Iterator<Item = String> {
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
    .map(|(n, word)| format!("{n} {word}"))
}
