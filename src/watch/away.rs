//! Sessions that are judged by workers elsewhere ([`crate::fleet`]), suite by suite.

use std::collections::BTreeMap;

use crate::fleet::crew::SuiteCrew;
use crate::run::apart::Crew;

/// Sessions that are on their way at a time.
const AT_ONCE: usize = 64;

/// Those who judge elsewhere.
pub struct Away {
    crews: BTreeMap<String, SuiteCrew>,
    /// Its threads wait for answers.
    pool: rayon::ThreadPool,
}

impl Away {
    /// The crews of suites, by their names. A suite that has none is judged here.
    ///
    /// # Errors
    /// No threads.
    pub fn new(crews: BTreeMap<String, SuiteCrew>) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(AT_ONCE).stack_size(8 << 20).build()?;
        Ok(Self { crews, pool })
    }

    /// The crew of a suite, and threads that wait for it.
    pub fn crew(&self, suite: &str) -> Option<(&dyn Crew, &rayon::ThreadPool)> {
        Some((self.crews.get(suite)? as &dyn Crew, &self.pool))
    }
}
