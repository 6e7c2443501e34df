//! Whether the declared cases of a suite can ever show what its gate asks for with confidence: said before anything is
//! run, as no run would pass.

use super::raw::{Pos, Sink};
use super::resolve::{Layer, section_path_pos};
use super::{Case, Cases, Gate};
use crate::stats::needed;

/// Warns of bars that the declared cases cannot clear even if all of them pass, and reports bars that count cases where
/// these do not count alike.
pub(super) fn check(gate: &Gate, cases: Option<&Cases>, own: &Layer<'_>, sink: &mut Sink<'_>) {
    let at = |path: &[&str]| {
        let path: Vec<String> = path.iter().map(|s| (*s).to_owned()).collect();
        section_path_pos(own, "gate", &path)
    };
    let known = |tag: Option<&str>| -> Option<Vec<&Case>> {
        let looked_at = |c: &&Case| c.skip.is_none() && tag.is_none_or(|tag| c.tags.iter().any(|t| t == tag));
        cases.map(|cases| cases.list.iter().filter(looked_at).collect())
    };
    let mut bars: Vec<(Pos, f64, f64, bool, Option<Vec<&Case>>)> = Vec::new();
    let min_pos = |place: &[&str], bar: &str| at(&[place, &[bar, "min"]].concat());
    let mut bar = |place: &[&str], tag: Option<&str>, name: &str, min: Option<f64>, confidence: Option<f64>| {
        if let Some((min, confidence)) = min.zip(confidence) {
            // The mean of pass^k takes no account of weights.
            let counts = name == "pass_rate";
            bars.push((min_pos(place, name), min, confidence, counts, known(tag)));
        }
    };
    bar(&[], None, "pass_rate", Some(gate.pass_rate.min), gate.pass_rate.confidence);
    if let Some(r) = &gate.reliability {
        bar(&[], None, "reliability", r.min, r.confidence);
    }
    for (i, group) in gate.groups.iter().enumerate() {
        let (index, tag) = (i.to_string(), Some(group.tag.as_str()));
        let place = ["group", index.as_str()];
        if let Some(p) = &group.pass_rate {
            bar(&place, tag, "pass_rate", Some(p.min), p.confidence);
        }
        if let Some(r) = &group.reliability {
            bar(&place, tag, "reliability", r.min, r.confidence);
        }
    }
    for (pos, min, confidence, counts, known) in bars {
        if let Some(cases) = known.as_ref().filter(|_| counts)
            && cases.windows(2).any(|two| two[0].weight != two[1].weight)
        {
            let help = "leave `weight` out, or `confidence`".to_owned();
            sink.error(&pos, "with `confidence` every case counts alike, and these have different weights", help);
        }
        warn(&pos, min, confidence, known.map(|cases| cases.len() as u64), sink);
    }
}

fn warn(pos: &Pos, min: f64, confidence: f64, cases: Option<u64>, sink: &mut Sink<'_>) {
    let never = "this can never pass";
    match (needed::to_pass_at_all(min, confidence), cases) {
        (None, _) if min == 1.0 => {
            let help = "ask for less than 1.0, or leave `confidence` out".to_owned();
            sink.warn(pos, format!("{never}: no number of cases shows a share of {min} with confidence"), help);
        }
        (Some(needed), Some(cases)) if cases < needed => {
            let message =
                format!("{never}: even when all {cases} cases pass; {needed} are needed to show a share of {min}");
            let help = format!("declare at least {needed} cases, or lower `min` or `confidence`");
            sink.warn(pos, message, help);
        }
        _ => {}
    }
}
