//! Suites of all kinds: what blocks, what counts what others say, and the bars of the gate.

use proptest::prelude::*;

use crate::eval::calibration::Calibration;
use crate::stats::confusion::Confusion;
use crate::suite::Suite;

/// The checks below system level: two that block, one that may be critical, one that blocks nothing.
pub const CHECKS: usize = 4;

/// The cases of every suite.
pub const CASES: usize = 4;

/// What may differ between suites.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many subjects of a session have to pass, by check.
    require: [usize; CHECKS],
    critical: bool,
    /// The cases are declared: with tags, weights, and one that may be expected to fail.
    pub declared: bool,
    /// Its first case is expected to fail.
    pub excused: bool,
    heavy: bool,
    /// Of the pass rate, in sixths.
    min: u32,
    confidence: Option<f64>,
    errors: u32,
    reliability: Option<u32>,
    group: bool,
    pub baseline: Option<Bar>,
    pub correct: Option<Correct>,
    system: Vec<String>,
}

/// Of a comparison with an earlier run.
#[derive(Debug, Clone)]
pub struct Bar {
    margin: u32,
    unpaired: u32,
    mean: bool,
    group: bool,
}

/// Of a pass rate without the errors of the judge.
#[derive(Debug, Clone)]
pub struct Correct {
    method: &'static str,
    min: f64,
    group: bool,
    labels: Confusion,
    /// Cases beside the others of which nothing waits: that pass, and that the judge fails.
    pub more: (u64, u64),
}

impl Shape {
    /// The suite.
    pub fn suite(&self) -> Suite {
        crate::eval::testing::suite(&self.toml())
    }

    /// Whether a check is better off with more failures of others.
    pub fn wants_failures(&self) -> bool {
        self.system.iter().any(|check| check.contains("detection_rate") && check.contains("\nmin = "))
    }

    /// What people said of its judge.
    pub fn calibration(&self, suite: &Suite) -> Option<Calibration> {
        let labels = self.correct.as_ref()?.labels;
        let judge = suite.checks.iter().find(|check| check.id == "a")?;
        Some(Calibration { check: "a".to_owned(), digest: judge.digest, labels, undecided: 0, rate: 0.1 })
    }

    pub fn toml(&self) -> String {
        const REQUIRE: [&str; 4] =
            ["", "require = \"any\"\n", "require = { at_least = 2 }\n", "require = { at_least = 0.6 }\n"];
        let check = |i: usize, id: &str, severity: &str| {
            let require = REQUIRE[self.require[i]];
            format!(
                "[[turn]]\nid = \"{id}\"\ncheck = \"contains\"\nvalue = \"x\"\nseverity = \"{severity}\"\n{require}\n"
            )
        };
        let mut toml = match self.correct {
            Some(_) => "[[session]]\nid = \"a\"\ncheck = \"judge\"\nrubric = \"x\"\n".to_owned(),
            None => check(0, "a", "block"),
        };
        toml += &check(1, "b", "block");
        toml += &check(2, "c", if self.critical { "critical" } else { "block" });
        toml += &check(3, "w", "warn");
        self.system.iter().enumerate().for_each(|(i, system)| toml += &format!("[[system]]\nid = \"s{i}\"\n{system}"));
        for case in (0..CASES).filter(|_| self.declared) {
            toml += &format!("[[case]]\nid = \"c{case}\"\n");
            toml += if case % 2 == 0 { "tags = [\"even\"]\n" } else { "" };
            toml += if case == 1 && self.heavy { "weight = 2.0\n" } else { "" };
            toml += match case == 0 && self.excused {
                true => "expected_fail = { until = \"2030-01-01\", reason = \"known\" }\n",
                false => "",
            };
        }
        toml + &self.gate()
    }

    fn gate(&self) -> String {
        let share = |of: u32, all: u32| format!("{:.4}", f64::from(of) / f64::from(all));
        let mut gate = format!("[gate]\nmax_missing_cases = {CASES}\nmax_error_rate = {}\n", share(self.errors, 4));
        let confidence = self.confidence.map(|c| format!(", confidence = {c}")).unwrap_or_default();
        gate += &match &self.correct {
            Some(correct) => format!("pass_rate = {{ min = {:.3}, correct = \"{}\" }}\n", correct.min, correct.method),
            None => format!("pass_rate = {{ min = {}{confidence} }}\n", share(self.min, 6)),
        };
        if let Some(k) = self.reliability {
            gate += &format!("reliability = {{ k = {k}, min = 0.6{confidence} }}\n");
        }
        if let Some(Bar { margin, unpaired, mean, .. }) = &self.baseline {
            let means = if *mean { ", means = [{ metric = \"turns\", max_rise = 1.5 }]" } else { "" };
            gate += &format!(
                "baseline = {{ run = \"then\", margin = 0.{margin}, alpha = 0.49, max_unpaired = {unpaired}{means} }}\n"
            );
        }
        let margin = self.baseline.as_ref().filter(|bar| bar.group).map(|_| "margin = 0.3\n").unwrap_or_default();
        let bar = match &self.correct {
            Some(correct) if correct.group => {
                format!("pass_rate = {{ min = {:.3}, correct = \"{}\" }}\n", correct.min, correct.method)
            }
            _ => "pass_rate = { min = 0.5 }\n".to_owned(),
        };
        if self.group || !margin.is_empty() || self.correct.as_ref().is_some_and(|c| c.group) {
            gate += &format!("[[gate.group]]\ntag = \"even\"\n{bar}{margin}");
        }
        gate
    }
}

/// Any suite.
pub fn shape() -> impl Strategy<Value = Shape> {
    let some = prop::bool::weighted;
    let flags = (some(0.25), some(0.6), some(0.25), some(0.5), some(0.25));
    let confidence = prop::option::weighted(0.3, prop::sample::select(vec![0.5, 0.6, 0.8]));
    let bars = (0u32..=4, confidence, prop::sample::select(vec![0u32, 2, 4, 4, 4]));
    let bar = (1u32..9, 0u32..6, any::<bool>(), any::<bool>()).prop_map(|(margin, unpaired, mean, group)| Bar {
        margin,
        unpaired,
        mean,
        group,
    });
    let parts = (
        prop::array::uniform4(prop::sample::select(vec![0, 0, 1, 1, 2, 3])),
        flags,
        bars,
        prop::option::weighted(0.3, 1u32..3),
        prop::option::weighted(0.4, bar),
        prop::option::weighted(0.3, correct()),
    );
    parts.prop_flat_map(|(require, flags, (min, confidence, errors), reliability, baseline, correct)| {
        let (critical, declared, excused, heavy, group) = flags;
        let against = baseline.is_some();
        prop::collection::vec(system(against), 0..3).prop_map(move |system| Shape {
            require,
            critical,
            declared: declared || excused,
            excused,
            // What has weights has no confidence, and shows nothing of that.
            heavy: heavy && confidence.is_none() && correct.is_none(),
            min,
            confidence,
            errors,
            reliability: reliability.filter(|_| correct.is_none()),
            group,
            baseline: baseline.clone(),
            correct: correct.clone(),
            system,
        })
    })
}

fn correct() -> impl Strategy<Value = Correct> {
    let labels =
        (30u64..200, 0u64..20, 0u64..20, 12u64..60).prop_map(|(true_pass, false_pass, false_fail, true_fail)| {
            Confusion { true_pass, false_pass, false_fail, true_fail }
        });
    let method = prop::sample::select(vec!["ppi", "rogan_gladen"]);
    (method, 0.05f64..1.0, any::<bool>(), labels, (0u64..40, 0u64..8))
        .prop_map(|(method, min, group, labels, more)| Correct { method, min, group, labels, more })
}

/// A system check that counts what others say.
fn system(against: bool) -> impl Strategy<Value = String> {
    let of = prop::sample::select(vec!["", "of = \"a\"\n", "of = \"b\"\n", "of = \"c\"\n", "of = \"w\"\n"]);
    let tag = prop::sample::select(vec!["", "", "tag = \"even\"\n"]);
    let min = prop::sample::select(vec![0.25, 0.34, 0.5, 0.67, 0.75, 1.0]);
    let pass_rate = (of.clone(), tag, min.clone())
        .prop_map(|(of, tag, min)| format!("check = \"pass_rate\"\n{of}{tag}min = {min}\n"));
    let stat = prop::sample::select(vec!["", "stat = \"pass_at_k\"\n"]);
    let reliability = (of, 1u32..3, stat, prop::option::of(min)).prop_map(|(of, k, stat, min)| {
        let min = min.map(|min| format!("min = {min}\n")).unwrap_or_default();
        format!("check = \"reliability\"\n{of}k = {k}\n{stat}{min}")
    });
    let by = prop::sample::select(vec!["check", "case", "tag"]);
    let top_failures = (by, prop::option::of(0u32..4)).prop_map(|(by, max)| {
        let max = max.map(|max| format!("max = {max}\n")).unwrap_or_default();
        format!("check = \"top_failures\"\nby = \"{by}\"\n{max}")
    });
    let severity = prop::sample::select(vec!["block", "block", "critical", "warn"]);
    let some = prop_oneof![pass_rate, reliability, top_failures, rate(against)];
    (some, severity, prop::bool::weighted(0.2)).prop_map(|(check, severity, optional)| {
        let optional = if optional { "optional = true\n" } else { "" };
        format!("{check}severity = \"{severity}\"\n{optional}")
    })
}

/// How often a check fails among its subjects.
fn rate(against: bool) -> impl Strategy<Value = String> {
    let of = prop::sample::select(vec!["a", "b", "c", "w"]);
    let share = prop::sample::select(vec![0.0, 0.2, 0.34, 0.5, 0.67, 1.0]);
    let bounds = (prop::option::of(share.clone()), prop::option::of(share)).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) if a > b => (Some(b), Some(a)),
        both => both,
    });
    let more = (
        prop::sample::select(vec!["", "by = \"tag\"\n", "by = \"tag\"\ngroups = [\"even\"]\n"]),
        prop::sample::select(vec!["", "", "min_coverage = 0.5\n"]),
        prop::sample::select(vec!["", "", "min_count = 3\n"]),
        prop::option::weighted(0.4, prop::sample::select(vec![0.5, 1.0, 2.0])),
    );
    (of, bounds, more).prop_map(move |(of, (min, max), (by, coverage, count, ratio))| {
        let key = |name: &str, of: Option<f64>| of.map(|of| format!("{name} = {of:?}\n")).unwrap_or_default();
        let ratio = ratio
            .filter(|_| against)
            .map(|ratio| format!("max_ratio = {ratio:?}\nagainst = \"baseline\"\n"))
            .unwrap_or_default();
        let bounds = key("min", min) + &key("max", max) + &ratio;
        format!("check = \"metric\"\nmetric = \"detection_rate\"\nof = \"{of}\"\n{by}{coverage}{count}{bounds}")
    })
}
