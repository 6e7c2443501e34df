//! `evaluation_budget`: what may be looked at, or spent on judges, within the hour or day is nearly gone.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::alerts::kind::{AlertParams, Setup};
use crate::alerts::{Ask, Judgement, Measure, Rule, few};

/// Of what `[watch.sample]` allows within an hour or a day, in sessions or in US dollars for judges, the share `at` is gone.
///
/// Of several limits the one that is nearest to its end counts. When it is reached, no more sessions are looked at until the
/// next hour or day begins, and what is said of production is said of the time before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationBudget {
    /// The share at which it fires, above 0 and at most 1; 0.9 unless given.
    at: Option<f64>,
}

#[derive(Debug)]
struct Gone {
    measure: Measure,
    at: f64,
}

impl AlertParams for EvaluationBudget {
    const NAME: &'static str = "evaluation_budget";
    const EXAMPLE: &'static str = "[watch.sample]\nmax_usd_per_day = 20\n[[alert]]\nname = \"judges-spend\"\n\
                                   kind = \"evaluation_budget\"\nat = 0.9\n";

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Rule>> {
        let at = self.at.unwrap_or(0.9);
        let before = setup.problems.len();
        if !(at > 0.0 && at <= 1.0) {
            setup.problem(&["at"], "`at` is a share above 0.0 and at most 1.0", "such as 0.9".to_owned());
        }
        if !setup.budgeted {
            let help = "add `max_usd_per_day` or another limit to [watch.sample]".to_owned();
            setup.problem(&["kind"], "this can never fire: nothing limits what is looked at", help);
        }
        let measure = Measure { metric: "evaluation_budget".to_owned(), of: None, stat: None, by: None };
        (setup.problems.len() == before).then(|| Arc::new(Gone { measure, at }) as Arc<dyn Rule>)
    }
}

impl Rule for Gone {
    fn measure(&self) -> &Measure {
        &self.measure
    }

    fn back(&self, every: Duration) -> Duration {
        every
    }

    fn says(&self) -> String {
        format!("{}% of what may be looked at or spent is gone", few(self.at * 100.0))
    }

    fn judge(&self, ask: &Ask<'_>) -> Judgement {
        let Some(gone) = ask.windows.budget_gone() else {
            return Judgement::Unknown("what is gone of the budget is not known".to_owned());
        };
        let text = format!("{}% of what may be looked at or spent is gone", few(gone * 100.0));
        if gone >= self.at { Judgement::Fires(text) } else { Judgement::Quiet(text) }
    }
}

#[cfg(test)]
mod tests {
    use crate::alerts::Judgement;
    use crate::alerts::testing::{Fake, built, faults, unbudgeted};

    #[test]
    fn fires_at_the_share_and_says_how_much_is_gone() {
        let rule = built("evaluation_budget", "at = 0.8\n");
        let gone = |share| Fake::empty().with_gone(share).judge(&rule);
        assert!(matches!(gone(Some(0.79)), Judgement::Quiet(_)));
        assert_eq!(gone(Some(0.8)), Judgement::Fires("80% of what may be looked at or spent is gone".to_owned()));
        assert!(matches!(gone(None), Judgement::Unknown(_)));
    }

    #[test]
    fn what_can_never_fire_is_refused() {
        assert!(faults("evaluation_budget", "at = 1.5\n")[0].contains("a share above 0.0"));
        assert!(unbudgeted("evaluation_budget", "")[0].contains("never fire"));
    }
}
