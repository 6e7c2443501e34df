//! `correct` in a pass rate: whose errors it is corrected for, and where the labels of people lie.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths::{PathText, Vars};
use super::raw::{Pos, Sink};
use super::resolve::{Layer, section_path_pos};
use super::{Cases, CheckDef, Gate};
use crate::model::Level;

/// How sure a corrected rate is, unless `confidence` says so.
pub const CONFIDENCE: f64 = 0.95;

/// An export with labels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelsFile {
    /// The file as it is written in the suite.
    pub file: String,
    /// Where it is, with environment variables in place; these never enter a record.
    #[serde(skip)]
    pub path: PathBuf,
}

impl PartialEq for LabelsFile {
    /// By what a record says of it.
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

/// The file that `labels` names in a file of the folder `dir`.
pub(super) fn labels(file: String, dir: &Path, vars: Vars<'_>, at: &Pos, sink: &mut Sink<'_>) -> Option<LabelsFile> {
    match PathText::new(&file).and_then(|text| text.fill(vars)) {
        Ok(path) if path.trim().is_empty() => {
            sink.error(at, "an empty path", "name a file that `seatrial review export` wrote".to_owned());
            None
        }
        Ok(path) => Some(LabelsFile { file, path: dir.join(path) }),
        Err((message, help)) => {
            sink.error(at, message, help);
            None
        }
    }
}

/// Finds the check whose judge's errors pass rates are corrected for, and reports why there is none.
pub(super) fn resolve(
    gate: &mut Gate,
    checks: &[CheckDef],
    (trials, cases): (Option<u32>, Option<&Cases>),
    own: &Layer<'_>,
    sink: &mut Sink<'_>,
) {
    let path = |steps: &[&str]| steps.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let Some(place) = place(gate) else {
        if gate.labels.is_some() {
            let pos = section_path_pos(own, "gate", &path(&["labels"]));
            sink.warn(
                &pos,
                "no pass rate is corrected by these labels",
                "add `correct = \"ppi\"` to `pass_rate`".to_owned(),
            );
        }
        return;
    };
    let pos = section_path_pos(own, "gate", &place);
    let bars = std::iter::once(&mut gate.pass_rate).chain(gate.groups.iter_mut().filter_map(|g| g.pass_rate.as_mut()));
    for bar in bars.filter(|bar| bar.correct.is_some()) {
        bar.confidence = bar.confidence.or(Some(CONFIDENCE));
    }
    let judged: Vec<&CheckDef> =
        checks.iter().filter(|c| c.level != Level::System && c.severity.blocks() && !c.asks.is_empty()).collect();
    match judged[..] {
        [] => sink.error(&pos, "no blocking check asks a judge: there are no errors to correct for", None),
        [check] if check.level != Level::Session => {
            let message = format!(
                "`{}` judges every {} of a session by itself, and cases are counted",
                check.id,
                check.level.name()
            );
            sink.error(&pos, message, "correct for a judge of sessions".to_owned());
        }
        [check] => gate.corrects = Some(check.id.clone()),
        _ => {
            let names: Vec<&str> = judged.iter().map(|c| c.id.as_str()).collect();
            let message = format!(
                "{} blocking checks ask judges ({}), and the errors of one can be corrected",
                judged.len(),
                names.join(", ")
            );
            sink.error(&pos, message, "make the others `severity = \"warn\"`".to_owned());
        }
    }
    let several =
        trials.filter(|t| *t > 1).or(cases.and_then(|c| c.list.iter().find_map(|c| c.trials.filter(|t| *t > 1))));
    if let Some(trials) = several {
        let message =
            format!("with {trials} trials a case passes when all of them do, and errors are known of one verdict");
        sink.error(&pos, message, "want one trial of each case, or leave `correct` out".to_owned());
    }
}

/// Where the first `correct` stands below `[gate]`.
fn place(gate: &Gate) -> Option<Vec<String>> {
    let at = |steps: &[&str]| Some(steps.iter().map(|s| (*s).to_owned()).collect());
    if gate.pass_rate.correct.is_some() {
        return at(&["pass_rate", "correct"]);
    }
    let group = gate.groups.iter().position(|g| g.pass_rate.is_some_and(|p| p.correct.is_some()))?;
    at(&["group", &group.to_string(), "pass_rate", "correct"])
}
