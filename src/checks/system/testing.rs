//! What the tests of this room share: compile a system check from TOML and let it decide over sessions or cases.

use std::path::Path;
use std::sync::Arc;

use super::past::Past;
use super::{Around, Cases, Column, Folded, SystemFinding, TrialOutcome, Window, columns};
use crate::checks::build::{Build, Files, Kit, Params};
use crate::checks::session::testing::apply;
use crate::checks::{Compiled, SystemCheck};
use crate::model::{Level, Session, Status};

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        Err(format!("no file {}", path.display()))
    }
}

fn build<P: Params>(toml: &str) -> (Option<Box<dyn SystemCheck>>, Vec<String>) {
    let params: P = toml::from_str(toml).unwrap();
    let mut build = Build { level: Level::System, files: &NoFiles, kit: &Kit::default(), problems: Vec::new() };
    let compiled = params.build(&mut build).map(|c| match c {
        Compiled::System(check) => check,
        _ => panic!("a system check"),
    });
    (compiled, build.problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect())
}

/// The messages of what is wrong with parameters, with their paths.
pub fn problems<P: Params>(toml: &str) -> Vec<String> {
    build::<P>(toml).1
}

/// Lets a check decide over sessions in seatrial's own format, one a line.
pub fn run<P: Params>(toml: &str, lines: &str) -> SystemFinding {
    decide(&*build::<P>(toml).0.unwrap(), lines, &[], None)
}

/// As [`run`], with an earlier run of other sessions.
pub fn run_against<P: Params>(toml: &str, lines: &str, earlier: &str) -> SystemFinding {
    decide(&*build::<P>(toml).0.unwrap(), lines, &[], Some(earlier))
}

/// What a check may ask for in a test.
struct Near {
    ids: Vec<(String, u32)>,
    columns: Vec<Column>,
    past: Option<Vec<Past>>,
}

impl Around for Near {
    fn check_id(&self, index: u32) -> Option<&str> {
        self.ids.iter().find(|(_, i)| *i == index).map(|(id, _)| id.as_str())
    }

    fn past(&self, column: &Column) -> Result<&Past, String> {
        let past = self.past.as_ref().ok_or("there is no earlier run")?;
        Ok(&past[self.columns.iter().position(|c| c == column).unwrap()])
    }
}

/// What the window carries for a check.
fn fold(columns: &[Column], lines: &str) -> Vec<Folded> {
    let mut folded = vec![Folded::default(); columns.len()];
    let mut met: Vec<String> = Vec::new();
    for line in lines.lines() {
        let session: Session<'_> = serde_json::from_str(line).unwrap();
        let case = session.case.as_ref().unwrap_or(&session.id).to_string();
        let case = met.iter().position(|c| *c == case).unwrap_or_else(|| {
            met.push(case);
            met.len() - 1
        });
        let tags: Vec<String> = session.tags.iter().map(ToString::to_string).collect();
        for (column, fold) in columns.iter().zip(&mut folded) {
            fold.add(
                case as u32,
                columns::project(column, &session, &tags, &crate::checks::prices::Prices::default(), &|_| None),
            );
        }
    }
    folded
}

fn decide(check: &dyn SystemCheck, lines: &str, others: &[toml::Table], earlier: Option<&str>) -> SystemFinding {
    let columns = check.columns();
    let folded = fold(&columns, lines);
    // As in a record: written and read back.
    let again = |past: Past| serde_json::from_str::<Past>(&serde_json::to_string(&past).unwrap()).unwrap();
    let past: Option<Vec<Past>> = earlier.map(|e| fold(&columns, e).iter().map(|f| again(Past::of(f))).collect());
    let cases = outcomes(lines, others);
    let index = |id: &str| others.iter().position(|t| t["id"].as_str() == Some(id)).map(|i| i as u32);
    let ids = others.iter().map(|t| t["id"].as_str().unwrap().to_owned()).zip(0..);
    let around = Near { ids: ids.collect(), columns: columns.clone(), past };
    check.decide(&Window { columns: folded.iter().collect(), cases: &cases, check_index: &index, around: &around })
}

/// Lets a check decide over cases: `id tag: pfpe` is a case with four trials, of which the check `c` (and the trial)
/// passed, failed, passed, erred; `h` is held, `s` skipped, `-` a trial in which `c` did not apply and all else
/// passed, `?` one that could not be read.
pub fn over_cases<P: Params>(toml: &str, cases: &[&str]) -> SystemFinding {
    let mut all = Cases::default();
    cases.iter().for_each(|c| case(&mut all, c));
    let index = |id: &str| (id == "c").then_some(7);
    build::<P>(toml).0.unwrap().decide(&Window {
        columns: Vec::new(),
        cases: &all,
        check_index: &index,
        around: &Near { ids: vec![("c".to_owned(), 7)], columns: Vec::new(), past: None },
    })
}

fn case(cases: &mut Cases, text: &str) {
    let (names, trials) = text.split_once(':').unwrap();
    let mut names = names.split(' ').map(str::to_owned);
    let trial = |letter: char| {
        let status = match letter {
            'p' | '-' => Status::Pass,
            'f' => Status::Fail,
            'e' | '?' => Status::Error,
            'h' => Status::Held,
            's' => Status::Skip,
            other => panic!("{other}"),
        };
        let checks = match letter {
            '-' => vec![(3, Status::Pass)],
            '?' => Vec::new(),
            _ => vec![(3, Status::Pass), (7, status)],
        };
        TrialOutcome { status, checks: checks.into() }
    };
    let id = names.next().unwrap();
    let case = cases.position(&id, &names.collect::<Vec<_>>());
    trials.trim().chars().map(trial).for_each(|trial| cases.add(case, trial));
}

/// Every documented example passes where it says it passes and fails where it says it fails. Checks of sessions that
/// stand before the system check are applied first, and their verdicts make the outcomes of the cases.
pub fn examples_hold<P: Params>() {
    assert!(!P::EXAMPLES.is_empty(), "{} has no example", P::NAME);
    for example in P::EXAMPLES {
        let table: toml::Table = toml::from_str(example.check).unwrap();
        let mut check = table["system"].as_array().unwrap()[0].as_table().unwrap().clone();
        assert_eq!(check.remove("check").unwrap().as_str(), Some(P::NAME));
        assert!(check.remove("id").is_some());
        let check = build::<P>(&toml::to_string(&check).unwrap()).0.unwrap();
        let others: Vec<toml::Table> = table
            .get("session")
            .and_then(|s| s.as_array())
            .into_iter()
            .flatten()
            .map(|t| t.as_table().unwrap().clone())
            .collect();
        for (lines, status) in [(example.passes, Status::Pass), (example.fails, Status::Fail)] {
            // A check that compares does so with what passes.
            let earlier = check.against().map(|_| example.passes);
            let finding = decide(&*check, lines, &others, earlier);
            assert_eq!(finding.status, status, "{}: {lines}\n{}", P::NAME, finding.reason);
        }
    }
}

/// The cases of some sessions under session checks without parameters of their own.
fn outcomes(lines: &str, checks: &[toml::Table]) -> Cases {
    let mut cases = Cases::default();
    for line in lines.lines() {
        let session: Session<'_> = serde_json::from_str(line).unwrap();
        let id = session.case.as_ref().unwrap_or(&session.id).to_string();
        let verdict = |(i, table): (usize, &toml::Table)| {
            let rule = crate::checks::rule(table["check"].as_str().unwrap()).unwrap();
            let mut build =
                Build { level: Level::Session, files: &NoFiles, kit: &Kit::default(), problems: Vec::new() };
            let (compiled, _) = (rule.from_json)(serde_json::json!({}), &mut build).unwrap().unwrap();
            (i as u32, apply(&compiled, &session, 0).status)
        };
        let checks: Vec<(u32, Status)> = checks.iter().enumerate().map(verdict).collect();
        let status = checks.iter().map(|c| c.1).find(|s| *s != Status::Pass).unwrap_or(Status::Pass);
        let case = cases.position(&id, &[]);
        cases.add(case, TrialOutcome { status, checks: checks.into() });
    }
    cases
}
