//! `export` and `import`.

use serde_json::Value;

use super::{queue, review, waiting};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_is_exported_can_be_imported_elsewhere_and_twice() {
    let (from, ids) = queue(vec![waiting(1), waiting(2)]);
    let (into, _) = queue(vec![waiting(1), waiting(2)]);
    review(&from, "ann", &["label", ids[0].as_str(), "fail", "--comment", "No receipt."]).code(0);
    let out = review(&from, "ann", &["export", "--out", "labels.jsonl"]).code(0).complains("wrote 2 items");
    assert_eq!(out.out, "");
    let text = std::fs::read(from.path("labels.jsonl")).expect("lines");
    into.file("labels.jsonl", &text);
    review(&into, "x", &["import", "labels.jsonl", "--dry-run"]).code(0).says("would take in 1 label");
    review(&into, "x", &["list"]).code(0).says(&ids[0].as_str()[..8]);
    review(&into, "x", &["import", "labels.jsonl"]).code(0).says("took in 1 label of 1 item; 1 decided now");
    review(&into, "x", &["import", "labels.jsonl"]).code(0).says("took in 0 labels").says("1 known already");
    let there = lines(&review(&into, "x", &["export", "--status", "resolved"]).code(0).out);
    assert_eq!(there.len(), 1);
    let label = &there[0]["labels"][0];
    assert_eq!(
        (&label["reviewer"], &label["comment"], &label["source"]),
        (&"ann".into(), &"No receipt.".into(), &"import".into())
    );
}

#[test]
fn labels_for_unknown_items_are_told_all_at_once_and_nothing_is_written() {
    let (project, ids) = queue(vec![waiting(1), waiting(2)]);
    let label =
        |item: &str, answer: &str| format!("{{\"item\":\"{item}\",\"reviewer\":\"ann\",\"answer\":\"{answer}\"}}\n");
    let unknown = "a".repeat(26);
    let text = [label(ids[0].as_str(), "pass"), label(&unknown, "pass"), label(ids[1].as_str(), "maybe"), "{\n".into()];
    project.file("labels.jsonl", text.concat());
    let said = review(&project, "x", &["import", "labels.jsonl"]).code(2).says("nothing was written");
    for part in ["labels.jsonl:2: there is no item", "labels.jsonl:3: `answer` is", "labels.jsonl:4: this is no JSON"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    review(&project, "x", &["list"]).code(0).says(&ids[0].as_str()[..8]);
    let line = lines(&review(&project, "x", &["import", "labels.jsonl", "--partial", "--json"]).code(2).out).remove(0);
    assert_eq!((&line["new"], &line["wrong"], &line["resolved"]), (&1.into(), &3.into(), &1.into()));
    review(&project, "x", &["import", "absent.jsonl"]).code(2).complains("absent.jsonl");
}

#[test]
fn an_answer_that_was_taken_back_and_comes_again_is_told_with_its_line_and_nothing_is_written() {
    let (project, ids) = queue(vec![waiting(1), waiting(2)]);
    let label = |item: usize, id: &str| {
        format!("{{\"item\":\"{}\",\"reviewer\":\"ann\",\"answer\":\"pass\"{id}}}\n", ids[item])
    };
    project.file("one.jsonl", label(0, ""));
    review(&project, "ann", &["import", "one.jsonl"]).code(0).says("1 decided now");
    review(&project, "ann", &["undo", ids[0].as_str()]).code(0);
    project.file("both.jsonl", label(1, "") + &label(0, ""));
    let said = review(&project, "ann", &["import", "both.jsonl"]).code(2).says("nothing was written");
    assert!(said.err.contains("both.jsonl:2: this answer was taken back") && said.err.contains("`id`"), "{}", said.err);
    let waits = lines(&review(&project, "ann", &["list", "--json"]).code(0).out).remove(0);
    assert_eq!(waits["counts"]["pending"], 2, "all of a file or nothing");
    project.file("both.jsonl", label(1, "") + &label(0, ",\"id\":\"again\""));
    review(&project, "ann", &["import", "both.jsonl"]).code(0).says("2 decided now");
    // Whether they were blind the lines do not say, so it is not known; but an answer of ann's was here before.
    let exported = lines(&review(&project, "ann", &["export"]).code(0).out);
    let shown = |item: usize| {
        let line = exported.iter().find(|line| line["item"] == ids[item].as_str()).expect("a line");
        line["labels"].as_array().expect("rows").iter().map(|row| row["shown_proposal"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown(1), [Value::Null]);
    assert_eq!(shown(0), [Value::Null, true.into(), true.into()]);
}

#[test]
fn an_output_of_a2i_goes_out_and_comes_back() {
    let (project, ids) = queue(vec![waiting(1), waiting(2)]);
    review(&project, "ann", &["label", ids[0].as_str(), "fail"]).code(0);
    let said =
        review(&project, "ann", &["export", "--format", "a2i", "--content"]).code(0).complains("1 item is left out");
    let output = lines(&said.out).remove(0);
    assert_eq!(output["humanLoopName"], ids[0].as_str());
    assert_eq!(output["humanAnswers"][0]["answerContent"]["verdict"], "fail");
    assert_eq!(output["inputContent"]["taskObject"]["session"]["id"], "s1");
    review(&project, "ann", &["export", "--format", "a2i", "--out", "loops"]).code(0);
    let files = walk(&project.path("loops"));
    assert!(files.len() == 1 && files[0].ends_with(&format!("{}/output.json", ids[0])), "{files:?}");

    let (other, _) = queue(vec![waiting(1)]);
    other.file("output.json", said.out);
    review(&other, "x", &["import", "output.json"]).code(0).says("1 decided now");
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder").map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
    found
}
