//! What sources hand over: polled, decoded, judged and entered with how far they have come.

use super::{AHEAD, PORTION, ROOM, WatchError, Watcher};
use crate::ledger::Millis;
use crate::model::json::Texts;
use crate::model::{Problem, Session};
use crate::store::db::Place;
use crate::watch::judge::Arrived;
use crate::watch::row;
use crate::watch::sources::{Intake, Whole};

/// What sources handed over and is not entered yet.
#[derive(Default)]
pub(super) struct Handed {
    pub(super) sessions: Vec<Whole>,
    pub(super) places: Vec<Place>,
}

impl Watcher {
    /// Asks sources for what is new, unless what they handed over before is not entered yet.
    pub(super) fn poll(&mut self) -> bool {
        if !self.handed.sessions.is_empty() || !self.handed.places.is_empty() {
            return false;
        }
        let inbox = self.inbox.clone();
        let mut intake = Intake::new(&inbox, ROOM);
        let mut more = false;
        for source in &mut self.sources {
            match source.poll(&mut intake) {
                Ok(has_more) => {
                    more |= has_more;
                    self.shared.trouble(source.name(), None);
                }
                Err(why) => {
                    self.shared.metrics.source_errors.inc();
                    self.shared.trouble(source.name(), Some(why));
                }
            }
        }
        intake.left_out.iter().for_each(|problem| self.left_out(problem));
        self.handed = Handed { sessions: intake.sessions, places: intake.places };
        more
    }

    pub(super) fn left_out(&self, problem: &Problem) {
        self.shared.metrics.left_out(problem.kind.name());
        self.shared.trouble(&format!("left out: {}", problem.kind.name()), Some(problem.message.clone()));
    }

    /// Judges and enters the whole sessions that sources handed over, and how far they have come.
    pub(super) fn enter_handed(&mut self) -> Result<(), WatchError> {
        let handed = std::mem::take(&mut self.handed);
        if handed.sessions.is_empty() && handed.places.is_empty() {
            return Ok(());
        }
        let done = self.enter_sessions(&handed.sessions, &handed.places);
        if done.is_err() {
            self.handed = handed;
        }
        done
    }

    fn enter_sessions(&mut self, sessions: &[Whole], places: &[Place]) -> Result<(), WatchError> {
        let plan = self.plan.clone();
        let now = self.clock.millis();
        let portions = sessions.chunks(PORTION).count();
        for (n, portion) in sessions.chunks(PORTION).enumerate() {
            let texts: Vec<Texts> = portion.iter().map(|_| Texts::default()).collect();
            let decoded: Vec<_> = portion
                .iter()
                .zip(&texts)
                .map(|(whole, texts)| whole.decoder.decode_in(&whole.bytes, texts, whole.index, &whole.stem))
                .collect();
            let mut arrived = Vec::new();
            for session in decoded {
                match session {
                    Ok(session) => arrived.push(self.arrived(session, now)),
                    Err(problem) => self.left_out(&problem),
                }
            }
            let mut outcomes = Vec::new();
            for watching in &plan.suites {
                outcomes.push((watching, self.judge(watching, &mut arrived.iter_mut().collect::<Vec<_>>(), now)?));
            }
            // How far a source has come counts once all that it handed over is entered.
            self.enter(outcomes, if n + 1 == portions { places } else { &[] }, now)?;
        }
        if sessions.is_empty() {
            self.enter(Vec::new(), places, now)?;
        }
        Ok(())
    }

    /// A session with when it ended.
    pub(super) fn arrived<'a>(&self, session: Session<'a>, now: Millis) -> Arrived<'a> {
        let at = match row::ended(&session) {
            Some(at) if at > now.saturating_add(AHEAD) => {
                self.shared.metrics.future.inc();
                now
            }
            Some(at) => at,
            None => now,
        };
        Arrived { session, at }
    }
}
