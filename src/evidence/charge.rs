//! What a question counts for in the limits of a run, as the evidence says it, so that a run that is continued goes on
//! with the same sum: what was held for a question before it was put, and what it came to in the end. What was held and
//! never settled, because the process ended, counts as spent: what became of it nobody knows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::answered::{Answered, Source};
use super::question::Key;
use crate::model::NanoUsd;
use crate::net::budget::{Amount, Limits};

/// What counts against the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Charge {
    /// Absent where the cost was not limited, and is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<NanoUsd>,
    /// Tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

impl Charge {
    /// What an amount is under these limits: money that was not limited was not counted.
    pub fn of(amount: Amount, limits: Limits) -> Self {
        Self { cost_usd: limits.cost.map(|_| amount.cost), tokens: Some(amount.tokens) }
    }

    /// What an answer came to by its own account.
    fn told(answered: &Answered) -> Self {
        let counted = answered.usage.and_then(|usage| usage.input.zip(usage.output));
        Self { cost_usd: answered.cost, tokens: counted.map(|(i, o)| i.saturating_add(o)) }
    }

    fn or(self, other: Self) -> Self {
        Self { cost_usd: self.cost_usd.or(other.cost_usd), tokens: self.tokens.or(other.tokens) }
    }
}

/// A line of the evidence beside the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Held before a question was put.
    Held(Charge),
    /// What a question without an answer came to, in place of what was held for it.
    Settled(Charge),
}

/// A note, and which question it is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Noted {
    /// The question.
    pub key: String,
    /// What is noted.
    #[serde(flatten)]
    pub note: Note,
}

/// The sum over the lines of a run's evidence.
#[derive(Default)]
pub struct Sum {
    known: Amount,
    /// Charges that do not say a cost, and that do not say how many tokens.
    without: (u64, u64),
    held: HashMap<Key, Vec<Charge>>,
}

impl Sum {
    fn add(&mut self, charge: Charge) {
        let (cost, tokens) = (charge.cost_usd.unwrap_or_default(), charge.tokens.unwrap_or_default());
        self.known = self.known.plus(Amount { cost, tokens });
        self.without.0 += u64::from(charge.cost_usd.is_none());
        self.without.1 += u64::from(charge.tokens.is_none());
    }

    /// Takes an answer in; `charge` is what counted where there were limits.
    pub fn answered(&mut self, key: Key, source: Source, answered: &Answered, charge: Option<Charge>) {
        if source == Source::Asked {
            self.held.remove(&key);
            self.add(charge.unwrap_or_default().or(Charge::told(answered)));
        }
    }

    /// Takes a note in.
    pub fn noted(&mut self, key: Key, note: Note) {
        match note {
            Note::Held(charge) => self.held.entry(key).or_default().push(charge),
            Note::Settled(charge) => {
                self.held.remove(&key);
                self.add(charge);
            }
        }
    }

    /// What everything counts for under these limits.
    ///
    /// # Errors
    /// Something is limited that not every answer says, in words.
    pub fn under(mut self, limits: Limits) -> Result<Amount, String> {
        for charge in std::mem::take(&mut self.held).into_values().flatten() {
            self.add(charge);
        }
        let unsaid = |limit: &str, n: u64, what: &str| {
            format!(
                "`{limit}` is set, and {n} of the answers that the run has so far do not say {what}, so nobody could keep \
                 it; continue without it, or begin a new run"
            )
        };
        match self.without {
            (n, _) if n > 0 && limits.cost.is_some() => Err(unsaid("max_cost_usd", n, "what they cost")),
            (_, n) if n > 0 && limits.tokens.is_some() => Err(unsaid("max_tokens", n, "how many tokens they took")),
            _ => Ok(self.known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::Reply;
    use crate::model::Usage;

    const COST: Limits = Limits { cost: Some(NanoUsd(1)), tokens: None };
    const TOKENS: Limits = Limits { tokens: Some(1), cost: None };

    fn answered(input: Option<u64>, cost: Option<i64>) -> Answered {
        let usage = Some(Usage { input, output: Some(1), ..Usage::default() });
        Answered { reply: Reply::Line("x".into()), usage, cost: cost.map(NanoUsd) }
    }

    fn charge(cost: i64, tokens: u64) -> Charge {
        Charge { cost_usd: Some(NanoUsd(cost)), tokens: Some(tokens) }
    }

    #[test]
    fn what_an_answer_does_not_say_is_unknown_where_it_is_limited() {
        let sum = |answered: &Answered, charge| {
            let mut sum = Sum::default();
            sum.answered(Key([1; 32]), Source::Asked, answered, charge);
            sum
        };
        let silent = answered(None, None);
        assert!(sum(&silent, None).under(COST).unwrap_err().contains("1 of the answers"));
        assert!(sum(&silent, None).under(TOKENS).unwrap_err().contains("how many tokens"));
        assert_eq!(sum(&silent, None).under(Limits::default()), Ok(Amount::default()));
        // It counted as what was held for it.
        let counted = sum(&silent, Some(charge(5, 70)));
        assert_eq!(counted.under(COST), Ok(Amount { cost: NanoUsd(5), tokens: 70 }));
        let tokens = Some(Charge { tokens: Some(70), cost_usd: None });
        assert!(sum(&silent, tokens).under(COST).is_err(), "the limit was another");
        assert_eq!(sum(&answered(Some(2), Some(9)), tokens).under(COST).unwrap().cost, NanoUsd(9));
    }

    #[test]
    fn what_was_held_counts_until_it_is_settled() {
        let mut sum = Sum::default();
        for key in 1..=4 {
            sum.noted(Key([key; 32]), Note::Held(charge(10, 100)));
        }
        sum.noted(Key([4; 32]), Note::Held(charge(10, 100)));
        sum.answered(Key([1; 32]), Source::Asked, &answered(Some(2), Some(3)), Some(charge(3, 3)));
        sum.noted(Key([2; 32]), Note::Settled(charge(0, 0)));
        assert_eq!(sum.under(COST), Ok(Amount { cost: NanoUsd(3 + 10 + 20), tokens: 3 + 100 + 200 }));
    }

    #[test]
    fn what_was_known_before_costs_nothing() {
        let mut sum = Sum::default();
        sum.answered(Key([1; 32]), Source::Cache, &answered(None, None), None);
        assert_eq!(sum.under(COST), Ok(Amount::default()));
    }
}
