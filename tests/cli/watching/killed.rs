//! Killed again and again under load: no session is lost, and none counts twice.

use std::collections::BTreeMap;
use std::time::Duration;

use super::process::{Watch, rows};
use crate::project::Project;

#[test]
fn whoever_is_killed_again_and_again_loses_nothing_and_counts_nothing_twice() {
    let project = Project::with(super::SUITE, &["{}"]);
    let args = ["--idle", "300ms", "--window", "1s", "--late", "2s"];
    let mut random = fastrand::Rng::with_seed(11);
    // Turns that were acknowledged, by session. What nobody acknowledged is sent again, as exporters do.
    let mut sent = BTreeMap::<u32, u32>::new();
    for round in 0..6 {
        let watch = Watch::start(&project, &args);
        for n in 0..40 {
            let session: u32 = round * 40 + n;
            let reply = if session.is_multiple_of(4) { "no" } else { "ok" };
            for turn in 1..=random.u32(1..3) {
                watch.deliver(&super::turn(&format!("s{session}"), turn, reply));
                sent.insert(session, turn);
            }
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..700)));
        watch.kill();
    }
    let watch = Watch::start(&project, &args);
    watch.until("seatrial_watch_open_sessions 0");
    let found = rows(&project, "s");
    let mut names: Vec<&str> = found.iter().map(|(row, _)| row.watched.session.as_str()).collect();
    names.sort_unstable();
    let mut wanted: Vec<String> = sent.keys().map(|n| format!("s{n}")).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "every session, once");
    for (row, body) in &found {
        let n: u32 = row.watched.session[1..].parse().expect("a number");
        assert_eq!(body.worst().name(), if n.is_multiple_of(4) { "fail" } else { "pass" }, "s{n}");
        // All of its turns are in what counts.
        assert_eq!(body.values["turn_ms"].len(), sent[&n] as usize, "s{n}");
    }
    // What windows add up to is the same.
    let (_, _, page) = watch.look("/");
    let failed = sent.keys().filter(|n| n.is_multiple_of(4)).count();
    assert!(
        page.contains(&format!("<td class=\"n\">{}</td><td class=\"n\">{failed}</td>", sent.len() - failed)),
        "{page}"
    );
}
