//! Recordings come from outside: whatever they hold is a counted, named problem, and the rest is evaluated.

use std::io::Write;

use crate::project::{GOOD, Project, Said, replies};

/// A project that tolerates problems, with one good session and one odd file.
fn beside(name: &str, content: &[u8]) -> Project {
    let suite = format!("[recorded]\npaths = [\"good.jsonl\", \"{name}\"]\n{GOOD}[gate]\nmax_left_out = 100\n");
    let project = Project::with(&suite, &[]);
    project.file("good.jsonl", replies("a", "good") + "\n");
    project.file(name, content);
    project
}

#[track_caller]
fn left_out(project: &Project, kind: &str) {
    project.run().code(0);
    let sessions = &project.suite()["sessions"];
    assert_eq!(sessions["evaluated"], 1, "{sessions}");
    assert!(sessions["left_out"][kind].as_u64().is_some_and(|n| n >= 1), "{kind} in {sessions}");
    // And without the tolerance, the suite is unmeasured.
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", suite.replace("max_left_out = 100", ""));
    project.run().code(4);
}

#[test]
fn truncated() {
    left_out(&beside("odd.json", br#"[{"id":"x","turns":[{"reply":"go"#), "truncated");
}

#[test]
fn not_json() {
    left_out(&beside("odd.jsonl", b"this is not JSON\n"), "unknown_format");
}

#[test]
fn half_written() {
    left_out(
        &beside("odd.jsonl", format!("{}\n{{\"id\":\"b\",\"turns\":[{{\"us", replies("a", "good")).as_bytes()),
        "truncated",
    );
}

#[test]
fn a_damaged_line_in_the_middle() {
    let content = format!("{}\n{{\"id\":!!}}\n{}\n", replies("a", "good"), replies("a", "good"));
    left_out(&beside("odd.jsonl", content.as_bytes()), "malformed");
}

#[test]
fn binary() {
    let bytes: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    left_out(&beside("odd.jsonl", &bytes), "malformed");
}

#[test]
fn nested_100_000_deep() {
    let deep = format!("{{\"id\":\"deep\",\"turns\":[{}{}]}}\n", "[".repeat(100_000), "]".repeat(100_000));
    left_out(&beside("odd.jsonl", format!("{}\n{deep}", replies("a", "good")).as_bytes()), "too_deep");
}

#[test]
fn one_huge_line() {
    let huge = format!("{{\"id\":\"huge\",\"turns\":[{{\"reply\":\"{}\"}}]}}\n", "x".repeat(3 << 20));
    let project = beside("odd.jsonl", format!("{}\n{huge}", replies("a", "good")).as_bytes());
    project.file("seatrial.toml", "max_session_bytes = 1048576\n");
    left_out(&project, "too_large");
}

#[test]
fn a_gzip_bomb() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(replies("a", "good").as_bytes()).expect("written");
    let blank = vec![b' '; 1 << 20];
    for _ in 0..80 {
        gz.write_all(&blank).expect("written");
    }
    let project = beside("odd.jsonl.gz", &gz.finish().expect("finished"));
    project.file("seatrial.toml", "max_expansion = 10\n");
    left_out(&project, "bomb");
}

#[test]
fn a_cut_gzip() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for i in 0..2000 {
        writeln!(gz, "{}", replies(&format!("z{i}"), &format!("good {}", (i * 7919) % 1009))).expect("written");
    }
    let bytes = gz.finish().expect("finished");
    let project = beside("odd.jsonl.gz", &bytes[..bytes.len() / 2]);
    project.run().code(0);
    let sessions = &project.suite()["sessions"];
    assert!(sessions["evaluated"].as_u64().expect("a count") > 1, "what was there is evaluated: {sessions}");
    assert!(sessions["left_out"]["truncated"].as_u64().is_some_and(|n| n >= 1), "{sessions}");
}

#[test]
fn gz_and_zst_are_read_as_they_are() {
    let project = Project::with(&format!("[recorded]\npaths = [\"in/*\"]\n{GOOD}"), &[]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writeln!(gz, "{}", replies("a", "good")).expect("written");
    project.file("in/a.jsonl.gz", gz.finish().expect("finished"));
    let zst = zstd::encode_all((replies("b", "good") + "\n").as_bytes(), 1).expect("compressed");
    project.file("in/b.jsonl.zst", zst);
    project.run().code(0);
    assert_eq!(project.suite()["sessions"]["evaluated"], 2);
}

#[test]
fn empty() {
    left_out(&beside("odd.jsonl", b""), "empty");
}

#[cfg(unix)]
#[test]
fn a_symlink_loop_and_a_dangling_link() {
    let suite = format!("[recorded]\npaths = [\"in\"]\n{GOOD}[gate]\nmax_left_out = 100\n");
    let project = Project::with(&suite, &[]);
    project.file("in/good.jsonl", replies("a", "good") + "\n");
    std::os::unix::fs::symlink(project.path("in"), project.path("in/again")).expect("a link");
    std::os::unix::fs::symlink(project.path("nowhere"), project.path("in/gone.jsonl")).expect("a link");
    left_out(&project, "unreadable");
}

#[test]
fn a_folder_where_a_file_should_be() {
    let suite = format!("[recorded]\npaths = [\"in\"]\n{GOOD}");
    let project = Project::with(&suite, &[]);
    std::fs::create_dir_all(project.path("in/sub.jsonl")).expect("a folder");
    project.file("in/sub.jsonl/good.jsonl", replies("a", "good") + "\n");
    project.run().code(0);
}

#[test]
fn invalid_utf_8() {
    let mut content = replies("a", "good").into_bytes();
    content.extend_from_slice(b"\n{\"id\":\"b\",\"turns\":[{\"reply\":\"\xff\xfe\"}]}\n");
    left_out(&beside("odd.jsonl", &content), "malformed");
}

#[test]
fn an_object_of_the_wrong_shape() {
    let content = format!("{}\n{{\"id\":\"b\",\"turns\":7}}\n[1,2]\n17\nnull\n", replies("a", "good"));
    let project = beside("odd.jsonl", content.as_bytes());
    project.run().code(0);
    let sessions = &project.suite()["sessions"];
    assert_eq!(sessions["left_out"]["malformed"], 4, "{sessions}");
}

#[test]
fn a_misspelled_key_of_our_own_format_is_malformed_and_not_ignored() {
    left_out(&beside("odd.jsonl", br#"{"seatrial":1,"id":"b","turns":[{"repply":"good"}]}"#), "malformed");
}

#[test]
fn a_format_given_by_name_is_not_guessed() {
    let suite = format!("[recorded]\npaths = [\"odd.json\"]\nformat = \"seatrial\"\n{GOOD}");
    let project = Project::with(&suite, &[]);
    project.file("odd.json", format!("[{}]", replies("a", "good")));
    project.run().code(0);
}

#[test]
fn an_array_of_many_sessions_over_several_lines() {
    let project = Project::with(&format!("[recorded]\npaths = [\"all.json\"]\nformat = \"seatrial\"\n{GOOD}"), &[]);
    let sessions: Vec<String> = (0..3000).map(|i| replies(&format!("s{i}"), "good")).collect();
    project.file("all.json", format!("[\n{}\n]\n", sessions.join(",\n")));
    project.run().code(0);
    assert_eq!(project.suite()["sessions"]["evaluated"], 3000);
}

#[test]
fn what_is_wrong_with_a_line_is_told_with_its_number() {
    let content = format!("{}\n\n{{\"id\":!!}}\n", replies("b", "good"));
    let project = beside("odd.jsonl", content.as_bytes());
    project.run().code(0).says("left out malformed: odd.jsonl at line 3: ");
    let event =
        project.events().lines().find(|l| l.contains(r#""event":"left_out""#)).map(str::to_owned).expect("an event");
    assert!(event.contains("\"line\":3"), "{event}");
    project.seatrial(&["import", "odd.jsonl"]).code(4).complains("odd.jsonl: line 3: malformed: ");
}

#[test]
fn a_case_and_a_trial_may_be_numbers() {
    let trial = |n: u32| format!(r#"{{"id":"t{n}","case":7,"trial":{n},"turns":[{{"reply":"good"}}]}}"#);
    let suite = format!("{GOOD}[gate]\nreliability = {{ k = 2, min = 1.0 }}\n");
    let project = Project::with(&suite, &[&trial(0), &trial(1)]);
    project.run().code(0);
    assert_eq!(project.suite()["cases"]["total"], 1);
    assert!(project.events().contains(r#""case":"7","trial":"0""#), "{}", project.events());
    let project = Project::with(GOOD, &[r#"{"id":"x","trial":0.5,"turns":[{"reply":"good"}]}"#]);
    project.run().code(4).says("a text or a whole number");
}

#[test]
#[cfg(unix)]
fn a_run_that_cannot_keep_what_it_read_before_says_so_and_is_no_success() {
    let project = Project::with(&format!("[recorded]\npaths = [\"s.jsonl\"]\n{GOOD}"), &[]);
    // More sessions than their keys have room in memory.
    let all: String = (0..15_000).map(|i| replies(&format!("s{i}"), &format!("good {i}")) + "\n").collect();
    project.file("s.jsonl", all);
    for reports in ["all", "none"] {
        let mut run = project.command(&["run", "suite.toml", "--reports", reports]);
        run.env("TMPDIR", project.path("nowhere"));
        Said::of(run).code(5).says("no temporary file can be made in `").says("nowhere` (TMPDIR)");
    }
    project.run().code(0);
}
