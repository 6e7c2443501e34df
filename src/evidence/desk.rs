//! One endpoint in a run: asks with patience, within the budget, no faster than it is let.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::answered::Answered;
use super::question;
use crate::checks::asking::{Need, Reply, Said};
use crate::checks::judge::odds;
use crate::checks::prices::Prices;
use crate::endpoints::{Endpoint, Heard, Opened};
use crate::model::{NanoUsd, Usage};
use crate::net::budget::{Amount, Budget};
use crate::net::pace::{Pace, backoff};
use crate::net::{Cause, Trouble};

/// How often one question is put before it is given up.
const TRIES: u32 = 4;
/// How long the first wait is before it is put again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Questions without an answer in a row after which an endpoint is asked no more: it fails at everything, and every
/// attempt may take its whole limit of time.
const PATIENCE: u32 = 5;

/// One endpoint in a run.
pub struct Desk {
    opened: Opened,
    pace: Pace,
    prices: Arc<Prices>,
    failed: Mutex<Failed>,
    /// How long it is left alone when it fails at everything; for ever without it.
    rest: Option<Duration>,
}

#[derive(Default)]
struct Failed {
    in_a_row: u32,
    last: String,
    at: Option<Instant>,
}

impl Desk {
    /// Nothing asked yet.
    pub fn new(opened: Opened, prices: Arc<Prices>) -> Self {
        let pace = Pace::new(opened.endpoint.concurrency, opened.endpoint.requests_per_minute);
        Self { opened, pace, prices, failed: Mutex::default(), rest: None }
    }

    /// The same, which is tried again after a rest: whoever has no end outlives an endpoint that was down.
    pub fn resting(self, rest: Duration) -> Self {
        Self { rest: Some(rest), ..self }
    }

    /// What the settings say of it.
    pub fn endpoint(&self) -> &Endpoint {
        &self.opened.endpoint
    }

    /// How many questions are put at once at most.
    pub fn concurrency(&self) -> usize {
        self.opened.endpoint.concurrency
    }

    /// Whether it remembers how questions begin, so that the same beginning is cheaper the second time.
    pub fn remembers(&self) -> bool {
        let endpoint = &self.opened.endpoint;
        endpoint.prompt_cache || endpoint.protocol.remembers()
    }

    /// Puts a question until there is an answer, or no hope of one: the answer, or why there is none, which is of cause
    /// [`Cause::Budget`] when nothing may be spent any more; and what it counts for in the budget. `held` is told each
    /// time that something is held for it, before it is put.
    pub async fn answer(
        &self,
        need: &Need,
        budget: &Budget,
        held: &(dyn Fn(Amount) + Sync),
    ) -> (Result<Answered, Trouble>, Amount) {
        if let Some(hopeless) = self.hopeless() {
            return (Err(hopeless), Amount::default());
        }
        let mut counts = Amount::default();
        let answered = self.try_to(need, budget, held, &mut counts).await;
        let mut failed = self.failed();
        match &answered {
            Ok(_) => failed.in_a_row = 0,
            Err(trouble) if trouble.cause == Cause::Budget => {}
            Err(trouble) => {
                failed.in_a_row += 1;
                failed.at = Some(Instant::now());
                failed.last.clone_from(&trouble.message);
            }
        }
        drop(failed);
        (answered, counts)
    }

    /// Why it is not asked any more, if it is not.
    fn hopeless(&self) -> Option<Trouble> {
        let mut failed = self.failed();
        if failed.in_a_row < PATIENCE {
            return None;
        }
        if let (Some(rest), Some(at)) = (self.rest, failed.at)
            && at.elapsed() >= rest
        {
            // It may be well again: the next that fails says otherwise.
            failed.in_a_row = PATIENCE - 1;
            return None;
        }
        let until = match self.rest {
            None => "any more".to_owned(),
            Some(rest) => format!("for {} s", rest.as_secs()),
        };
        let message = format!("it failed {PATIENCE} times in a row and is not asked {until}: {}", failed.last);
        Some(Trouble::new(Cause::Unreachable, message))
    }

    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_to(
        &self,
        need: &Need,
        budget: &Budget,
        held: &(dyn Fn(Amount) + Sync),
        counts: &mut Amount,
    ) -> Result<Answered, Trouble> {
        let most = self.most(need, budget)?;
        let mut attempt = 1;
        loop {
            let inside = self.pace.enter().await;
            if let Some(hopeless) = self.hopeless() {
                return Err(hopeless);
            }
            let reserved = budget.reserve(most).await?;
            held(most);
            let trouble = match self.once(need).await {
                Ok((reply, heard)) => {
                    inside.well();
                    let cost = self.cost(&heard);
                    let spent = spent(&heard, cost, most);
                    reserved.settle(spent);
                    *counts = counts.plus(spent);
                    return Ok(Answered { reply, usage: heard.usage, cost });
                }
                Err(trouble) => trouble,
            };
            // A refusal costs nothing; of what was cut off nobody knows.
            if matches!(trouble.cause, Cause::Unreachable | Cause::Busy | Cause::Server | Cause::Refused) {
                reserved.settle(Amount::default());
            } else {
                drop(reserved);
                *counts = counts.plus(most);
            }
            let wait = backoff(attempt, FIRST_WAIT, trouble.retry_after);
            if trouble.cause == Cause::Busy {
                inside.busy(wait);
            }
            drop(inside);
            if attempt == TRIES || !trouble.cause.is_transient() {
                let tries = if attempt > 1 { format!(" ({attempt} tries)") } else { String::new() };
                return Err(Trouble { message: format!("{}{tries}", trouble.message), ..trouble });
            }
            attempt += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, need: &Need) -> Result<(Reply, Heard), Trouble> {
        match need {
            Need::Vote { prompt, wrong, .. } => {
                let question = question::question(prompt, wrong.as_deref());
                let heard = self.opened.ask(&question::ask(prompt, &question)).await?;
                let odds = odds::of(prompt.shape, &heard.text, &heard.tokens);
                let said = Said { text: heard.text.clone(), model: heard.model.clone(), odds };
                Ok((Reply::Said(said), heard))
            }
            Need::Embedding { text, .. } => {
                let (vector, heard) = self.opened.embed(text).await?;
                Ok((Reply::Vector(vector), heard))
            }
            Need::Line { .. } => Err(Trouble::new(Cause::Misconfigured, "a program is not a model")),
        }
    }

    /// The most that a question may come to. A token is at least a byte.
    fn most(&self, need: &Need, budget: &Budget) -> Result<Amount, Trouble> {
        let limits = budget.limits();
        if limits.cost.is_none() && limits.tokens.is_none() {
            return Ok(Amount::default());
        }
        let endpoint = &self.opened.endpoint;
        let input = question::bytes(need, endpoint);
        let output = if matches!(need, Need::Vote { .. }) { u64::from(endpoint.max_tokens) } else { 0 };
        let cost = match (limits.cost, self.prices.find(&endpoint.model)) {
            (None, _) => NanoUsd::default(),
            (Some(_), Some((price, _))) => price.at_most(input, output),
            (Some(_), None) => {
                return Err(Trouble::new(Cause::Budget, unpriced(&endpoint.model)));
            }
        };
        Ok(Amount { cost, tokens: input + output })
    }

    /// What an answer cost; `None` where nobody knows.
    fn cost(&self, heard: &Heard) -> Option<NanoUsd> {
        let usage = heard.usage.as_ref()?;
        let price = self.prices.find(&heard.model).or_else(|| self.prices.find(&self.opened.endpoint.model));
        price?.0.of(usage).ok()
    }
}

/// That the cost of a model cannot be limited.
pub fn unpriced(model: &str) -> String {
    format!(
        "`max_cost_usd` cannot be kept to: no price is known of the model `{model}`; add it to seatrial.toml: [prices] \
         \"{model}\" = {{ input = ..., output = ... }}"
    )
}

/// What an answer came to; what is not said counts as the most that it may have been.
fn spent(heard: &Heard, cost: Option<NanoUsd>, most: Amount) -> Amount {
    let counted = |usage: &Usage| usage.input.zip(usage.output).map(|(i, o)| i.saturating_add(o));
    let tokens = heard.usage.as_ref().and_then(counted).unwrap_or(most.tokens);
    Amount { cost: cost.unwrap_or(most.cost), tokens }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::PROTOCOLS;
    use crate::net::client::client;
    use crate::net::secret::Secretive;

    #[test]
    fn an_endpoint_that_fails_at_everything_is_left_alone_for_ever_or_for_a_rest() {
        let desk = || {
            let mut endpoint = Endpoint::new(PROTOCOLS[0], "m");
            endpoint.url = Secretive::parse("http://127.0.0.1:9/v1").ok();
            Desk::new(
                Opened::new(Arc::new(endpoint), client().unwrap(), &|_| None).unwrap(),
                Arc::new(Prices::default()),
            )
        };
        let fail = |desk: &Desk| {
            let mut failed = desk.failed();
            (failed.in_a_row, failed.at, failed.last) = (PATIENCE, Some(Instant::now()), "HTTP 503".to_owned());
        };
        let (ever, long, short) = (desk(), desk().resting(Duration::from_secs(3600)), desk().resting(Duration::ZERO));
        for desk in [&ever, &long, &short] {
            assert!(desk.hopeless().is_none());
            fail(desk);
        }
        assert!(ever.hopeless().is_some_and(|why| why.message.contains("not asked any more")));
        assert!(long.hopeless().is_some_and(|why| why.message.contains("not asked for 3600 s: HTTP 503")));
        // After its rest it may try, and one more failure is enough.
        assert!(short.hopeless().is_none() && short.hopeless().is_none());
        assert_eq!(short.failed().in_a_row, PATIENCE - 1);
    }
}
