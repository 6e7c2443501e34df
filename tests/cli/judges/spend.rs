//! What asking took, as the record and the page tell it.

use super::stub::{Stub, completion, ok, refuse, verdict};
use super::{CHECK, project};
use crate::browser::Browser;
use crate::project::Project;

/// Two checks that ask.
const OTHER: &str =
    "[[session]]\nid = \"brief\"\ncheck = \"judge\"\nrubric = \"The agent is brief.\"\nseverity = \"warn\"\n";
/// What the model costs.
const PRICES: &str = "[prices]\n\"gpt-4o-mini\" = { input = 1, output = 10 }\n";

#[test]
fn the_record_says_what_asking_took() {
    let stub = Stub::says(&verdict(1.0));
    let project = project(&stub, 4, CHECK, "[prices]\n\"gpt-4o-mini\" = { input = 1, output = 10 }\n");
    let spend = |project: &Project| {
        let record = project.report("run.jsonl");
        let line = record.lines().find(|l| l.starts_with("{\"volatile\":\"spend\"")).expect("a line").to_owned();
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        line["checks"][0].clone()
    };
    project.run().code(0);
    let first = spend(&project);
    assert_eq!((&first["asked"], &first["tokens_in"], &first["tokens_out"]), (&4.into(), &4000.into(), &400.into()));
    assert_eq!(first["cost_usd"], 0.008);
    project.run().code(0);
    let second = spend(&project);
    assert_eq!((&second["asked"], &second["kept"], &second["cost_usd"]), (&0.into(), &4.into(), &0.0.into()));
}

#[test]
fn the_page_says_what_asking_took_by_check_and_in_all() {
    let stub = Stub::new(|asked| match asked.body.contains("brief") && asked.body.contains("customer 0.") {
        true => refuse(400, "no"),
        false => completion(&verdict(1.0)),
    });
    let project = project(&stub, 2, &format!("{CHECK}{OTHER}"), PRICES);
    project.run().code(0);
    let all = "models: 3 questions asked, 1 without an answer, 3000 tokens read and 300 written, 0.006 USD<";
    assert!(project.report("index.html").contains(all));
    let Some(mut browser) = Browser::start() else { return };
    let mut rows = || {
        browser.open(&project.path("reports/latest/index.html"), "");
        let cells = "[...document.querySelectorAll('.models tbody tr')].map((r) => [...r.children].map((c) => c.innerText).join('|'))";
        browser.eval(cells)
    };
    let thousands = |n: u32| format!("{n}\u{202f}000");
    let (one, two, three) = (thousands(1), thousands(2), thousands(3));
    let first = [
        format!("polite|2|||{two}|200|$0.004"),
        format!("brief|1||1|{one}|100|$0.002"),
        format!("all|3||1|{three}|300|$0.006"),
    ];
    assert_eq!(rows(), serde_json::json!(first));
    project.run().code(0);
    assert_eq!(rows(), serde_json::json!(["polite||2||||", "brief||1|1|||", "all||3|1|||"]));
}

#[test]
fn what_nobody_knows_the_price_of_is_not_free() {
    let reply = String::from_utf8(completion(&verdict(1.0)).body).expect("text");
    let reply = reply.replace("gpt-4o-mini-2024-07-18", "our-model");
    let stub = Stub::new(move |_| ok(reply.clone()));
    let project = project(&stub, 2, CHECK, "");
    let settings = std::fs::read_to_string(project.path("seatrial.toml")).expect("settings");
    project.file("seatrial.toml", settings.replace("gpt-4o-mini", "our-model"));
    project.run().code(0).says("the cost of 2 unknown");
    let page = project.report("index.html");
    assert!(page.contains("200 written, the cost of 2 unknown<"));
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "");
    assert_eq!(browser.eval("document.querySelector('.models tbody tr').lastChild.innerText"), "unknown for 2");
}
