//! Whether the declared cases of a suite can ever show what its gate asks for with confidence: said before anything is
//! run, as no run would pass.

use super::raw::{Pos, Sink};
use super::resolve::{Layer, section_path_pos};
use super::{Case, Cases, Gate};
use crate::stats::needed;

/// A bar that asks for confidence.
struct Bar<'g> {
    /// Where it stands below `[gate]`, such as `group`, `0`, `pass_rate`.
    path: Vec<String>,
    tag: Option<&'g str>,
    min: f64,
    confidence: f64,
    corrected: bool,
}

/// Warns of bars that the declared cases cannot clear even if all of them pass, and reports bars that count cases where
/// these do not count alike.
pub(super) fn check(gate: &Gate, cases: Option<&Cases>, own: &Layer<'_>, sink: &mut Sink<'_>) {
    for bar in bars(gate) {
        let pos = section_path_pos(own, "gate", &[&bar.path[..], &["min".to_owned()]].concat());
        let looked_at = |c: &&Case| c.skip.is_none() && bar.tag.is_none_or(|tag| c.tags.iter().any(|t| t == tag));
        let known: Option<Vec<&Case>> = cases.map(|cases| cases.list.iter().filter(looked_at).collect());
        let unequal = |cases: &Vec<&Case>| cases.windows(2).any(|two| two[0].weight != two[1].weight);
        // The mean of pass^k takes no account of weights.
        if bar.path.last().is_some_and(|name| name == "pass_rate") && known.as_ref().is_some_and(unequal) {
            let help = "leave `weight` out, or `confidence`".to_owned();
            sink.error(&pos, "with `confidence` every case counts alike, and these have different weights", help);
        }
        warn(&pos, &bar, known.map(|cases| cases.len() as u64), sink);
    }
}

fn bars(gate: &Gate) -> Vec<Bar<'_>> {
    let mut bars = Vec::new();
    let mut add = |place: &[&str], tag, min: Option<f64>, confidence: Option<f64>, corrected: bool| {
        let path = place.iter().map(|s| (*s).to_owned()).collect();
        bars.extend(min.zip(confidence).map(|(min, confidence)| Bar { path, tag, min, confidence, corrected }));
    };
    add(&["pass_rate"], None, Some(gate.pass_rate.min), gate.pass_rate.confidence, gate.pass_rate.correct.is_some());
    if let Some(r) = &gate.reliability {
        add(&["reliability"], None, r.min, r.confidence, false);
    }
    for (i, group) in gate.groups.iter().enumerate() {
        let (index, tag) = (i.to_string(), Some(group.tag.as_str()));
        if let Some(p) = &group.pass_rate {
            add(&["group", &index, "pass_rate"], tag, Some(p.min), p.confidence, p.correct.is_some());
        }
        if let Some(r) = &group.reliability {
            add(&["group", &index, "reliability"], tag, r.min, r.confidence, false);
        }
    }
    bars
}

fn warn(pos: &Pos, bar: &Bar<'_>, cases: Option<u64>, sink: &mut Sink<'_>) {
    let Bar { min, confidence, .. } = *bar;
    let never = "this can never pass";
    match (needed::to_pass_at_all(min, confidence), cases) {
        (None, _) if min == 1.0 => {
            let help = "ask for less than 1.0, or leave `confidence` out".to_owned();
            sink.warn(pos, format!("{never}: no number of cases shows a share of {min} with confidence"), help);
        }
        // The limits of a corrected share are not those of Clopper and Pearson.
        (Some(needed), Some(cases)) if cases < needed && !bar.corrected => {
            let message =
                format!("{never}: even when all {cases} cases pass; {needed} are needed to show a share of {min}");
            let help = format!("declare at least {needed} cases, or lower `min` or `confidence`");
            sink.warn(pos, message, help);
        }
        _ => {}
    }
}
