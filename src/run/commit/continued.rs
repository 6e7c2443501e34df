//! A run that is continued: what is recorded is not written again, and has to be what is read now.

use super::{Commit, is_sampled};
use crate::eval::event::SessionEvent;
use crate::eval::fold::Admission;
use crate::eval::row::Row;
use crate::run::changed::Changed;
use crate::run::element::Kept;
use crate::run::engine::Early;
use crate::run::past;
use crate::store::lines::{Kind, kind};

impl Commit<'_, '_, '_> {
    /// A session that is recorded: the record says what became of it, if it comes next there; else it is read again.
    pub(super) fn known(&mut self, row: Row, kept: Option<Kept>, out: &mut Vec<u8>, file: u32) {
        let next = self.sinks.past.as_mut().and_then(|past| past.peek().transpose());
        let recorded = match next {
            Some(Ok(line)) if kind(line) == Kind::Session => match serde_json::from_slice::<SessionEvent<'_>>(line) {
                Ok(event) if (event.suite, event.at, event.digest) == (self.desk.index, row.at, row.digest) => {
                    Some(Row::of(&event))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(recorded) = recorded {
            if let Some(past) = &mut self.sinks.past {
                past.pass();
            }
            // It was admitted before; what comes now may not be.
            if let Err(why) = self.fold.admit(&recorded) {
                return self.stop(Early::Write(why));
            }
            if let Some(entry) = kept {
                self.keep(row.at, &entry, is_sampled(&entry));
            }
            self.fold.add(recorded);
            return;
        }
        match self.fold.admit(&row) {
            Ok(Admission::Duplicate) => self.duplicate(&row, out, file),
            Ok(_) => self.differs(&format!("session `{}`", row.id)),
            Err(why) => self.stop(Early::Write(why)),
        }
    }

    /// A line for the record; where a run is continued, one that is there already must be the same.
    pub(super) fn say(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match self.sinks.past.as_mut().and_then(|past| past.peek().transpose()) {
            None => out.extend_from_slice(line),
            Some(Ok(recorded)) if recorded == line => {
                if let Some(past) = &mut self.sinks.past {
                    past.pass();
                }
            }
            Some(_) => {
                let now = past::describe(line);
                self.differs(&now);
            }
        }
    }

    /// What is read is not what the run has recorded.
    fn differs(&mut self, now: &str) {
        let recorded = self.sinks.past.as_mut().map(|past| past.peek());
        let why = match recorded {
            Some(Ok(Some(line))) => past::differ(line, now),
            Some(Err(why)) => format!("the record could not be read again: {why}"),
            _ => format!("the record does not hold {now}"),
        };
        match Changed::begin(why, self.desk.index, self.sinks.past.as_deref_mut()) {
            Ok(changed) => {
                self.changed.get_or_insert(changed);
            }
            Err(why) => {
                let why = format!("the record could not be read again: {why}");
                self.early.get_or_insert(Early::Differs(why));
            }
        }
    }

    /// Ends the run where the recordings are not those of the run that is continued.
    pub(super) fn tell_changed(&mut self) {
        if let Some(changed) = self.changed.take() {
            // Files are named in it as they are.
            let told = self.desk.redactor.pass(&changed.told(self.desk.files)).into_inner().into_owned();
            self.early.get_or_insert(Early::Differs(told));
        }
    }
}
