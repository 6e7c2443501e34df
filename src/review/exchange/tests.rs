//! Out of one ledger and into another.

use std::convert::Infallible;

use super::export::{self, Exported, How};
use super::import::{self, Found, Imported};
use crate::ledger::line::ItemLine;
use crate::ledger::{Answer, ItemStatus, SkipReason};
use crate::model::Status;
use crate::store::db::testing::{Testing, id, items, said, sqlite};
use crate::store::db::{ItemFilter, Keep, Page};

/// A ledger with items 1 to `count`.
async fn ledger(count: u32) -> Testing {
    let ledger = sqlite().await;
    ledger.store.enqueue(&items(count, |_, _| ()), 1_700_000_000_000).await.unwrap();
    ledger
}

async fn exported(from: &Testing) -> Vec<ItemLine> {
    let mut lines = Vec::new();
    let mut take = |one: Exported| -> Result<(), Infallible> {
        lines.push(one.line);
        Ok(())
    };
    export::each(&from.store, &ItemFilter::default(), How::default(), 1_700_000_900_000, &mut take).await.unwrap();
    lines
}

fn text(lines: &[ItemLine]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

/// Reads, checks and writes.
async fn take_in(into: &Testing, text: &str) -> (Found, Imported) {
    let now = 1_700_001_000_000;
    let mut found = import::read(&mut text.as_bytes()).unwrap();
    let done = import::take_in(&into.store, &mut found, Keep::Whole, true, now).await.unwrap();
    (found, done)
}

#[tokio::test]
async fn what_goes_out_of_one_ledger_comes_into_another_as_it_was() {
    let (from, into) = (ledger(4).await, ledger(4).await);
    let at = 1_700_000_100_000;
    let skip = Answer::Skip { reason: SkipReason::MissingContext };
    from.store.import(&id(1), "ann", &said("a", Answer::Pass), at).await.unwrap().unwrap();
    from.store.undo("a", "ann", false, &said("b", Answer::Pass), at + 1).await.unwrap().unwrap();
    from.store.import(&id(1), "ann", &said("c", Answer::Fail), at + 2).await.unwrap().unwrap();
    from.store.import(&id(2), "ann", &said("d", skip), at).await.unwrap().unwrap();
    from.store.import(&id(3), "ann", &said("e", Answer::Fail), at).await.unwrap().unwrap();
    from.store.import(&id(3), "bob", &said("f", Answer::Pass), at).await.unwrap().unwrap();
    from.store.adjudicate(&id(3), "cat", false, &said("g", Answer::Pass), at + 5).await.unwrap().unwrap();
    // An adjudicator takes back what somebody else said.
    from.store.import(&id(4), "ann", &said("h", Answer::Fail), at).await.unwrap().unwrap();
    from.store.undo("h", "cat", true, &said("i", Answer::Pass), at + 1).await.unwrap().unwrap();
    let lines = exported(&from).await;
    assert_eq!(lines.len(), 4);

    let (found, done) = take_in(&into, &text(&lines)).await;
    assert_eq!(found.wrong, []);
    assert_eq!(done, Imported { new: 9, known: 0, items: 4, resolved: 2, written: true });
    let copied = exported(&into).await;
    for (there, here) in lines.iter().zip(&copied) {
        let rows =
            |line: &ItemLine| line.labels.iter().map(|l| (l.id.clone(), l.at, l.answer.clone())).collect::<Vec<_>>();
        assert_eq!((there.decision, there.status, rows(there)), (here.decision, here.status, rows(here)));
    }
    assert_eq!(copied.iter().filter(|l| l.decision == Some(Status::Fail)).count(), 1);

    // Once more is as good as once.
    let (found, done) = take_in(&into, &text(&lines)).await;
    assert_eq!((found.wrong_in_all, done), (0, Imported { known: 9, written: true, ..Imported::default() }));
}

#[tokio::test]
async fn what_does_not_fit_the_ledger_is_told_with_its_line_before_anything_is_written() {
    let into = ledger(2).await;
    into.store.import(&id(1), "ann", &said("a", Answer::Pass), 1).await.unwrap().unwrap();
    let label = |item: &str, rest: &str| format!(r#"{{"item":"{item}","reviewer":"ann",{rest}}}"#);
    let (one, two, none) = (id(1).0, id(2).0, id(9).0);
    let lines = [
        label(&two, r#""answer":"fail""#),
        label(&none, r#""answer":"fail""#),
        label(&one, r#""answer":"fail""#),
        label(&two, r#""answer":"pass""#),
        label(&one, r#""id":"a","answer":"fail""#),
        label(&one, r#""act":"undo","undoes":"zzz""#),
        label(&two, r#""answer":"pass","at":"2100-01-01T00:00:00Z","reviewer":"x""#),
        format!(r#"{{"item":"{one}","reviewer":"bob","act":"undo","undoes":"a"}}"#),
        format!(r#"{{"item":"{one}","reviewer":"eve","act":"adjudicate","answer":"fail"}}"#),
        format!(r#"{{"item":"{two}","reviewer":"cat","answer":"pass","at":"2100-01-01T00:00:00Z"}}"#),
    ];
    let mut found = import::read(&mut lines.join("\n").as_bytes()).unwrap();
    let done = import::take_in(&into.store, &mut found, Keep::Whole, false, 1_700_001_000_000).await.unwrap();
    let told: Vec<(u64, &str)> = found.wrong.iter().map(|w| (w.line, w.message.as_str())).collect();
    for (line, part) in [
        (2, "there is no item"),
        (3, "has answered"),
        (4, "has answered"),
        (5, "another label a"),
        (6, "no label zzz"),
        (8, "ann wrote this"),
        (9, "an adjudicator decides where answers differ"),
        (10, "time is in the future"),
    ] {
        assert!(told.iter().any(|(at, why)| *at == line && why.contains(part)), "{line} {part}: {told:#?}");
    }
    assert_eq!((done.new, done.written), (1, false), "it would be one that is right");
    assert_eq!(into.store.labels(&[id(2)]).await.unwrap(), []);
}

#[tokio::test]
async fn an_export_says_what_people_are_shown_only_where_that_is_asked_for_and_writes_it_down() {
    let from = ledger(1).await;
    assert!(exported(&from).await[0].shown.is_none());
    let mut shown = None;
    let mut take = |one: Exported| -> Result<(), Infallible> {
        shown = one.line.shown;
        Ok(())
    };
    let how = How { who: Some("ann"), content: true, blind: true };
    export::each(&from.store, &ItemFilter::default(), how, 5, &mut take).await.unwrap();
    assert_eq!(shown.unwrap().question, "Was the goal reached?");
    // No session was kept with it: nobody has read one. Nor was anybody told what the check says.
    assert_eq!(from.store.trail(&Default::default(), Page::ALL).await.unwrap(), []);
    assert!(!from.store.saw(&id(1), "ann").await.unwrap());
    let mut take = |_: Exported| -> Result<(), Infallible> { Ok(()) };
    let how = How { who: Some("ann"), ..How::default() };
    export::each(&from.store, &ItemFilter::default(), how, 5, &mut take).await.unwrap();
    assert!(from.store.saw(&id(1), "ann").await.unwrap() && !from.store.saw(&id(1), "bob").await.unwrap());
    let status = from.store.item(&id(1), 5).await.unwrap().unwrap().status;
    assert_eq!(status, ItemStatus::Pending);
}
