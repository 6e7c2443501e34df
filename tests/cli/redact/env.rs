//! What is filled in from the environment or from a file is found in nothing that a run leaves behind, whoever repeats it
//! and however.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::plant::leavings;
use crate::live::agent::{Agent, Answer, Asked, reply};
use crate::project::{Project, Said};

/// Quotes, a slash, a backslash and what URLs escape: every encoding changes it.
const SECRET: &str = r#"hun"ter2/SESAME+va&lu\e9"#;

/// What gives it away, in whatever form.
const TRACES: [&str; 3] = ["ter2", "SESAME", "SESA"];

/// All that was sent, in many forms.
fn echo(asked: &Asked) -> String {
    let key = asked.header("authorization").unwrap_or_default();
    let twice = Value::from(Value::from(key).to_string()).to_string();
    let form = key.replace('"', "%22").replace('/', "%2f").replace('&', "%26").replace('+', "%2B").replace('\\', "%5c");
    let encoded = STANDARD.encode(key);
    format!("{} {key} {twice} {form} {encoded} {}", asked.line, asked.body)
}

fn refuse(status: u16, body: String) -> Answer {
    Answer::Status(status, &[("content-type", "text/plain")], body)
}

/// One that repeats its key: as an agent, an MCP server, an A2A agent, a hook and a judge.
fn parrot() -> Agent {
    Agent::new(|asked, _| {
        let path = asked.line.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default().trim_end_matches("/chat/completions");
        let id = &asked.body["id"];
        let key = asked.header("authorization").unwrap_or_default();
        match path {
            "/chat" => match asked.message().parse::<usize>() {
                // However much of a refusal is read, one of these is cut within the key.
                Ok(n) => refuse(400, format!("{}{}", "x".repeat(n), key.trim_start_matches("Bearer "))),
                Err(_) if asked.message() == "refuse" => Answer::Status(401, &[], json!({ "error": key }).to_string()),
                Err(_) => reply(&echo(asked)),
            },
            "/hook" => refuse(401, echo(asked)),
            "/state" => Answer::Json(json!({ "key": key, "all": echo(asked) })),
            "/a2a" => {
                let message = json!({ "parts": [{ "kind": "text", "text": echo(asked) }] });
                let status = json!({ "state": "failed", "message": message });
                let task = json!({ "kind": "task", "id": "t", "contextId": "c", "status": status });
                Answer::Json(json!({ "jsonrpc": "2.0", "id": id, "result": task }))
            }
            "/mcp" => mcp(asked, id),
            "/judge/prose" => completion(&echo(asked)),
            "/judge/long" => completion(&opinion(&format!("{}{key}", "y".repeat(4000 - 17)))),
            "/judge/reason" => completion(&opinion(&echo(asked))),
            _ => refuse(401, echo(asked)),
        }
    })
}

fn opinion(reason: &str) -> String {
    json!({ "reason": reason, "quotes": [], "verdict": "pass", "score": 1 }).to_string()
}

fn completion(text: &str) -> Answer {
    let message = json!({ "role": "assistant", "content": text });
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    Answer::Json(json!({ "model": "m", "choices": [{ "message": message, "finish_reason": "stop" }], "usage": usage }))
}

fn mcp(asked: &Asked, id: &Value) -> Answer {
    let says = |result: Value| Answer::Json(json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    match asked.body["method"].as_str() {
        Some("initialize") => says(json!({
            "protocolVersion": "2025-03-26", "capabilities": { "tools": {} }, "serverInfo": { "name": "x", "version": "1" }
        })),
        Some("tools/call") => match asked.body["params"]["name"].as_str() {
            Some("refused") => refuse(401, echo(asked)),
            Some("broken") => {
                Answer::Json(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -1, "message": echo(asked) } }))
            }
            _ => says(json!({ "content": [{ "type": "text", "text": echo(asked) }] })),
        },
        _ if id.is_null() => Answer::Status(202, &[], String::new()),
        _ => says(json!({})),
    }
}

/// Runs a suite with the secret set; all that was left and said, and that nothing gives it away.
fn run(project: &Project, suite: &str, file: bool) -> (Said, Vec<(String, Vec<u8>)>) {
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{suite}"));
    project.file("secret.txt", format!("{SECRET}\n"));
    let run = ["run", "suite.toml", "--keep", "all", "--verbose", "--html", "h.html", "--junit", "j.xml"];
    let mut command = project.command(&run);
    if file {
        command.env("KEY_FILE", project.path("secret.txt"))
    } else {
        command.env("KEY", SECRET)
    };
    let said = Said::of(command);
    assert!(![2, 70].contains(&said.code), "{}\n{}", said.err, said.out);
    let mut left = vec![
        ("standard output".to_owned(), said.out.clone().into_bytes()),
        ("standard error".to_owned(), said.err.clone().into_bytes()),
    ];
    leavings(&project.path(""), &["suite.toml", "secret.txt", "seatrial.toml"], &mut left);
    let encoded = STANDARD.encode(SECRET);
    let encoded = [STANDARD.encode(format!("Bearer {SECRET}"))[12..30].to_owned(), encoded[..18].to_owned()];
    for (place, bytes) in &left {
        let text = String::from_utf8_lossy(bytes);
        let traces = TRACES.into_iter().chain(encoded.iter().map(String::as_str));
        for trace in traces {
            if let Some(at) = text.find(trace) {
                let around = text.get(at.saturating_sub(80)..(at + 40).min(text.len())).unwrap_or_default();
                panic!("`{trace}` is in {place}: ...{around}...\nof {suite}");
            }
        }
    }
    let is_marked = left.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("[secret]"));
    assert!(is_marked, "nothing was repeated: {suite}\n{}", said.err);
    (said, left)
}

const CHECK: &str = "[[turn]]\nid = \"seen\"\ncheck = \"matches\"\nvalue = 'hun.te[r]2'\n";

fn case(said: &str) -> String {
    format!("[[case]]\nid = \"c-{said}\"\nuser = \"{said}\"\n")
}

fn chat(agent: &Agent) -> String {
    format!("{}retries = 0\nheaders = {{ authorization = \"Bearer {{{{ env.KEY }}}}\" }}\n", agent.table())
}

#[test]
fn an_agent_may_repeat_its_key_and_checks_see_it() {
    let agent = parrot();
    for file in [false, true] {
        let project = Project::new();
        let (said, _) = run(&project, &format!("{}{CHECK}{}", chat(&agent), case("hi")), file);
        said.code(0);
        let session: Value = serde_json::from_str(&project.report("sessions/s.jsonl")).unwrap();
        assert_eq!(session["redacted"]["/turns/0/reply"], json!(["env"]), "{session}");
        // What the check would have said of it, nobody knows any more.
        project.run_with(&["--recorded=reports/latest"]).code(4).says("redacted");
    }
}

#[test]
fn a_refusal_may_repeat_it_escaped_or_cut() {
    let agent = parrot();
    let lengths = [200, 256, 300, 400, 500, 512, 1000, 1024, 2000, 2048, 4000, 4096];
    let cases: String = lengths.iter().map(|n| case(&(n - 11).to_string())).collect();
    let (said, _) = run(&Project::new(), &format!("{}{CHECK}{}{cases}", chat(&agent), case("refuse")), false);
    said.code(4);
}

#[test]
fn servers_of_tools_and_other_agents_may_repeat_it() {
    let agent = parrot();
    let keys = "headers = { authorization = \"Bearer {{ env.KEY }}\" }\nretries = 0\n";
    let url = agent.url("/mcp?k={{ env.KEY }}");
    for tool in ["refused", "broken", "said"] {
        let table = format!("[agent]\nkind = \"mcp\"\nurl = \"{url}\"\n{keys}");
        let check = "[[span]]\nid = \"ok\"\ncheck = \"status\"\n";
        let case = format!("[[case]]\nid = \"c\"\n[[case.turn]]\ncall = {{ name = \"{tool}\", args = {{}} }}\n");
        run(&Project::new(), &format!("{table}{check}{case}"), false);
    }
    let table = format!("[agent]\nkind = \"a2a\"\nurl = \"{}\"\n{keys}", agent.url("/a2a"));
    run(&Project::new(), &format!("{table}{CHECK}{}", case("hi")), false);
}

#[test]
#[cfg(unix)]
fn programs_may_repeat_it() {
    // The first is no JSON, for the quote in it.
    for script in [
        r#"read x; printf '{"reply":"%s"}\n' "$S"; read x"#,
        r#"read x; printf '{"reply":"%s"}\n' "$(printf %s "$S" | sed 's/[\\"]/\\&/g')"; read x"#,
        r#"read x; printf %s "$S" >&2; exit 3"#,
    ] {
        let run_it = format!(
            "[agent]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"\"\"{}\"\"\"]\n",
            script.replace('\\', "\\\\")
        );
        let env = "retries = 0\nenv = { S = \"{{ env.KEY }}\" }\n";
        run(&Project::new(), &format!("{run_it}{env}{CHECK}{}", case("hi")), false);
    }
}

#[test]
fn hooks_may_repeat_it() {
    let agent = parrot();
    let url = |path: &str| agent.url(path) + "?k={{ env.KEY }}";
    let headers = "headers = { authorization = \"Bearer {{ env.KEY }}\" }\n";
    let mut hooks = vec![
        format!("[[agent.setup]]\nurl = \"{}\"\n{headers}", url("/hook")),
        format!("[[agent.teardown]]\nurl = \"{}\"\n{headers}", url("/hook")),
        format!("[agent.state]\nurl = \"{}\"\n{headers}", url("/hook")),
        format!("[agent.state]\nurl = \"{}\"\n{headers}", url("/state")),
    ];
    if cfg!(unix) {
        let script = r#"printf "failed for %s" "$1" >&2; exit 3"#;
        hooks.push(format!("[[agent.setup]]\nrun = [\"sh\", \"-c\", '{script}', \"x\", \"{{{{ env.KEY }}}}\"]\n"));
    }
    for hook in hooks {
        run(&Project::new(), &format!("{}retries = 0\n{hook}{CHECK}{}", agent.table(), case("hi")), false);
    }
}

#[test]
fn judges_may_repeat_it() {
    let agent = parrot();
    let said = Agent::echo();
    for way in ["refused", "prose", "reason", "long"] {
        let project = Project::new();
        let url = agent.url(&format!("/judge/{way}/chat/completions?k={{{{ env.KEY }}}}"));
        let url = url.replace("/chat/completions", "");
        project.file(
            "seatrial.toml",
            format!(
                "[judge.default]\nendpoint = \"openai\"\nurl = \"{}\"\nmodel = \"m\"\napi_key = \"{{{{ env.KEY }}}}\"\n",
                url
            ),
        );
        let check = "[[session]]\nid = \"j\"\ncheck = \"judge\"\nrubric = \"Good.\"\n";
        run(&project, &format!("{}{check}{}", said.table(), case("hi")), false);
    }
}
