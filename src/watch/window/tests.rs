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
    Shape { every: 100, lag: 50, keep: 1_000, groups: 2 }
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
