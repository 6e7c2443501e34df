//! What the screen shows: the question, what was cited, expected against actual, the session; what the check says only
//! after the answer. Whatever a session holds, it is harmless to a terminal.

use super::cited;
use super::hints::{foot, help};
use super::lines::Lines;
use super::machine::{Desk, Mode, Sight};
use crate::ledger::{Answer, Item};
use crate::model::Session;
use crate::report::safe;
use crate::report::transcript::layout::{Paint, width, wrapped};
use crate::report::transcript::{self, View};
use crate::review::words;
use crate::store::against::{Against, Change};

/// An item, and the sessions that are shown with it.
pub struct Sheet<'s> {
    /// The item.
    pub item: &'s Item,
    /// The session to read; `Err` is why there is none.
    pub session: Result<&'s Session<'s>, &'s str>,
    /// The session of the baseline.
    pub baseline: Option<&'s Session<'s>>,
    /// How far one is, such as `3 answered, 14 left`.
    pub progress: &'s str,
}

/// The size of the screen, and whether it has colours.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Whether to use colours.
    pub color: bool,
}

/// The whole screen. The desk learns how much of it there is to scroll through.
pub fn draw(sheet: Option<&Sheet<'_>>, desk: &mut Desk, size: Size) -> String {
    let paint = Paint(size.color);
    let columns = size.width.clamp(40, 120);
    let head: Vec<String> = sheet.map(|sheet| head(sheet, paint, columns)).unwrap_or_default();
    let has_baseline = sheet.is_some_and(|sheet| sheet.baseline.is_some());
    let foot = foot(desk, has_baseline, paint, columns);
    let body = match sheet {
        _ if desk.helping => help(paint),
        Some(sheet) => body(sheet, desk, paint, columns),
        None => Vec::new(),
    };
    // Even on the smallest screen some of it is seen.
    let page = size.height.saturating_sub(head.len() + foot.len() + 1).max(3);
    if !desk.helping {
        desk.fit(body.len(), page);
    }
    let top = if desk.helping { 0 } else { desk.top };
    let mut lines = head;
    lines.extend(body.iter().skip(top).take(page).cloned());
    if sheet.is_some() {
        let more = body.len().saturating_sub(top + page);
        lines.push(if more > 0 { paint.dim(&format!("... {more} more lines (space, arrows)")) } else { String::new() });
    }
    lines.extend(foot);
    lines.join("\n")
}

fn head(sheet: &Sheet<'_>, paint: Paint, columns: usize) -> Vec<String> {
    let key = &sheet.item.key;
    let name = format!("{} / {}", safe::line(&key.suite), safe::line(&key.check));
    let gap = columns.saturating_sub(width(&name) + width(sheet.progress)).max(2);
    let mut about = vec![format!("case {}", safe::line(&sheet.item.case))];
    about.extend(sheet.item.trial.as_ref().map(|trial| format!("trial {}", safe::line(trial))));
    about.push(format!("session {}", safe::line(&sheet.item.session_id)));
    about.push(sheet.item.severity.name().to_owned());
    about.extend(sheet.item.tags.iter().map(|tag| safe::line(tag).into_owned()));
    let mut lines = vec![format!("{}{}{}", paint.bold(&name), " ".repeat(gap), paint.dim(sheet.progress))];
    lines.extend(wrapped(&about.join(", "), columns).iter().map(|line| paint.dim(line)));
    lines.push(paint.dim(&"-".repeat(columns)));
    lines
}

fn body(sheet: &Sheet<'_>, desk: &Desk, paint: Paint, columns: usize) -> Vec<String> {
    let view = View::new(columns, paint.0);
    let whole = |session: &Session<'_>| {
        transcript::session(session, &View { full: true, ..view }).lines().map(str::to_owned).collect()
    };
    match (desk.sight, sheet.baseline) {
        (Sight::Baseline, Some(baseline)) => return whole(baseline),
        (Sight::Whole, _) => {
            return sheet.session.map(whole).unwrap_or_else(|why| wrapped(&safe::terminal(why), columns));
        }
        _ => {}
    }
    let mut out = Lines { lines: Vec::new(), paint, columns };
    if let Mode::Answered(answer) = desk.mode {
        reveal(sheet.item, Some(answer), &mut out);
    }
    told(sheet, desk, view, &mut out);
    out.lines
}

/// The whole item for one who does not answer here: with `reveal` what the check says, too, with `full` the whole session.
pub fn text(sheet: &Sheet<'_>, says: bool, full: bool, size: Size) -> String {
    let (paint, columns) = (Paint(size.color), size.width.clamp(40, 160));
    let mut out = Lines { lines: head(sheet, paint, columns), paint, columns };
    if says {
        reveal(sheet.item, None, &mut out);
    }
    let desk = Desk { seen: says, ..Desk::at(false, String::new()) };
    told(sheet, &desk, View { full, ..View::new(columns, size.color) }, &mut out);
    out.lines.push(String::new());
    out.lines.join("\n")
}

/// What is asked, what was cited, what was expected, and the session around it; all of it with `full`.
fn told(sheet: &Sheet<'_>, desk: &Desk, view: View, out: &mut Lines) {
    out.titled("asked", &sheet.item.question);
    if let Some(rubric) = &sheet.item.rubric {
        out.titled("rubric", rubric);
    }
    let blind = !desk.seen;
    let whys: Vec<String> = sheet.item.routed.why.iter().map(|why| words::why(why, blind)).collect();
    out.titled("why you", &whys.join("; "));
    if !desk.comment.is_empty() {
        out.titled("comment", &desk.comment);
    }
    if let Ok(session) = sheet.session {
        cited::cited(&sheet.item.evidence, session).iter().for_each(|one| out.cited(one));
    }
    against(sheet.item, out);
    match sheet.session {
        Ok(session) => {
            let turns = cited::turns(sheet.item.key.subject, &sheet.item.evidence, session);
            // With what was said just before and after.
            let turns = turns.filter(|_| !view.full).map(|(first, last)| (first.saturating_sub(1), last + 1));
            let waterfall = if view.full { None } else { Some(false) };
            let drawn = transcript::session(session, &View { turns, waterfall, ..view });
            out.blank();
            out.lines.extend(drawn.lines().map(str::to_owned));
        }
        Err(why) => out.titled("session", why),
    }
}

/// What the check says, once the person has answered.
fn reveal(item: &Item, answer: Option<Answer>, out: &mut Lines) {
    if let Some(answer) = answer {
        let said = match answer.status() {
            Some(status) if status == item.proposal => out.paint.bar("you agree with the check", false),
            Some(_) => out.paint.bar("you disagree with the check", true),
            None => "you skipped it".to_owned(),
        };
        out.lines.push(said);
        out.titled("you", answer.name());
    }
    let mut check = item.proposal.name().to_owned();
    if let Some(score) = item.score {
        check.push_str(&format!(", score {score:.2}"));
    }
    check.push_str(&format!(", confidence {:.2}", item.confidence));
    if let Some(judge) = &item.judge {
        check.push_str(&format!(", by {judge}"));
    }
    out.titled("check", &check);
    if !item.reason.is_empty() {
        out.titled("because", &item.reason);
    }
    out.blank();
}

fn against(item: &Item, out: &mut Lines) {
    let Some(text) = &item.against else { return };
    let Ok(all) = serde_json::from_str::<Vec<Against>>(text) else {
        out.titled("expected", "what was expected cannot be read");
        return;
    };
    for one in &all {
        out.blank();
        let title = format!("{}: expected (-) and actual (+)", safe::line(&one.what));
        out.lines.push(out.paint.bold(&title));
        for (change, line) in &one.lines {
            let sign = match change {
                Change::Same => ' ',
                Change::Expected => '-',
                Change::Actual => '+',
            };
            let line = format!("{sign} {}", safe::line(line));
            for piece in wrapped(&line, out.columns) {
                out.lines.push(match change {
                    Change::Same => piece,
                    Change::Expected => out.paint.bar(&piece, true),
                    Change::Actual => out.paint.bar(&piece, false),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Key;
    use super::*;
    use crate::ledger::{ItemStatus, Why, testing};
    use crate::model::{Evidence, Field, SubjectRef};

    const SIZE: Size = Size { width: 80, height: 50, color: false };

    fn item() -> Item {
        let mut asked = testing::item(1).asked;
        asked.key.subject = SubjectRef::Turn(1);
        asked.evidence = vec![Evidence::turn(1, Field::Reply).within(7..14)];
        asked.rubric = Some("The customer's request was resolved.".into());
        asked.reason = "it promises what it cannot keep".into();
        asked.routed.why.push(Why::Disagreement { votes: "2 pass, 1 fail".into() });
        asked.against =
            Some(r#"[{"what":"tool calls","lines":[[" ","find"],["-","    id: 17"],["+","    id: 71"]]}]"#.into());
        let (id, status) = (asked.key.id(), ItemStatus::Leased);
        let (content, baseline, decision, decided, resolved) = (None, None, None, None, None);
        Item { id, asked, content, baseline, status, decision, decided, open: 1, created: 0, resolved }
    }

    fn session() -> Session<'static> {
        let turns: Vec<serde_json::Value> = ["hello\u{1b}[2J", "It was shipped on Monday.", "Bye.", "Hidden."]
            .iter()
            .map(|reply| serde_json::json!({ "user": "?", "reply": reply }))
            .collect();
        let line = serde_json::json!({ "id": "s1", "turns": turns }).to_string();
        serde_json::from_str(Box::leak(line.into_boxed_str())).unwrap()
    }

    fn drawn(desk: &mut Desk, size: Size) -> String {
        let (item, session) = (item(), session());
        let sheet = Sheet { item: &item, session: Ok(&session), baseline: None, progress: "3 answered, 14 left" };
        draw(Some(&sheet), desk, size)
    }

    #[test]
    fn shows_what_is_asked_and_nothing_of_what_the_check_says() {
        let mut desk = Desk::at(false, String::new());
        let screen = drawn(&mut desk, SIZE);
        insta::assert_snapshot!(screen);
        for told in ["promises", "2 pass", "0.75", "confidence"] {
            assert!(!screen.contains(told), "{told}: {screen}");
        }
    }

    #[test]
    fn after_the_answer_it_shows_what_the_check_says() {
        let mut desk = Desk::at(false, String::new());
        desk.answered(Answer::Fail);
        let screen = drawn(&mut desk, SIZE);
        insta::assert_snapshot!(screen);
        assert!(screen.contains("you disagree") && screen.contains("promises"), "{screen}");
    }

    #[test]
    fn no_session_can_do_anything_to_the_terminal() {
        for sight in [Sight::Around, Sight::Whole] {
            let mut desk = Desk::at(false, "a\u{1b}]0;x\u{7}".into());
            desk.sight = sight;
            let screen = drawn(&mut desk, SIZE);
            assert!(!screen.contains('\u{1b}') && !screen.contains('\u{7}'), "{screen}");
        }
    }

    #[test]
    fn a_small_screen_is_scrolled_through_to_the_end() {
        let small = Size { width: 40, height: 16, color: false };
        let mut desk = Desk::at(false, String::new());
        let first = drawn(&mut desk, small);
        assert!(first.contains("more lines") && !first.contains("Bye."), "{first}");
        desk.press(Key::End);
        let last = drawn(&mut desk, small);
        assert!(!last.contains("more lines") && last.contains("... 1 turn after this"), "{last}");
    }

    #[test]
    fn what_is_missing_is_said() {
        let item = item();
        let why = "the session is kept no longer";
        let sheet = Sheet { item: &item, session: Err(why), baseline: None, progress: "" };
        assert!(draw(Some(&sheet), &mut Desk::at(false, String::new()), SIZE).contains(why));
        let idle = draw(None, &mut Desk::idle("nothing waits for you: all 3 are decided".into()), SIZE);
        assert!(idle.contains("all 3 are decided") && idle.contains("look again"), "{idle}");
    }
}
