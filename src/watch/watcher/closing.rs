//! Sessions of telemetry that are over: brought back, judged and entered; and those that are let go of.

use std::time::Instant;

use rayon::prelude::*;

use super::{PORTION, WatchError, Watcher};
use crate::assemble::live::{Key, Waiting};
use crate::formats::Decoder;
use crate::model::Session;
use crate::watch::closing::Over;
use crate::watch::judge::Arrived;
use crate::watch::plan::Plan;

/// Bytes of records that are brought back at a time; one session may be larger.
const AT_ONCE: u64 = 64 << 20;

/// A session of telemetry that is over.
struct Closed {
    home: Waiting,
    over: Over,
    /// The suites for which it is, by their bits.
    bits: u32,
    /// Traces that have not ended.
    open: usize,
    records: u64,
    bytes: Vec<u8>,
}

impl Watcher {
    /// Judges the homes that are over, as `which` says and for whom; how many there were.
    pub(super) fn close(&mut self, which: &dyn Fn(&Waiting) -> Option<(Over, u32)>) -> Result<usize, WatchError> {
        let mut ripe = self.inbox.homes(PORTION, which);
        // They are brought back together: large ones by and by.
        let mut bytes = 0_u64;
        let room = ripe.iter().take_while(|(home, _)| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(home.bytes.max(1));
            first || bytes <= AT_ONCE
        });
        let room = room.count();
        let count = if room < ripe.len() { PORTION } else { ripe.len() };
        ripe.truncate(room);
        if count == 0 {
            return Ok(0);
        }
        let (mut closed, mut gone): (Vec<Closed>, Vec<Key>) = (Vec::new(), Vec::new());
        for (home, (over, bits)) in ripe {
            // What is left of a session that was let go of is not all of it.
            if self.inbox.let_go_before(home.home) > 0 {
                self.shared.metrics.late.inc();
                gone.push(home.home);
                continue;
            }
            let Some(copied) = self.inbox.copy(home.home) else { continue };
            let (open, records) = (copied.open, copied.records);
            closed.push(Closed { home, over, bits, open, records, bytes: copied.bring_back()? });
        }
        self.judge_closed(&closed, &mut gone)?;
        for Closed { home, bits, records, over, .. } in &closed {
            self.shared.metrics.closed(over.name());
            if !over.cuts() {
                self.inbox.close_home(home.home, *bits, *records);
            }
        }
        self.inbox.let_go(&gone)?;
        Ok(count)
    }

    fn judge_closed(&mut self, closed: &[Closed], gone: &mut Vec<Key>) -> Result<(), WatchError> {
        let plan = self.plan.clone();
        let now = self.clock.millis();
        let builder = &self.builder;
        let decoded: Vec<_> =
            self.pool.install(|| closed.par_iter().map(|closed| builder.decode(&closed.bytes, 0, "")).collect());
        let mut arrived: Vec<(u32, Arrived<'_>)> = Vec::new();
        for (closed, session) in closed.iter().zip(decoded) {
            if closed.over.cuts() {
                gone.push(closed.home.home);
            }
            match session {
                Ok(mut session) => {
                    told(&mut session, closed);
                    arrived.push((closed.bits, self.arrived(session, now)));
                }
                // Log records without any span may still get one.
                Err(problem) => self.left_out(&problem),
            }
        }
        let mut outcomes = Vec::new();
        for watching in &plan.suites {
            let mut mine: Vec<_> =
                arrived.iter_mut().filter(|(bits, _)| bits & watching.bit != 0).map(|(_, arrived)| arrived).collect();
            outcomes.push((watching, self.judge(watching, &mut mine, now)?));
        }
        self.enter(outcomes, &[], now)
    }

    /// Lets go of homes that are over for everybody, when nothing more of them is expected, or when the spool has no room
    /// for them any more.
    pub(super) fn let_go(&self, now: Instant) -> Result<(), WatchError> {
        let all = self.plan.all();
        let after = self.plan.longest_idle() + self.keeping.late;
        let standing = self.inbox.standing(all);
        let crowded = standing.spool > standing.spool_limit / 2;
        let ripe = self.inbox.homes(if crowded { PORTION } else { 4 * PORTION }, &|home| {
            let quiet = now.saturating_duration_since(home.last);
            (home.closed & all == all && (crowded || quiet >= after)).then_some(())
        });
        if ripe.is_empty() {
            return Ok(());
        }
        if crowded {
            self.shared.metrics.crowded.inc_by(ripe.len() as u64);
        }
        Ok(self.inbox.let_go(&ripe.iter().map(|(home, ())| home.home).collect::<Vec<_>>())?)
    }
}

/// Whether a home is over for suites that have not looked at it since, and why. Where it is cut off for one, it is for all.
pub(super) fn over(plan: &Plan, home: &Waiting, now: Instant) -> Option<(Over, u32)> {
    let all = plan.all();
    let open = plan.suites.iter().filter(|watching| home.closed & watching.bit == 0);
    let found = open.filter_map(|watching| Some((watching.closing.over(home, now)?, watching.bit)));
    let (over, bits) = found.reduce(|a, b| (a.0.max(b.0), a.1 | b.1))?;
    Some((over, if over.cuts() { all & !home.closed } else { bits }))
}

/// Says in a session what is missing of it.
fn told(session: &mut Session<'_>, closed: &Closed) {
    let open = closed.open;
    if closed.over == Over::Size || closed.over == Over::Age && open > 0 {
        session.incomplete = true;
        session.notes.push(format!("it was cut off: {}", closed.over.name()).into());
    }
    if open > 0 {
        let traces = if open == 1 { "1 trace whose root span" } else { &format!("{open} traces whose root spans") };
        session.notes.push(format!("{traces} did not arrive").into());
    }
}
