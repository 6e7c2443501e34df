//! `seatrial review` without a subcommand: one item after the other in the terminal. What keys do and what the screen
//! shows is decided elsewhere ([`crate::review::desk`]); here it meets a terminal and a store.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::Term;

use super::keys::Keys;
use super::opened::{Opened, now, refused, reviewer, submission};
use super::reading::{self, Reading};
use super::{empty, which};
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::ledger::{Answer, Item, ItemId, ItemStatus, Lease, Millis, Refused};
use crate::net::scrub::Secrets;
use crate::review::desk::machine::{Desk, Do, Key, Mode};
use crate::review::desk::screen::{self, Sheet, Size};
use crate::review::suites::{MadeIn, Suites};
use crate::review::words::count;
use crate::store::db::{Claimed, ItemFilter, Role, Store};

/// How long an item is ours unless the lease is renewed, in milliseconds.
const LEASE: Millis = 5 * 60_000;
/// How often it is renewed.
const BEAT: Duration = Duration::from_secs(60);
/// For how long after the last key it is renewed: who has gone home holds nothing back.
const AWAY: Duration = Duration::from_secs(30 * 60);

/// Walks through what waits.
pub fn run(which: &which::Args, suites: Option<&Path>, context: &Context) -> Result<u8, Failure> {
    let term = Term::stdout();
    if !term.is_term() || !io::stdin().is_terminal() {
        let help = "`seatrial review list`, `show ITEM`, `label ITEM pass`, `export` and `import` need none, and \
                    `seatrial review serve` shows pages";
        return Err(Failure::usage(format_args!("to walk through the queue takes a terminal\nhelp: {help}")));
    }
    let suites = suites.map(|folder| Suites::of(folder.to_owned())).transpose().map_err(Failure::usage)?;
    let who = reviewer(context)?;
    let opened = Opened::new(context)?;
    opened.may(&who, Role::Reviewer)?;
    let is_partial = which.is_partial();
    let filter = which.filter(context);
    let stop = stop_on_signal()?;
    let held = Arc::<Mutex<Held>>::default();
    opened.runtime().spawn(keep_alive(opened.store.clone(), held.clone()));
    let color = context.color();
    let mut sitting = Sitting {
        opened,
        term,
        who,
        suites,
        filter,
        is_partial,
        color,
        held,
        stop,
        here: None,
        desk: Desk::idle(String::new()),
        progress: String::new(),
        said: Vec::new(),
    };
    let keys = Keys::of(sitting.term.clone())
        .map_err(|why| Failure::new(exit::USAGE, format_args!("the terminal cannot be set: {why}")));
    let ended = keys.and_then(|keys| sitting.go(&keys));
    // Whatever ended it, others may have what was not answered.
    let given_back = sitting.leave();
    ended.and(given_back)?;
    let (skipped, all) =
        sitting.said.iter().fold((0, 0), |(skipped, all), said| (skipped + u64::from(said.skip), all + 1));
    let mut text = format!("answered {}", count(all, "item", "items"));
    if skipped > 0 {
        text.push_str(&format!(", of which {skipped} skipped"));
    }
    text.push_str(&format!("; {}\n", sitting.progress));
    if all > skipped {
        text.push_str("next: `seatrial gate RUN` decides again with what you said\n");
    }
    context.print(text.as_bytes(), exit::PASSED)
}

/// What is held now, as the task that renews it sees it.
struct Held {
    lease: Option<Lease>,
    last_key: Instant,
}

impl Default for Held {
    fn default() -> Self {
        Self { lease: None, last_key: Instant::now() }
    }
}

/// Renews the lease of what is on the screen, as long as somebody is there.
async fn keep_alive(store: Store, held: Arc<Mutex<Held>>) {
    loop {
        tokio::time::sleep(BEAT).await;
        let lease = {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.lease.clone().filter(|_| held.last_key.elapsed() < AWAY)
        };
        // A lease that cannot be renewed is told when the answer is given.
        if let Some(lease) = lease
            && let Ok(Ok(renewed)) = store.renew(&lease, now(), LEASE).await
        {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.lease.as_ref().is_some_and(|mine| mine.item == renewed.item && mine.fence == renewed.fence) {
                held.lease = Some(renewed);
            }
        }
    }
}

/// Set when the process is asked to end while it does not wait for a key.
fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::<AtomicBool>::default();
    let flag = stop.clone();
    let set = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    set.map_err(|e| Failure::new(exit::BUG, format_args!("the interrupt handler could not be set: {e}")))?;
    Ok(stop)
}

/// An answer of this sitting, which can be taken back.
struct Said {
    label: String,
    item: ItemId,
    skip: bool,
}

/// What is on the screen.
struct Here {
    item: Item,
    reading: Reading,
    since: Instant,
}

struct Sitting {
    opened: Opened,
    term: Term,
    who: String,
    suites: Option<Suites>,
    filter: ItemFilter,
    is_partial: bool,
    color: bool,
    held: Arc<Mutex<Held>>,
    stop: Arc<AtomicBool>,
    here: Option<Here>,
    desk: Desk,
    progress: String,
    said: Vec<Said>,
}

impl Sitting {
    fn go(&mut self, keys: &Keys) -> Result<(), Failure> {
        self.next()?;
        loop {
            self.draw()?;
            let key = if self.stop.load(Ordering::Relaxed) { Key::Interrupt } else { keys.next() };
            self.held.lock().unwrap_or_else(PoisonError::into_inner).last_key = Instant::now();
            match self.desk.press(key) {
                Do::Draw => {}
                Do::Quit => return Ok(()),
                Do::Next => self.next()?,
                Do::Submit(answer) => self.submit(answer)?,
                Do::TakeBack => self.take_back()?,
                Do::Case => self.case()?,
                Do::PutOff => {
                    self.filter.not.extend(self.here.as_ref().map(|here| here.item.id.clone()));
                    self.leave()?;
                    self.next()?;
                }
            }
        }
    }

    /// The next item, if there is one for this person.
    fn next(&mut self) -> Result<(), Failure> {
        self.leave()?;
        let store = self.opened.store.clone();
        match self.opened.wait(store.claim(&self.who, &self.filter, now(), LEASE))? {
            Claimed::Item(item, lease) => self.sit_down(*item, lease)?,
            Claimed::Nothing(counts) => {
                let mut why = empty::nothing(&counts, self.is_partial, now());
                let put_off = self.filter.not.len();
                if put_off > 0 {
                    why.push_str(&format!(
                        "; {} put off in this sitting",
                        count(put_off as u64, "item was", "items were")
                    ));
                }
                self.desk = Desk::idle(why);
            }
        }
        self.count()
    }

    fn sit_down(&mut self, item: Item, lease: Lease) -> Result<(), Failure> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).lease = Some(lease);
        let reading = Reading::of(&self.opened, &item, &self.who, now())?;
        let draft = self.opened.wait(self.opened.store.draft(&item.id, &self.who))?;
        self.desk = Desk::at(reading.baseline().is_some(), draft.map(|text| comment_of(&text)).unwrap_or_default());
        if self.opened.wait(self.opened.store.saw(&item.id, &self.who))? {
            self.desk.notice = Some(
                "you were shown before what the check or others say of it: that is kept with your answer".to_owned(),
            );
        }
        self.here = Some(Here { item, reading, since: Instant::now() });
        Ok(())
    }

    /// How far one is.
    fn count(&mut self) -> Result<(), Failure> {
        let counts = self.opened.wait(self.opened.store.counts(&self.filter, now()))?;
        let left: u64 =
            [ItemStatus::Pending, ItemStatus::Leased, ItemStatus::NeedsMore].iter().map(|s| counts.of(*s)).sum();
        self.progress = format!("{} answered, {left} left", self.said.len());
        Ok(())
    }

    fn submit(&mut self, answer: Answer) -> Result<(), Failure> {
        let Some(here) = &self.here else { return Ok(()) };
        let lease = self.held.lock().unwrap_or_else(PoisonError::into_inner).lease.clone();
        let Some(lease) = lease else { return Ok(()) };
        let mut said = submission(answer, &self.desk.comment)?;
        said.seconds = u32::try_from(here.since.elapsed().as_secs()).ok();
        let id = here.item.id.clone();
        match self.opened.wait(self.opened.store.submit(&lease, &said, now()))? {
            Ok((label, _)) => {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).lease = None;
                self.said.push(Said { label: label.id, item: id, skip: answer.status().is_none() });
                self.desk.answered(answer);
                self.count()
            }
            Err(why @ Refused::Stale { .. }) => self.again(&id, &why.to_string()),
            Err(why) => {
                self.desk.notice = Some(refused_text(&id, &why));
                Ok(())
            }
        }
    }

    /// Takes the item again, when the time for it was over; what was written stays.
    fn again(&mut self, id: &ItemId, why: &str) -> Result<(), Failure> {
        match self.opened.wait(self.opened.store.claim_item(id, &self.who, now(), LEASE))? {
            Ok((_, lease)) => {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).lease = Some(lease);
                self.desk.notice =
                    Some("your time for this item was over; you have it again, so answer once more".to_owned());
            }
            Err(_) => self.desk.notice = Some(format!("{why}; your answer was not taken (n goes on)")),
        }
        Ok(())
    }

    /// Takes back the last answer of this sitting, and goes back to its item.
    fn take_back(&mut self) -> Result<(), Failure> {
        let Some(last) = self.said.pop() else {
            self.desk.notice = Some("you have answered nothing in this sitting that could be taken back".to_owned());
            return Ok(());
        };
        let said = submission(Answer::Pass, "")?;
        let store = self.opened.store.clone();
        match self.opened.wait(store.undo(&last.label, &self.who, false, &said, now()))? {
            Ok(_) => {}
            Err(why) => {
                self.desk.notice = Some(refused_text(&last.item, &why));
                return Ok(());
            }
        }
        self.leave()?;
        match self.opened.wait(store.claim_item(&last.item, &self.who, now(), LEASE))? {
            Ok((item, lease)) => {
                self.sit_down(item, lease)?;
                self.desk.seen = true;
                self.desk.notice =
                    Some("taken back; what the check says you have seen, and that is kept with your answer".to_owned());
                self.count()
            }
            Err(why) => {
                self.next()?;
                self.desk.notice = Some(format!("taken back; {}", refused_text(&last.item, &why)));
                Ok(())
            }
        }
    }

    /// Makes a regression case of what was answered, and says what was written.
    fn case(&mut self) -> Result<(), Failure> {
        let Some(here) = &self.here else { return Ok(()) };
        let Some(suites) = &self.suites else {
            let why = "no case was made: start with `seatrial review --suites DIR`, the folder of suites to write to";
            self.desk.notice = Some(why.to_owned());
            return Ok(());
        };
        let Some(session) = here.reading.line() else {
            self.desk.notice = Some("no case was made: the session is not in the store".to_owned());
            return Ok(());
        };
        // As it stands by now: what was just answered is part of what is written.
        let item = self.opened.wait(self.opened.store.item(&here.item.id, now()))?;
        let made = suites.make(item.as_ref().unwrap_or(&here.item), session, now());
        self.desk.notice = Some(match made {
            Ok(MadeIn { suite, made }) => {
                let suite = if made.declared { format!("{} and ", suite.display()) } else { String::new() };
                let notes: String = made.notes.iter().map(|note| format!("; note: {note}")).collect();
                format!("case `{}`: written to {suite}{}{notes}", made.case, made.recording.display())
            }
            Err(why) => format!("no case was made: {why}"),
        });
        Ok(())
    }

    /// Gives back what is held, with what was written of it.
    fn leave(&mut self) -> Result<(), Failure> {
        let lease = self.held.lock().unwrap_or_else(PoisonError::into_inner).lease.take();
        let here = self.here.take();
        let Some(lease) = lease else { return Ok(()) };
        if !self.desk.comment.is_empty()
            && matches!(self.desk.mode, Mode::Asking | Mode::Skipping | Mode::Commenting { .. })
            && let Some(here) = &here
        {
            self.opened.wait(self.opened.store.save_draft(&here.item.id, &self.who, &self.desk.comment, now()))?;
        }
        self.opened.wait(self.opened.store.release(&lease))
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let (height, width) = self.term.size();
        let size = Size { width: usize::from(width), height: usize::from(height), color: self.color };
        let text = match &self.here {
            Some(here) => {
                let (session, baseline) = (here.reading.session(), here.reading.baseline());
                let sheet = Sheet {
                    item: &here.item,
                    session: reading::as_shown(&session),
                    baseline: baseline.as_ref(),
                    progress: &self.progress,
                };
                screen::draw(Some(&sheet), &mut self.desk, size)
            }
            None => screen::draw(None, &mut self.desk, size),
        };
        let text = Secrets::of_process().scrub(&text).into_owned();
        let drawn = self.term.clear_screen().and_then(|()| self.term.write_str(&text)).and_then(|()| self.term.flush());
        drawn.map_err(|why| Failure::write("the terminal", &why))
    }
}

fn refused_text(item: &ItemId, why: &Refused) -> String {
    refused(item, why).message.trim_start_matches("seatrial: ").trim_end().to_owned()
}

/// The comment of a draft, which the pages keep with more beside it.
fn comment_of(draft: &str) -> String {
    let read = serde_json::from_str::<serde_json::Value>(draft).ok();
    match read.as_ref().and_then(|draft| draft.as_object()) {
        Some(draft) => draft.get("comment").and_then(|c| c.as_str()).unwrap_or_default().to_owned(),
        None => draft.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_of_a_draft_is_found_whoever_kept_it() {
        assert_eq!(comment_of("half a thought"), "half a thought");
        assert_eq!(comment_of(r#"{"answer":"pass","comment":"half"}"#), "half");
        assert_eq!(comment_of(r#"{"answer":"pass"}"#), "");
        assert_eq!(comment_of("17"), "17");
    }
}
