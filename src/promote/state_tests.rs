//! What the states of a promotion promise.

use super::event::{BY_RULE, Event, Id, Occasion, Override};
use super::log::{Entry, Sealed};
use super::moment::Moment;
use super::state::{Refused, State, Status};
use super::testing::{at, submission};
use crate::suite::settings::promote::Rules;

/// A log that is written by its own rules.
#[derive(Default, Clone)]
struct Book {
    log: Vec<Sealed>,
    state: State,
    now: i64,
}

impl Book {
    fn write(&mut self, by: &str, event: Event) -> Result<Id, Refused> {
        self.now += 1;
        self.write_at(at(self.now), by, event)
    }

    fn write_at(&mut self, at: Moment, by: &str, event: Event) -> Result<Id, Refused> {
        let entry = Entry::after(&self.log, at, by, event);
        self.state.apply(&entry)?;
        self.log.push(entry.seal(None).unwrap());
        // Whoever reads the log comes to the same.
        assert_eq!(State::of(&self.log).unwrap(), self.state);
        Ok(entry.event.promotion().clone())
    }

    fn submit(&mut self, by: &str, version: &str, rules: &Rules) -> Id {
        let submission = submission(self.log.len() as u64 + 1, version, rules.clone());
        self.write(by, Event::Submitted { submission }).unwrap()
    }

    fn approve(&mut self, by: &str, id: &Id) -> Result<(), Refused> {
        let (granted, expires) = self.state.grant(id, at(self.now + 1));
        let automatic = by == BY_RULE;
        let event = Event::Approved { promotion: id.clone(), reason: String::new(), automatic, granted, expires };
        self.write(by, event).map(drop)
    }

    fn back(&mut self, from: &Id, to: &Id, alert: Option<&str>) -> Result<(), Refused> {
        let alert = alert.map(str::to_owned);
        let event = Event::RolledBack { promotion: from.clone(), to: to.clone(), reason: "worse".into(), alert };
        self.write("maria", event).map(drop)
    }

    fn status(&self, id: &Id) -> Status {
        self.state.promotion(id).unwrap().status
    }

    fn live(&self) -> Option<String> {
        self.state.live("airline", "prod").map(|p| p.submission.version.version.clone())
    }
}

fn by_rule() -> Rules {
    Rules { approvals: 0, ..Rules::default() }
}

#[test]
fn who_submits_does_not_approve_and_the_approved_one_stays_live_while_another_is_pending() {
    let mut book = Book::default();
    let first = book.submit("maria", "1.0", &Rules::default());
    assert_eq!(book.status(&first), Status::Pending);
    for name in ["maria", " Maria ", "MARIA"] {
        assert!(book.approve(name, &first).unwrap_err().contains("may not approve"), "{name}");
    }
    book.approve("jan", &first).unwrap();
    assert_eq!((book.status(&first), book.live().as_deref()), (Status::Approved, Some("1.0")));
    let second = book.submit("maria", "1.1", &Rules::default());
    assert_eq!(book.live().as_deref(), Some("1.0"));
    book.approve("jan", &second).unwrap();
    assert_eq!(book.live().as_deref(), Some("1.1"));
    assert_eq!(book.status(&first), Status::Approved);
}

#[test]
fn as_many_people_approve_as_the_rules_want_each_once_and_only_those_who_may() {
    let approvers = ["jan", "eva", "maria"].map(str::to_owned).to_vec();
    let rules = Rules { approvals: 2, approvers, ..Rules::default() };
    let mut book = Book::default();
    let id = book.submit("maria", "1.0", &rules);
    assert!(book.approve("eve", &id).unwrap_err().contains("not one of the approvers"));
    assert!(book.approve("", &id).is_err() && book.approve("Rule", &id).is_err());
    book.approve("jan", &id).unwrap();
    assert_eq!(book.status(&id), Status::Pending);
    assert!(book.approve("Jan", &id).unwrap_err().contains("approved it already"));
    book.approve("eva", &id).unwrap();
    assert_eq!(book.status(&id), Status::Approved);
    assert!(book.approve("maria", &id).unwrap_err().contains("approved, not pending"));
}

#[test]
fn a_rule_approves_only_where_no_person_is_wanted() {
    let mut book = Book::default();
    let asked = book.submit("maria", "1.0", &Rules::default());
    assert!(book.approve(BY_RULE, &asked).unwrap_err().contains("asks for 1 people"));
    let free = book.submit("maria", "1.1", &by_rule());
    book.approve(BY_RULE, &free).unwrap();
    assert_eq!(book.live().as_deref(), Some("1.1"));
}

#[test]
fn other_evidence_takes_the_place_of_what_is_pending_and_approvals_do_not_go_over() {
    let mut book = Book::default();
    let rules = Rules { approvals: 2, ..Rules::default() };
    let first = book.submit("maria", "1.0", &rules);
    book.approve("jan", &first).unwrap();
    let second = book.submit("maria", "1.0", &rules);
    assert_eq!((book.status(&first), book.status(&second)), (Status::Superseded, Status::Pending));
    assert_eq!(book.state.promotion(&second).unwrap().approvals.len(), 0);
    assert!(book.approve("eva", &first).is_err());
}

#[test]
fn a_draft_is_edited_and_then_submitted_and_nothing_else_is() {
    let mut book = Book::default();
    let draft = |seq, version: &str| submission(seq, version, Rules::default());
    let id = book.write("maria", Event::Drafted { submission: draft(1, "1.0"), refusals: vec!["old".into()] }).unwrap();
    assert_eq!(book.status(&id), Status::Draft);
    assert!(book.approve("jan", &id).unwrap_err().contains("draft, not pending"));
    book.write("maria", Event::Drafted { submission: draft(1, "1.0"), refusals: Vec::new() }).unwrap();
    let other = book.write("maria", Event::Submitted { submission: draft(1, "1.1") });
    assert!(other.unwrap_err().contains("cannot be changed"));
    book.write("maria", Event::Submitted { submission: draft(1, "1.0") }).unwrap();
    assert_eq!(book.status(&id), Status::Pending);
    let again = book.write("maria", Event::Submitted { submission: draft(1, "1.0") });
    assert!(again.unwrap_err().contains("is pending and cannot be changed"));
    let wrong = book.write("maria", Event::Submitted { submission: draft(77, "1.2") });
    assert!(wrong.unwrap_err().contains("is not called"));
}

#[test]
fn a_rejection_has_a_reason_and_ends_it() {
    let mut book = Book::default();
    let id = book.submit("maria", "1.0", &Rules { approvers: vec!["jan".into()], ..Rules::default() });
    let reject = |reason: &str| Event::Rejected { promotion: Id::at(1), reason: reason.into() };
    assert!(book.write("jan", reject(" ")).is_err());
    assert!(book.write("eve", reject("no")).unwrap_err().contains("not one of the approvers"));
    // Who submitted it may take it back.
    book.write("maria", reject("a mistake")).unwrap();
    assert_eq!(book.status(&id), Status::Rejected);
    assert!(book.approve("jan", &id).is_err());
}

#[test]
fn an_approval_ends_and_then_nothing_points_to_it_anew() {
    let mut book = Book::default();
    let id = book.submit("maria", "1.0", &Rules { expires_s: Some(60), ..Rules::default() });
    book.approve("jan", &id).unwrap();
    let expires = book.state.promotion(&id).unwrap().expires.unwrap();
    assert_eq!(expires, at(book.now + 60));
    assert!(book.state.promotion(&id).unwrap().holds(at(book.now + 59)));
    assert!(!book.state.promotion(&id).unwrap().holds(expires));
    let alias = Event::Aliased { alias: "champion".into(), promotion: id.clone(), reason: String::new() };
    book.clone().write("maria", alias.clone()).unwrap();
    assert!(book.write_at(expires, "maria", alias).unwrap_err().contains("is expired"));
}

#[test]
fn a_name_points_only_to_what_is_approved() {
    let mut book = Book::default();
    let id = book.submit("maria", "1.0", &Rules::default());
    let alias = |id: &Id| Event::Aliased { alias: "champion".into(), promotion: id.clone(), reason: String::new() };
    assert!(book.write("jan", alias(&id)).unwrap_err().contains("airline@1.0 is not approved"));
    assert!(book.write("jan", alias(&Id::at(9))).unwrap_err().contains("no promotion"));
    book.approve("jan", &id).unwrap();
    book.write("jan", alias(&id)).unwrap();
    assert_eq!(book.state.alias("airline", "champion").unwrap().submission.promotion, id);
    assert_eq!(book.state.alias("airline", "prod").unwrap().submission.promotion, id);
    assert!(book.state.alias("airline", "nope").is_none());
}

#[test]
fn a_rollback_makes_the_one_before_live_and_names_follow() {
    let mut book = Book::default();
    let rules = Rules { rollback_on: vec!["burn".into()], aliases: vec!["champion".into()], ..by_rule() };
    let ids: Vec<Id> = ["1.0", "1.1", "1.2"].map(|v| book.submit("maria", v, &rules)).to_vec();
    for id in &ids {
        book.approve(BY_RULE, id).unwrap();
    }
    assert!(book.back(&ids[1], &ids[0], None).unwrap_err().contains("not live"));
    assert!(book.back(&ids[2], &ids[2], None).is_err());
    assert!(book.back(&ids[2], &ids[1], Some("other")).unwrap_err().contains("`rollback_on`: burn"));
    assert_eq!(book.state.before("airline", "prod", at(book.now)).unwrap().submission.promotion, ids[1]);
    book.back(&ids[2], &ids[1], Some("burn")).unwrap();
    assert_eq!((book.live().as_deref(), book.status(&ids[2])), (Some("1.1"), Status::RolledBack));
    assert_eq!(book.state.alias("airline", "champion").unwrap().submission.version.version, "1.1");
    book.back(&ids[1], &ids[0], None).unwrap();
    assert!(book.state.before("airline", "prod", at(book.now)).is_none());
    assert_eq!(book.live().as_deref(), Some("1.0"));
}

#[test]
fn a_rollback_never_goes_to_what_is_approved_no_more() {
    let mut book = Book::default();
    let short = book.submit("maria", "1.0", &Rules { expires_s: Some(5), ..by_rule() });
    book.approve(BY_RULE, &short).unwrap();
    let next = book.submit("maria", "1.1", &by_rule());
    book.approve(BY_RULE, &next).unwrap();
    book.now += 10;
    assert!(book.state.before("airline", "prod", at(book.now)).is_none());
    assert!(book.back(&next, &short, None).unwrap_err().contains("approved no more"));
}

#[test]
fn an_override_needs_leave_a_reason_an_end_and_a_person() {
    let overrides = |reason: &str, until| {
        Some(Override { reason: reason.into(), until: at(until), refusals: vec!["suite `a` is failed".into()] })
    };
    let submit = |book: &mut Book, rules: Rules, overrides| {
        let submission = submission(book.log.len() as u64 + 1, "1.0", rules);
        book.write("maria", Event::Submitted { submission: super::event::Submission { overrides, ..submission } })
    };
    let mut book = Book::default();
    let rules = Rules { overrides: true, ..by_rule() };
    assert!(submit(&mut book, by_rule(), overrides("outage", 100)).unwrap_err().contains("allow no override"));
    assert!(submit(&mut book, rules.clone(), overrides(" ", 100)).is_err());
    assert!(submit(&mut book, rules.clone(), overrides("outage", 1)).unwrap_err().contains("ended"));
    let id = submit(&mut book, rules, overrides("outage", 100)).unwrap();
    assert!(book.approve(BY_RULE, &id).is_err(), "nobody overrides the rules alone");
    assert!(book.clone().approve("maria", &id).is_err());
    book.approve("jan", &id).unwrap();
    assert_eq!(book.state.promotion(&id).unwrap().expires, Some(at(100)));
}

#[test]
fn hooks_are_due_until_they_are_done_or_would_move_a_target_back() {
    let mut book = Book::default();
    let first = book.submit("maria", "1.0", &by_rule());
    book.approve(BY_RULE, &first).unwrap();
    let due = |book: &Book| book.state.due().map(|d| (d.promotion.clone(), d.of, d.failed)).collect::<Vec<_>>();
    let hooked = |id: &Id, of, done| {
        let (promotion, told) = (id.clone(), String::new());
        Event::Hooked { promotion, occasion: Occasion::OnApprove, of, done, told }
    };
    assert_eq!(due(&book), [(first.clone(), 2, 0)]);
    book.write("maria", hooked(&first, 2, false)).unwrap();
    assert_eq!(due(&book), [(first.clone(), 2, 1)]);
    let mut done = book.clone();
    done.write("maria", hooked(&first, 2, true)).unwrap();
    assert_eq!(due(&done), []);
    assert!(done.write("maria", hooked(&first, 2, true)).is_err());
    let second = book.submit("maria", "1.1", &by_rule());
    book.approve(BY_RULE, &second).unwrap();
    assert_eq!(due(&book).len(), 1, "that of the first is due no more");
    book.back(&second, &first, None).unwrap();
    let all: Vec<_> = book.state.due().map(|d| (d.promotion.clone(), d.occasion)).collect();
    assert_eq!(all, [(second, Occasion::OnRollback)]);
}

#[test]
fn a_clock_before_the_last_entry_writes_nothing() {
    let mut book = Book::default();
    book.submit("maria", "1.0", &Rules::default());
    let submission = submission(2, "1.1", Rules::default());
    let refused = book.write_at(at(0), "maria", Event::Submitted { submission }).unwrap_err();
    assert!(refused.contains("a clock is wrong"), "{refused}");
    assert_eq!(book.log.len(), 1);
}

#[test]
fn an_entry_that_no_command_would_write_breaks_the_log() {
    let mut book = Book::default();
    let id = book.submit("maria", "1.0", &Rules { approvals: 2, ..Rules::default() });
    // Well chained, and still against the rules.
    let forged = |by: &str, granted, expires| {
        let event =
            Event::Approved { promotion: id.clone(), reason: String::new(), automatic: false, granted, expires };
        let mut log = book.log.clone();
        log.push(Entry::after(&log, at(99), by, event).seal(None).unwrap());
        State::of(&log).unwrap_err()
    };
    assert!(forged("maria", false, None).why.contains("may not approve"));
    assert!(forged("jan", true, None).why.contains("whether the approval is complete"));
    assert!(forged("jan", false, Some(at(999))).why.contains("when it ends"));
    assert_eq!(forged("maria", false, None).seq, 2);
}
