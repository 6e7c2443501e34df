//! The shape of Amazon A2I: one human loop for each item, as A2I writes its output for custom tasks
//! (`flowDefinitionArn`, `humanAnswers`, `humanLoopName`, `inputContent`), so that what reads the one reads the other; and
//! such outputs read as labels, of loops that were called as the items are.

use serde_json::{Map, Value, json};

use super::incoming::{Written, is_item};
use crate::ledger::line::{ItemLine, rfc3339};
use crate::ledger::{Act, ItemId, Label, Why, counting};

/// The output of the loop of an item; `None` when nobody has answered it yet, which A2I has no output for. `flow` is the
/// flow definition that is named.
pub fn output(line: &ItemLine, labels: &[Label], flow: &str) -> Option<Value> {
    let answers: Vec<Value> = counting(labels).into_iter().filter_map(answer).collect();
    if answers.is_empty() {
        return None;
    }
    let mut input = json!({
        "suite": line.suite,
        "check": line.check,
        "checkDigest": line.check_digest,
        "sessionId": line.session_id,
        "session": line.session,
        "case": line.case,
        "trial": line.trial,
        "subject": line.subject,
        "tags": line.tags,
        "aiServiceResponse": {
            "verdict": line.proposal,
            "score": line.score,
            "confidence": line.confidence,
            "judge": line.judge,
            "judgeVersion": line.judge_version,
        },
        "humanTaskActivationConditionResults": { "Conditions": [{ "EvaluationResult": true, "Or": conditions(&line.why) }] },
        "inclusionProbability": line.inclusion,
    });
    if let Some(shown) = &line.shown {
        input["taskObject"] = json!(shown);
    }
    Some(json!({
        "flowDefinitionArn": flow,
        "humanAnswers": answers,
        "humanLoopName": line.item,
        "inputContent": input,
    }))
}

/// The folder of a loop below the bucket, by the time at which it was made.
pub fn folder(line: &ItemLine) -> String {
    let at = jiff::Timestamp::from_millisecond(line.created).unwrap_or_default();
    format!("{}/{}", at.strftime("%Y/%m/%d/%H/%M/%S"), line.item)
}

fn answer(label: &Label) -> Option<Value> {
    let answer = label.act.answer()?;
    let mut content = Map::from_iter([("verdict".to_owned(), Value::from(answer.name()))]);
    if let Some(reason) = answer.skip_reason() {
        content.insert("skipReason".to_owned(), reason.name().into());
    }
    if !label.comment.is_empty() {
        content.insert("comment".to_owned(), label.comment.clone().into());
    }
    if label.act.adjudicates() {
        content.insert("adjudication".to_owned(), true.into());
    }
    if matches!(label.act, Act::Overrule(_)) {
        content.insert("overrules".to_owned(), true.into());
    }
    if let Some(shown) = label.shown_proposal {
        content.insert("shownProposal".to_owned(), shown.into());
    }
    let mut said = json!({
        "answerContent": content,
        "submissionTime": rfc3339(label.at),
        "workerId": label.reviewer,
        "workerMetadata": { "identityData": { "identityProviderType": "seatrial", "sub": label.reviewer } },
    });
    if let Some(seconds) = label.seconds {
        said["acceptanceTime"] = rfc3339(label.at - i64::from(seconds) * 1000).into();
        said["timeSpentInSeconds"] = seconds.into();
    }
    Some(said)
}

/// The reasons of an item as conditions that were met.
fn conditions(why: &[Why]) -> Vec<Value> {
    let condition = |why: &Why| {
        let (kind, parameters) = match why {
            Why::Below { threshold } => ("ConfidenceBelow", json!({ "ConfidenceLessThan": threshold * 100.0 })),
            Why::Always => ("Always", json!({})),
            Why::Tag { tag } => ("Tag", json!({ "Tag": tag })),
            Why::Severity { severity } => ("Severity", json!({ "Severity": severity })),
            Why::Disagreement { votes } => ("Disagreement", json!({ "Votes": votes })),
            Why::Quarantine => ("Quarantine", json!({})),
            Why::Detector { detector } => ("Detector", json!({ "Detector": detector })),
            Why::Audit { rate } => ("Sampling", json!({ "RandomSamplingPercentage": rate * 100.0 })),
        };
        json!({ "ConditionType": kind, "ConditionParameters": parameters, "EvaluationResult": true })
    };
    why.iter().map(condition).collect()
}

/// The labels of an output of A2I, whose loop is called as the item is. `answerContent` says `verdict` (or `answer`):
/// `pass`, `fail` or `skip`, or a table of them with the chosen one true, as a group of radio buttons gives it.
pub(super) fn labels(output: &Value) -> Result<(ItemId, Vec<Written>), String> {
    let name = output["humanLoopName"].as_str().unwrap_or_default();
    if !is_item(name) {
        return Err("`humanLoopName` is the name of the item, 26 letters and digits".to_owned());
    }
    let answers = output["humanAnswers"].as_array().ok_or("`humanAnswers` is a list")?;
    Ok((ItemId(name.to_owned()), answers.iter().map(written).collect()))
}

fn written(said: &Value) -> Written {
    let content = &said["answerContent"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let verdict = content.get("verdict").or_else(|| content.get("answer")).unwrap_or(&Value::Null);
    let chosen = |table: &Map<String, Value>| {
        let mut chosen = table.iter().filter(|(_, on)| **on == Value::Bool(true)).map(|(name, _)| name.clone());
        chosen.next().filter(|_| chosen.next().is_none())
    };
    let act = if content["overrules"] == Value::Bool(true) { "overrule" } else { "adjudicate" };
    Written {
        shown_proposal: content["shownProposal"].as_bool(),
        reviewer: text(&said["workerId"]),
        act: (content["adjudication"] == Value::Bool(true)).then(|| act.to_owned()),
        answer: text(verdict).or_else(|| verdict.as_object().and_then(chosen)).map(|name| name.to_lowercase()),
        skip_reason: text(&content["skipReason"]),
        comment: text(&content["comment"]),
        at: text(&said["submissionTime"]),
        seconds: said["timeSpentInSeconds"].as_f64(),
        ..Written::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::incoming::read;
    use super::*;
    use crate::ledger::{Act, Answer, Item, ItemStatus, SkipReason, testing};

    fn item() -> Item {
        let asked = testing::item(1).asked;
        let (id, created) = (asked.key.id(), 1_700_000_000_000);
        let (status, decision) = (ItemStatus::NeedsMore, None);
        Item {
            id,
            asked,
            content: None,
            baseline: None,
            status,
            decision,
            decided: None,
            open: 1,
            created,
            resolved: None,
        }
    }

    #[test]
    fn an_output_has_the_keys_of_a2i_and_comes_back_as_the_same_labels() {
        let skip = Answer::Skip { reason: SkipReason::Ambiguous };
        let mut rows = vec![testing::row(1, "ann", skip), testing::row(2, "bob", Answer::Fail)];
        rows[1].comment = "Not what was asked.".into();
        rows[1].seconds = Some(43);
        rows[1].at = 1_700_000_043_000;
        rows.push(testing::adjudicate(3, "cat", Answer::Pass));
        let line = ItemLine::of(&item(), &rows);
        let output = output(&line, &rows, "arn:aws:sagemaker:eu-west-1:111122223333:flow-definition/goal").unwrap();
        let keys: Vec<&String> = output.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["flowDefinitionArn", "humanAnswers", "humanLoopName", "inputContent"]);
        let answer = &output["humanAnswers"][1];
        assert_eq!(answer["acceptanceTime"], "2023-11-14T22:13:20.000Z");
        assert_eq!(answer["submissionTime"], "2023-11-14T22:14:03.000Z");
        assert_eq!(answer["timeSpentInSeconds"], 43);
        let met = &output["inputContent"]["humanTaskActivationConditionResults"]["Conditions"][0]["Or"][0];
        assert_eq!(met["ConditionParameters"]["ConfidenceLessThan"], 80.0);
        assert_eq!(folder(&line), format!("2023/11/14/22/13/20/{}", line.item));

        let back = read(1, output.to_string().as_bytes()).unwrap();
        let said: Vec<(&str, &Act)> = back.iter().map(|l| (l.reviewer.as_str(), &l.act)).collect();
        assert!(back.iter().all(|label| label.shown_proposal == Some(false)));
        let (skip, fail) = (Act::Label(skip), Act::Label(Answer::Fail));
        assert_eq!(said, [("ann", &skip), ("bob", &fail), ("cat", &Act::Adjudicate(Answer::Pass))]);
        assert_eq!((back[1].comment.as_str(), back[1].seconds), ("Not what was asked.", Some(43)));
    }

    #[test]
    fn what_nobody_answered_has_no_output() {
        let rows = [testing::row(1, "ann", Answer::Pass), testing::undo(2, "ann", 1)];
        assert_eq!(output(&ItemLine::of(&item(), &rows), &rows, "f"), None);
    }

    #[test]
    fn a_workers_own_template_may_give_radio_buttons() {
        let name = item().id;
        let content = json!({ "answer": { "Pass": true, "Fail": false } });
        let answer =
            json!({ "answerContent": content, "submissionTime": "2020-06-18T17:08:26.246Z", "workerId": "w1" });
        let output = json!({ "humanLoopName": name, "humanAnswers": [answer], "inputContent": {} });
        assert_eq!(read(1, output.to_string().as_bytes()).unwrap()[0].act, Act::Label(Answer::Pass));
        let strange = output.to_string().replace("true", "false");
        assert!(read(1, strange.as_bytes()).unwrap_err()[0].contains("needs `answer`"));
        let other = json!({ "humanLoopName": "my-loop", "humanAnswers": [] });
        assert!(read(1, other.to_string().as_bytes()).unwrap_err()[0].contains("humanLoopName"));
    }
}
