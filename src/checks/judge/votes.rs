//! The votes on one subject: which to ask for next, and what they decide together.
//!
//! Everything is told by the answers so far, in the order in which they were asked for, so that the same answers give
//! the same verdict wherever they come from.

use super::answer::{self, Opinion};
use crate::checks::asking::Answer;

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
    /// Votes in all, at least 1.
    pub votes: u32,
    /// When they are spent.
    pub spend: Spend,
    /// The mean score from which on the rubric is met.
    pub pass_at: f64,
}

/// A vote to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which vote, from 0.
    pub vote: u32,
    /// What was wrong with the first reply, when it is asked for again.
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
    /// correlate. See the page of statistics, Judges.
    pub confidence: f64,
    /// The votes on the side that decides, in order: the first gives the reason.
    pub agreeing: Vec<Opinion>,
    /// How many votes were taken.
    pub votes: usize,
}

/// The votes so far.
#[derive(Debug, PartialEq)]
pub enum Count {
    /// These have to be asked for.
    Ask(Vec<Ask>),
    /// A vote could not be had, and why.
    Failed(String),
    /// All are there.
    Decided(Decided),
}

/// One vote on its way.
enum Vote {
    /// Asked for, or to be.
    Open,
    /// The first reply was none; what was wrong with it.
    Again(String),
    Cast(Opinion),
}

/// Reads an answer: `Err` where there is none, inside of it what is wrong with the reply.
fn read(answer: &Answer) -> Result<Result<Opinion, String>, String> {
    let reply = answer.as_ref().map_err(String::clone)?;
    Ok(answer::read(&reply.said()?.text))
}

impl Ballot {
    /// The highest confidence that these votes can reach.
    pub fn best_confidence(votes: u32) -> f64 {
        (f64::from(votes) + 1.0) / (f64::from(votes) + 2.0)
    }

    /// Counts the answers so far.
    pub fn count(&self, have: &[Answer]) -> Count {
        let mut votes: Vec<Vote> = Vec::new();
        let mut answers = have.iter();
        loop {
            let asks = self.next(&mut votes);
            if asks.is_empty() {
                return self.decide(&votes);
            }
            if answers.len() < asks.len() {
                return Count::Ask(asks);
            }
            for (ask, answer) in asks.iter().zip(answers.by_ref()) {
                let vote = match (read(answer), &ask.wrong) {
                    (Err(why), _) => return Count::Failed(why),
                    (Ok(Ok(opinion)), _) => Vote::Cast(opinion),
                    (Ok(Err(wrong)), None) => Vote::Again(wrong),
                    (Ok(Err(wrong)), Some(_)) => return Count::Failed(format!("asked twice, and {wrong}")),
                };
                votes[ask.vote as usize] = vote;
            }
        }
    }

    /// The votes to ask for next: those whose reply was none, else new ones.
    fn next(&self, votes: &mut Vec<Vote>) -> Vec<Ask> {
        let again = |(vote, v): (usize, &Vote)| match v {
            Vote::Again(wrong) => Some(Ask { vote: vote as u32, wrong: Some(wrong.clone()) }),
            _ => None,
        };
        let again: Vec<Ask> = votes.iter().enumerate().filter_map(again).collect();
        if !again.is_empty() {
            return again;
        }
        let wanted = match (self.spend, &votes[..]) {
            (Spend::All, _) => self.votes,
            (Spend::OnFail, [Vote::Cast(first), ..]) if first.score < self.pass_at => self.votes,
            (Spend::OnFail, _) => 1,
        };
        let new = votes.len() as u32..wanted;
        votes.extend(new.clone().map(|_| Vote::Open));
        new.map(|vote| Ask { vote, wrong: None }).collect()
    }

    fn decide(&self, votes: &[Vote]) -> Count {
        let cast: Vec<&Opinion> =
            votes.iter().filter_map(|v| if let Vote::Cast(opinion) = v { Some(opinion) } else { None }).collect();
        if cast.is_empty() || cast.len() < votes.len() {
            return Count::Failed("not every vote was cast".to_owned());
        }
        let score = cast.iter().map(|o| o.score).sum::<f64>() / cast.len() as f64;
        let pass = score >= self.pass_at;
        let agreeing: Vec<Opinion> =
            cast.iter().filter(|o| (o.score >= self.pass_at) == pass).map(|o| (*o).clone()).collect();
        let confidence = (agreeing.len() as f64 + 1.0) / (cast.len() as f64 + 2.0);
        Count::Decided(Decided { pass, score, confidence, agreeing, votes: cast.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::{Reply, Said};
    use proptest::prelude::*;

    fn said(text: impl Into<String>) -> Answer {
        Ok(Reply::Said(Said { text: text.into(), ..Said::default() }))
    }

    fn ballot(votes: u32, spend: Spend) -> Ballot {
        Ballot { votes, spend, pass_at: 0.7 }
    }

    fn says(score: f64) -> Answer {
        let verdict = if score >= 0.5 { "pass" } else { "fail" };
        said(format!(r#"{{"reason":"r{score}","quotes":[],"verdict":"{verdict}","score":{score}}}"#))
    }

    fn asks(count: Count) -> Vec<u32> {
        match count {
            Count::Ask(asks) => asks.iter().map(|a| a.vote).collect(),
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
        assert_eq!(asks(three.count(&[])), [0, 1, 2]);
        let all = decided(three.count(&[says(0.9), says(0.8), says(1.0)]));
        assert_eq!((all.pass, all.confidence, all.votes), (true, 0.8, 3));
        assert!((all.score - 0.9).abs() < 1e-12);
        let split = decided(three.count(&[says(0.9), says(0.2), says(0.8)]));
        assert_eq!((split.pass, split.confidence), (false, 0.4));
        assert_eq!(split.agreeing[0].reason, "r0.2", "the reason is that of a vote that agrees");
        assert_eq!((Ballot::best_confidence(1), Ballot::best_confidence(3)), (2.0 / 3.0, 0.8));
    }

    #[test]
    fn more_votes_are_spent_only_where_the_first_fails() {
        let confirm = ballot(3, Spend::OnFail);
        assert_eq!(asks(confirm.count(&[])), [0]);
        assert_eq!(decided(confirm.count(&[says(0.7)])).votes, 1);
        assert_eq!(asks(confirm.count(&[says(0.69)])), [1, 2]);
        assert!(!decided(confirm.count(&[says(0.1), says(0.2), says(0.9)])).pass);
    }

    #[test]
    fn a_reply_that_is_no_answer_is_asked_for_once_more_and_told_why() {
        let one = ballot(1, Spend::All);
        let prose = || said("it passes");
        match one.count(&[prose()]) {
            Count::Ask(asks) => {
                assert_eq!(asks[0].vote, 0);
                assert!(asks[0].wrong.as_deref().unwrap().contains("not a JSON object"));
            }
            other => panic!("{other:?}"),
        }
        assert!(decided(one.count(&[prose(), says(1.0)])).pass);
        assert!(matches!(one.count(&[prose(), prose()]), Count::Failed(why) if why.starts_with("asked twice")));
    }

    #[test]
    fn only_the_vote_that_was_no_answer_is_asked_for_again() {
        let three = ballot(3, Spend::All);
        let have = [says(1.0), said("?"), says(0.9)];
        assert_eq!(asks(three.count(&have)), [1]);
        let more = [&have[..], &[says(0.8)]].concat();
        assert_eq!(decided(three.count(&more)).confidence, 0.8);
    }

    #[test]
    fn a_judge_that_cannot_be_reached_decides_nothing() {
        let have = [says(1.0), Err("503".to_owned()), says(1.0)];
        assert_eq!(ballot(3, Spend::All).count(&have), Count::Failed("503".to_owned()));
    }

    proptest! {
        /// Answers beyond what is asked for never matter, and a decision is never changed by asking in smaller steps.
        #[test]
        fn what_is_asked_for_step_by_step_ends_in_the_same_decision(
            scores in prop::collection::vec(0.0..=1.0f64, 16), broken in prop::collection::vec(any::<bool>(), 16),
            votes in 1u32..5, on_fail in any::<bool>(),
        ) {
            let ballot = ballot(votes, if on_fail { Spend::OnFail } else { Spend::All });
            let answer = |i: usize| if broken[i] { said("prose") } else { says(scores[i]) };
            let mut have = Vec::new();
            while let Count::Ask(asks) = ballot.count(&have) {
                prop_assert!(!asks.is_empty() && have.len() + asks.len() <= 16);
                have.extend((have.len()..have.len() + asks.len()).map(answer));
            }
            let more = [&have[..], &[says(0.0)]].concat();
            prop_assert_eq!(ballot.count(&have), ballot.count(&more));
        }
    }
}
