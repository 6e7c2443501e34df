//! What sessions ask of models: collected session by session, answered all together, and what it cost for each.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::judge::{Admitted, Bench, Unasked, job};
use super::plan::Watching;
use crate::assemble::intake::Options;
use crate::eval::plan::Planned;
use crate::evidence::asker::{Asker, Over};
use crate::model::NanoUsd;
use crate::run::alone;

/// Passes over sessions while questions are collected, as in a run.
const MOST_PASSES: usize = 10;

/// Has everything answered that the checks ask of models. What each session cost is in US dollars, in their order, whatever
/// came of it.
pub(super) fn ask(
    watching: &Watching,
    planned: &Planned<'_>,
    admitted: &mut [Admitted<'_, '_>],
    bench: &Bench<'_>,
) -> (Vec<f64>, Result<(), Unasked>) {
    let free = vec![0.0; admitted.len()];
    let asks = watching.suite.checks.iter().any(|check| !check.asks.is_empty());
    let Some(asker) = bench.outside.asker.as_ref().filter(|_| asks && !admitted.is_empty()) else {
        return (free, Ok(()));
    };
    let before = asker.cost();
    let mut asked = vec![0; admitted.len()];
    let done = answered(watching, planned, admitted, bench, asker, &mut asked);
    (costs(asker, before, &asked), done)
}

/// Collects and answers until nothing more is asked; how many questions each session had is added.
fn answered(
    watching: &Watching,
    planned: &Planned<'_>,
    admitted: &mut [Admitted<'_, '_>],
    bench: &Bench<'_>,
    asker: &Asker,
    questions: &mut [u64],
) -> Result<(), Unasked> {
    let assemble = Options::default();
    for _ in 0..MOST_PASSES {
        let new = AtomicU64::new(0);
        bench.pool.install(|| {
            let each = admitted.par_iter_mut().zip(questions.par_iter_mut()).enumerate();
            each.for_each(|(i, (admitted, questions))| {
                let collector = asker.collector(u32::try_from(i).unwrap_or(u32::MAX), &watching.suite.redactor);
                let job = job(watching, planned, bench, &assemble, &collector, true);
                // Its findings are thrown away.
                drop(alone::judge(&job, &admitted.arrived.session, (0, 0)));
                *questions += collector.asked();
                new.fetch_add(collector.asked(), Ordering::Relaxed);
            });
        });
        asker.settle(&|_, _| ()).map_err(|over| match over {
            Over::Stopped => Unasked("it is to end".to_owned()),
            Over::Spent(why) => Unasked(why),
            Over::Write(why) => Unasked(format!("the answers of models could not be written: {why}")),
        })?;
        if new.into_inner() == 0 {
            break;
        }
    }
    Ok(())
}

/// What each session cost: what is known of its own questions, and of what nobody can tell whose it was (an answer without
/// a price, one that never came) an equal part for all that asked.
fn costs(asker: &Asker, before: NanoUsd, questions: &[u64]) -> Vec<f64> {
    let taken = asker.taken();
    let own = |i: usize| u32::try_from(i).ok().and_then(|i| taken.get(&i)).map_or(0, |spend| spend.cost_usd.0);
    let known: i64 = (0..questions.len()).map(own).sum();
    let all = asker.cost().0.saturating_sub(before.0);
    let rest = all.saturating_sub(known).max(0) as f64;
    let asked = questions.iter().filter(|n| **n > 0).count().max(1) as f64;
    let cost = |(i, n): (usize, &u64)| (own(i) as f64 + if *n > 0 { rest / asked } else { 0.0 }) / 1e9;
    questions.iter().enumerate().map(cost).collect()
}
