//! Windows add up to the same, whatever came late.

use super::*;
use crate::model::Status;
use crate::watch::row::Said;

fn body(agent: &str, status: Status) -> Body {
    let said = Said { status, score: None, reason: String::new(), place: None };
    let split = [("f".to_owned(), vec![1.0, 2.0]), ("g".to_owned(), vec![0.0, 3.0])];
    Body {
        groups: [
            ("agent".to_owned(), vec![agent.to_owned()]),
            ("tool".to_owned(), vec!["f".to_owned(), "g".to_owned()]),
        ]
        .into(),
        values: [("tool_error_rate".to_owned(), vec![1.0, 5.0])].into(),
        split: [("tool_error_rate".to_owned(), split.into())].into(),
        checks: [("c".to_owned(), said)].into(),
        ..Body::default()
    }
}

fn shape() -> Shape {
    Shape { every: 100, lag: 50, keep: 1_000, back: 0, wants: Vec::new(), groups: 2 }
}

#[test]
fn a_session_belongs_to_the_window_in_which_it_ended() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    for at in [-1, 0, 99, 100] {
        windows.add("s", at, 1.0, None, &body("a", Status::Pass));
    }
    let told: Vec<_> = windows.of("s").map(|(start, window)| (start, window.total.sessions)).collect();
    assert_eq!(told, [(-100, 1), (0, 2), (100, 1)]);
    assert_eq!(windows.of("other").count(), 0);
}

#[test]
fn a_number_of_operations_counts_where_they_are() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    windows.add("s", 5, 1.0, None, &body("a", Status::Pass));
    let (_, window) = windows.of("s").next().unwrap();
    let rate = |fold: &Fold| fold.metrics["tool_error_rate"].mean();
    assert_eq!((rate(&window.total), rate(&window.groups["agent"]["a"])), (Some(0.2), Some(0.2)));
    assert_eq!((rate(&window.groups["tool"]["f"]), rate(&window.groups["tool"]["g"])), (Some(0.5), Some(0.0)));
}

#[test]
fn what_was_not_evaluated_is_counted_by_reason_and_in_no_rate() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    windows.add("s", 5, 0.1, Some("sampled_out"), &Body::default());
    let (_, window) = windows.of("s").next().unwrap();
    assert_eq!((window.total.sessions, window.total.unevaluated["sampled_out"]), (0, 1));
}

#[test]
fn a_settled_window_is_corrected_once_by_what_comes_late() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    windows.add("s", 5, 1.0, None, &body("a", Status::Fail));
    assert!(windows.advance(149).is_empty());
    assert_eq!(windows.advance(150), [("s".to_owned(), 0)]);
    // The same session again, as a later version: the row before it counts no longer.
    windows.changed("s", 5);
    windows.add("s", 5, 1.0, None, &body("a", Status::Pass));
    assert_eq!(windows.stale(), [(("s".to_owned(), 0), (0, 100))]);
    let mut anew = Window::default();
    anew.add(1.0, None, &body("a", Status::Pass));
    windows.replace(("s".to_owned(), 0), anew);
    let (_, window) = windows.of("s").next().unwrap();
    assert_eq!((window.total.checks["c"].pass, window.total.checks["c"].fail), (1, 0));
    assert_eq!((window.corrected, window.is_settled(), windows.stale().len()), (1, true, 0));
}

#[test]
fn many_groups_become_the_largest_and_one_of_all_others() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    for (agent, n) in [("a", 3), ("b", 1), ("c", 2), ("d", 1)] {
        (0..n).for_each(|_| windows.add("s", 5, 1.0, None, &body(agent, Status::Pass)));
    }
    windows.advance(200);
    let (_, window) = windows.of("s").next().unwrap();
    let told: Vec<_> = window.groups["agent"].iter().map(|(name, fold)| (name.as_str(), fold.sessions)).collect();
    assert_eq!(told, [("(other)", 2), ("a", 3), ("c", 2)]);
    assert_eq!(window.gathered, 2);
}

#[test]
fn ten_million_names_take_no_more_room_than_a_thousand() {
    let mut window = Window::default();
    for n in 0..3_000 {
        window.add(1.0, None, &body(&format!("agent {n}"), Status::Pass));
    }
    assert_eq!(window.groups["agent"].len(), OPEN_GROUPS + 1);
    assert_eq!(window.groups["agent"][OTHER].sessions, 2_000);
}

#[test]
fn windows_go_when_they_are_old() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    windows.add("s", 5, 1.0, None, &body("a", Status::Pass));
    windows.add("s", 905, 1.0, None, &body("a", Status::Pass));
    windows.changed("s", 5);
    windows.advance(1_000);
    assert_eq!((windows.len(), windows.stale().len()), (1, 0));
}

fn measure(metric: &str, stat: Option<&str>, by: Option<&str>) -> alerts::Measure {
    let text = |text: &str| text.to_owned();
    alerts::Measure { metric: text(metric), of: None, stat: stat.map(text), by: by.map(text) }
}

fn timed(agent: &str, ms: f64) -> Body {
    Body { values: [("turn_ms".to_owned(), vec![ms])].into(), ..body(agent, Status::Pass) }
}

#[test]
fn of_what_is_no_longer_shown_rules_are_answered_as_before() {
    let wanted = measure("turn_ms", Some("mean"), Some("agent"));
    let wants = vec![Want { measure: wanted.clone(), merged: false }];
    let mut windows = Windows::new([("s".to_owned(), Shape { keep: 1_000, back: 5_000, wants, ..shape() })].into());
    for n in 0..6 {
        windows.add("s", 5, 0.5, None, &timed(if n % 2 == 0 { "a" } else { "b" }, f64::from(n)));
    }
    let told = |windows: &Windows| {
        let (_, window) = windows.of("s").next().unwrap();
        let mean = |group: &str| match window.read(&wanted, group) {
            Some((sessions, Part::Metric(metric))) => Some((sessions, metric.mean(), metric.se())),
            _ => None,
        };
        let names: Vec<String> = window.names("agent").map(str::to_owned).collect();
        (mean(""), mean("a"), mean("b"), mean("c"), names, window.total.sessions)
    };
    windows.advance(200);
    let before = told(&windows);
    assert_eq!(before.1.map(|(n, mean, _)| (n, mean)), Some((3, Some(2.0))));
    windows.advance(1_000);
    assert_eq!(told(&windows), before);
    let (_, window) = windows.of("s").next().unwrap();
    assert!(window.groups.is_empty(), "what nobody asks for is let go of");
    windows.advance(5_000);
    assert!(windows.is_empty());
    // What comes later still is no window any more.
    windows.add("s", 5, 1.0, None, &timed("a", 1.0));
    assert_eq!((windows.len(), windows.since("s")), (0, Some(5)));
}

#[test]
fn percentiles_of_several_windows_are_those_of_all_their_values() {
    let of = |merged: bool| {
        let wants = vec![Want { measure: measure("turn_ms", Some("p95"), Some("agent")), merged }];
        let mut windows = Windows::new([("s".to_owned(), Shape { wants, ..shape() })].into());
        let mut all = Window::default();
        for n in 0..200 {
            let body = timed("a", f64::from(n * n));
            windows.add("s", Millis::from(n), 1.0, None, &body);
            all.add(1.0, None, &body);
        }
        windows.advance(400);
        let mut sum = Measure::default();
        let wanted = measure("turn_ms", Some("p95"), Some("agent"));
        for (_, window) in windows.of("s") {
            let Some((_, Part::Metric(part))) = window.read(&wanted, "a") else { panic!("a part") };
            sum.merge(part);
        }
        (sum.quantiles(), all.groups["agent"]["a"].metrics["turn_ms"].quantiles())
    };
    let (merged, whole) = of(true);
    assert!(merged.is_some());
    assert_eq!(merged, whole);
    assert_eq!(of(false).0, None, "single percentiles do not add up, and nothing is made of them");
}

#[test]
fn a_window_that_is_no_longer_shown_is_corrected_too() {
    let wanted = measure("turn_ms", Some("mean"), Some("agent"));
    let wants = vec![Want { measure: wanted.clone(), merged: false }];
    let mut windows = Windows::new([("s".to_owned(), Shape { keep: 1_000, back: 5_000, wants, ..shape() })].into());
    windows.add("s", 5, 1.0, None, &timed("a", 1.0));
    windows.advance(2_000);
    windows.add("s", 6, 1.0, None, &timed("a", 3.0));
    let (name, _) = windows.stale().remove(0);
    let mut anew = Window::default();
    [1.0, 3.0].iter().for_each(|ms| anew.add(1.0, None, &timed("a", *ms)));
    windows.replace(name, anew);
    windows.advance(2_001);
    let (_, window) = windows.of("s").next().unwrap();
    let Some((2, Part::Metric(metric))) = window.read(&wanted, "a") else { panic!("two sessions") };
    assert_eq!((metric.mean(), window.groups.len(), window.corrected), (Some(2.0), 0, 1));
}

#[test]
fn where_nothing_more_comes_windows_are_settled_as_soon_as_they_have_ended() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    windows.add("s", 5, 1.0, None, &body("a", Status::Pass));
    windows.add("s", 105, 1.0, None, &body("a", Status::Pass));
    assert!(windows.advance(120).is_empty());
    assert_eq!(windows.end(120), [("s".to_owned(), 0)]);
    assert!(windows.end(199).is_empty(), "it goes on");
    assert_eq!(windows.end(200), [("s".to_owned(), 100)]);
}

#[test]
fn what_comes_for_a_window_that_an_earlier_process_settled_corrects_it_also_where_it_had_no_session() {
    let mut windows = Windows::new([("s".to_owned(), shape())].into());
    windows.add("s", 105, 1.0, None, &body("a", Status::Pass));
    windows.settled_until("s", 200);
    // It is settled again although more of it would be expected.
    assert_eq!(windows.advance(210), [("s".to_owned(), 100)]);
    windows.add("s", 5, 1.0, None, &body("a", Status::Fail));
    windows.add("s", 107, 1.0, None, &body("a", Status::Fail));
    windows.add("s", 205, 1.0, None, &body("a", Status::Fail));
    assert_eq!(windows.stale().into_iter().map(|((_, start), _)| start).collect::<Vec<_>>(), [0, 100]);
    for start in [0, 100] {
        assert!(windows.replace(("s".to_owned(), start), Window::default()), "it had been settled");
    }
    assert!(windows.advance(240).is_empty());
}
