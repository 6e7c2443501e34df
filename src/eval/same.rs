//! Whether two plans are the same by their digests, and what differs when they are not.
//!
//! Where a suite's file lies, and on which line a check stands, decides nothing and may differ.

use std::collections::BTreeMap;

use super::event::{Plan, SuitePlan};
use crate::model::digest::Digest;
use crate::suite::review::Review;

/// What differs between the plan of a record and another one, in words; nothing when both are the same. `one` and
/// `other` say whose plan it is.
pub fn differences(a: &Plan, b: &Plan, one: &str, other: &str) -> Vec<String> {
    let mut found = Vec::new();
    let only = |plan: &Plan, than: &Plan| -> Vec<String> {
        let names = |p: &Plan| p.suites.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let known = names(than);
        names(plan).into_iter().filter(|n| !known.contains(n)).collect()
    };
    for (plan, than, whose) in [(a, b, one), (b, a, other)] {
        found.extend(only(plan, than).iter().map(|name| format!("suite `{name}` is in {whose} only")));
    }
    if found.is_empty() && a.suites.len() == b.suites.len() {
        let orders = a.suites.iter().zip(&b.suites).any(|(x, y)| x.name != y.name);
        if orders {
            found.push(format!("the suites stand in another order in {one} than in {other}"));
        }
    }
    for x in &a.suites {
        if let Some(y) = b.suites.iter().find(|y| y.name == x.name) {
            suite(x, y, &mut found);
        }
    }
    let mut told = |what: &str, x: &Option<String>, y: &Option<String>| {
        if x != y {
            let said = |v: &Option<String>| v.as_ref().map_or("none".to_owned(), |v| format!("`{v}`"));
            found.push(format!("{what}: {} in {one}, {} in {other}", said(x), said(y)));
        }
    };
    told("--filter", &a.filter, &b.filter);
    told("--rerun", &a.rerun, &b.rerun);
    let keys: std::collections::BTreeSet<&String> = a.settings.keys().chain(b.settings.keys()).collect();
    for key in keys {
        told(&format!("the setting `{key}`"), &a.settings.get(key).cloned(), &b.settings.get(key).cloned());
    }
    found
}

fn suite(x: &SuitePlan, y: &SuitePlan, found: &mut Vec<String>) {
    let name = &x.name;
    let before = found.len();
    keyed(name, "file", &x.files, &y.files, found);
    let checks = |p: &SuitePlan| -> BTreeMap<String, String> {
        let all = p.checks.iter().map(|c| {
            let rest = (c.level, c.severity, c.optional, c.require, &c.case, &c.tags, c.inactive);
            (c.id.clone(), format!("{} {rest:?}", c.digest))
        });
        all.collect()
    };
    keyed(name, "check", &checks(x), &checks(y), found);
    let cases = |p: &SuitePlan| -> BTreeMap<String, String> {
        p.cases.iter().flatten().map(|c| (c.id.clone(), format!("{c:?}"))).collect()
    };
    keyed(name, "case", &cases(x), &cases(y), found);
    let routed = |p: &SuitePlan| -> BTreeMap<String, Option<Review>> {
        p.checks.iter().map(|c| (c.id.clone(), c.review.clone())).collect()
    };
    keyed(name, "what goes to people of check", &routed(x), &routed(y), found);
    if x.gate != y.gate {
        found.push(format!("suite `{name}`: the gate differs"));
    }
    if x.redact != y.redact {
        found.push(format!("suite `{name}`: the rules of redaction differ, or the key of its pseudonyms"));
    }
    if x.trials != y.trials {
        found.push(format!("suite `{name}`: `trials` differs"));
    }
    if x.subject != y.subject {
        found.push(format!("suite `{name}`: another subject is judged"));
    }
    let order = |p: &SuitePlan| p.checks.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
    if found.len() == before && (x.digest != y.digest || order(x) != order(y)) {
        found.push(format!("suite `{name}` was changed"));
    }
}

/// Keys that only one of two maps has, and those whose values differ.
fn keyed<V: PartialEq>(
    suite: &str,
    what: &str,
    x: &BTreeMap<String, V>,
    y: &BTreeMap<String, V>,
    found: &mut Vec<String>,
) {
    let (mut changed, mut more): (Vec<&str>, usize) = (Vec::new(), 0);
    let differing = x.iter().filter(|(k, v)| y.get(*k) != Some(v)).map(|(k, _)| k);
    for key in differing.chain(y.keys().filter(|k| !x.contains_key(*k))) {
        if changed.len() < LISTED { changed.push(key) } else { more += 1 }
    }
    if !changed.is_empty() {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let plural = if changed.len() == 1 { "" } else { "s" };
        found.push(format!("suite `{suite}`: {what}{plural} {}{more} differ", changed.join(", ")));
    }
}

/// Names listed of each kind of difference.
const LISTED: usize = 10;

/// The digests of sessions that differ, for a message: their first digits do.
pub fn short(digest: &Digest) -> String {
    digest.to_string().chars().take("sha256:".len() + 12).collect()
}
