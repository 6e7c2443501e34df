//! The README says what the binary says, and its guide works as it is written.

use std::path::PathBuf;

use crate::project::Project;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    std::fs::read_to_string(path()).expect("the README")
}

/// What stands between a pair of markers.
fn generated(name: &str) -> String {
    let explain = |topic: &str| {
        let said = Project::new().seatrial(&["explain", topic]).code(0).out;
        format!("```text\n{}\n```\n", said.trim_end())
    };
    match name {
        "exit codes" => explain("exit-codes"),
        "checks" => Project::new().seatrial(&["explain", "--markdown"]).code(0).out,
        "agents" => agents(),
        topic => explain(topic),
    }
}

/// Every kind of agent; a check may have the name of one, and is explained with it.
fn agents() -> String {
    let kind = |kind: &seatrial::agents::Kind| {
        let said = Project::new().seatrial(&["explain", kind.name]).code(0).out;
        let start = said.find(&format!("{} (kind of agent)", kind.name)).expect("a kind of agent");
        said[start..].trim_end().to_owned()
    };
    let kinds: Vec<String> = seatrial::agents::KINDS.iter().map(kind).collect();
    format!("```text\n{}\n```\n", kinds.join("\n\n\n"))
}

const SECTIONS: [&str; 16] = [
    "exit codes",
    "promote",
    "watching",
    "fleet",
    "gate",
    "suite",
    "agents",
    "cases",
    "matchers",
    "routing",
    "checks",
    "metrics",
    "filter",
    "formats",
    "settings",
    "watch",
];

#[test]
fn the_generated_parts_of_the_readme_are_up_to_date() {
    let mut text = readme();
    for name in SECTIONS {
        let (begin, end) = (format!("<!-- {name}: generated, do not edit -->\n"), "<!-- end -->");
        let start = text.find(&begin).unwrap_or_else(|| panic!("no marker {begin}")) + begin.len();
        let stop = start + text[start..].find(end).expect("an end marker");
        text.replace_range(start..stop, &format!("\n{}\n", generated(name).trim_end()));
    }
    if std::env::var_os("SEATRIAL_UPDATE_README").is_some() {
        std::fs::write(path(), &text).expect("written");
    }
    assert!(text == readme(), "run `SEATRIAL_UPDATE_README=1 cargo test --test cli readme` and look at the difference");
}

/// The code blocks of the ten-minute guide with their languages, in order.
fn blocks() -> Vec<(String, String)> {
    let text = readme();
    let guide = text.split("## Ten minutes").nth(1).and_then(|t| t.split("\n## ").next()).expect("the guide");
    let mut blocks = Vec::new();
    let mut rest = guide;
    while let Some((_, after)) = rest.split_once("```") {
        let (language, after) = after.split_once('\n').expect("a line");
        let (code, after) = after.split_once("```").expect("a closed block");
        blocks.push((language.to_owned(), code.to_owned()));
        rest = after;
    }
    blocks
}

#[test]
fn the_guide_works_as_it_is_written() {
    let blocks = blocks();
    let toml = |part: &str| {
        let found = blocks.iter().find(|(language, code)| language == "toml" && code.contains(part));
        found.unwrap_or_else(|| panic!("no TOML block with {part}")).1.clone()
    };
    let sessions = &blocks.iter().find(|(language, _)| language == "json").expect("sessions").1;
    let project = Project::new();
    project.file("sessions.jsonl", sessions);
    // 1 and 2: the recording and the suite as they stand.
    project.seatrial(&["show", "sessions.jsonl"]).code(0).says("s1").says("s2");
    project.seatrial(&["show", "sessions.jsonl", "s1"]).code(0).says("Order 17 has shipped.");
    let suite = toml("looks-up-a-number");
    project.file("orders.toml", &suite);
    // 3: unmeasured, and why; then the tool is known.
    project.seatrial(&["run", "orders.toml"]).code(4).says("refund_order").says("UNMEASURED");
    let known = suite.replace("[suite]\nname = \"orders\"\n", &toml("tools = [\"refund_order\"]"));
    assert_ne!(known, suite);
    project.file("orders.toml", &known);
    project.seatrial(&["run", "orders.toml"]).code(0);
    // 4: cases and references.
    let with_cases = format!("{known}\n{}", toml("[[case]]"));
    project.file("orders.toml", &with_cases);
    project.seatrial(&["run", "orders.toml"]).code(0);
    let wrong = sessions.replace("\"id\": 17}", "\"id\": 71}");
    project.file("sessions.jsonl", &wrong);
    project.seatrial(&["run", "orders.toml"]).code(1).says("did-what-was-asked");
    project.file("sessions.jsonl", sessions);
    // 5 and 6: the gate and a system check.
    let all = format!("{with_cases}\n{}\n{}", toml("[gate]"), toml("[[system]]"));
    project.file("orders.toml", &all);
    project.seatrial(&["check", "orders.toml"]).code(0);
    project.seatrial(&["run", "orders.toml"]).code(0);
    // 7: in CI.
    project.seatrial(&["run", "orders.toml", "--junit", "junit.xml", "--json"]).code(0);
    project.file("seatrial.toml", toml("[profile.ci]"));
    project.seatrial(&["run", "orders.toml", "--profile", "ci"]).code(0);
    assert!(project.path("build/junit.xml").exists());
    project.seatrial(&["explain", "calls"]).code(0);
    project.seatrial(&["schema", "--out", ".seatrial/suite.schema.json"]).code(0);
    project.seatrial(&["run", "orders.toml", "--filter", "tag(status)"]).code(0).says("partial");
}
