//! `suites/promotion.toml`: a candidate against its champion, as a user would promote one.

use std::path::Path;

use crate::project::{Project, Said};

const CHAMPION: &str = "fixtures/promotion/champion.jsonl.gz";
const CANDIDATE: &str = "fixtures/promotion/candidate.jsonl.gz";

/// Runs the suite of this repository over recordings; what it leaves lies in the project.
fn run(project: &Project, sessions: &str, out: &str, more: &[&str]) -> Said {
    let sessions =
        if Path::new(sessions).is_absolute() { sessions.to_owned() } else { format!("{}/{sessions}", root()) };
    let out = project.path(out).display().to_string();
    let args = [&["run", "suites/promotion.toml", "--sessions", &sessions, "--out", &out][..], more].concat();
    let mut command = project.command(&args);
    command.current_dir(root());
    Said::of(command)
}

fn root() -> &'static str {
    env!("CARGO_MANIFEST_DIR")
}

fn path(project: &Project, name: &str) -> String {
    project.path(name).display().to_string()
}

/// The sessions of a recording.
fn sessions(name: &str) -> Vec<serde_json::Value> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(Path::new(root()).join(name)).expect("a recording");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a session")).collect()
}

#[test]
fn the_first_run_becomes_the_champion_and_a_candidate_that_is_as_good_is_promoted_in_words() {
    let project = Project::new();
    let first = run(&project, CHAMPION, "champion", &["--subject", "ferry-desk@1.0"]).code(0);
    first.says("not compared with the baseline").says("there is no run at this place");
    let champion = path(&project, "champion/latest");
    let said = run(&project, CANDIDATE, "reports", &["--baseline", &champion]).code(0);
    for words in [
        "of ferry-desk@1.0: 78 of 80 paired cases pass, 78 did; 1 newly fail, 1 newly pass",
        "(tango-exact), -0.1 wanted",
        "mean tokens",
        "(10%) wanted",
        "mean cost_usd",
        "(paired-t)",
        "pass_rate 0.9750 (78 of 80 cases)",
        "95% sure that it is at least 0.92",
        "pass^2 is 0.9750",
    ] {
        assert!(said.out.contains(words), "no {words:?} in\n{}", said.out);
    }
    for id in ["session-budget", "daily-budget", "same-pace"] {
        assert_eq!(project.check(id)["pass"], 1, "{id}");
    }
    // The champion's own recordings show nothing of it.
    run(&project, CHAMPION, "again", &["--subject", "ferry-desk@1.0", "--baseline", &champion])
        .code(4)
        .says("all 160 sessions of this run are its own");
}

#[test]
fn a_candidate_that_answers_worse_or_spends_more_is_not() {
    let project = Project::new();
    run(&project, CHAMPION, "champion", &["--subject", "ferry-desk@1.0"]).code(0);
    let champion = path(&project, "champion/latest");
    let with = |change: &dyn Fn(usize, &mut serde_json::Value)| {
        let mut all = sessions(CANDIDATE);
        all.iter_mut().enumerate().for_each(|(i, session)| change(i, session));
        let lines: String = all.iter().map(|session| format!("{session}\n")).collect();
        let changed = project.file("changed.jsonl", lines).display().to_string();
        run(&project, &changed, "reports", &["--baseline", &champion])
    };
    let worse = with(&|i, session| {
        if i % 16 == 4 {
            session["turns"][0]["reply"] = "Early enough.".into();
        }
    });
    worse.code(1).says("newly fail").says("it is worse: p = ").says("exact McNemar, Holm over 3");
    let dearer = with(&|_, session| {
        let input = &mut session["turns"][0]["spans"][0]["usage"]["input"];
        *input = (input.as_u64().expect("tokens") + 90).into();
    });
    dearer.code(1).says("mean tokens").says("it is worse: p = ").says("paired t, Holm over 3");
}
