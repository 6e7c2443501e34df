//! The whole way: the demo agent, a process of its own, is driven over HTTP with trials, its spans arrive by OTLP in every
//! encoding, and checks of spans decide.

use super::demo::Demo;
use crate::project::Project;

/// A port that nobody listens at.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The suite that `init --demo` writes, for a demo agent at free ports.
fn project(protocol: &str) -> (Project, Demo) {
    let project = Project::new();
    project.seatrial(&["init", "--demo"]).code(0).says("seatrial demo-agent &").says("seatrial run suites/");
    let port = free_port();
    let demo = Demo::start(&project, &format!("http://127.0.0.1:{port}"), protocol);
    change(&project, &[("http://127.0.0.1:8080", &demo.url), ("4318", &port.to_string())]);
    (project, demo)
}

fn change(project: &Project, what: &[(&str, &str)]) {
    let suite = std::fs::read_to_string(project.path("suites/demo.toml")).expect("the suite");
    project.file("suites/demo.toml", what.iter().fold(suite, |suite, (from, to)| suite.replace(from, to)));
}

#[test]
fn spans_of_every_encoding_decide() {
    for protocol in ["http/protobuf", "http/json", "grpc"] {
        let (project, _demo) = project(protocol);
        let said = project.seatrial(&["run", "suites/", "--keep", "all"]);
        assert_eq!(said.code, 0, "{protocol}: {}\n{}", said.out, said.err);
        // Two trials of each case: 2 and 2 calls.
        assert_eq!(project.check("names-an-order")["pass"], 8, "{protocol}");
        assert_eq!(project.check("did-what-was-asked")["pass"], 4, "{protocol}");
        assert_eq!(project.check("left-the-world-so")["pass"], 4, "{protocol}");
        assert_eq!(project.check("first-word")["pass"], 8, "{protocol}");
        let levels: Vec<String> =
            project.suite()["checks"].as_array().expect("checks").iter().map(|c| c["level"].to_string()).collect();
        assert_eq!(levels.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "all levels");
    }
}

#[test]
fn what_only_a_span_tells_fails_the_gate() {
    let (project, _demo) = project("http/protobuf");
    change(&project, &[("Please cancel order B200.", "Please cancel order B200. [demo:loop]")]);
    let said = project.seatrial(&["run", "suites/"]).code(1);
    assert!(said.out.contains("did-what-was-asked"), "{}", said.out);
    assert_eq!(project.check("did-what-was-asked")["fail"], 2);
    assert!(project.check("names-an-order")["pass"].as_u64().expect("a number") > 8, "every round is a span");
}

#[test]
fn an_agent_that_does_not_take_part_in_the_trace_is_never_a_pass() {
    let (project, demo) = project("http/protobuf");
    drop(demo);
    let silent = Demo::start(&project, "off", "http/protobuf");
    let suite = std::fs::read_to_string(project.path("suites/demo.toml")).expect("the suite");
    let at = |text: &str| {
        text.lines().find_map(|l| l.strip_prefix("url   = \"")?.strip_suffix("/chat\"")).map(str::to_owned)
    };
    let old = at(&suite).expect("an address");
    change(&project, &[(&old, &silent.url), ("quiet  = \"300ms\"", "quiet  = \"300ms\"\ndeadline = \"1s\"")]);
    // The times of its first words nobody tells.
    let said = project.seatrial(&["run", "suites/"]);
    assert_eq!(said.code, 4, "{}\n{}", said.out, said.err);
    assert_eq!(project.check("first-word")["pass"], 0);
}
