//! Kinds of agents that are spoken with in a protocol of others, driven by the real binary.

use serde_json::json;

use super::agent::{Agent, Answer};
use crate::project::Project;
use crate::receive::demo::Demo;

const SUITE: &str = "[suite]\nname = \"s\"\ntrials = 2\n[[session]]\nid = \"told\"\ncheck = \"contains\"\nvalue = \"shipped\"\n\
                     [[case]]\nid = \"where\"\nuser = [\"Where is A100?\"]\n";

#[test]
fn an_endpoint_of_chat_completions_is_driven_whole_and_in_pieces() {
    for stream in [false, true] {
        let project = Project::new();
        let demo = Demo::start(&project, "off", "http/json");
        let agent =
            format!("[agent]\nkind = \"openai\"\nurl = \"{}/v1\"\nmodel = \"support\"\nstream = {stream}\n", demo.url);
        project.file("suite.toml", format!("{SUITE}{agent}"));
        project.run().code(0).says("1 of 1 suites passed");
        assert_eq!(project.check("told")["pass"], 2, "stream = {stream}");
    }
}

#[test]
fn an_agent_of_agent2agent_is_driven_and_one_that_fails_its_task_is_an_error_of_its_case() {
    for (state, code) in [("completed", 0), ("failed", 4)] {
        let agent = Agent::new(move |asked, _| {
            let said = json!([{ "kind": "text", "text": "Order A100 is shipped." }]);
            assert_eq!(asked.body["method"], "message/send");
            Answer::Json(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": {
                "kind": "task", "id": "t", "contextId": "c", "status": { "state": state },
                "artifacts": [{ "artifactId": "a", "parts": said }],
            } }))
        });
        let project = Project::new();
        let table = format!("[agent]\nkind = \"a2a\"\nurl = \"{}\"\n", agent.url("/"));
        project.file("suite.toml", format!("{SUITE}{table}"));
        project.run().code(code);
        let check = project.check("told");
        assert_eq!(check[if code == 0 { "pass" } else { "error" }], 2, "{check}");
        let parts = &agent.asked()[0].body["params"]["message"]["parts"];
        assert_eq!(parts[0]["text"], "Where is A100?");
    }
}
