//! A line is read as it was written, and no other is.

use super::super::testing;
use super::*;

#[test]
fn a_line_is_read_as_it_was_written() {
    let asked = testing::item(1).asked;
    let item = Item {
        id: asked.key.id(),
        asked,
        content: None,
        baseline: None,
        status: ItemStatus::Resolved,
        decision: Some(Status::Fail),
        decided: Some(DecidedBy::Reviewers { who: vec!["ann".into()] }),
        open: 0,
        created: 1_700_000_000_123,
        resolved: Some(1_700_000_100_000),
    };
    let skip = Answer::Skip { reason: SkipReason::NotMyField };
    let rows = [testing::row(1, "bob", skip), testing::undo(2, "bob", 1), testing::row(3, "ann", Answer::Fail)];
    let line = ItemLine::of(&item, &rows);
    let text = serde_json::to_string(&line).unwrap();
    assert!(text.contains(r#""created":"2023-11-14T22:13:20.123Z""#), "{text}");
    assert!(text.contains(r#""undoes":"l1""#) && text.contains(r#""skip_reason":"not_my_field""#), "{text}");
    assert_eq!(serde_json::from_str::<ItemLine>(&text).unwrap(), line);
    let back = line.rows().unwrap();
    let same = back.iter().zip(&rows).all(|(a, b)| (&a.id, &a.act, a.seq) == (&b.id, &b.act, b.seq));
    assert!(same && back.len() == rows.len(), "{back:?}");
    let edited = ItemLine { decision: Some(Status::Pass), ..line.clone() };
    assert_eq!(edited.rows().unwrap_err(), "it says pass, and by its labels it is fail");
    let edited = ItemLine { labels: line.labels[..2].to_vec(), ..line.clone() };
    assert_eq!(edited.rows().unwrap_err(), "it says fail, and by its labels it is not decided");
    let edited = ItemLine { status: ItemStatus::Cancelled, ..line.clone() };
    assert_eq!(edited.rows().unwrap_err(), "it says fail, and it is cancelled, which nobody decides");
    let eve = DecidedBy::Adjudicator { who: "eve".into(), overrules: false };
    let edited = ItemLine { decided_by: Some(eve), ..line.clone() };
    assert!(edited.rows().unwrap_err().contains("it says that eve decided, and by its labels ann did"));
    let strange = ItemLine { labels: vec![LabelLine { answer: None, ..line.labels[0].clone() }], ..line };
    assert!(strange.rows().unwrap_err().contains("label l1 is none"));
}

#[test]
fn a_blind_line_holds_nothing_that_the_check_or_others_say() {
    let mut asked = testing::item(1).asked;
    asked.routed.why = vec![Why::Audit { rate: 0.1 }, Why::Tag { tag: "refund".into() }];
    let id = asked.key.id();
    let (content, baseline, decided, resolved) = (None, None, None, None);
    let (status, decision) = (ItemStatus::NeedsMore, None);
    let item = Item { id, asked, content, baseline, status, decision, decided, open: 1, created: 0, resolved };
    let line = ItemLine::of(&item, &[testing::row(1, "bob", Answer::Fail)]).blind();
    assert_eq!(line["why"], serde_json::json!([{ "why": "tag", "tag": "refund" }]));
    let text = line.to_string();
    for hidden in ["\"pass\"", "\"fail\"", "bob", "0.75", "0.5", "audit", "inclusion", "labels"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert_eq!(line["item"], item.id.as_str());
}

#[test]
fn a_time_that_is_none_is_refused() {
    assert_eq!(millis("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
    assert_eq!(millis(&rfc3339(1_700_000_000_123)), Some(1_700_000_000_123));
    for bad in ["", "yesterday", "2023-11-14", "1700000000"] {
        assert_eq!(millis(bad), None, "{bad}");
    }
}
