//! What a log adds up to: which promotions there are, in which state, and where names point. The log is the truth; this
//! is a view of it, made anew whenever it is wanted.
//!
//! draft -> pending -> approved | rejected. A promotion is bound to its evidence: other evidence is another promotion, which
//! supersedes one that is pending. What is approved stays live at its target until another is approved or it is rolled back.
//!
//! Every entry is held against the rules that were recorded with its promotion, so that a command and a reader of the log
//! refuse the same: an entry that no command would have written breaks the log.

pub use super::promotion::{Promotion, Said, Status, standing};

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{BY_RULE, Event, Id, Occasion, Submission, Version};
use super::log::{self, Broken, Entry, Sealed};
use super::moment::Moment;

/// A hook that has to run, or to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// For which promotion.
    pub promotion: Id,
    /// On which occasion.
    pub occasion: Occasion,
    /// The entry that occasioned it.
    pub of: u64,
    /// How often it failed.
    pub failed: u32,
}

/// What a log adds up to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Every promotion, in order of their first entries.
    pub promotions: Vec<Promotion>,
    /// Of an agent and a target: what was live there, the present last.
    live: BTreeMap<(String, String), Vec<Id>>,
    /// Of an agent and a name that is no target: where it points.
    aliases: BTreeMap<(String, String), Id>,
    /// What occasions hooks, and how often one failed; those that ran are not here.
    due: BTreeMap<u64, Due>,
    last: Option<Moment>,
}

/// Why the rules refuse something, in words.
pub type Refused = String;

impl State {
    /// Reads a log and follows it.
    ///
    /// # Errors
    /// The first entry whose chain is broken, or that the rules would have refused.
    pub fn of(sealed: &[Sealed]) -> Result<Self, Broken> {
        let mut state = Self::default();
        for entry in log::open(sealed)? {
            state.apply(&entry).map_err(|why| Broken::new(entry.seq, why))?;
        }
        Ok(state)
    }

    /// A promotion by its name.
    pub fn promotion(&self, id: &Id) -> Option<&Promotion> {
        self.promotions.iter().find(|p| p.submission.promotion == *id)
    }

    fn one(&mut self, id: &Id) -> Result<&mut Promotion, Refused> {
        let found = self.promotions.iter_mut().find(|p| p.submission.promotion == *id);
        found.ok_or_else(|| format!("there is no promotion `{id}`"))
    }

    /// What is live at a target.
    pub fn live(&self, agent: &str, target: &str) -> Option<&Promotion> {
        let history = self.live.get(&(agent.to_owned(), target.to_owned()))?;
        self.promotion(history.last()?)
    }

    /// Where a name points: a target's to what is live there.
    pub fn alias(&self, agent: &str, name: &str) -> Option<&Promotion> {
        let named = self.aliases.get(&(agent.to_owned(), name.to_owned())).and_then(|id| self.promotion(id));
        named.or_else(|| self.live(agent, name))
    }

    /// Every name with where it points: agent, name, promotion; targets are names, too.
    pub fn names(&self) -> Vec<(&str, &str, &Promotion)> {
        let live = self.live.iter().filter_map(|(key, history)| Some((key, history.last()?)));
        let all = live
            .chain(self.aliases.iter())
            .filter_map(|((agent, name), id)| Some((agent.as_str(), name.as_str(), self.promotion(id)?)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(agent, name, _)| (*agent, *name));
        all
    }

    /// The newest promotion of a version to a target.
    pub fn newest(&self, version: &Version, target: &str) -> Option<&Promotion> {
        let of = |p: &&Promotion| p.submission.version == *version && p.submission.target == target;
        self.promotions.iter().rev().find(of)
    }

    /// The promotion by which a version is approved now: to `target`, or to any.
    pub fn approved(&self, version: &Version, target: Option<&str>, now: Moment) -> Option<&Promotion> {
        self.promotions.iter().rev().find(|p| {
            p.submission.version == *version && target.is_none_or(|t| p.submission.target == t) && p.holds(now)
        })
    }

    /// What would be live at a target if what is live there were taken back.
    pub fn before(&self, agent: &str, target: &str, now: Moment) -> Option<&Promotion> {
        let history = self.live.get(&(agent.to_owned(), target.to_owned()))?;
        history.iter().rev().skip(1).filter_map(|id| self.promotion(id)).find(|p| p.holds(now))
    }

    /// What was live at the target of a promotion before that went there; `None` where it is not there, or was the first.
    pub fn before_of(&self, id: &Id) -> Option<&Promotion> {
        let submission = &self.promotion(id)?.submission;
        let history = self.live.get(&(submission.version.agent.clone(), submission.target.clone()))?;
        let at = history.iter().rposition(|live| live == id)?;
        self.promotion(history.get(at.checked_sub(1)?)?)
    }

    /// Hooks that have not run, or failed.
    pub fn due(&self) -> impl Iterator<Item = &Due> {
        self.due.values()
    }

    /// Whether an approval by somebody would be the last one wanted; when it then ends.
    pub fn grant(&self, id: &Id, at: Moment) -> (bool, Option<Moment>) {
        let Some(promotion) = self.promotion(id) else { return (false, None) };
        let granted = promotion.missing() <= 1;
        let rules = promotion.submission.rules.expires_s.map(|s| at.plus(Duration::from_secs(s)));
        let overridden = promotion.submission.overrides.as_ref().map(|o| o.until);
        (granted, rules.into_iter().chain(overridden).min().filter(|_| granted))
    }

    /// Follows one more entry; what is refused changes nothing.
    ///
    /// # Errors
    /// Why the rules refuse it.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Refused> {
        if let Some(last) = self.last.filter(|last| *last > entry.at) {
            return Err(format!(
                "the clock says {}, and the last entry of the log was written at {last}: a clock is wrong",
                entry.at
            ));
        }
        match &entry.event {
            Event::Drafted { submission, refusals } => {
                let promotion = self.begin(entry, submission)?;
                promotion.refusals.clone_from(refusals);
            }
            Event::Submitted { submission } => {
                let others: Vec<Id> = self
                    .promotions
                    .iter()
                    .filter(|p| same_place(&p.submission, submission))
                    .filter(|p| p.status == Status::Pending)
                    .map(|p| p.submission.promotion.clone())
                    .collect();
                self.begin(entry, submission)?.status = Status::Pending;
                for other in others {
                    self.one(&other)?.status = Status::Superseded;
                }
            }
            Event::Approved { promotion, reason, automatic, granted, expires } => {
                let said = Said { by: entry.by.clone(), at: entry.at, reason: reason.clone() };
                self.approve(promotion, entry.seq, said, *automatic, (*granted, *expires))?;
            }
            Event::Rejected { promotion, reason } => {
                let one = self.one(promotion)?;
                is_pending(one)?;
                if reason.trim().is_empty() {
                    return Err("a rejection has a reason".to_owned());
                }
                if one.by != entry.by {
                    may_approve(one, &entry.by)?;
                }
                one.status = Status::Rejected;
                one.against = Some(Said { by: entry.by.clone(), at: entry.at, reason: reason.clone() });
            }
            Event::RolledBack { promotion, to, reason, alert } => {
                self.roll_back(entry, promotion, to, reason, alert.as_deref())?;
            }
            Event::Aliased { alias, promotion, .. } => {
                let one = self.one(promotion)?;
                if !one.holds(entry.at) {
                    return Err(format!(
                        "{} is not approved (the promotion {promotion} is {})",
                        one.submission.version,
                        standing(one, entry.at)
                    ));
                }
                let agent = one.submission.version.agent.clone();
                self.aliases.insert((agent, alias.clone()), promotion.clone());
            }
            Event::Hooked { promotion, occasion, of, done, .. } => {
                let due = self.due.get_mut(of).filter(|due| due.promotion == *promotion && due.occasion == *occasion);
                let due = due.ok_or_else(|| format!("no hook is due for entry {of}"))?;
                due.failed = due.failed.saturating_add(1);
                if *done {
                    self.due.remove(of);
                }
            }
        }
        self.last = Some(entry.at);
        Ok(())
    }

    /// A new promotion, or a draft with new evidence.
    fn begin(&mut self, entry: &Entry, submission: &Submission) -> Result<&mut Promotion, Refused> {
        let id = &submission.promotion;
        let made = Promotion {
            submission: submission.clone(),
            status: Status::Draft,
            by: entry.by.clone(),
            at: entry.at,
            approvals: Vec::new(),
            against: None,
            expires: None,
            granted: None,
            refusals: Vec::new(),
        };
        if let Some(end) = submission.overrides.as_ref().map(|o| o.until).filter(|end| *end <= entry.at) {
            return Err(format!("the override ended at {end}"));
        }
        if submission.overrides.is_some() && !submission.rules.overrides {
            return Err(format!("the rules of `{}` allow no override", submission.target));
        }
        if submission.overrides.as_ref().is_some_and(|o| o.reason.trim().is_empty()) {
            return Err("an override has a reason".to_owned());
        }
        match self.promotions.iter().position(|p| p.submission.promotion == *id) {
            Some(at) => {
                let known = &self.promotions[at];
                if known.status != Status::Draft || !same_place(&known.submission, submission) {
                    return Err(format!("the promotion {id} is {} and cannot be changed", known.status.name()));
                }
                self.promotions[at] = made;
                Ok(&mut self.promotions[at])
            }
            None if *id == Id::at(entry.seq) => {
                self.promotions.push(made);
                self.promotions.last_mut().ok_or_else(|| "a bug".to_owned())
            }
            None => Err(format!("a promotion that entry {} begins is not called `{id}`", entry.seq)),
        }
    }

    fn approve(
        &mut self,
        id: &Id,
        seq: u64,
        said: Said,
        automatic: bool,
        (granted, expires): (bool, Option<Moment>),
    ) -> Result<(), Refused> {
        if (granted, expires) != self.grant(id, said.at) {
            return Err("it says something else of whether the approval is complete, or of when it ends".to_owned());
        }
        let one = self.one(id)?;
        is_pending(one)?;
        if automatic {
            if one.wanted() > 0 || said.by != BY_RULE {
                return Err(format!("`{}` asks for {} people to approve", one.submission.target, one.wanted()));
            }
        } else {
            may_approve(one, &said.by)?;
            if !one.submission.rules.self_approval && same_person(&one.by, &said.by) {
                return Err(format!(
                    "{} submitted it and may not approve it (`self_approval = false`)",
                    said.by.trim()
                ));
            }
            if one.approvals.iter().any(|other| same_person(&other.by, &said.by)) {
                return Err(format!("{} has approved it already", said.by.trim()));
            }
        }
        if let Some(end) = one.submission.overrides.as_ref().map(|o| o.until).filter(|end| *end <= said.at) {
            return Err(format!("the override ended at {end}"));
        }
        one.approvals.push(said);
        if !granted {
            return Ok(());
        }
        one.status = Status::Approved;
        (one.expires, one.granted) = (expires, Some(seq));
        let submission = one.submission.clone();
        let (agent, target) = (submission.version.agent, submission.target);
        self.live.entry((agent.clone(), target.clone())).or_default().push(id.clone());
        for alias in submission.rules.aliases {
            self.aliases.insert((agent.clone(), alias), id.clone());
        }
        self.forget_due(&agent, &target);
        let due = Due { promotion: id.clone(), occasion: Occasion::OnApprove, of: seq, failed: 0 };
        self.due.insert(seq, due);
        Ok(())
    }

    /// A hook that did not run yet would now move the target to what is live there no more.
    fn forget_due(&mut self, agent: &str, target: &str) {
        let here = |p: &&Promotion| p.submission.version.agent == agent && p.submission.target == target;
        let ids: Vec<&Id> = self.promotions.iter().filter(here).map(|p| &p.submission.promotion).collect();
        self.due.retain(|_, due| !ids.contains(&&due.promotion));
    }

    fn roll_back(&mut self, entry: &Entry, id: &Id, to: &Id, reason: &str, alert: Option<&str>) -> Result<(), Refused> {
        let submission = self.one(id)?.submission.clone();
        let (agent, target) = (&submission.version.agent, &submission.target);
        if self.live(agent, target).is_none_or(|live| live.submission.promotion != *id) {
            return Err(format!("{} is not live at `{target}`", submission.version));
        }
        if reason.trim().is_empty() {
            return Err("a rollback has a reason".to_owned());
        }
        if let Some(alert) = alert.filter(|alert| !submission.rules.rollback_on.iter().any(|name| name == alert)) {
            let names = &submission.rules.rollback_on;
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("the alert `{alert}` rolls nothing back at `{target}` (`rollback_on`: {names})"));
        }
        let key = (agent.clone(), target.clone());
        let history = self.live.get(&key).cloned().unwrap_or_default();
        let is_earlier = history.iter().rev().skip(1).any(|earlier| earlier == to);
        if !is_earlier || !self.promotion(to).is_some_and(|p| p.holds(entry.at)) {
            return Err(format!("`{to}` was not live at `{target}` before, or is approved no more"));
        }
        let one = self.one(id)?;
        one.status = Status::RolledBack;
        one.against = Some(Said { by: entry.by.clone(), at: entry.at, reason: reason.to_owned() });
        // What lay between is passed over, and stays approved.
        let kept = history.iter().rposition(|earlier| earlier == to).map_or(0, |at| at + 1);
        self.live.insert(key, history[..kept].to_vec());
        self.aliases.values_mut().filter(|named| *named == id).for_each(|named| *named = to.clone());
        self.forget_due(agent, target);
        let due = Due { promotion: id.clone(), occasion: Occasion::OnRollback, of: entry.seq, failed: 0 };
        self.due.insert(entry.seq, due);
        Ok(())
    }
}

fn same_place(a: &Submission, b: &Submission) -> bool {
    a.version == b.version && a.target == b.target
}

/// Whether two names are of one person; a name in capitals is no second one.
fn same_person(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

fn is_pending(promotion: &Promotion) -> Result<(), Refused> {
    if promotion.status == Status::Pending {
        return Ok(());
    }
    Err(format!("the promotion {} is {}, not pending", promotion.submission.promotion, promotion.status.name()))
}

fn may_approve(promotion: &Promotion, by: &str) -> Result<(), Refused> {
    let approvers = &promotion.submission.rules.approvers;
    if by.trim().is_empty() || same_person(by, BY_RULE) {
        return Err("a person has a name, and is not called `rule`".to_owned());
    }
    if approvers.is_empty() || approvers.iter().any(|name| same_person(name, by)) {
        return Ok(());
    }
    let target = &promotion.submission.target;
    Err(format!("{} is not one of the approvers of `{target}`: {}", by.trim(), approvers.join(", ")))
}
