//! What `metric` measures, gates and refuses.

use super::super::testing::{examples_hold, problems, run, run_against};
use super::*;

/// Sessions that each call `f` that many times.
fn calling(counts: &[usize]) -> String {
    let line = |(i, n): (usize, &usize)| {
        let spans = vec![r#"{"kind":"tool","name":"f","status":"ok"}"#; *n].join(",");
        format!(r#"{{"id":"{i}","agent":"a{}","turns":[{{"spans":[{spans}]}}]}}"#, i % 2)
    };
    counts.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn over(toml: &str, counts: &[usize]) -> SystemFinding {
    run::<Metric>(&format!("metric = 'tool_calls'\n{toml}"), &calling(counts))
}

#[test]
fn the_documented_examples_hold() {
    examples_hold::<Metric>();
}

#[test]
fn each_statistic_is_what_its_name_says() {
    let counts = [2, 4, 4, 4, 5, 5, 7, 9];
    let cases = [
        ("mean", 5.0),
        ("min", 2.0),
        ("max", 9.0),
        ("sum", 40.0),
        ("count", 8.0),
        ("stddev", 2.138089935299395),
        ("p50", 4.0),
        ("p75", 5.0),
        ("p95", 9.0),
        ("p99.9", 9.0),
    ];
    for (stat, value) in cases {
        let finding = over(&format!("stat = '{stat}'"), &counts);
        assert_eq!((finding.status, finding.value, finding.count), (Status::Pass, Some(value), 8), "{stat}");
    }
}

#[test]
fn a_bound_includes_its_end_and_the_reason_has_number_and_bound() {
    assert_eq!(over("stat = 'max'\nmax = 3", &[1, 3]).status, Status::Pass);
    let failed = over("stat = 'max'\nmax = 2.5", &[1, 3]);
    assert_eq!((failed.status, failed.bound), (Status::Fail, Some(Bound { max: Some(2.5), ..Bound::default() })));
    assert_eq!(failed.reason, "largest of tool_calls is 3 over 2 samples, above max 2.5");
    let failed = over("stat = 'mean'\nmin = 2", &[1, 2]);
    assert_eq!(
        failed.reason,
        "mean of tool_calls is 1.5 (interval 0 to 7.853 of about 95%: 2 cases are few for a mean, 20 are wanted) over 2 samples, below min 2"
    );
}

#[test]
fn without_a_bound_it_only_reports() {
    let finding = over("stat = 'mean'", &[1, 2]);
    assert_eq!((finding.status, finding.bound), (Status::Pass, None));
    assert_eq!(
        finding.reason,
        "mean of tool_calls is 1.5 (interval 0 to 7.853 of about 95%: 2 cases are few for a mean, 20 are wanted) over 2 samples"
    );
}

#[test]
fn each_group_is_held_to_the_bound() {
    let failed = over("stat = 'max'\nmax = 2\nby = 'agent'", &[1, 3, 2]);
    assert_eq!((failed.status, failed.value), (Status::Fail, Some(3.0)));
    assert_eq!(failed.reason, "largest of tool_calls for agent=a1 is 3 over 1 sample, above max 2");
    let groups: Vec<_> = failed.groups.iter().map(|g| (g.group.join(","), g.status, g.value)).collect();
    assert_eq!(groups, [("a0".into(), Status::Pass, Some(2.0)), ("a1".into(), Status::Fail, Some(3.0))]);
}

#[test]
fn the_group_none_is_gated_too() {
    let lines = "{\"id\":\"a\",\"agent\":\"x\",\"rating\":5}\n{\"id\":\"b\",\"rating\":1}";
    let failed = run::<Metric>("metric = 'csat'\nstat = 'mean'\nmin = 3\nby = 'agent'", lines);
    assert_eq!(failed.status, Status::Fail);
    assert!(failed.reason.contains("agent=(none) is 1"), "{}", failed.reason);
}

#[test]
fn the_number_over_all_groups_counts_each_session_once() {
    let lines = "{\"id\":\"a\",\"tags\":[\"x\",\"y\"],\"rating\":5}\n{\"id\":\"b\",\"tags\":[\"x\"],\"rating\":1}";
    let finding = run::<Metric>("metric = 'csat'\nstat = 'mean'\nby = 'tag'", lines);
    assert_eq!((finding.value, finding.count), (Some(3.0), 2));
    assert_eq!(finding.groups.iter().map(|g| g.value).collect::<Vec<_>>(), [Some(3.0), Some(5.0)]);
}

#[test]
fn a_group_that_must_occur_and_does_not_is_an_error() {
    let finding = over("stat = 'max'\nmax = 9\nby = 'agent'\ngroups = ['a0', 'typo']", &[1]);
    assert_eq!(finding.status, Status::Error);
    assert_eq!(finding.reason, "the group agent=typo does not occur in any session");
    // Also where there is nothing at all: absent groups are never excused.
    let nothing = run::<Metric>("metric = 'turn_ms'\nstat = 'max'\nby = 'agent'\ngroups = ['a0']", r#"{"id":"a"}"#);
    assert_eq!((nothing.status, nothing.unexercised), (Status::Error, false));
    let two = over("stat = 'max'\nby = ['agent', 'tool']\ngroups = [['a0', 'f'], ['a1', 'f']]", &[1, 1]);
    assert_eq!(two.status, Status::Pass);
}

#[test]
fn a_session_without_the_value_is_an_error_unless_coverage_allows_it() {
    let lines = "{\"id\":\"a\",\"rating\":5}\n{\"id\":\"b\"}";
    let missing = run::<Metric>("metric = 'csat'\nstat = 'mean'\nmin = 1", lines);
    assert_eq!((missing.status, missing.value), (Status::Error, None));
    assert_eq!(missing.reason, "1 of 2 sessions have no csat (the first: the session has no rating)");
    let status =
        |share: &str| run::<Metric>(&format!("metric = 'csat'\nstat = 'mean'\nmin_coverage = {share}"), lines).status;
    assert_eq!([status("0.5"), status("0.51")], [Status::Pass, Status::Error]);
}

#[test]
fn coverage_never_makes_a_number_of_nothing() {
    let finding = run::<Metric>("metric = 'csat'\nstat = 'mean'\nmin_coverage = 0.1", r#"{"id":"a"}"#);
    assert_eq!((finding.status, finding.unexercised, finding.value), (Status::Error, false, None));
}

#[test]
fn fewer_samples_than_min_count_are_an_error() {
    assert_eq!(over("stat = 'mean'\nmin_count = 3", &[1, 2, 3]).status, Status::Pass);
    let few = over("stat = 'mean'\nmin_count = 3", &[1, 2]);
    assert_eq!((few.status, few.value, few.count), (Status::Error, None, 2));
    assert_eq!(over("stat = 'mean'\nmin_count = 2\nby = 'agent'", &[1, 2, 3]).status, Status::Error);
}

#[test]
fn a_statistic_that_is_not_defined_is_an_error() {
    let finding = over("stat = 'stddev'\nmax = 9", &[1]);
    assert_eq!((finding.status, finding.value), (Status::Error, None));
    assert_eq!(finding.reason, "standard deviation of tool_calls is not defined over 1 sample");
}

#[test]
fn nothing_to_measure_is_unexercised() {
    for lines in ["", r#"{"id":"a"}"#] {
        let finding = run::<Metric>("metric = 'tool_error_rate'\nmax = 0.1", lines);
        assert!(finding.unexercised && finding.status != Status::Pass && finding.value.is_none());
    }
}

#[test]
fn a_ratio_is_of_sums_and_not_a_mean_of_ratios() {
    let lines = concat!(
        r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"f","status":"error"}]}]}"#,
        "\n",
        r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"f","status":"ok"},{"kind":"tool","name":"f","status":"ok"},{"kind":"tool","name":"g","status":"ok"}]}]}"#,
    );
    let finding = run::<Metric>("metric = 'tool_error_rate'\nmax = 0.2", lines);
    assert_eq!((finding.status, finding.value, finding.count), (Status::Fail, Some(0.25), 4));
    assert_eq!(
        finding.reason,
        "tool_error_rate is 0.25 (95% interval 3.821e-5 to 0.9661) over 4 samples, above max 0.2"
    );
    let by_tool = run::<Metric>("metric = 'tool_error_rate'\nby = 'tool'", lines);
    assert_eq!(
        by_tool.groups.iter().map(|g| (g.value, g.count)).collect::<Vec<_>>(),
        [(Some(1.0 / 3.0), 3), (Some(0.0), 1)]
    );
}

#[test]
fn parameters_that_make_no_sense_are_refused_where_they_stand() {
    let cases = [
        ("metric = 'tokns'\nstat = 'mean'", "metric: unknown metric `tokns`"),
        ("metric = 'tokens'", "metric: `tokens` needs a `stat`"),
        ("metric = 'tool_error_rate'\nstat = 'mean'", "stat: `tool_error_rate` is a ratio"),
        ("metric = 'detection_rate'", "metric: `detection_rate` needs `of`"),
        ("metric = 'tokens'\nstat = 'mean'\nof = 'x'", "of: `of` belongs"),
        ("metric = 'tokens'\nstat = 'mean'\nmin = 2\nmax = 1", "min: `min` (2) is larger"),
        ("metric = 'tokens'\nstat = 'mean'\nmax = nan", "max: `max` is a finite number"),
        ("metric = 'tokens'\nstat = 'mean'\nby = 'agnet'", "by: cannot group by `agnet`"),
        ("metric = 'tokens'\nstat = 'mean'\nby = ['agent', 'agent']", "by: `by` names `agent` twice"),
        ("metric = 'tokens'\nstat = 'mean'\ngroups = ['a']", "groups: `groups` needs `by`"),
        ("metric = 'tokens'\nstat = 'mean'\nby = ['agent', 'tool']\ngroups = ['a']", "groups.0: a group has 2 values"),
        ("metric = 'tokens'\nstat = 'mean'\nmin_coverage = 0.0", "min_coverage: "),
        ("metric = 'tokens'\nstat = 'mean'\nmin_count = 0", "min_count: "),
    ];
    for (toml, message) in cases {
        let found = problems::<Metric>(toml);
        assert!(found.len() == 1 && found[0].starts_with(message), "{toml}: {found:?}");
    }
    for bad in [
        "stat = 'p100'",
        "stat = 'median'",
        "stat = 'mean'\nratio_max = 1.1",
        "stat = 'mean'\nby = []",
        "stat = 'mean'\nby = 'agent'\ngroups = [[]]",
    ] {
        assert!(toml::from_str::<Metric>(&format!("metric = 'tokens'\n{bad}")).is_err(), "{bad}");
    }
}

#[test]
fn a_check_that_does_not_exist_has_no_detection_rate() {
    let finding = run::<Metric>("metric = 'detection_rate'\nof = 'gone'", r#"{"id":"a"}"#);
    assert_eq!(finding.status, Status::Error);
    assert!(finding.reason.contains("`gone`"));
}

#[test]
fn the_order_of_sessions_changes_nothing() {
    let lines = |ratings: &[f64]| {
        let line = |(i, r): (usize, &f64)| format!(r#"{{"id":"{i}","rating":{r}}}"#);
        ratings.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    };
    let mut ratings = vec![0.1, 1e16, -1e16, 0.2, 0.3, 3.5];
    let value = |r: &[f64], stat: &str| run::<Metric>(&format!("metric = 'csat'\nstat = '{stat}'"), &lines(r)).value;
    let first: Vec<_> = ["mean", "sum", "stddev", "p50"].map(|s| value(&ratings, s)).to_vec();
    ratings.reverse();
    assert_eq!(["mean", "sum", "stddev", "p50"].map(|s| value(&ratings, s)).to_vec(), first);
}

#[test]
fn a_number_has_its_interval_and_the_method_of_it() {
    let counts: Vec<usize> = (0..40).map(|i| i % 5).collect();
    let mean = over("stat = 'mean'", &counts);
    // scipy.stats.t.interval(0.95, 39, 2, numpy.std(c, ddof=1) / sqrt(40))
    let [low, high] = mean.interval.unwrap();
    assert!((low - 1.5419507048139147).abs() < 1e-9 && (high - 2.4580492951860853).abs() < 1e-9, "{low} {high}");
    assert_eq!((mean.method.as_deref(), mean.doubt), (Some("clustered-t"), None));
    let median = over("stat = 'p50'", &counts);
    assert_eq!((median.interval, median.method.as_deref()), (Some([1.0, 3.0]), Some("order-statistics")));
    let sum = over("stat = 'sum'", &counts);
    assert_eq!((sum.interval, sum.method), (None, None));
}

#[test]
fn an_interval_that_may_hold_less_often_says_so() {
    let counts: Vec<usize> = (0..40).map(|i| if i == 7 { 90 } else { i % 5 }).collect();
    let skewed = over("stat = 'mean'", &counts);
    assert!(skewed.doubt.is_some_and(|d| d.starts_with("a few values are far from the others")));
    assert!(skewed.reason.contains(" of about 95%: a few values"), "{}", skewed.reason);
    // A percentile and a rate need no such word.
    assert_eq!(over("stat = 'p50'", &counts).doubt, None);
}

#[test]
fn trials_of_one_case_do_not_narrow_the_interval() {
    let line = |i: usize, case: usize| format!("{{\"id\":\"{i}\",\"case\":\"{case}\",\"rating\":{}}}", case % 5);
    let lines = |per_case: usize| (0..20 * per_case).map(|i| line(i, i / per_case)).collect::<Vec<_>>().join("\n");
    let mean = |per_case: usize| run::<Metric>("metric = 'csat'\nstat = 'mean'", &lines(per_case)).interval.unwrap();
    let (once, often) = (mean(1), mean(8));
    assert!((once[0] - often[0]).abs() < 1e-12 && (once[1] - often[1]).abs() < 1e-12, "{once:?} {often:?}");
}

#[test]
fn no_spread_and_too_few_samples_have_no_interval() {
    assert_eq!(over("stat = 'mean'", &[2, 2, 2]).interval, None);
    assert_eq!(over("stat = 'mean'", &[2]).interval, None);
    assert_eq!(over("stat = 'p95'", &[1, 2, 3, 4, 5]).interval, None);
}

#[test]
fn a_bound_inside_the_error_of_a_sketch_is_inconclusive() {
    let mut samples = Samples::default();
    (0..2000).for_each(|i| samples.push(i, &[f64::from(i)]));
    samples.summarise();
    let decided = |max: f64| {
        let params: Metric = toml::from_str(&format!("metric = 'tool_calls'\nstat = 'p50'\nmax = {max}")).unwrap();
        let found = Measured { ratio: false, against: None, params }.group(&[], &samples);
        (found.status, found.inconclusive)
    };
    assert_eq!(decided(1010.0), (Status::Pass, false));
    assert_eq!(decided(1000.0), (Status::Error, true));
    assert_eq!(decided(990.0), (Status::Fail, false));
}

#[test]
fn three_times_the_earlier_run_is_too_much() {
    let toml = "metric = 'tool_calls'\nstat = 'mean'\nmax_ratio = 3\nagainst = 'baseline'";
    let status = |now: &[usize]| run_against::<Metric>(toml, &calling(now), &calling(&[1, 3])).status;
    assert_eq!((status(&[6, 6]), status(&[6, 7])), (Status::Pass, Status::Fail));
    let failed = run_against::<Metric>(toml, &calling(&[6, 7]), &calling(&[1, 3]));
    assert_eq!(failed.reason, "mean of tool_calls is 6.5, 3.25 times the 2 of the earlier run, above max_ratio 3");
    assert_eq!(failed.bound.unwrap().max_ratio, Some(3.0));
}

#[test]
fn a_group_that_the_earlier_run_does_not_have_cannot_be_compared() {
    let toml = "metric = 'tool_calls'\nstat = 'mean'\nmax_ratio = 3\nagainst = 'baseline'\nby = 'agent'";
    let found = run_against::<Metric>(toml, &calling(&[1, 1]), &calling(&[1]));
    assert_eq!(
        (found.status, found.groups[0].status, found.groups[1].status),
        (Status::Error, Status::Pass, Status::Error)
    );
}

#[test]
fn a_ratio_to_nothing_is_refused_and_one_to_a_run_that_is_not_there_an_error() {
    for bad in ["max_ratio = 3", "against = 'x'", "max_ratio = 0\nagainst = 'x'"] {
        assert_eq!(problems::<Metric>(&format!("metric = 'turns'\nstat = 'mean'\n{bad}")).len(), 1, "{bad}");
    }
    let found = over("stat = 'mean'\nmax_ratio = 3\nagainst = 'x'", &[1]);
    assert_eq!((found.status, found.reason.is_empty()), (Status::Error, false));
}
