//! `list`, `show`, `label`, `skip`, `undo`, `adjudicate`, `stats`.

use serde_json::Value;

use super::{queue, review, waiting};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn what_waits_is_listed_without_what_the_check_says() {
    let (project, ids) = queue(vec![waiting(1), waiting(2)]);
    let said =
        review(&project, "ann", &["list"]).code(0).says("support / goal").says("less sure than 0.8").says("2 min");
    assert!(said.out.find(&ids[0].as_str()[..8]) < said.out.find(&ids[1].as_str()[..8]), "the urgent one first");
    let said = review(&project, "ann", &["list", "--json"]).code(0);
    let line = json(&said.out);
    assert_eq!((&line["counts"]["pending"], line["items"].as_array().map(Vec::len)), (&2.into(), Some(2)));
    assert!(line["items"][0].get("proposal").is_none(), "{line}");
    review(&project, "ann", &["list", "--suite", "other"]).code(0).says("these flags");
    review(&project, "ann", &["list", "--status", "pendnig"]).code(2).complains("did you mean `pending`?");
}

#[test]
fn an_item_is_shown_blind_until_it_is_answered() {
    let (project, ids) = queue(vec![waiting(1)]);
    let short = &ids[0].as_str()[..8];
    let said = review(&project, "ann", &["show", short]).code(0).says("Was the goal reached?").says("refunded");
    assert!(!said.out.contains("two of three") && !said.out.contains('\u{1b}'), "{}", said.out);
    review(&project, "ann", &["show", short, "--reveal"]).code(0).says("two of three votes");
    review(&project, "ann", &["label", short, "fail", "--comment", "No receipt."])
        .code(0)
        .says("decided: fail (by ann)");
    // What they were shown before is kept with the answer, whatever they say themselves.
    review(&project, "ann", &["show", short]).code(0).says("fail, not blind: No receipt.");
    review(&project, "ann", &["show", short]).code(0).says("two of three votes").says("No receipt.");
    let line = json(&review(&project, "ann", &["show", short, "--json"]).code(0).out);
    assert_eq!((&line["decision"], &line["shown"]["session"]["id"]), (&"fail".into(), &"s1".into()));
    review(&project, "ann", &["show", "zzzzzzzz"]).code(2).complains("no item `zzzzzzzz`");
}

#[test]
fn an_answer_stays_until_it_is_taken_back_and_both_are_kept() {
    let (project, ids) = queue(vec![waiting(1)]);
    let id = ids[0].as_str();
    let first = json(&review(&project, "ann", &["label", id, "pass", "--json"]).code(0).out);
    assert_eq!((&first["status"], &first["decision"]), (&"resolved".into(), &"pass".into()));
    review(&project, "ann", &["label", id, "fail"]).code(2).complains("has answered").complains("review undo");
    review(&project, "bob", &["undo", id]).code(2).complains("bob has said nothing").complains("the id of its label");
    let label = first["label"]["id"].as_str().expect("an id");
    review(&project, "bob", &["undo", label]).code(2).complains("only an adjudicator");
    review(&project, "ann", &["undo", id]).code(0).says("waits for somebody");
    review(&project, "ann", &["label", id, "fail"]).code(0).says("decided: fail");
    let line = json(&review(&project, "ann", &["show", id, "--json"]).code(0).out);
    let acts: Vec<&str> = line["labels"].as_array().expect("rows").iter().filter_map(|l| l["act"].as_str()).collect();
    assert_eq!(acts, ["label", "undo", "label"]);
}

#[test]
fn two_who_skip_let_it_rest_until_an_adjudicator_decides() {
    let (project, ids) = queue(vec![waiting(1)]);
    let id = ids[0].as_str();
    review(&project, "ann", &["skip", id, "not-my-field"]).code(0).says("waits for somebody");
    review(&project, "bob", &["skip", id, "missing-context", "--comment", "no policy"]).code(0).says("stays held");
    review(&project, "cat", &["label", id, "pass"]).code(2).complains("skipped").complains("adjudicate");
    review(&project, "cat", &["adjudicate", id, "pass"]).code(0).says("decided: pass (by cat)");
}

#[test]
fn an_answer_is_somebodys() {
    let (project, ids) = queue(vec![waiting(1)]);
    let mut nobody = project.command(&["review", "label", ids[0].as_str(), "pass"]);
    nobody.env("HOME", project.path("nowhere")).env("GIT_CONFIG_NOSYSTEM", "1");
    crate::project::Said::of(nobody).code(2).complains("who are you?").complains("--as NAME");
    project.seatrial(&["review", "label", ids[0].as_str(), "pass", "--as", "ann"]).code(0).says("by ann");
}

#[test]
fn without_a_store_there_is_no_queue_and_without_items_it_says_so() {
    let project = crate::project::Project::new();
    project.seatrial(&["review", "list", "--store", "off"]).code(2).complains("`store` is `off`");
    project.seatrial(&["review", "list"]).code(0).says("the queue is empty");
    project.seatrial(&["review", "--as", "ann"]).code(2).complains("takes a terminal").complains("review serve");
    project.file("db", "this is no database, and long enough not to be taken for an empty one");
    project.seatrial(&["review", "list", "--store", "db"]).code(2).complains("not a store");
}

#[test]
fn how_far_people_agree_is_told() {
    let two = |n| {
        let mut item = waiting(n);
        item.asked.reviewers = 2;
        item
    };
    let (project, ids) = queue(vec![two(1), two(2)]);
    for (who, answers) in [("ann", ["pass", "fail"]), ("bob", ["pass", "pass"])] {
        for (id, answer) in ids.iter().zip(answers) {
            review(&project, who, &["label", id.as_str(), answer]).code(0);
        }
    }
    review(&project, "ann", &["stats"]).code(0).says("1 disputed, 1 resolved").says("1/2 [0.01, 0.99]");
    let line = json(&review(&project, "ann", &["stats", "--json"]).code(0).out);
    let ann = &line["reviewers"][0];
    assert_eq!(
        (&ann["with_others"]["agreed"], &ann["with_check"]["agreed"], &ann["answers"]),
        (&1.into(), &1.into(), &2.into())
    );
    review(&project, "ann", &["list", "--status", "disputed"]).code(0).says("disputed");
}

#[test]
fn an_answer_is_blind_as_far_as_the_store_knows_and_not_as_whoever_answers_says() {
    let two = |n| {
        let mut item = waiting(n);
        item.asked.reviewers = 2;
        item
    };
    let shown = |who: &str, before: &[&[&str]]| {
        let (project, ids) = queue(vec![two(1)]);
        let id = ids[0].as_str();
        for args in before {
            let args: Vec<&str> = args.iter().map(|arg| if *arg == "ITEM" { id } else { *arg }).collect();
            review(&project, who, &args).code(0);
        }
        json(&review(&project, who, &["label", id, "pass", "--json"]).code(0).out)["label"]["shown_proposal"].clone()
    };
    assert_eq!(shown("ann", &[]), false);
    assert_eq!(shown("ann", &[&["show", "ITEM"], &["list"], &["list", "--json"], &["stats"]]), false);
    assert_eq!(shown("ann", &[&["export", "--blind", "--content"]]), false);
    assert_eq!(shown("ann", &[&["show", "ITEM", "--reveal"]]), true);
    assert_eq!(shown("ann", &[&["show", "ITEM", "--reveal", "--json"]]), true);
    assert_eq!(shown("ann", &[&["export"]]), true);
    // Somebody else was told, and not they.
    assert_eq!(shown("ann", &[&["show", "ITEM", "--reveal", "--as", "bob"]]), false);
}

#[test]
fn what_is_decided_is_shown_to_all_and_who_saw_it_does_not_answer_blind_when_it_is_open_again() {
    for look in [["show", "ITEM"].as_slice(), &["list", "--status", "resolved", "--json"], &["list", "--status", "all"]]
    {
        let (project, ids) = queue(vec![waiting(1)]);
        let id = ids[0].as_str();
        review(&project, "ann", &["label", id, "pass"]).code(0);
        let look: Vec<&str> = look.iter().map(|arg| if *arg == "ITEM" { id } else { *arg }).collect();
        review(&project, "bob", &look).code(0);
        review(&project, "ann", &["undo", id]).code(0);
        let label = json(&review(&project, "bob", &["label", id, "pass", "--json"]).code(0).out);
        assert_eq!(label["label"]["shown_proposal"], true, "{look:?}");
        review(&project, "bob", &["undo", id]).code(0);
        let label = json(&review(&project, "cat", &["label", id, "pass", "--json"]).code(0).out);
        assert_eq!(label["label"]["shown_proposal"], false);
    }
}

#[test]
fn nothing_of_what_the_check_says_is_in_json_before_the_answer() {
    let (project, ids) = queue(vec![waiting(1)]);
    for args in [["list", "--json"].as_slice(), &["show", ids[0].as_str(), "--json"], &["export", "--blind"]] {
        let out = review(&project, "ann", args).code(0).out;
        for hidden in ["proposal", "score", "confidence", "inclusion", "threshold", "\"pass\"", "two of three"] {
            assert!(!out.contains(hidden), "{args:?} {hidden}: {out}");
        }
    }
    let mut nobody = project.command(&["review", "show", ids[0].as_str(), "--reveal"]);
    nobody.env("HOME", project.path("nowhere")).env("GIT_CONFIG_NOSYSTEM", "1");
    crate::project::Said::of(nobody).code(2).complains("who are you?");
}

#[test]
fn nobody_decides_alone_where_nobody_disagrees_unless_they_say_so() {
    let (project, ids) = queue(vec![waiting(1)]);
    let id = ids[0].as_str();
    review(&project, "eve", &["adjudicate", id, "fail"]).code(2).complains("is pending").complains("--overrule");
    review(&project, "ann", &["label", id, "pass"]).code(0);
    review(&project, "eve", &["adjudicate", id, "fail"]).code(2).complains("is resolved").complains("--overrule");
    let said = review(&project, "eve", &["adjudicate", id, "fail", "--overrule", "--comment", "The policy of June."]);
    said.code(0).says("decided: fail (by eve, overruling the reviewers)");
    review(&project, "ann", &["show", id]).code(0).says("fail (decides over the reviewers)");
    let line = json(&review(&project, "x", &["export"]).code(0).out);
    assert_eq!((&line["decided_by"]["overrules"], &line["labels"][1]["act"]), (&true.into(), &"overrule".into()));
}

#[test]
fn where_there_are_users_roles_are_asked_for_in_the_terminal_too() {
    let (project, ids) = queue(vec![waiting(1), waiting(2)]);
    let (id, other) = (ids[0].as_str(), ids[1].as_str());
    // A store of one person: whoever can write it adjudicates.
    review(&project, "ann", &["adjudicate", other, "pass", "--overrule"]).code(0);
    for (name, role) in [("ann", "reviewer"), ("eve", "adjudicator")] {
        project.seatrial(&["review", "user", "add", name, "--role", role, "--no-password"]).code(0);
    }
    review(&project, "ann", &["adjudicate", id, "fail", "--overrule"]).code(2).complains("this is for adjudicators");
    review(&project, "bob", &["label", id, "pass"]).code(2).complains("bob is none of them");
    review(&project, "bob", &["skip", id, "ambiguous"]).code(2).complains("bob is none of them");
    let label = json(&review(&project, "ann", &["label", id, "pass", "--json"]).code(0).out);
    let label = label["label"]["id"].as_str().expect("an id");
    review(&project, "ann", &["undo", label, "--anyone"]).code(2).complains("this is for adjudicators");
    project.file(
        "labels.jsonl",
        format!("{{\"item\":\"{id}\",\"reviewer\":\"cat\",\"act\":\"overrule\",\"answer\":\"fail\"}}\n"),
    );
    review(&project, "ann", &["import", "labels.jsonl"]).code(2).complains("this is for adjudicators");
    project.seatrial(&["review", "user", "disable", "ann"]).code(0);
    review(&project, "ann", &["undo", id]).code(2).complains("ann is kept out");
    review(&project, "eve", &["undo", label, "--anyone"]).code(0).says("waits for somebody");
    review(&project, "eve", &["import", "labels.jsonl"]).code(0).says("1 decided now");
}
