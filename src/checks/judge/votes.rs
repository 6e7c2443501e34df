//! The votes on one subject: which to ask for next, and what they decide together.
//!
//! Everything is told by the answers so far, in the order in which they were asked for, so that the same answers give
//! the same verdict wherever they come from.

use super::answer::Opinion;
use crate::checks::asking::{Answer, Said};

/// When more than one vote is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// All votes at once.
    All,
    /// The others only where the first one fails.
    OnFail,
}

/// How votes are taken.
#[derive(Debug, Clone, Copy)]
pub struct Ballot {
    /// How many judges vote, at least 1.
    pub judges: u32,
    /// Votes of each judge, at least 1.
    pub votes: u32,
    /// In how many orders each vote is asked for: 2 where two things are compared, else 1. A vote whose orders differ is
    /// split: it stands for the mean of them and agrees with nothing.
    pub orders: u32,
    /// When they are spent.
    pub spend: Spend,
    /// The score from which on the rubric is met.
    pub pass_at: f64,
    /// The majority of the votes decides, a tie being a fail; else the mean score.
    pub majority: bool,
}

/// A question to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which judge, from 0.
    pub judge: u32,
    /// Which of its votes, from 0.
    pub vote: u32,
    /// In which order, from 0.
    pub order: u32,
    /// What was wrong with the first reply, when it is asked again.
    pub wrong: Option<String>,
}

/// What the votes decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Whether the rubric is met.
    pub pass: bool,
    /// The mean score.
    pub score: f64,
    /// The share of votes that agree, as (agreeing + 1) / (votes + 2): an upper bound, since the votes of one model
    /// correlate. See the page of statistics, Judges. Where an endpoint tells how likely a verdict was, the vote counts as
    /// much as that: log-probabilities lower confidence and never raise it, since the reason that the model wrote before
    /// its verdict makes the verdict likely.
    pub confidence: f64,
    /// The opinions on the side that decides, in order: the first gives the reason.
    pub agreeing: Vec<Opinion>,
    /// How many votes were taken.
    pub votes: usize,
    /// How many of them are on the side that decides.
    pub with: usize,
    /// How many of them are split between their orders.
    pub split: usize,
    /// Log-probabilities went into the confidence.
    pub weighed: bool,
}

/// The votes so far.
#[derive(Debug, PartialEq)]
pub enum Count {
    /// These have to be asked for.
    Ask(Vec<Ask>),
    /// A vote could not be had: of which judge, and why.
    Failed(u32, String),
    /// All are there.
    Decided(Decided),
}

/// One question on its way.
enum Slot {
    /// Asked, or to be.
    Open,
    /// The first reply was none; what was wrong with it.
    Again(String),
    Cast(Opinion),
}

/// Reads what a judge said in an order; `Err` says what is wrong with it, in words that the judge can be told.
pub type Reader<'r> = &'r dyn Fn(&Said, u32) -> Result<Opinion, String>;

impl Ballot {
    /// The highest confidence that so many votes can reach.
    pub fn best_confidence(votes: u32) -> f64 {
        (f64::from(votes) + 1.0) / (f64::from(votes) + 2.0)
    }

    /// Votes of all judges together.
    pub fn all(&self) -> u32 {
        self.judges * self.votes
    }

    /// Counts the answers so far.
    pub fn count(&self, have: &[Answer], read: Reader<'_>) -> Count {
        let mut slots: Vec<Slot> = Vec::new();
        let mut answers = have.iter();
        loop {
            let asks = self.next(&mut slots);
            if asks.is_empty() {
                return self.decide(&slots);
            }
            if answers.len() < asks.len() {
                return Count::Ask(asks.into_iter().map(|(slot, wrong)| self.ask(slot, wrong)).collect());
            }
            for ((at, wrong), answer) in asks.into_iter().zip(answers.by_ref()) {
                let ask = self.ask(at, wrong);
                let said = answer.as_ref().map_err(String::clone).and_then(|reply| reply.said());
                let slot = match (said.map(|said| read(said, ask.order)), &ask.wrong) {
                    (Err(why), _) => return Count::Failed(ask.judge, why),
                    (Ok(Ok(opinion)), _) => Slot::Cast(opinion),
                    (Ok(Err(wrong)), None) => Slot::Again(wrong),
                    (Ok(Err(wrong)), Some(_)) => return Count::Failed(ask.judge, format!("asked twice, and {wrong}")),
                };
                slots[at] = slot;
            }
        }
    }

    /// The question of a slot: orders of a vote stand side by side, judges vote in turn.
    fn ask(&self, slot: usize, wrong: Option<String>) -> Ask {
        let (vote, order) = (slot as u32 / self.orders, slot as u32 % self.orders);
        Ask { judge: vote % self.judges, vote: vote / self.judges, order, wrong }
    }

    /// The questions to ask next: those whose reply was none, else new ones.
    fn next(&self, slots: &mut Vec<Slot>) -> Vec<(usize, Option<String>)> {
        let again = |(at, slot): (usize, &Slot)| match slot {
            Slot::Again(wrong) => Some((at, Some(wrong.clone()))),
            _ => None,
        };
        let again: Vec<_> = slots.iter().enumerate().filter_map(again).collect();
        if !again.is_empty() {
            return again;
        }
        let first_fails = || {
            let first: Vec<f64> = slots.iter().filter_map(cast).take(self.orders as usize).map(|o| o.score).collect();
            !first.is_empty() && mean(&first) < self.pass_at
        };
        let votes = if self.spend == Spend::All || first_fails() { self.all() } else { 1 };
        let new = slots.len()..(votes * self.orders) as usize;
        slots.extend(new.clone().map(|_| Slot::Open));
        new.map(|slot| (slot, None)).collect()
    }

    fn decide(&self, slots: &[Slot]) -> Count {
        let cast: Vec<&Opinion> = slots.iter().filter_map(cast).collect();
        if cast.is_empty() || cast.len() < slots.len() {
            return Count::Failed(0, "not every vote was cast".to_owned());
        }
        let votes: Vec<Vote<'_>> = cast.chunks(self.orders as usize).map(Vote::of).collect();
        let score = mean(&votes.iter().map(|v| v.score).collect::<Vec<_>>());
        let passing = votes.iter().filter(|vote| vote.score >= self.pass_at).count();
        let pass = if self.majority { 2 * passing > votes.len() } else { score >= self.pass_at };
        let with = |vote: &Vote<'_>| !vote.split && (vote.score >= self.pass_at) == pass;
        let agreement = |vote: &Vote<'_>| match vote {
            vote if vote.split => 0.0,
            vote if with(vote) => vote.likely,
            vote => 1.0 - vote.likely,
        };
        let all = votes.len() as f64;
        Count::Decided(Decided {
            pass,
            score,
            confidence: (votes.iter().map(agreement).sum::<f64>() + 1.0) / (all + 2.0),
            agreeing: votes.iter().filter(|v| with(v)).flat_map(|v| v.opinions).map(|o| (*o).clone()).collect(),
            votes: votes.len(),
            with: votes.iter().filter(|v| with(v)).count(),
            split: votes.iter().filter(|v| v.split).count(),
            weighed: cast.iter().any(|o| o.likely.is_some()),
        })
    }
}

/// One vote: an opinion in each order.
struct Vote<'v> {
    opinions: &'v [&'v Opinion],
    score: f64,
    /// The orders differ.
    split: bool,
    /// How likely the judge was to say what it said.
    likely: f64,
}

impl<'v> Vote<'v> {
    fn of(opinions: &'v [&'v Opinion]) -> Self {
        let scores: Vec<f64> = opinions.iter().map(|o| o.score).collect();
        let split = scores.iter().any(|score| *score != scores[0]);
        let likely: Vec<f64> = opinions.iter().map(|o| o.likely.unwrap_or(1.0)).collect();
        Self { opinions, score: mean(&scores), split, likely: mean(&likely) }
    }
}

fn cast(slot: &Slot) -> Option<&Opinion> {
    if let Slot::Cast(opinion) = slot { Some(opinion) } else { None }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::answer;
    use super::*;
    use crate::checks::asking::Reply;
    use proptest::prelude::*;

    fn said(text: impl Into<String>) -> Answer {
        Ok(Reply::Said(Said { text: text.into(), ..Said::default() }))
    }

    fn ballot(votes: u32, spend: Spend) -> Ballot {
        Ballot { judges: 1, votes, orders: 1, spend, pass_at: 0.7, majority: false }
    }

    fn read(said: &Said, _: u32) -> Result<Opinion, String> {
        answer::read(said)
    }

    fn says(score: f64) -> Answer {
        let verdict = if score >= 0.5 { "pass" } else { "fail" };
        said(format!(r#"{{"reason":"r{score}","quotes":[],"verdict":"{verdict}","score":{score}}}"#))
    }

    fn likely(score: f64, odds: f64) -> Answer {
        let (verdict, other) = if score >= 0.5 { ("pass", "fail") } else { ("fail", "pass") };
        let Ok(Reply::Said(said)) = says(score) else { panic!() };
        let odds = [(verdict.to_owned(), odds), (other.to_owned(), 1.0 - odds)].into();
        Ok(Reply::Said(Said { odds, ..said }))
    }

    fn count(ballot: Ballot, have: &[Answer]) -> Count {
        ballot.count(have, &read)
    }

    fn asks(count: Count) -> Vec<(u32, u32, u32)> {
        match count {
            Count::Ask(asks) => asks.iter().map(|a| (a.judge, a.vote, a.order)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn decided(count: Count) -> Decided {
        match count {
            Count::Decided(decided) => decided,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_mean_decides_and_confidence_is_the_share_that_agrees() {
        let three = ballot(3, Spend::All);
        assert_eq!(asks(count(three, &[])), [(0, 0, 0), (0, 1, 0), (0, 2, 0)]);
        let all = decided(count(three, &[says(0.9), says(0.8), says(1.0)]));
        assert_eq!((all.pass, all.confidence, all.votes, all.weighed), (true, 0.8, 3, false));
        assert!((all.score - 0.9).abs() < 1e-12);
        let split = decided(count(three, &[says(0.9), says(0.2), says(0.8)]));
        assert_eq!((split.pass, split.confidence), (false, 0.4));
        assert_eq!(split.agreeing[0].reason, "r0.2", "the reason is that of a vote that agrees");
        assert_eq!((Ballot::best_confidence(1), Ballot::best_confidence(3)), (2.0 / 3.0, 0.8));
    }

    #[test]
    fn where_each_vote_decides_for_itself_the_majority_does() {
        let majority = Ballot { majority: true, pass_at: 1.0, ..ballot(3, Spend::All) };
        let most = decided(count(majority, &[says(1.0), says(0.5), says(1.0)]));
        assert_eq!((most.pass, most.confidence, most.with), (true, 0.6, 2));
        let tie = decided(count(Ballot { votes: 2, ..majority }, &[says(1.0), says(0.5)]));
        assert!(!tie.pass);
    }

    #[test]
    fn log_probabilities_lower_confidence_and_never_raise_it() {
        let sure = decided(count(ballot(1, Spend::All), &[likely(0.9, 1.0)]));
        assert_eq!((sure.confidence, sure.weighed), (2.0 / 3.0, true));
        let unsure = decided(count(ballot(1, Spend::All), &[likely(0.9, 0.7)]));
        assert!((unsure.confidence - 1.7 / 3.0).abs() < 1e-12);
        // One that votes against, and was not sure of it, agrees a little.
        let three = decided(count(ballot(3, Spend::All), &[likely(1.0, 0.9), likely(1.0, 0.8), likely(0.2, 0.6)]));
        assert!((three.confidence - (0.9 + 0.8 + 0.4 + 1.0) / 5.0).abs() < 1e-12);
    }

    #[test]
    fn the_judges_of_a_panel_vote_in_turn() {
        let panel = Ballot { judges: 2, ..ballot(2, Spend::OnFail) };
        assert_eq!(asks(count(panel, &[])), [(0, 0, 0)]);
        assert_eq!(asks(count(panel, &[says(0.1)])), [(1, 0, 0), (0, 1, 0), (1, 1, 0)]);
        let have = [says(0.1), Err("503".to_owned()), says(0.1), says(0.1)];
        assert_eq!(count(panel, &have), Count::Failed(1, "503".to_owned()));
    }

    #[test]
    fn a_vote_whose_orders_differ_is_split_and_agrees_with_nothing() {
        let pair = Ballot { orders: 2, pass_at: 0.5, ..ballot(1, Spend::All) };
        assert_eq!(asks(count(pair, &[])), [(0, 0, 0), (0, 0, 1)]);
        let both = decided(count(pair, &[says(1.0), says(1.0)]));
        assert_eq!((both.pass, both.confidence, both.split), (true, 2.0 / 3.0, 0));
        let split = decided(count(pair, &[says(1.0), says(0.0)]));
        assert_eq!((split.score, split.confidence, split.split, split.with), (0.5, 1.0 / 3.0, 1, 0));
    }

    #[test]
    fn more_votes_are_spent_only_where_the_first_fails() {
        let confirm = ballot(3, Spend::OnFail);
        assert_eq!(asks(count(confirm, &[])), [(0, 0, 0)]);
        assert_eq!(decided(count(confirm, &[says(0.7)])).votes, 1);
        assert_eq!(asks(count(confirm, &[says(0.69)])), [(0, 1, 0), (0, 2, 0)]);
        assert!(!decided(count(confirm, &[says(0.1), says(0.2), says(0.9)])).pass);
    }

    #[test]
    fn a_reply_that_is_no_answer_is_asked_for_once_more_and_told_why() {
        let one = ballot(1, Spend::All);
        let prose = || said("it passes");
        match count(one, &[prose()]) {
            Count::Ask(asks) => {
                assert_eq!(asks[0].vote, 0);
                assert!(asks[0].wrong.as_deref().unwrap().contains("not a JSON object"));
            }
            other => panic!("{other:?}"),
        }
        assert!(decided(count(one, &[prose(), says(1.0)])).pass);
        assert!(matches!(count(one, &[prose(), prose()]), Count::Failed(0, why) if why.starts_with("asked twice")));
    }

    #[test]
    fn only_the_vote_that_was_no_answer_is_asked_for_again() {
        let three = ballot(3, Spend::All);
        let have = [says(1.0), said("?"), says(0.9)];
        assert_eq!(asks(count(three, &have)), [(0, 1, 0)]);
        let more = [&have[..], &[says(0.8)]].concat();
        assert_eq!(decided(count(three, &more)).confidence, 0.8);
    }

    #[test]
    fn a_judge_that_cannot_be_reached_decides_nothing() {
        let have = [says(1.0), Err("503".to_owned()), says(1.0)];
        assert_eq!(count(ballot(3, Spend::All), &have), Count::Failed(0, "503".to_owned()));
    }

    proptest! {
        /// Answers beyond what is asked for never matter, and a decision is never changed by asking in smaller steps; no
        /// votes are surer than so many votes can be.
        #[test]
        fn what_is_asked_for_step_by_step_ends_in_the_same_decision(
            scores in prop::collection::vec(0.0..=1.0f64, 32), broken in prop::collection::vec(any::<bool>(), 32),
            votes in 1u32..5, judges in 1u32..3, orders in 1u32..3, on_fail in any::<bool>(),
        ) {
            let spend = if on_fail { Spend::OnFail } else { Spend::All };
            let ballot = Ballot { judges, orders, ..ballot(votes, spend) };
            let answer = |i: usize| if broken[i] { said("prose") } else { likely(scores[i], 0.5 + scores[31 - i] / 2.0) };
            let mut have = Vec::new();
            while let Count::Ask(asks) = count(ballot, &have) {
                prop_assert!(!asks.is_empty() && have.len() + asks.len() <= 32);
                have.extend((have.len()..have.len() + asks.len()).map(answer));
            }
            let more = [&have[..], &[says(0.0)]].concat();
            let end = count(ballot, &have);
            if let Count::Decided(decided) = &end {
                prop_assert!(decided.confidence <= Ballot::best_confidence(decided.votes as u32) + 1e-12);
            }
            prop_assert_eq!(end, count(ballot, &more));
        }
    }
}
