//! What is done around sessions, and the state of the world.

use serde_json::json;

use super::agent::{Agent, Answer, reply};
use crate::project::Project;

fn agent() -> Agent {
    Agent::new(|asked, _| match asked.line.split(' ').nth(1) {
        Some("/chat") => reply("hello"),
        Some(path) if path.starts_with("/state") => Answer::Json(json!({ "data": { "orders": { "17": "shipped" } } })),
        Some("/fails") => Answer::Status(500, &[], "no database".into()),
        _ => Answer::Json(json!({ "ok": true })),
    })
}

fn project(agent: &Agent, hooks: &str, checks: &str) -> Project {
    let project = Project::new();
    let check = "[[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n";
    let cases = "[[case]]\nid = \"a\"\nuser = \"x\"\nvars = { seat = \"12A\" }\n[[case]]\nid = \"b\"\nuser = \"x\"\nvars = { seat = \"1\" }\n";
    let head = "[suite]\nname = \"s\"\ntrials = 2\n";
    project.file("suite.toml", format!("{head}{}{hooks}{check}{checks}{cases}", agent.table()));
    project
}

fn lines(agent: &Agent) -> Vec<String> {
    let path = |line: &str| line.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
    agent.asked().iter().map(|a| path(&a.line)).collect()
}

#[test]
fn the_world_is_set_up_asked_for_its_state_and_torn_down() {
    let agent = agent();
    let hooks = format!(
        "[[agent.setup]]\nurl = \"{0}\"\neach = \"run\"\n[[agent.setup]]\nurl = \"{1}\"\nbody = {{ seat = \"{{{{ case.seat }}}}\" }}\n\
         [[agent.setup]]\nurl = \"{2}\"\neach = \"case\"\n[[agent.teardown]]\nurl = \"{3}\"\neach = \"case\"\n\
         [agent.state]\nurl = \"{4}?s={{{{ session }}}}\"\npath = \"data\"\ninitial = true\n",
        agent.url("/run"),
        agent.url("/session"),
        agent.url("/case"),
        agent.url("/undo"),
        agent.url("/state")
    );
    let checks =
        "[[session]]\nid = \"shipped\"\ncheck = \"state\"\npath = \"orders.17\"\nis = \"shipped\"\nonly = true\n";
    let project = project(&agent, &hooks, checks);
    project.run().code(0);
    assert_eq!(project.check("shipped")["pass"], 4);
    let asked = lines(&agent);
    let count = |path: &str| asked.iter().filter(|line| *line == path).count();
    let counts = ["/run", "/session", "/case", "/undo", "/state", "/chat"].map(count);
    assert_eq!((counts, asked[0].as_str()), ([1, 4, 2, 2, 8, 4], "/run"));
    assert!(agent.asked().iter().any(|a| a.body == json!({ "seat": "12A" })));
}

#[test]
fn a_world_that_cannot_be_set_up_is_an_error_of_its_session() {
    let agent = agent();
    let project = project(&agent, &format!("setup = {{ url = \"{}\" }}\n", agent.url("/fails")), "");
    project.run().code(4).says("no database");
    assert!(!lines(&agent).contains(&"/chat".to_owned()));
    let (setup, undo) = (agent.url("/fails"), agent.url("/undo"));
    let all = format!(
        "setup = {{ url = \"{setup}\", each = \"run\" }}\nteardown = [{{ url = \"{undo}\", each = \"run\" }}, \
         {{ url = \"{setup}\", each = \"run\" }}]\n"
    );
    let project = self::project(&agent, &all, "");
    project.run().code(4).says("no database").complains("teardown");
    assert_eq!(project.check("polite")["error"], 4);
    let asked = lines(&agent);
    assert!(asked.contains(&"/undo".to_owned()) && !asked.contains(&"/chat".to_owned()), "{asked:?}");
    let record = project.report("run.jsonl");
    let driven = record.lines().find(|line| line.contains("\"driven\"")).expect("what driving came to");
    assert!(driven.contains("\"undone\":1") && driven.contains("teardown: "), "{driven}");
}

#[test]
fn a_state_that_is_not_told_is_an_error_of_the_checks_that_need_it() {
    let agent = agent();
    let checks = "[[session]]\nid = \"shipped\"\ncheck = \"state\"\npath = \"orders.17\"\nis = \"shipped\"\n";
    let project = project(&agent, &format!("state = {{ url = \"{}\" }}\n", agent.url("/fails")), checks);
    let said = project.run().code(4);
    assert!(said.err.contains("no database"), "{}", said.err);
    assert_eq!((&project.check("shipped")["error"], &project.check("polite")["pass"]), (&json!(4), &json!(4)));
}

#[cfg(unix)]
#[test]
fn a_program_may_do_it() {
    let agent = agent();
    let hooks = "setup = { run = [\"sh\", \"-c\", \"echo $SEATRIAL_CASE $1 >> seeded\", \"x\", \"{{ case.seat }}\"] }\n\
        state = { run = [\"sh\", \"-c\", \"echo '{\\\"a\\\": 1}'\"] }\n";
    let checks = "[[session]]\nid = \"one\"\ncheck = \"state\"\npath = \"a\"\nis = 1\n";
    let project = project(&agent, hooks, checks);
    project.run().code(0);
    let mut seeded: Vec<String> = project_file(&project, "seeded").lines().map(str::to_owned).collect();
    seeded.sort();
    assert_eq!(seeded, ["a 12A", "a 12A", "b 1", "b 1"]);
}

fn project_file(project: &Project, name: &str) -> String {
    std::fs::read_to_string(project.path(name)).expect(name)
}
