//! Exit codes: the contract between seatrial and whatever runs it.

use super::gate::Decision;

/// Every gate passed.
pub const PASSED: u8 = 0;
/// A gate failed: the agent did not meet the suite.
pub const FAILED: u8 = 1;
/// Usage or suite error: nothing was run.
pub const USAGE: u8 = 2;
/// Held: the decision depends on verdicts that wait for a person.
pub const HELD: u8 = 3;
/// Not shown: unmeasured or inconclusive.
pub const NOT_SHOWN: u8 = 4;
/// Interrupted, capped, or could not be written: incomplete.
pub const INCOMPLETE: u8 = 5;
/// A bug in seatrial.
pub const BUG: u8 = 70;

/// The exit codes with their meaning, for help and documentation.
pub const TABLE: &[(u8, &str)] = &[
    (PASSED, "every gate passed; of a shard: it is recorded"),
    (FAILED, "a gate failed: the agent did not meet the suite"),
    (USAGE, "usage or suite error: nothing was run; every problem is listed with file, line and help"),
    (HELD, "held: the decision depends on verdicts that wait for a person"),
    (
        NOT_SHOWN,
        "not shown: unmeasured (nothing ran, a check was never exercised, errors beyond what the gate allows) \
         or inconclusive (too few cases)",
    ),
    (INCOMPLETE, "interrupted, capped, or could not be written: incomplete, run it again"),
    (BUG, "a bug in seatrial: a panic was caught and reported as that session's error"),
];

/// `stopped` of a run that `--fail-fast` ended.
pub const FAIL_FAST: &str = "fail-fast";

/// The exit code of a run. When several apply: 70, then 5, then 1, then 4, then 3.
pub fn code(decisions: impl IntoIterator<Item = Decision>, incomplete: bool, bug: bool) -> u8 {
    let worst = decisions.into_iter().max();
    match worst {
        _ if bug => BUG,
        _ if incomplete => INCOMPLETE,
        Some(Decision::Failed) => FAILED,
        Some(Decision::Unmeasured | Decision::Inconclusive) => NOT_SHOWN,
        Some(Decision::Held) => HELD,
        // A shard is there to be recorded, and it was.
        Some(Decision::Passed | Decision::Deferred) => PASSED,
        // Nothing was decided, so nothing is shown.
        None => NOT_SHOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_several_apply_the_gravest_wins() {
        use Decision::{Deferred, Failed, Held, Inconclusive, Passed, Unmeasured};
        assert_eq!(code([Passed, Passed], false, false), 0);
        assert_eq!(code([Deferred, Deferred], false, false), 0);
        assert_eq!(code([Deferred], true, false), 5);
        assert_eq!(code([Passed, Held], false, false), 3);
        assert_eq!(code([Held, Inconclusive], false, false), 4);
        assert_eq!(code([Held, Unmeasured], false, false), 4);
        assert_eq!(code([Unmeasured, Failed, Held], false, false), 1);
        assert_eq!(code([Failed], true, false), 5);
        assert_eq!(code([Failed], true, true), 70);
        assert_eq!(code([], false, false), 4);
    }
}
