//! Shares of passing cases, pair by pair: no worse by Tango's one-sided limit, worse by the exact test of McNemar.

use super::sides::Sided;
use super::{Comparison, SAID, Taken};
use crate::checks::system::{End, words};
use crate::eval::gate::Decision;
use crate::eval::gate::measured::Measured;
use crate::eval::gate::rates::percent;
use crate::model::Status;
use crate::stats::{mcnemar, power, tango};

/// Pairs, counted: what became worse and better, in all.
#[derive(Clone, Copy)]
struct Counts {
    n: u64,
    wins: u64,
    losses: u64,
    passed_then: u64,
}

/// One comparison, by how what is not known is taken.
pub(super) struct Rates {
    /// By end of what people may decide, and by whether errors are taken as passed.
    counts: [[Counts; 2]; 2],
    margin: f64,
}

impl Rates {
    pub(super) fn of(pairs: &[&Sided<'_>], margin: f64) -> Self {
        let counts = |end: End, errors: bool| {
            let mut counts = Counts { n: pairs.len() as u64, wins: 0, losses: 0, passed_then: 0 };
            for pair in pairs {
                let now = if end == End::Worst { pair.worst } else { pair.best };
                let now = now == Status::Pass || (errors && now == Status::Error);
                counts.passed_then += u64::from(pair.passed_then);
                counts.wins += u64::from(now && !pair.passed_then);
                counts.losses += u64::from(!now && pair.passed_then);
            }
            counts
        };
        Self { counts: [End::Worst, End::Best].map(|end| [false, true].map(|errors| counts(end, errors))), margin }
    }

    fn counts(&self, taken: Taken) -> Counts {
        self.counts[usize::from(taken.end == End::Best)][usize::from(taken.errors)]
    }
}

impl Comparison for Rates {
    fn pairs(&self) -> u64 {
        self.counts(SAID).n
    }

    fn holds(&self, taken: Taken, alpha: f64) -> bool {
        let Counts { n, wins, losses, .. } = self.counts(taken);
        tango::shows(wins, losses, n, self.margin, alpha)
    }

    fn p_worse(&self, taken: Taken) -> f64 {
        let counts = self.counts(taken);
        mcnemar::worse(counts.wins, counts.losses)
    }

    fn said(&self, decision: Decision, alpha: f64, p_worse: f64, several: usize) -> (String, Option<Measured>) {
        let (Counts { n, wins, losses, passed_then }, margin) = (self.counts(SAID), self.margin);
        let now = passed_then + wins - losses;
        let mut text =
            format!("{now} of {n} paired cases pass, {passed_then} did; {losses} newly fail, {wins} newly pass");
        let Some(shown) = tango::non_inferiority(wins, losses, n, margin, alpha) else {
            text.push_str("; its interval could not be computed");
            return (text, None);
        };
        text.push_str(&format!(
            "; difference {:+.4}, {} sure that it is at least {:+.4} ({}), {:+} wanted",
            shown.difference,
            percent(1.0 - alpha),
            shown.lower,
            shown.method,
            -margin
        ));
        let more =
            if decision == Decision::Inconclusive { tango::more_pairs(wins, losses, n, margin, alpha) } else { None };
        match decision {
            Decision::Failed => text.push_str(&super::worse(p_worse, "exact McNemar", several, alpha)),
            Decision::Inconclusive => text.push_str(&underpowered(self.counts(SAID), margin, alpha, more)),
            _ => {}
        }
        let measured = Measured {
            interval: Some([shown.lower, shown.upper]),
            confidence: Some(1.0 - alpha),
            method: Some(shown.method.to_owned()),
            p_worse: Some(p_worse),
            more_cases: more,
            ..Measured::new(shown.difference, Some(-margin), n)
        };
        (text, Some(measured))
    }
}

/// What so many pairs could have shown, and how many would do.
fn underpowered(counts: Counts, margin: f64, alpha: f64, more: Option<u64>) -> String {
    let Counts { n, wins, losses, .. } = counts;
    let discordant = (wins + losses) as f64 / n as f64;
    let detectable = tango::detectable_margin(n, discordant, alpha, power::POWER);
    let detectable = detectable
        .map(|least| {
            let power = percent(power::POWER);
            format!("; underpowered: {n} pairs like these show a margin of {least:.3} at best ({power} of the time)")
        })
        .unwrap_or_else(|| "; underpowered".to_owned());
    let settles = match more {
        Some(more) => format!("; {} like these would settle it", words::counted(more, "more case")),
        None => format!("; the difference itself does not keep {:+}, so that only better results would pass", -margin),
    };
    detectable + &settles
}
