//! System checks, asked as windows are settled, and again where one of them was corrected.
//!
//! A process that goes on asks about the newest windows of the time when nobody was there; one that takes what is there and
//! ends asks about all that it settles, for that is what it was started for.

use super::{WatchError, Watcher, lock};
use crate::ledger::Millis;
use crate::watch::plan::{Plan, Watching};
use crate::watch::system::{self, Rows};
use crate::watch::window::Name;

/// Windows that are looked at in a turn, of each suite: after a long time without a process, the newest.
const MOST: usize = 64;

/// A window's end at which the checks of a suite are asked, and how often they were before.
type End<'p> = (&'p Watching, Millis, u64);

impl Watcher {
    /// Asks about the windows that were settled, `all` of them or the newest, and those that were corrected.
    pub(super) fn ask_systems(&mut self, all: bool) -> Result<(), WatchError> {
        let plan = self.plan.clone();
        let ends = self.ends(&plan, all);
        for (watching, to, corrected) in ends {
            let watch = &watching.suite.watch;
            let over = watch.over.unwrap_or(watch.every);
            let from = to.saturating_sub(Millis::try_from(over.as_millis()).unwrap_or(Millis::MAX));
            let name = watching.suite.name.clone();
            let this = &*self;
            let rows: &mut Rows<'_, WatchError> = &mut |each| this.rows(&name, (from, to), &mut |_, known| each(known));
            let Some((mut asked, panicked)) = system::ask(watching, (from, to), rows)? else { continue };
            asked.corrected = corrected;
            self.shared.metrics.panics.inc_by(panicked.into());
            if corrected == 0 {
                for (check, finding) in &asked.checks {
                    self.shared.metrics.verdict(&name, check, finding.status);
                }
            }
            let kept = self.systems.put(asked).err();
            self.shared.trouble("system checks", kept.map(|why| format!("what they say could not be put down: {why}")));
        }
        self.corrected.clear();
        *lock(&self.shared.systems) = self.systems.latest().clone();
        Ok(())
    }

    /// At which ends which suites are asked, in the order of time.
    fn ends<'p>(&self, plan: &'p Plan, all: bool) -> Vec<End<'p>> {
        let windows = lock(&self.shared.windows);
        let mut ends: Vec<End<'p>> = Vec::new();
        for watching in plan.suites.iter().filter(|watching| watching.has_systems()) {
            let suite = &watching.suite.name;
            let every = windows.shape(suite).every;
            let of = |names: &[Name]| -> Vec<Millis> {
                names.iter().filter(|(name, _)| name == suite).map(|(_, start)| start.saturating_add(every)).collect()
            };
            let mut new = of(&self.settled);
            new.retain(|to| !self.systems.knows(suite, *to));
            new.sort_unstable();
            // Nobody was there: of the time before, the newest window is enough.
            let most = match self.systems.until(suite) {
                _ if all => usize::MAX,
                Some(_) => MOST,
                None => 1,
            };
            let new: Vec<Millis> = new.into_iter().rev().take(most).collect();
            ends.extend(new.iter().map(|to| (watching, *to, 0)));
            // What was corrected before anybody was asked is no second answer.
            for to in of(&self.corrected).into_iter().filter(|to| !new.contains(to)) {
                let known = windows.of(suite).find(|(start, _)| start.saturating_add(every) == to);
                ends.extend(known.map(|(_, window)| (watching, to, u64::from(window.corrected))));
            }
        }
        ends.sort_by_key(|(_, to, _)| *to);
        ends
    }
}
