//! `seatrial review` in a real terminal: a pseudo-terminal of Python's, which is there or the test says so.

#![cfg(unix)]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{queue, review, waiting};
use crate::project::Project;

/// Reads steps from standard input: waits until the screen shows a text, then types. Prints everything that was shown
/// since the last typing when a text does not come, and the exit code in the end.
const DRIVER: &str = r#"
import fcntl, json, os, pty, select, struct, sys, termios, time
steps = json.load(sys.stdin)
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 100, 0, 0))
shown, everything = b"", b""
def more(seconds):
    global shown, everything
    if not select.select([fd], [], [], seconds)[0]:
        return False
    try:
        data = os.read(fd, 65536)
    except OSError:
        return False
    shown += data
    everything += data
    return bool(data)
for wanted, keys in steps:
    end = time.time() + 60
    while wanted.encode() not in shown and time.time() < end:
        more(0.2)
    if wanted.encode() not in shown:
        print(json.dumps({"missing": wanted, "shown": shown.decode("utf-8", "replace")}))
        os.kill(pid, 9)
        sys.exit(0)
    shown = b""
    os.write(fd, keys.encode())
end = time.time() + 60
while time.time() < end and more(0.5):
    pass
_, status = os.waitpid(pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "shown": everything.decode("utf-8", "replace")}))
"#;

/// What came of typing; `None` without Python.
pub fn typed(project: &Project, who: &str, steps: &[(&str, &str)]) -> Option<Value> {
    typed_with(project, who, &[], steps)
}

/// As [`typed`], with more arguments.
#[allow(clippy::print_stderr, reason = "a test that does not run says so")]
fn typed_with(project: &Project, who: &str, more: &[&str], steps: &[(&str, &str)]) -> Option<Value> {
    if Command::new("python3").arg("--version").output().map_or(true, |o| !o.status.success()) {
        eprintln!("not tested: there is no python3 to open a terminal with");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", DRIVER, env!("CARGO_BIN_EXE_seatrial"), "review", "--as", who]).args(more);
    command.current_dir(project.path("")).env("TERM", "xterm").env("NO_COLOR", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
    let steps = serde_json::to_string(steps).expect("JSON");
    child.stdin.take().expect("a pipe").write_all(steps.as_bytes()).expect("steps");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn labels(project: &Project) -> Vec<(String, String, bool)> {
    let exported = review(project, "x", &["export"]).code(0).out;
    let lines = exported.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let rows = lines.flat_map(|line| line["labels"].as_array().cloned().unwrap_or_default());
    let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    let mut rows: Vec<_> =
        rows.map(|r| (text(&r["at"]), text(&r["act"]), text(&r["answer"]), r["shown_proposal"] == true)).collect();
    rows.sort();
    rows.into_iter().map(|(_, act, answer, seen)| (act, answer, seen)).collect()
}

#[test]
fn items_are_walked_through_by_single_keys_blind_until_answered() {
    let (project, _) = queue(vec![waiting(1), waiting(2)]);
    let steps = [
        ("Was the goal reached?", "f"),
        ("you disagree with the check", "u"),
        ("taken back", "c"),
        ("comment:", "it promises too much\r"),
        ("it promises too much", "p"),
        ("you agree with the check", "\r"),
        ("session s2", "s"),
        ("why can you not answer?", "1"),
        ("you skipped it", "\r"),
        ("nothing waits for you", "q"),
    ];
    let Some(ended) = typed(&project, "ann", &steps) else { return };
    assert_eq!(ended["code"], 0, "{}", ended["shown"].as_str().unwrap_or_default());
    let shown = ended["shown"].as_str().expect("text");
    let blind = shown.split("you disagree").next().expect("the first screen");
    assert!(!blind.contains("two of three") && !blind.contains("refunded \u{1b}"), "{blind}");
    assert!(shown.contains("[[refunded]]") && shown.contains("answered 2 items, of which 1 skipped"), "{shown}");
    let said = labels(&project);
    let said: Vec<(&str, &str, bool)> =
        said.iter().map(|(act, answer, seen)| (act.as_str(), answer.as_str(), *seen)).collect();
    // The second answer of the first item was given when what the check says had been seen, and says so.
    assert_eq!(
        said,
        [("label", "fail", false), ("undo", "-", true), ("label", "pass", true), ("label", "skip", false)]
    );
}

#[test]
fn ctrl_c_gives_the_item_back_and_keeps_what_was_written() {
    let (project, _) = queue(vec![waiting(1)]);
    // A line that is not finished is kept as one that is.
    let unfinished = [("Was the goal reached?", "chalf\u{3}")];
    let finished = [("half", "c"), ("comment:", " a thought\r"), ("half a thought", "\u{3}")];
    let Some(ended) = typed(&project, "ann", &unfinished) else { return };
    assert_eq!(ended["code"], 0, "{ended}");
    let Some(ended) = typed(&project, "ann", &finished) else { return };
    assert_eq!(ended["code"], 0, "{ended}");
    let counts = review(&project, "x", &["list", "--json"]).code(0).out;
    let counts: Value = serde_json::from_str(&counts).expect("JSON");
    assert_eq!((&counts["counts"]["pending"], &counts["counts"]["leased"]), (&1.into(), &0.into()));
    let Some(ended) = typed(&project, "ann", &[("half a thought", "q")]) else { return };
    assert_eq!(ended["code"], 0, "{ended}");
}

#[test]
fn an_answered_item_becomes_a_case_of_its_suite_by_one_key() {
    let (project, _) = queue(vec![waiting(1)]);
    let suite = "[suite]\nname = \"support\"\n\n[recorded]\npaths = [\"a.jsonl\"]\n\n[[case]]\nid = \"a\"\n";
    project.file("suites/support.toml", suite);
    let steps = [
        ("Was the goal reached?", "f"),
        ("r regression case", "r"),
        ("regressions/case-1-", "r"),
        ("no case was made", "q"),
    ];
    let Some(ended) = typed_with(&project, "ann", &["--suites", "suites"], &steps) else { return };
    assert_eq!(ended["code"], 0, "{ended}");
    let written = std::fs::read_to_string(project.path("suites/support.toml")).expect("the suite");
    assert!(written.contains("paths = [\"a.jsonl\", \"regressions/case-1-"), "{written}");
    assert!(written.contains(": fail by ann, check `goal`") && written.matches("[[case]]").count() == 2, "{written}");
    let recorded = std::fs::read_dir(project.path("suites/regressions")).expect("recordings").count();
    assert_eq!(recorded, 1);
}

#[test]
fn without_a_folder_of_suites_the_key_says_what_is_missing() {
    let (project, _) = queue(vec![waiting(1)]);
    let steps = [("Was the goal reached?", "f"), ("r regression case", "r"), ("review --suites DIR", "q")];
    let Some(ended) = typed(&project, "ann", &steps) else { return };
    assert_eq!(ended["code"], 0, "{ended}");
    review(&project, "ann", &["--suites", "absent"]).code(2);
}
