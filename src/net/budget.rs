//! What a run may spend, shared by everything in it that spends: judges, embeddings, agents.
//!
//! Who is about to spend reserves the most that it may come to, and says afterwards what it came to. So a limit is never
//! exceeded, whatever runs at the same time: where the rest is reserved by others, one waits for what they really spend.
//! Once something does not fit, nothing is reserved any more: the run ends orderly.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Cause, Trouble};
use crate::model::NanoUsd;

/// Money and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// What it costs.
    pub cost: NanoUsd,
    /// Tokens, read and written.
    pub tokens: u64,
}

impl Amount {
    /// The sum, at most the greatest number there is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let cost = NanoUsd(self.cost.0.saturating_add(other.cost.0));
        Self { cost, tokens: self.tokens.saturating_add(other.tokens) }
    }

    /// The greater of each.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self { cost: self.cost.max(other.cost), tokens: self.tokens.max(other.tokens) }
    }

    /// What is left of it without another amount, at least nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let cost = NanoUsd(self.cost.0.saturating_sub(other.cost.0).max(0));
        Self { cost, tokens: self.tokens.saturating_sub(other.tokens) }
    }
}

/// The limits of a run; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// `max_cost_usd`.
    pub cost: Option<NanoUsd>,
    /// `max_tokens`.
    pub tokens: Option<u64>,
}

impl Limits {
    /// The limit that an amount is beyond, in words.
    fn exceeded(&self, amount: Amount) -> Option<String> {
        if let Some(most) = self.cost.filter(|most| amount.cost > *most) {
            return Some(format!("`max_cost_usd` is {}", most.usd()));
        }
        let most = self.tokens.filter(|most| amount.tokens > *most)?;
        Some(format!("`max_tokens` is {most}"))
    }
}

#[derive(Debug, Default)]
struct State {
    spent: Amount,
    reserved: Amount,
    /// Why nothing is reserved any more.
    over: Option<Trouble>,
}

/// What a run may spend, and has spent. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Budget(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limits: Limits,
    state: Mutex<State>,
    changed: Notify,
}

impl Budget {
    /// Nothing spent yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, ..Shared::default() }))
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// What was spent so far.
    pub fn spent(&self) -> Amount {
        self.lock().spent
    }

    /// Why nothing is spent any more, once something did not fit.
    pub fn over(&self) -> Option<Trouble> {
        self.lock().over.clone()
    }

    /// Counts what was spent before, by the part of a run that is continued.
    pub fn already(&self, spent: Amount) {
        let mut state = self.lock();
        state.spent = state.spent.plus(spent);
    }

    /// Reserves the most that something may come to; waits while others hold what it needs.
    ///
    /// # Errors
    /// It does not fit into what is left, or something else did not before.
    pub async fn reserve(&self, most: Amount) -> Result<Reserved, Trouble> {
        loop {
            // Made before looking, so that no change in between is missed.
            let changed = self.0.changed.notified();
            {
                let mut state = self.lock();
                if let Some(over) = &state.over {
                    return Err(over.clone());
                }
                let surely = state.spent.plus(most);
                if let Some(limit) = self.0.limits.exceeded(surely) {
                    let (usd, tokens) = (state.spent.cost.usd(), state.spent.tokens);
                    let message =
                        format!("{limit}, {usd} USD and {tokens} tokens are spent, and the next might exceed it");
                    let over = Trouble::new(Cause::Budget, message);
                    state.over = Some(over.clone());
                    drop(state);
                    self.0.changed.notify_waiters();
                    return Err(over);
                }
                if self.0.limits.exceeded(surely.plus(state.reserved)).is_none() {
                    state.reserved = state.reserved.plus(most);
                    return Ok(Reserved { budget: self.clone(), most: Some(most) });
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the budget that is held. One that is dropped counts as spent: what became of it nobody knows.
#[derive(Debug)]
pub struct Reserved {
    budget: Budget,
    most: Option<Amount>,
}

impl Reserved {
    /// What was reserved.
    pub fn most(&self) -> Amount {
        self.most.unwrap_or_default()
    }

    /// Says what it came to.
    pub fn settle(mut self, spent: Amount) {
        self.end(spent);
    }

    fn end(&mut self, spent: Amount) {
        let Some(most) = self.most.take() else { return };
        let mut state = self.budget.lock();
        state.reserved = state.reserved.minus(most);
        state.spent = state.spent.plus(spent);
        drop(state);
        self.budget.0.changed.notify_waiters();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.end(self.most());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(tokens: u64) -> Amount {
        Amount { tokens, ..Amount::default() }
    }

    fn budget(most: u64) -> Budget {
        Budget::new(Limits { tokens: Some(most), cost: None })
    }

    #[tokio::test]
    async fn what_might_exceed_the_limit_is_refused_and_so_is_all_that_follows() {
        let budget = budget(100);
        budget.reserve(tokens(60)).await.unwrap().settle(tokens(50));
        let refused = budget.reserve(tokens(51)).await.unwrap_err();
        assert_eq!(refused.cause, Cause::Budget);
        assert!(refused.message.starts_with("`max_tokens` is 100, 0 USD and 50 tokens are spent"), "{refused}");
        assert_eq!(budget.reserve(tokens(1)).await.unwrap_err(), refused);
        assert_eq!((budget.spent(), budget.over()), (tokens(50), Some(refused)));
    }

    #[tokio::test]
    async fn what_others_hold_is_waited_for() {
        let budget = budget(100);
        let held = budget.reserve(tokens(80)).await.unwrap();
        let waits = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(tokens(30)).await.map(|r| r.settle(tokens(30))) }
        });
        tokio::task::yield_now().await;
        held.settle(tokens(10));
        waits.await.unwrap().unwrap();
        assert_eq!(budget.spent(), tokens(40));
    }

    #[tokio::test]
    async fn what_is_given_up_counts_as_spent() {
        let budget = budget(100);
        drop(budget.reserve(tokens(70)).await.unwrap());
        assert_eq!(budget.spent(), tokens(70));
    }

    #[tokio::test]
    async fn without_limits_everything_fits() {
        let budget = Budget::default();
        let most = Amount { cost: NanoUsd(i64::MAX), tokens: u64::MAX };
        let held = (budget.reserve(most).await.unwrap(), budget.reserve(most).await.unwrap());
        drop(held);
        assert!(budget.over().is_none());
    }
}
