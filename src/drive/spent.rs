//! What a session came to, as its recording says it. The same is asked while it is driven and when a run is continued,
//! so that a limit counts the same both times: what a session does not say is unknown, and not nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::made::PLAYED;
use super::talk::Turn;
use super::user::Played;
use crate::checks::prices::Prices;
use crate::eval::facts::Facts;
use crate::model::{NanoUsd, Session};
use crate::net::Cause;
use crate::net::budget::{Amount, Limits};

/// Failures of which it is known that the agent did nothing for them, or not even heard of them.
const FREE: [&str; 6] = [
    Cause::Unreachable.name(),
    Cause::Busy.name(),
    Cause::Server.name(),
    Cause::Refused.name(),
    Cause::Misconfigured.name(),
    super::one::SETUP,
];

/// What a session came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The session's id.
    pub id: String,
    /// What is known of it, with the model that played its user.
    pub known: Amount,
    /// Whether anything was heard of the agent.
    pub heard: bool,
    /// Whether it broke off so that it may have come to more than is known.
    broken: bool,
    agent: Says,
    user: Says,
}

/// Whether somebody says what it costs, and how many tokens it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Says {
    cost: bool,
    tokens: bool,
}

impl Spent {
    /// What a session came to.
    pub fn of(session: &Session<'_>, prices: &Prices) -> Self {
        let facts = Facts::of(session, prices);
        let cost = facts.cost_usd.and_then(NanoUsd::from_usd);
        let agent = Says { cost: cost.is_some(), tokens: facts.tokens.is_some() };
        let told = Amount { cost: cost.unwrap_or_default(), tokens: facts.tokens.unwrap_or_default() as u64 };
        let (user, played) = match session.attributes.get(PLAYED) {
            None => (Says { cost: true, tokens: true }, Amount::default()),
            Some(told) => played(told.as_str()),
        };
        Self {
            id: session.id.to_string(),
            known: told.plus(played),
            heard: session.turns.iter().any(|turn| turn.end_ns.is_some()),
            broken: session.failure.as_ref().is_some_and(|failure| !FREE.contains(&&*failure.kind)),
            agent,
            user,
        }
    }

    /// Why a limit cannot be kept, in words: the agent was heard, and somebody does not say what is limited.
    pub fn unsaid(&self, limits: Limits) -> Option<String> {
        let unsaid = |who: &str, limit: &str, what: &str| {
            let id = &self.id;
            Some(format!("`{limit}` is set, and {who} does not say {what} (session `{id}`), so nobody could keep it"))
        };
        let (cost, tokens) = (limits.cost.is_some(), limits.tokens.is_some());
        let cents = "what it spends: neither a cost nor tokens of a model with a price";
        match () {
            () if !self.heard => None,
            () if cost && !self.agent.cost => unsaid("the agent", "max_cost_usd", cents),
            () if tokens && !self.agent.tokens => unsaid("the agent", "max_tokens", "how many tokens it uses"),
            () if cost && !self.user.cost => {
                unsaid("the simulated user", "max_cost_usd", "what it spends: no price is known of its model")
            }
            () if tokens && !self.user.tokens => unsaid("the simulated user", "max_tokens", "how many tokens it uses"),
            () => None,
        }
    }

    /// What it counts for: what is known, and for one that broke off at least what was held for it.
    pub fn counts(&self, held: Amount) -> Amount {
        if self.broken { self.known.most(held) } else { self.known }
    }
}

/// What a session came to at least, after these turns: what is said of it so far. What the agent does not say itself, and
/// only its telemetry does, is not in it.
pub fn so_far(turns: &[Turn], user: Option<&Played>, prices: &Prices) -> Amount {
    let turns = turns.iter().filter_map(|turn| turn.heard.as_ref()).map(|heard| {
        let counted = heard.usage.map(|usage| [usage.input, usage.output].into_iter().flatten());
        let priced = || prices.find(heard.model.as_deref()?)?.0.of(&heard.usage?).ok();
        let cost = heard.cost_usd.and_then(NanoUsd::from_usd).or_else(priced);
        let tokens = counted.map(|counts| counts.fold(0, u64::saturating_add));
        Amount { cost: cost.unwrap_or_default(), tokens: tokens.unwrap_or_default() }
    });
    turns.chain(user.map(Played::spent)).fold(Amount::default(), Amount::plus)
}

/// What a model came to that played a user, and what of it is known.
fn played(told: &str) -> (Says, Amount) {
    let told: Value = serde_json::from_str(told).unwrap_or_default();
    let cost = told["cost_usd"].as_f64().and_then(NanoUsd::from_usd);
    let tokens = told["tokens"].as_u64();
    let known = Amount { cost: cost.unwrap_or_default(), tokens: tokens.unwrap_or_default() };
    (Says { cost: cost.is_some(), tokens: tokens.is_some() }, known)
}

/// What sessions that were driven before came to.
#[derive(Debug, Clone, Default)]
pub struct Before(BTreeMap<String, Spent>);

impl Before {
    /// Adds a session. One that was saved again counts as it was saved last.
    pub fn add(&mut self, spent: Spent) {
        self.0.insert(spent.id.clone(), spent);
    }

    /// The most that one came to of which anything was heard; `None` where there is none.
    pub fn most(&self) -> Option<Amount> {
        self.0.values().filter(|spent| spent.heard).map(|spent| spent.known).reduce(Amount::most)
    }

    /// What they count for together.
    pub fn counts(&self) -> Amount {
        let most = self.most().unwrap_or_default();
        self.0.values().map(|spent| spent.counts(most)).fold(Amount::default(), Amount::plus)
    }

    /// Why a limit cannot be kept, in words: one of them does not say what is limited.
    pub fn unsaid(&self, limits: Limits) -> Option<String> {
        self.0.values().find_map(|spent| spent.unsaid(limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(session: &str) -> Spent {
        Spent::of(&serde_json::from_str::<Session<'_>>(session).unwrap(), &Prices::default())
    }

    const COST: Limits = Limits { cost: Some(NanoUsd(1)), tokens: None };
    const TOKENS: Limits = Limits { tokens: Some(1), cost: None };

    /// A session that was heard: a model call that says this of what it took, and more of the session.
    fn heard(says: &str, more: &str) -> String {
        format!(
            r#"{{"id":"s","turns":[{{"start_ns":1,"end_ns":2,"spans":[{{"kind":"llm","name":"chat"{says}}}]}}]{more}}}"#
        )
    }

    const SAYS: &str = r#","usage":{"input":10,"output":2},"cost_usd":0.5"#;

    #[test]
    fn what_a_session_does_not_say_is_unknown_where_it_is_limited() {
        let silent = spent(&heard("", ""));
        assert!(silent.unsaid(COST).unwrap().contains("the agent does not say what it spends"));
        assert!(silent.unsaid(TOKENS).unwrap().contains("(session `s`)"));
        assert_eq!(silent.unsaid(Limits::default()), None);
        let says = spent(&heard(SAYS, ""));
        assert_eq!((says.unsaid(COST), says.unsaid(TOKENS), says.known.tokens), (None, None, 12));
        // Where nothing was heard, nothing was to be said.
        assert_eq!(spent(r#"{"id":"s","turns":[{"start_ns":1}]}"#).unsaid(TOKENS), None);
    }

    #[test]
    fn a_user_that_a_model_played_is_part_of_it_and_may_be_unknown() {
        let played = |told: &str| spent(&heard(SAYS, &format!(r#","attributes":{{"seatrial.user":{told}}}"#)));
        let known = played(r#"{"tokens":5,"cost_usd":0.25}"#);
        assert_eq!((known.known, known.unsaid(COST)), (Amount { cost: NanoUsd(750_000_000), tokens: 17 }, None));
        assert!(played(r#"{"tokens":5}"#).unsaid(COST).unwrap().contains("the simulated user"));
        assert!(played(r#"{"cost_usd":1}"#).unsaid(TOKENS).unwrap().contains("the simulated user"));
        assert!(played("\"[redacted:secret]\"").unsaid(TOKENS).is_some());
    }

    #[test]
    fn one_that_broke_off_counts_for_what_was_held_and_one_that_was_refused_for_nothing() {
        let held = Amount { cost: NanoUsd(0), tokens: 40 };
        let failed =
            |kind: &str| spent(&heard(SAYS, &format!(r#","failure":{{"kind":"{kind}"}}"#))).counts(held).tokens;
        assert_eq!(["timeout", "reset", "malformed", "agent_error"].map(failed), [40; 4]);
        assert_eq!(["unreachable", "busy", "refused", "setup"].map(failed), [12; 4]);
    }

    #[test]
    fn those_before_count_once_each_as_they_were_saved_last() {
        let mut before = Before::default();
        assert_eq!(before.most(), None);
        before.add(spent(&heard("", "")));
        assert!(before.unsaid(TOKENS).is_some());
        before.add(spent(&heard(SAYS, "")));
        before.add(spent(r#"{"id":"t","turns":[{"start_ns":1}],"failure":{"kind":"timeout"}}"#));
        assert_eq!((before.unsaid(TOKENS), before.counts().tokens, before.most().unwrap().tokens), (None, 24, 12));
    }
}
