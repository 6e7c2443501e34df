//! Real programs (shells): what they answer, and each way in which they can fail to.

use std::path::PathBuf;

use super::*;
use std::time::Duration;

fn shell(script: &str) -> Arc<Program> {
    shell_within(script, Duration::from_secs(20))
}

fn shell_within(script: &str, timeout: Duration) -> Arc<Program> {
    let run = ["sh", "-c", script].map(str::to_owned).to_vec();
    Arc::new(Program { run, dir: PathBuf::new(), timeout })
}

const ECHO: &str = "while read -r line; do echo \"$$ $line\"; done";

#[test]
fn one_process_answers_line_after_line() {
    let (programs, echo) = (Programs::default(), shell(ECHO));
    let first = programs.ask(&echo, "one").unwrap();
    let second = programs.ask(&echo, "two").unwrap();
    let (pid, one) = first.trim().split_once(' ').unwrap();
    assert_eq!((one, second.trim()), ("one", format!("{pid} two").as_str()));
}

#[test]
fn a_line_larger_than_a_pipe_arrives_whole() {
    let count = shell("while read -r line; do echo ${#line}; done");
    let answer = Programs::default().ask(&count, &"x".repeat(300_000));
    assert_eq!(answer.as_deref().map(str::trim), Ok("300000"));
}

#[test]
fn an_absent_program_is_named() {
    let absent = Program { run: vec!["no-such-program".into()], dir: PathBuf::new(), timeout: Duration::from_secs(1) };
    let why = Programs::default().ask(&Arc::new(absent), "x").unwrap_err();
    assert!(why.starts_with("it could not be started: "), "{why}");
}

#[test]
fn one_that_ends_says_how_and_what_it_said() {
    let why = Programs::default().ask(&shell("read -r line; echo no dictionary >&2; exit 3"), "x").unwrap_err();
    assert_eq!(why, "it ended without an answer (exit status: 3); on its standard error: no dictionary");
}

#[test]
fn one_that_never_answers_is_stopped_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
    // On a busy machine it may be ended before it has come to start anything: then it gets more time.
    let limits = [400, 3000, 20_000].map(Duration::from_millis);
    let sleeping = limits.into_iter().find_map(|limit| {
        let why = Programs::default().ask(&shell_within(&script, limit), "x").unwrap_err();
        assert_eq!(why, format!("no answer within {} ms (`timeout`)", limit.as_millis()));
        std::fs::read_to_string(&pid).ok().filter(|pid| pid.ends_with('\n'))
    });
    let sleeping = sleeping.expect("it started something");
    let gone = || {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", sleeping.trim()));
        // One that nobody waits for is still listed, as a zombie.
        status.map_or(true, |s| s.contains(") Z "))
    };
    if std::path::Path::new("/proc/self/stat").exists() {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !gone() {
            assert!(std::time::Instant::now() < deadline, "the program's own child is still running");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn one_that_floods_its_standard_error_is_heard_in_part_and_answers() {
    let floods = shell("while read -r line; do yes noise | head -c 300000 >&2; echo done; done");
    assert_eq!(Programs::default().ask(&floods, "x").as_deref().map(str::trim), Ok("done"));
    let fails = shell("read -r line; yes noise | head -c 300000 >&2; echo the end >&2");
    let why = Programs::default().ask(&fails, "x").unwrap_err();
    assert!(why.ends_with("the end") && why.len() < 2 * 2000 + 200, "{} bytes", why.len());
}

#[test]
fn an_answer_without_end_is_cut_and_an_error() {
    let why = Programs::default().ask(&shell("read -r line; yes | tr -d '\\n'"), "x").unwrap_err();
    assert!(why.starts_with("its answer is longer than 1048576 bytes"), "{why}");
}

#[test]
fn bytes_that_are_no_text_are_an_error() {
    let why = Programs::default().ask(&shell("read -r line; printf '\\377\\n'; cat"), "x").unwrap_err();
    assert!(why.starts_with("its answer is not UTF-8"), "{why}");
}

#[test]
fn a_second_answer_is_not_taken_for_that_of_the_next_line() {
    let programs = Programs::default();
    let twice = shell("while read -r line; do printf 'one\\ntwo\\n'; done");
    assert_eq!(programs.ask(&twice, "x").as_deref().map(str::trim), Ok("one"));
    // It wrote both at once, and both came at once.
    assert_eq!(programs.ask(&twice, "y"), Err("it answered more often than it was asked".to_owned()));
    assert_eq!(programs.ask(&twice, "z").as_deref().map(str::trim), Ok("one"), "started anew");
}

#[test]
fn one_that_always_fails_is_given_up() {
    let (programs, fails) = (Programs::default(), shell("exit 1"));
    for _ in 0..PATIENCE {
        assert!(programs.ask(&fails, "x").unwrap_err().starts_with("it ended without an answer"));
    }
    assert!(programs.ask(&fails, "x").unwrap_err().starts_with("it failed 5 times in a row"));
    assert!(programs.ask(&shell(ECHO), "x").is_ok(), "another program is asked all the same");
}
