//! What the tests of this room share: compile a check from TOML, run it over a session from one line of JSON.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use crate::checks::Compiled;
use crate::checks::build::{Build, BuildProblem, Files, Kit, Params};
use crate::checks::expect::Expected;
use crate::checks::subject::{NO_EARLIER, Scene, SessionSubject, TurnSubject};
use crate::model::{Finding, Level, Session, Status};

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        Err(format!("no file {}", path.display()))
    }
}

/// Compiles parameters written in TOML, with every problem and warning.
pub fn build<P: Params>(level: Level, toml: &str) -> Result<(Option<Compiled>, Vec<BuildProblem>), String> {
    let params: P = toml::from_str(toml).map_err(|e| e.to_string())?;
    let mut build = Build { level, files: &NoFiles, kit: &Kit::default(), problems: Vec::new() };
    let compiled = params.build(&mut build);
    Ok((compiled, build.problems))
}

/// Compiles parameters written in TOML, which must have nothing wrong.
pub fn compile<P: Params>(level: Level, toml: &str) -> Compiled {
    let (compiled, problems) = build::<P>(level, toml).unwrap();
    assert!(problems.iter().all(|p| p.warning), "{problems:?}");
    compiled.unwrap()
}

/// The messages of what is wrong with parameters written in TOML, with their paths.
pub fn problems<P: Params>(level: Level, toml: &str) -> Vec<String> {
    let (_, problems) = build::<P>(level, toml).unwrap();
    problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect()
}

/// Applies a check to a session, or to one of its turns.
pub fn apply(compiled: &Compiled, session: &Session<'_>, turn: usize) -> Finding {
    let nothing = Default::default();
    let expected = Expected::recorded(session.reference.as_ref().unwrap_or(&nothing));
    let turn_expected: Vec<_> = session.turns.iter().map(|t| t.reference.as_ref().map(Expected::recorded)).collect();
    apply_expecting(compiled, session, turn, &expected, &turn_expected)
}

/// Applies a check to a session of which the suite expects something.
pub fn apply_expecting(
    compiled: &Compiled,
    session: &Session<'_>,
    turn: usize,
    expected: &Expected<'_>,
    turn_expected: &[Option<Expected<'_>>],
) -> Finding {
    let (context, make) = (OnceCell::new(), || minijinja::Value::UNDEFINED);
    let scene = Scene {
        session,
        case_id: "case",
        tags: &[],
        expected,
        turn_expected,
        earlier: Err(NO_EARLIER),
        context: &context,
        make_context: &make,
    };
    match compiled {
        Compiled::Session(check) => check.check(&SessionSubject { scene: &scene }),
        Compiled::Turn(check) => check.check(&TurnSubject { scene: &scene, turn: &session.turns[turn], index: turn }),
        _ => panic!("a check of a session or turn"),
    }
}

/// Runs a session check written in TOML over a session in seatrial's own format.
pub fn run<P: Params>(toml: &str, session: &str) -> Finding {
    apply(&compile::<P>(Level::Session, toml), &serde_json::from_str(session).unwrap(), 0)
}

/// Runs a turn check written in TOML over one turn of a session in seatrial's own format.
pub fn run_turn<P: Params>(toml: &str, session: &str, turn: usize) -> Finding {
    apply(&compile::<P>(Level::Turn, toml), &serde_json::from_str(session).unwrap(), turn)
}

/// A session with one turn in which the calls are made: `f` or `f {"x":1}`, a `!` before it for one that failed.
pub fn calling(calls: &[&str]) -> String {
    let spans: Vec<String> = calls
        .iter()
        .map(|call| {
            let (call, status) = call.strip_prefix('!').map_or((*call, "ok"), |c| (c, "error"));
            let (name, args) = call.split_once(' ').unwrap_or((call, "{}"));
            let args = serde_json::to_string(args).unwrap();
            format!(r#"{{"kind":"tool","name":"{name}","status":"{status}","input":{args}}}"#)
        })
        .collect();
    format!(r#"{{"id":"s","turns":[{{"user":"go","spans":[{}],"reply":"done"}}]}}"#, spans.join(","))
}

/// Every documented example passes where it says it passes and fails where it says it fails.
pub fn examples_hold<P: Params>() {
    assert!(!P::EXAMPLES.is_empty(), "{} has no example", P::NAME);
    for example in P::EXAMPLES {
        let table: toml::Table = toml::from_str(example.check).unwrap();
        let (level, checks) = table.iter().next().unwrap();
        let level = Level::ALL.into_iter().find(|l| l.name() == level).unwrap();
        let mut check = checks.as_array().unwrap()[0].as_table().unwrap().clone();
        assert_eq!(check.remove("check").unwrap().as_str(), Some(P::NAME));
        assert!(check.remove("id").is_some());
        let compiled = compile::<P>(level, &toml::to_string(&check).unwrap());
        for (lines, status) in [(example.passes, Status::Pass), (example.fails, Status::Fail)] {
            assert!(!lines.trim().is_empty(), "{}: an example needs sessions", P::NAME);
            for line in lines.lines() {
                let finding = apply(&compiled, &serde_json::from_str(line).unwrap(), 0);
                assert_eq!(finding.status, status, "{}: {line}\n{}", P::NAME, finding.reason);
            }
        }
    }
}
