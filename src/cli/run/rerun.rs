//! `--rerun`: only the cases that did not go well in an earlier run.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::str::FromStr;

use super::folder;
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::report::safe;
use crate::store::record;
use crate::store::unhappy::{self, Which};

/// What is run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun {
    which: Which,
    /// The run; the newest when there is none.
    run: Option<PathBuf>,
}

impl FromStr for Rerun {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, run) = match text.split_once(':') {
            Some((word @ ("failed" | "errors"), run)) => (word, Some(run)),
            _ => (text, None),
        };
        let which = match word {
            "failed" => Which::Failed,
            "errors" => Which::Errors,
            "" => return Err("`failed`, `errors`, or a run".to_owned()),
            run => return Ok(Self { which: Which::Both, run: Some(PathBuf::from(run)) }),
        };
        match run {
            Some("") => Err("a run after the colon, as in `failed:reports/latest`".to_owned()),
            run => Ok(Self { which, run: run.map(PathBuf::from) }),
        }
    }
}

/// The cases that are run again.
pub struct Selected {
    /// What they are, for the plan: such as `failed of 20260101T000000Z-1a2b`.
    pub told: String,
    /// The cases, by the name of their suite.
    pub cases: BTreeMap<String, HashSet<String>>,
}

impl Rerun {
    /// Finds the cases.
    pub fn select(&self, context: &Context) -> Result<Selected, Failure> {
        let newest = || folder::latest(&context.cwd.join(&context.settings.out.value));
        let run = self.run.as_ref().map(|run| context.cwd.join(run)).or_else(newest);
        let path = run.map(|run| record::locate(&run)).filter(|path| path.exists());
        let Some(path) = path else {
            let place = self.run.as_ref().unwrap_or(&context.settings.out.value).display().to_string();
            return Err(Failure::usage(format_args!("--rerun: there is no run at `{}`", safe::line(&place))));
        };
        let found = unhappy::cases(&path, self.which).map_err(Failure::usage)?;
        let what = match self.which {
            Which::Failed => "failed",
            Which::Errors => "errors",
            Which::Both => "failed and errors",
        };
        if found.cases.values().all(HashSet::is_empty) {
            let what = match self.which {
                Which::Failed => "failed",
                Which::Errors => "was an error",
                Which::Both => "failed or was an error",
            };
            let message = format!("no case {what} in {}: there is nothing to run again", found.run);
            return Err(Failure::new(exit::NOT_SHOWN, message));
        }
        Ok(Selected { told: format!("{what} of {}", found.run), cases: found.cases })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_again_is_a_word_a_run_or_both() {
        let of = |text: &str| text.parse::<Rerun>().map(|r| (r.which, r.run.map(|p| p.display().to_string())));
        assert_eq!(of("failed"), Ok((Which::Failed, None)));
        assert_eq!(of("errors:reports/x"), Ok((Which::Errors, Some("reports/x".to_owned()))));
        assert_eq!(of("reports/x"), Ok((Which::Both, Some("reports/x".to_owned()))));
        assert_eq!(of("C:/x"), Ok((Which::Both, Some("C:/x".to_owned()))));
        assert!(of("").is_err() && of("failed:").is_err());
    }
}
