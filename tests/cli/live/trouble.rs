//! Agents that are down, busy, slow or talk nonsense: an error of the case, and of no other.

use super::agent::{Agent, Answer, reply};
use crate::project::Project;

fn project(agent: &Agent, more: &str) -> Project {
    let project = Project::new();
    let check = "[[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n";
    let cases = "[[case]]\nid = \"bad\"\nuser = \"bad\"\n[[case]]\nid = \"good\"\nuser = \"hello\"\n";
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}{more}{check}{cases}", agent.table()));
    project
}

/// Runs against an agent that answers `bad` so: the case is an error that says this, the other passes.
fn is_an_error(answer: impl Fn() -> Answer + Send + Sync + 'static, more: &str, says: &str) {
    let agent = Agent::new(move |asked, _| if asked.message() == "bad" { answer() } else { reply("hello") });
    let project = project(&agent, more);
    project.run().code(4).says(says);
    let suite = project.suite();
    assert_eq!((suite["cases"]["error"].as_u64(), suite["cases"]["passed"].as_u64()), (Some(1), Some(1)), "{suite}");
}

#[test]
fn an_agent_that_breaks_is_an_error_of_its_case_alone() {
    is_an_error(|| Answer::Status(500, &[], "oops".into()), "retries = 0\n", "server_error");
    is_an_error(|| Answer::Status(404, &[], "nope".into()), "", "refused");
    is_an_error(|| Answer::Status(200, &[("content-type", "text/html")], "<html>".into()), "", "malformed");
    is_an_error(
        || Answer::Status(200, &[("content-type", "application/json")], "{\"reply\": ".into()),
        "",
        "malformed",
    );
    is_an_error(|| Answer::Reset, "retries = 0\n", "turn 1");
    is_an_error(|| Answer::Hang, "turn_timeout = \"2s\"\n", "timeout");
}

/// A head of a reply, and what comes behind it over and over.
fn floods(out: &mut std::net::TcpStream, head: &str, with: &[u8], times: usize) {
    use std::io::Write;
    let mut sent = out.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes());
    for _ in 0..times {
        // Whoever hung up does not want it.
        sent = sent.and_then(|()| out.write_all(with));
    }
}

#[test]
fn an_agent_that_says_far_too_much_or_no_text_or_never_ends_is_an_error_of_its_case_alone() {
    const MIB: &[u8] = &[b'x'; 1 << 20];
    is_an_error(
        || Answer::Writes(|out| floods(out, "content-type: application/json\r\ncontent-length: 104857600", MIB, 100)),
        "",
        "too_large",
    );
    // One that does not say how long it is.
    is_an_error(|| Answer::Writes(|out| floods(out, "content-type: application/json", MIB, 100)), "", "too_large");
    is_an_error(
        || Answer::Writes(|out| floods(out, "content-type: application/json", b"{\"reply\": \"\xff\xfe\"}", 1)),
        "",
        "malformed",
    );
    let events = |answer: fn() -> Answer, limit: &str, says: &str| {
        let agent = Agent::new(move |asked, _| match asked.message() {
            "bad" => answer(),
            _ => Answer::Status(
                200,
                &[("content-type", "text/event-stream")],
                "data: {\"t\":\"hello\"}\n\ndata: [DONE]\n\n".into(),
            ),
        });
        let project = project(&agent, "");
        let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
        let stream = format!("stream = \"sse\"\ntext = \"t\"\nend = \"[DONE]\"\n{limit}");
        let text = text.replace("reply = \"reply\"\n", &stream);
        project.file("suite.toml", text);
        project.run().code(4).says(says);
        let suite = project.suite();
        assert_eq!(
            (suite["cases"]["error"].as_u64(), suite["cases"]["passed"].as_u64()),
            (Some(1), Some(1)),
            "{suite}"
        );
    };
    // Quick ones fill what is read at most, slow ones take as long as a turn may.
    let quick = || {
        Answer::Writes(|out| {
            floods(out, "content-type: text/event-stream", b"data: {\"t\":\"again and again\"}\n\n", usize::MAX)
        })
    };
    events(quick, "", "too_large");
    let slow = || {
        Answer::Writes(|out| {
            use std::io::Write;
            let mut sent = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
            while sent.is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(20));
                sent = out.write_all(b"data: {\"t\":\".\"}\n\n");
            }
        })
    };
    events(slow, "turn_timeout = \"2s\"\n", "timeout");
    let breaks_off = || {
        Answer::Writes(|out| {
            floods(out, "content-type: text/event-stream", b"data: {\"error\":\"out of credit\"}\n\n", 1)
        })
    };
    events(breaks_off, "", "out of credit");
}

#[test]
fn more_sessions_at_once_than_the_system_has_files_for_are_refused_before_anything_is_driven() {
    let agent = Agent::echo();
    let project = project(&agent, "concurrency = 500\n");
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", text.replace("name = \"s\"\n", "name = \"s\"\ntrials = 200\n"));
    project.run_with_files(300).code(2).complains("the system allows 300").complains("`concurrency`");
    assert!(agent.asked().is_empty());
}

#[test]
fn the_connections_of_judges_are_files_too() {
    let agent = Agent::echo();
    let judged = "[[session]]\nid = \"kind\"\ncheck = \"judge\"\nrubric = \"The agent is kind.\"\n";
    let project = project(&agent, &format!("concurrency = 100\n{judged}"));
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", text.replace("name = \"s\"\n", "name = \"s\"\ntrials = 50\n"));
    let judge = |at_once: u32| {
        let url = agent.url("/v1");
        let model = format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"m\"\nurl = \"{url}\"\n");
        project.file("seatrial.toml", format!("{model}concurrency = {at_once}\n"));
    };
    // Either alone has room, and so has a judge of whom less is wanted at once.
    judge(100);
    let said = project.run_with_files(300).code(2);
    said.complains("100 sessions and 100 questions to models at once may need 328 open files");
    judge(400);
    project.run_with_files(300).code(2).complains("400 questions to models at once may need 528 open files");
    assert!(agent.asked().is_empty());
    judge(72);
    project.run_with_files(300).code(1);
    assert!(!agent.asked().is_empty());
}

#[test]
fn an_agent_that_is_not_there_is_an_error_of_every_case() {
    let agent = Agent::echo();
    let project = project(&agent, "retries = 0\n");
    let text = std::fs::read_to_string(project.path("suite.toml")).unwrap();
    project.file("suite.toml", text.replace("127.0.0.1:", "127.0.0.1:1/?x="));
    project.run().code(4).says("unreachable");
    assert_eq!(project.suite()["cases"]["error"], 2);
}

#[test]
fn what_is_tried_again_is_counted_and_said() {
    let agent = Agent::new(|_, nth| if nth == 0 { Answer::Status(500, &[], String::new()) } else { reply("hello") });
    let project = project(&agent, "concurrency = 1\n");
    let said = project.run().code(0);
    assert!(said.err.contains("tried again 1 times"), "{}", said.err);
    let record = project.report("run.jsonl");
    let driven = record.lines().find(|l| l.starts_with("{\"volatile\":\"driven\"")).expect("a line");
    assert!(driven.contains("\"retries\":1"), "{driven}");
    assert_eq!(project.suite()["driven"]["retries"], 1);
    assert!(project.report("index.html").contains("tried again 1 times"));
    // Drawn again from the record, it is still known.
    std::fs::remove_file(project.path("reports/latest/summary.md")).expect("it is there");
    project.seatrial(&["report", "reports/latest"]).code(0);
    let step = project.report("summary.md");
    assert!(step.contains("Driving: 2 sessions driven in"), "{step}");
}

#[test]
fn a_busy_agent_is_waited_for() {
    let busy = || Answer::Status(429, &[("retry-after", "0")], "slow down".into());
    let agent = Agent::new(move |_, nth| if nth < 3 { busy() } else { reply("hello") });
    let project = project(&agent, "concurrency = 1\n");
    let said = project.run().code(0);
    assert!(said.err.contains("the agent was busy 3 times"), "{}", said.err);
}

#[test]
fn a_misspelled_key_is_told_the_nearest_and_an_unknown_kind_the_kinds() {
    let agent = Agent::echo();
    let project = project(&agent, "concurency = 3\n");
    project.run().code(2).complains("concurrency");
    let text = std::fs::read_to_string(project.path("suite.toml")).unwrap();
    project.file("suite.toml", text.replace("kind = \"http\"", "kind = \"htp\"").replace("concurency", "concurrency"));
    project.run().code(2).complains("unknown kind `htp`").complains("http");
    assert!(agent.asked().is_empty());
}

#[test]
fn a_suite_that_says_nothing_to_its_agent_is_refused() {
    let agent = Agent::echo();
    let project = Project::new();
    let check = "[[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n";
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}{check}", agent.table()));
    project.run().code(2).complains("no case to drive");
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}{check}[[case]]\nid = \"a\"\n", agent.table()));
    project.run().code(2).complains("does not say what the user says");
    let case = "[[case]]\nid = \"a\"\nuser = \"{{ session.id }}\"\n[[case]]\nid = \"b\"\nuser = \"{{ case.nope }}\"\n";
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}{check}{case}", agent.table()));
    project.run().code(2).complains("`session` is not known").complains("nope");
}

#[test]
fn a_secret_comes_from_a_file_and_is_written_nowhere() {
    let agent = Agent::new(|asked, _| match asked.header("authorization") {
        // It repeats what it was sent where it is wrong.
        Some("Bearer s3cret-of-the-file") => Answer::Status(401, &[], "bad key s3cret-of-the-file".to_owned()),
        other => Answer::Status(400, &[], format!("{other:?}")),
    });
    let project = Project::new();
    let suite = format!(
        "[suite]\nname = \"s\"\n{}headers = {{ Authorization = \"Bearer {{{{ env.KEY }}}}\" }}\n\
         [[session]]\nid = \"x\"\ncheck = \"contains\"\nvalue = \"x\"\n[[case]]\nid = \"a\"\nuser = \"hi\"\n",
        agent.table()
    );
    project.file("suite.toml", suite);
    project.file("secrets/key", "s3cret-of-the-file\n");
    let run = |file: &str| {
        let mut command = project.command(&["run", "suite.toml"]);
        command.env("KEY_FILE", project.path(file));
        crate::project::Said::of(command)
    };
    let said = run("secrets/key").code(4);
    assert!(said.out.contains("[secret]"), "{}", said.out);
    let everything =
        walkdir::WalkDir::new(project.path("reports")).into_iter().flatten().filter(|e| e.file_type().is_file());
    for file in everything {
        let content = String::from_utf8_lossy(&std::fs::read(file.path()).expect("a file")).into_owned();
        assert!(!content.contains("s3cret"), "{}", file.path().display());
    }
    assert!(!format!("{}{}", said.out, said.err).contains("s3cret"));
    run("secrets/none").code(4).says("`KEY_FILE` names cannot be read");
}

#[test]
fn a_secret_that_stands_in_the_suite_is_warned_of() {
    let agent = Agent::echo();
    let project = Project::new();
    let suite = |value: &str| {
        format!(
            "[suite]\nname = \"s\"\n{}headers = {{ X-Api-Key = \"{value}\", X-Tenant = \"a\" }}\n\
             state = {{ url = \"http://127.0.0.1:1\", headers = {{ Cookie = \"{value}\" }} }}\n\
             [[session]]\nid = \"x\"\ncheck = \"contains\"\nvalue = \"x\"\n[[case]]\nid = \"a\"\nuser = \"hi\"\n",
            agent.table()
        )
    };
    project.file("suite.toml", suite("abc"));
    let said = project.seatrial(&["check", "suite.toml"]).code(0);
    for name in ["X-Api-Key", "Cookie"] {
        assert!(said.err.contains(&format!("`{name}` is written out here")), "{}", said.err);
    }
    assert!(!said.err.contains("X-Tenant` is written out"), "{}", said.err);
    assert!(!said.err.contains("abc") && said.err.contains("X-Api-Key = *****"), "{}", said.err);
    project.file("suite.toml", suite("{{ env.KEY }}"));
    let said = project.seatrial(&["check", "suite.toml"]).code(0);
    assert!(!said.err.contains("written out"), "{}", said.err);
}
