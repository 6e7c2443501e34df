//! Agents that are programs, and what becomes of them: one that dies, floods its standard error or never answers, an MCP
//! server, and an interrupt that does not wait.

#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::agent::{Agent, Answer};
use crate::project::{Project, replies};

/// Waits until something is so, and not for ever.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that has ended and waits to be asked for does not.
fn runs(pid: &str) -> bool {
    let said = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps");
    let state = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// The processes whose ids a program wrote are gone.
fn are_gone(project: &Project, file: &str) {
    let pids = std::fs::read_to_string(project.path(file)).expect("ids");
    assert!(pids.split_whitespace().count() > 0);
    pids.split_whitespace().for_each(|pid| until("its processes are gone", || !runs(pid)));
}

/// In a shell: stays, with a child of its own, and says who both are in a file.
fn stays(file: &str) -> String {
    format!("sleep 600 & echo \"$! $$\" > {file}.new; mv {file}.new {file}; wait")
}

/// A program that answers `good` and does something else with `bad`.
fn program(bad: &str, more: &str) -> Project {
    let project = Project::new();
    let script = format!(
        "while read -r line; do\ncase \"$line\" in\n*'\"message\":\"bad\"'*) {bad} ;;\n*) printf '{{\"reply\": \"hello\", \"calls\": []}}\\n' ;;\nesac\ndone\n"
    );
    project.file("agent.sh", script);
    project.file(
        "suite.toml",
        format!(
            "[suite]\nname = \"s\"\n[agent]\nkind = \"command\"\nrun = [\"sh\", \"agent.sh\"]\n{more}\
             [[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n\
             [[case]]\nid = \"a\"\nuser = \"good\"\n[[case]]\nid = \"b\"\nuser = \"bad\"\n[[case]]\nid = \"c\"\nuser = \"good\"\n"
        ),
    );
    project
}

fn errors_and_passes(project: &Project) -> (Option<u64>, Option<u64>) {
    let suite = project.suite();
    (suite["cases"]["error"].as_u64(), suite["cases"]["passed"].as_u64())
}

#[test]
fn one_that_dies_is_an_error_of_its_case_with_what_it_said() {
    for process in ["session", "pool"] {
        let more = format!("process = \"{process}\"\nretries = 0\n");
        let project = program("echo 'the engine room is flooded' >&2; exit 7", &more);
        project.run().code(4).says("died").says("the engine room is flooded");
        assert_eq!(errors_and_passes(&project), (Some(1), Some(2)), "{process}");
    }
}

#[test]
fn one_that_floods_its_standard_error_is_heard_all_the_same() {
    let flood = "yes 'a line of complaint that nobody asked for' | head -c 20000000 >&2; \
        printf '{\"reply\": \"hello\", \"calls\": []}\\n'";
    let project = program(flood, "");
    project.run().code(0);
    let size = std::fs::metadata(project.path("reports/latest/run.jsonl")).expect("the record").len();
    assert!(size < 1 << 20, "{size}");
    // What is told of it when it goes wrong is the last of it, and not all.
    let project = program("yes complaint | head -c 20000000 >&2; exit 1", "");
    project.run().code(4).says("complaint");
    assert!(project.report("run.jsonl").len() < 1 << 20);
}

#[test]
fn one_that_never_answers_is_given_up_with_all_that_it_started() {
    let project = program(&stays("pids"), "turn_timeout = \"5s\"\n");
    project.run().code(4).says("timeout");
    assert_eq!(errors_and_passes(&project), (Some(1), Some(2)));
    are_gone(&project, "pids");
}

/// An MCP server: divides, fails where it divides by 0, dies or hangs when told to.
const SERVER: &str = r#"while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9][0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"stub","version":"1"}}}\n' "$id" ;;
    *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"divide","inputSchema":{"type":"object"}},{"name":"sink","inputSchema":{"type":"object"}}]}}\n' "$id" ;;
    *'"tools/call"'*'"by":0'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"isError":true,"content":[{"type":"text","text":"division by zero"}]}}\n' "$id" ;;
    *'"tools/call"'*'"divide"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"{\\"quotient\\": 4}"}]}}\n' "$id" ;;
    *'"tools/call"'*'"dies"'*) echo 'out of memory' >&2; exit 3 ;;
    *'"tools/call"'*'"hangs"'*) sleep 600 & echo "$! $$" > pids.new; mv pids.new pids; wait ;;
  esac
done
"#;

#[test]
fn the_tools_of_an_mcp_server_are_tested_one_by_one() {
    let project = Project::new();
    project.file("server.sh", SERVER);
    let case = |id: &str, tool: &str, args: &str| {
        format!("[[case]]\nid = \"{id}\"\n[[case.turn]]\ncall = {{ name = \"{tool}\", args = {{ {args} }} }}\n")
    };
    let cases = [
        case("quarter", "divide", "of = 16, by = 4"),
        case("nothing", "divide", "of = 16, by = 0"),
        case("dies", "dies", ""),
        case("hangs", "hangs", ""),
    ];
    let checks = "[[span]]\nid = \"four\"\non = { kind = \"tool\", case = \"quarter\" }\ncheck = \"value\"\nof = \"output\"\n\
        path = \"quotient\"\nis = 4\n\
        [[span]]\nid = \"says-so\"\non = { kind = \"tool\", case = \"nothing\" }\ncheck = \"status\"\nis = \"error\"\n\
        [[session]]\nid = \"no-sink\"\ncheck = \"calls\"\ntool = \"sink\"\nmax = 0\n";
    let head = "[suite]\nname = \"s\"\n[agent]\nkind = \"mcp\"\nrun = [\"sh\", \"server.sh\"]\nturn_timeout = \"5s\"\nretries = 0\n";
    project.file("suite.toml", format!("{head}{checks}{}", cases.concat()));
    let said = project.run().code(4).says("out of memory").says("timeout");
    assert!(!said.out.contains("no session calls"), "{}", said.out);
    assert_eq!(errors_and_passes(&project), (Some(2), Some(2)));
    assert_eq!((&project.check("four")["pass"], &project.check("says-so")["pass"]), (&json!(1), &json!(1)));
    // A tool that the server has and nobody called is known: that it was not called is a result.
    assert_eq!(project.check("no-sink")["pass"], 2);
    are_gone(&project, "pids");
    // One that it does not have is misspelled.
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", text.replace("\"sink\"", "\"snik\""));
    project.run().code(4).says("no session calls `snik` (did you mean `sink`?)");
}

#[test]
fn an_agent_in_agentcore_is_asked_with_a_signature() {
    let agent = Agent::new(|asked, _| match asked.body["prompt"].as_str() {
        Some("bad") => Answer::Status(403, &[], "{\"message\":\"The security token is expired\"}".into()),
        _ => Answer::Json(json!({ "result": "hello" })),
    });
    let project = Project::new();
    let suite = format!(
        "[suite]\nname = \"s\"\n[agent]\nkind = \"agentcore\"\n\
         runtime = \"arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/support-abc123\"\nurl = \"{}\"\nreply = \"result\"\n\
         [[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n\
         [[case]]\nid = \"a\"\nuser = \"hi\"\n[[case]]\nid = \"b\"\nuser = \"bad\"\n",
        agent.url("")
    );
    project.file("suite.toml", suite);
    let mut command = project.command(&["run", "suite.toml"]);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    command.env("AWS_SESSION_TOKEN", "the-session-token-of-this-test").env("AWS_EC2_METADATA_DISABLED", "true");
    crate::project::Said::of(command).code(4).says("refused");
    assert_eq!(errors_and_passes(&project), (Some(1), Some(1)));
    for asked in agent.asked() {
        assert!(
            asked.line.starts_with(
                "POST /runtimes/arn%3Aaws%3Abedrock-agentcore%3Aeu-west-1%3A123456789012%3Aruntime%2Fsupport-abc123/invocations"
            ),
            "{}",
            asked.line
        );
        let date = asked.header("x-amz-date").expect("a date");
        assert!(date.len() == 16 && date.ends_with('Z'), "{date}");
        assert_eq!(asked.header("x-amz-security-token"), Some("the-session-token-of-this-test"));
        let session = asked.header("x-amzn-bedrock-agentcore-runtime-session-id").expect("a session");
        assert!((33..=256).contains(&session.len()), "{session}");
        let signed = asked.header("authorization").expect("a signature");
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{}/eu-west-1/bedrock-agentcore/aws4_request, ",
            &date[..8]
        );
        let rest = signed.strip_prefix(&scope).unwrap_or_else(|| panic!("{signed}"));
        let (headers, signature) = rest.split_once(", Signature=").expect("a signature");
        for name in ["host", "x-amz-date", "x-amz-security-token", "x-amzn-bedrock-agentcore-runtime-session-id"] {
            assert!(headers.starts_with("SignedHeaders=") && headers.contains(name), "{headers}");
        }
        assert!(signature.len() == 64 && signature.bytes().all(|b| b.is_ascii_hexdigit()), "{signature}");
    }
    for file in ["run.jsonl", "index.html", "sessions/s.jsonl"] {
        let text = project.report(file);
        assert!(!text.contains("K7MDENG") && !text.contains("the-session-token"), "{file}");
    }
}

fn started(project: &Project) -> Child {
    let mut command = project.command(&["run", "suite.toml"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn interrupt(run: &Child) {
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill").success());
}

#[test]
fn a_second_interrupt_ends_agents_and_what_is_done_around_them_at_once() {
    let project =
        program(&stays("pids"), "[[agent.teardown]]\nrun = [\"sh\", \"down.sh\"]\neach = \"run\"\ntimeout = \"10m\"\n");
    project.file("down.sh", stays("down"));
    let mut run = started(&project);
    until("the agent is asked", || project.path("pids").exists());
    interrupt(&run);
    until("it is undone", || project.path("down").exists());
    interrupt(&run);
    assert_eq!(run.wait().expect("it ends").code(), Some(5));
    are_gone(&project, "pids");
    are_gone(&project, "down");
}

#[test]
fn a_second_interrupt_ends_the_programs_that_judge_at_once() {
    let check = "[[session]]\nid = \"own\"\ncheck = \"command\"\nrun = [\"sh\", \"own.sh\"]\ntimeout = \"10m\"\n";
    let project = Project::with(check, &[&replies("a", "hello")]);
    project.file("own.sh", format!("read -r line; {}", stays("pids")));
    let mut run = started(&project);
    until("it is asked", || project.path("pids").exists());
    interrupt(&run);
    interrupt(&run);
    // Two signals that come together are one: it is told again until it has heard.
    let deadline = Instant::now() + Duration::from_secs(60);
    let code = loop {
        if let Some(status) = run.try_wait().expect("it can be waited for") {
            break status.code();
        }
        assert!(Instant::now() < deadline, "it ends");
        std::thread::sleep(Duration::from_millis(100));
        let _ = Command::new("kill").args(["-INT", &run.id().to_string()]).stderr(Stdio::null()).status();
    };
    assert_eq!(code, Some(5));
    are_gone(&project, "pids");
}
