//! `[watch.quarantine]`: sessions of high risk, which go to review and of which only adjudicators see the content, and who is
//! told of each.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Fault;
use crate::suite::nearest::nearest;

/// Sessions of high risk: a policy breach, personal data, toxicity, a hallucination.
///
/// A session in which one of these checks fails goes to the review queue, whatever the check's `review` says. Its content can
/// be read by adjudicators and admins alone, until one of them releases it (`seatrial review release`), and whoever `to` names
/// is told at once, session by session: the owner's kill switch, or a throttle.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineTable {
    /// The ids of checks of spans, turns or sessions.
    pub checks: Option<Vec<String>>,
    /// Tags: checks that have one of them.
    pub tags: Option<Vec<String>>,
    /// Who is told: names of `[notify.NAME]` in seatrial.toml; all of them unless given, and nobody by `[]`.
    pub to: Option<Vec<String>>,
}

/// Sessions of high risk, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantine {
    /// The ids of checks.
    pub checks: Vec<String>,
    /// Tags of checks.
    pub tags: Vec<String>,
    /// Who is told; `None` is all.
    pub to: Option<Vec<String>>,
}

impl QuarantineTable {
    /// What it says; what is wrong with it is added to the problems. `checks` are the ids that it may name, `channels` whom
    /// it may tell, where that is known.
    pub(super) fn resolve(
        self,
        checks: &[String],
        channels: Option<&[String]>,
        problems: &mut Vec<Fault>,
    ) -> Quarantine {
        let Self { checks: named, tags, to } = self;
        let mut fault = |path: &[&str], message: String, help: Option<String>| {
            problems.push((path.iter().map(|s| (*s).to_owned()).collect(), message, help));
        };
        for (i, id) in named.iter().flatten().enumerate().filter(|(_, id)| !checks.contains(id)) {
            let help = nearest(id, checks.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let message = format!("no check of this suite that is watched is called `{id}`");
            fault(&["checks", &i.to_string()], message, help);
        }
        if named.as_ref().is_none_or(Vec::is_empty) && tags.as_ref().is_none_or(Vec::is_empty) {
            let help = "`checks = [\"no-pii\"]`, or `tags = [\"high-risk\"]`".to_owned();
            fault(&[], "nothing would ever be put under quarantine".to_owned(), Some(help));
        }
        for (i, name) in to.iter().flatten().enumerate() {
            if channels.is_some_and(|known| !known.contains(name)) {
                let message = format!("nobody is called `{name}` in [notify] of seatrial.toml: it would never be told");
                fault(&["to", &i.to_string()], message, Some(format!("add [notify.{name}]")));
            }
        }
        Quarantine { checks: named.unwrap_or_default(), tags: tags.unwrap_or_default(), to }
    }
}

impl Quarantine {
    /// Whether a failure of a check puts its session under quarantine.
    pub fn concerns(&self, id: &str, tags: &[String]) -> bool {
        self.checks.iter().any(|check| check == id) || self.tags.iter().any(|tag| tags.contains(tag))
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        !self.checks.is_empty() || !self.tags.is_empty()
    }
}
