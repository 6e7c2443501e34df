//! Who is looked at: by the rules of each suite ([`crate::sampling`]), which are the same wherever the same session is seen.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::judge::{Admission, Admitting};
use super::plan::{Plan, Watching};
use crate::checks::system::{Cell, Column, columns};
use crate::ledger::Millis;
use crate::model::Session;
use crate::sampling::{Facts, Sampler, Spending, State};

/// The rules of all suites, and what was spent by them.
pub struct Sampling {
    samplers: BTreeMap<String, Sampler>,
    /// Where what was spent is kept, so that the budget of the day does not begin anew with each process.
    file: PathBuf,
}

impl Sampling {
    /// The rules of the suites, with what earlier processes spent as it is known in a folder.
    ///
    /// # Errors
    /// What is known cannot be read.
    pub fn open(plan: &Plan, dir: &Path) -> io::Result<Self> {
        let file = dir.join("sampling.json");
        let mut known: BTreeMap<String, State> = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(why) => return Err(why),
        };
        let sampler = |watching: &Watching| {
            let name = &watching.suite.name;
            (name.clone(), Sampler::new(&watching.suite.watch, known.remove(name)))
        };
        Ok(Self { samplers: plan.suites.iter().map(sampler).collect(), file })
    }
}

impl Admitting for Sampling {
    fn admit(&mut self, watching: &Watching, session: &Session<'_>, now: Millis) -> Admission {
        let all = Admission { reason: None, inclusion: 1.0, facts: None };
        let Some(sampler) = self.samplers.get_mut(&watching.suite.name) else { return all };
        let tags: Vec<String> = session.tags.iter().map(ToString::to_string).collect();
        let column = Column { metric: "cost_usd".to_owned(), of: None, by: Vec::new() };
        let usd = match columns::project(&column, session, &tags, &watching.suite.prices, &|_| None) {
            Cell::Samples(samples) => samples.first().and_then(|sample| sample.values.first()).copied(),
            Cell::Missing(_) | Cell::Waiting(_) | Cell::Unselected => None,
        };
        let facts = Facts::of(session, &tags, usd, sampler.sample());
        let decision = sampler.decide(&session.id, facts, now);
        let reason = decision.reason.map(|reason| reason.name().to_owned());
        Admission { reason, inclusion: decision.inclusion, facts: Some(facts) }
    }

    fn at_once(&self, watching: &Watching) -> usize {
        self.samplers.get(&watching.suite.name).map_or(usize::MAX, Sampler::at_once)
    }

    fn spent(&mut self, watching: &Watching, facts: Facts, usd: f64) {
        if let Some(sampler) = self.samplers.get_mut(&watching.suite.name) {
            sampler.spent(facts, usd);
        }
    }

    fn spending(&self, suite: &str) -> Vec<Spending> {
        self.samplers.get(suite).map(Sampler::spending).unwrap_or_default()
    }

    fn keep(&mut self) -> io::Result<()> {
        let states: BTreeMap<&str, &State> =
            self.samplers.iter().map(|(name, sampler)| (name.as_str(), sampler.state())).collect();
        let bytes = serde_json::to_vec(&states).map_err(io::Error::other)?;
        let dir = self.file.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&bytes)?;
        file.persist(&self.file).map(drop).map_err(|why| why.error)
    }
}
