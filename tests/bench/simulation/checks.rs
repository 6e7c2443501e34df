//! Checks that compare with an earlier run or hold a budget, as a suite has them: how often they call a change what is
//! none, and how often they let something pass that they must not.

use std::path::Path;
use std::sync::Arc;

use seatrial::checks::build::{Build, Files, Kit};
use seatrial::checks::system::past::Past;
use seatrial::checks::system::{Around, Cases, Cell, Column, Folded, Sample, SystemFinding, Window};
use seatrial::checks::{self, Compiled, SystemCheck};
use seatrial::model::{Level, Status};

use crate::draws::{Dice, Spread};
use crate::rows::Promise::{Covers, Errs, Never};
use crate::rows::Row;

/// Every row by the checks themselves.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    drift(&mut rows);
    max_ratio(&mut rows);
    budget(&mut rows);
    rows
}

/// `drift`: no change, of what is spread out and of what is a small number; and whether the interval of the distance
/// covers.
fn drift(rows: &mut Vec<Row>) {
    let check = Check::new("drift", r#"{"metric": "turns", "against": "baseline", "alpha": 0.05}"#);
    for (now, before) in [(10, 10), (20, 50), (60, 60)] {
        for (name, whole) in [("spread out", false), ("whole numbers from 0 to 4", true)] {
            let one = |dice: &mut Dice| {
                let value = dice.value(Spread::LogNormal);
                if whole { value.floor().min(4.0) } else { value }
            };
            let setting = format!("alpha 0.05, no change, {now} sessions against {before}, {name}");
            rows.push(Row::of(Errs, "drift (called a change)", setting, |dice| {
                let (a, b) = (singles(now, dice, one), singles(before, dice, one));
                check.decide(&a, Some(&b)).status == Status::Fail
            }));
        }
    }
    for (cases, trials) in [(20, 4), (50, 10)] {
        let setting = format!("alpha 0.05, no change, {cases} cases of {trials} trials, correlated 0.5");
        rows.push(Row::of(Errs, "drift (called a change)", setting, |dice| {
            let (a, b) = (alike(cases, trials, dice), alike(cases, trials, dice));
            check.decide(&a, Some(&b)).status == Status::Fail
        }));
    }
    let check = Check::new("drift", r#"{"metric": "turns", "against": "baseline", "max_shift": 0.9}"#);
    for (n, shift, distance) in
        [(20, 0.0, 0.0), (100, 0.0, 0.0), (100, 1.0, 0.382_924_922_5), (400, 0.5, 0.197_412_651_4)]
    {
        let setting = format!("interval, {n} sessions against {n}, true distance {distance:.2}");
        rows.push(Row::of(Covers, "dkw", setting, |dice| {
            let now = singles(n, dice, |dice| dice.normal() + shift);
            let before = singles(n, dice, Dice::normal);
            check.decide(&now, Some(&before)).interval.is_some_and(|[low, high]| low <= distance && distance <= high)
        }));
    }
}

/// `max_ratio` of a rate: as often as before, and held to just that.
fn max_ratio(rows: &mut Vec<Row>) {
    let toml = r#"{"metric": "tool_error_rate", "max_ratio": 1.0, "against": "baseline"}"#;
    let check = Check::new("metric", toml);
    for (sessions, calls, p, alike) in
        [(100, 1, 0.1, 0.0), (100, 20, 0.02, 0.0), (50, 20, 0.1, 0.6), (100, 20, 0.02, 0.6), (400, 20, 0.1, 1.0)]
    {
        let setting =
            format!("no change, {sessions} sessions of {calls} calls, rate {p}, correlated {:.2}", alike * alike);
        rows.push(Row::of(Errs, "max_ratio (called more)", setting, |dice| {
            let mut side = || rates(sessions, calls, p, alike, dice);
            let (now, before) = (side(), side());
            check.decide(&now, Some(&before)).status == Status::Fail
        }));
    }
}

/// `budget`: whether what is spent is more than allowed is a fact about the record and no estimate. Held against sums in
/// whole units.
fn budget(rows: &mut Vec<Row>) {
    for (per, sessions) in [("session", 20), ("day", 200)] {
        for over in [false, true] {
            let check = Check::new("budget", &format!(r#"{{"per": "{per}", "max_usd": 1.0}}"#));
            let what = if over { "a nano-dollar too much" } else { "the limit itself" };
            let setting = format!("per {per}, {sessions} sessions that spend {what}");
            rows.push(Row::of(Never, "budget (decided wrongly)", setting, |dice| {
                let limit = 1_000_000_000 + u64::from(over);
                // Of a day the sessions spend it together, else the dearest does.
                let spent = match per {
                    "day" => dice.split(limit, sessions),
                    _ => (0..sessions).map(|i| if i == 7 { limit } else { limit / u64::from(2 + i) }).collect(),
                };
                let mut now = Folded::default();
                for (case, nano) in (0..).zip(spent) {
                    let group = if per == "day" { vec!["2026-01-01".to_owned()] } else { Vec::new() };
                    let sample = Sample { group, values: vec![nano as f64 / 1e9] };
                    now.add(case, Cell::Samples(vec![sample]));
                }
                let failed = check.decide(&now, None).status == Status::Fail;
                failed != over
            }));
        }
    }
}

/// Sessions of a case each.
fn singles(n: u32, dice: &mut Dice, mut value: impl FnMut(&mut Dice) -> f64) -> Folded {
    let mut folded = Folded::default();
    (0..n).for_each(|case| folded.add(case, sample(vec![value(dice)])));
    folded
}

/// Cases of several trials that share a part.
fn alike(cases: u32, trials: u32, dice: &mut Dice) -> Folded {
    let mut folded = Folded::default();
    for case in 0..cases {
        let own = dice.normal();
        (0..trials).for_each(|_| folded.add(case, sample(vec![own + dice.normal()])));
    }
    folded
}

/// Sessions of some calls, of which some go wrong.
fn rates(sessions: u32, calls: u32, p: f64, alike: f64, dice: &mut Dice) -> Folded {
    let mut folded = Folded::default();
    for case in 0..sessions {
        let part = dice.rate(p, calls, alike);
        folded.add(case, sample(vec![part.top, part.bottom]));
    }
    folded
}

fn sample(values: Vec<f64>) -> Cell {
    Cell::Samples(vec![Sample { group: Vec::new(), values }])
}

/// A check as a suite has it.
struct Check(Box<dyn SystemCheck>);

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        Err(format!("no file {}", path.display()))
    }
}

/// The earlier run of a draw.
struct Earlier(Option<Past>);

impl Around for Earlier {
    fn check_id(&self, _: u32) -> Option<&str> {
        None
    }

    fn past(&self, _: &Column) -> Result<&Past, String> {
        self.0.as_ref().ok_or_else(|| "there is no earlier run".to_owned())
    }
}

impl Check {
    fn new(name: &str, parameters: &str) -> Self {
        let mut build = Build { level: Level::System, files: &NoFiles, kit: &Kit::default(), problems: Vec::new() };
        let parameters = serde_json::from_str(parameters).expect("JSON");
        let rule = checks::rule(name).expect("a rule of this name");
        match (rule.from_json)(parameters, &mut build) {
            Ok(Some((Compiled::System(check), _))) => Self(check),
            _ => panic!("a system check: {:?}", build.problems),
        }
    }

    fn decide(&self, now: &Folded, before: Option<&Folded>) -> SystemFinding {
        let columns = self.0.columns().len();
        self.0.decide(&Window {
            columns: vec![now; columns],
            cases: &Cases::default(),
            check_index: &|_| None,
            around: &Earlier(before.map(Past::of)),
        })
    }
}
