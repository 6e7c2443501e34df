//! `--on`: sessions judged by workers elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::cli::context::{Context, Failure, eprint};
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::fleet::address::Address;
use crate::fleet::bundle::{self, Lent};
use crate::fleet::crew::{Fleet, SuiteCrew, TRIES, Terms};
use crate::fleet::queue::QueueError;
use crate::model::duration;
use crate::report::safe;
use crate::review::words::count;
use crate::run::engine::{Early, Keep};
use crate::watch::away::Away;
use crate::watch::plan::Plan;

/// Portions that are on their way at a time.
pub const AT_ONCE: usize = 64;

/// Bytes of a portion, about: small enough to be shared out evenly, large enough that sending it costs little.
pub const PORTION: usize = 128 << 10;

/// What the command line says of workers.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Have sessions judged by the workers (`seatrial worker`) that meet at this NATS server, `nats://HOST[:PORT][/NAME]`.
    #[arg(long, value_name = "URL")]
    pub on: Option<Address>,
    /// How long a worker may be silent before another one gets its work; without it, 30s or what it was before.
    #[arg(long, value_name = "TIME", value_parser = wait, requires = "on")]
    ack_wait: Option<Duration>,
    /// How often work is handed out before it is given up, and becomes an error.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), requires = "on")]
    tries: Option<u32>,
}

fn wait(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if time < Duration::from_millis(100) { Err("at least 100ms".to_owned()) } else { Ok(time) }
}

/// A fleet that a run is a part of.
pub struct Joined {
    /// The fleet.
    pub fleet: Arc<Fleet>,
    _runtime: Runtime,
}

impl Args {
    /// Joins the fleet, where one is named.
    ///
    /// # Errors
    /// There is no queue, or a suite cannot be spread: all of them.
    pub fn join(&self, planned: &[Planned<'_>], stop: &'static AtomicBool) -> Result<Option<Joined>, Failure> {
        let Some(address) = &self.on else { return Ok(None) };
        let wrong: Vec<String> = planned.iter().filter_map(bundle::cannot).collect();
        if !wrong.is_empty() {
            let lines = wrong.iter().map(|why| format!("seatrial: {}\n", safe::terminal(why))).collect();
            return Err(Failure { code: exit::USAGE, message: lines, told: false });
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("fleet").enable_all().build();
        let runtime = runtime.map_err(|e| Failure::new(exit::BUG, format_args!("no thread could be started: {e}")))?;
        let tell = Arc::new(|said: &str| eprint(&format!("seatrial: {}\n", safe::line(said))));
        let terms = Terms { ack_wait: self.ack_wait, tries: self.tries.unwrap_or(TRIES) };
        let fleet = Fleet::join(runtime.handle().clone(), address, terms, stop, tell).map_err(failure)?;
        Ok(Some(Joined { fleet: Arc::new(fleet), _runtime: runtime }))
    }
}

impl Joined {
    /// Has the sessions of a suite judged by workers.
    ///
    /// # Errors
    /// Why the run ends here.
    pub fn suite(
        &self,
        planned: &Planned<'_>,
        (index, keep): (u32, Keep),
        context: &Context,
        lent: Lent,
    ) -> Result<SuiteCrew, Early> {
        let bundle =
            bundle::pack(planned, &context.cwd, lent, false, &|name| std::env::var(name).ok()).map_err(Early::Crew)?;
        self.fleet.suite(&bundle, index, keep).map_err(|why| match why {
            QueueError::Stopped => Early::Interrupted,
            other => Early::Crew(other.to_string()),
        })
    }

    /// Has the sessions of suites that are watched judged by workers. Suites that ask models are judged here, which is
    /// told.
    ///
    /// # Errors
    /// A suite cannot be sent.
    pub fn away(&self, plan: &Plan, context: &Context) -> Result<Away, Failure> {
        let failed = |why: &dyn std::fmt::Display| Failure::new(exit::INCOMPLETE, why);
        let mut crews = BTreeMap::new();
        for watching in &plan.suites {
            let Some(planned) = Planned::new(&watching.suite, None) else { continue };
            if bundle::cannot(&planned).is_some() {
                let name = safe::line(&watching.suite.name).into_owned();
                context.note(&format!("seatrial: suite `{name}` asks models, and is judged here\n"));
                continue;
            }
            let keep = Keep { failed: false, passed: 0, limit: 0 };
            let bundle = bundle::pack(&planned, &context.cwd, lent(context), true, &|name| std::env::var(name).ok())
                .map_err(|why| failed(&why))?;
            let crew = self.fleet.suite(&bundle, 0, keep).map_err(|why| failed(&why))?;
            crews.insert(watching.suite.name.clone(), crew);
        }
        Away::new(crews).map_err(|why| failed(&why))
    }

    /// Ends, and says what nobody could do.
    pub fn leave(self, context: &Context) {
        let dead = self.fleet.dead();
        if dead > 0 {
            let sessions = count(dead, "session", "sessions");
            context.note(&format!(
                "seatrial: {sessions} could not be judged by any worker, which is an error and a dead letter of each\n"
            ));
        }
        self.fleet.leave();
    }
}

/// What the settings lend suites on workers.
pub fn lent(context: &Context) -> Lent {
    let settings = &context.settings;
    let detectors = settings.detectors.values().map(|own| (own.name.clone(), own.pattern.as_str().to_owned()));
    let prices = settings.prices.iter().map(|own| (own.model.as_str().to_owned(), own.price));
    Lent {
        detectors: detectors.collect(),
        prices: prices.collect(),
        redact: context.redact.rules.clone(),
        ..Lent::default()
    }
}

fn failure(error: QueueError) -> Failure {
    Failure::new(exit::INCOMPLETE, error)
}
