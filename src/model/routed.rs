//! Why a verdict goes to a person, as data: the record keeps it beside the finding, the queue beside the item, and
//! whoever tunes a threshold reads from it how likely such a verdict was to be looked at.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Severity;
use super::digest::Digest;

/// Why a verdict goes to a person; any number of reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// It is less sure than the suite wants.
    Below {
        /// The confidence that is wanted.
        threshold: f64,
    },
    /// Every verdict of the check does.
    Always,
    /// The case or session has a tag of which a person decides.
    Tag {
        /// The tag.
        tag: String,
    },
    /// The check is of a severity of which a person decides.
    Severity {
        /// The severity.
        severity: Severity,
    },
    /// The opinions behind it differ.
    Disagreement {
        /// How, in words.
        votes: String,
    },
    /// What the check saw holds something that a detector finds.
    Detector {
        /// The detector's name.
        detector: String,
    },
    /// A check of high risk fails in production: the session's content is for adjudicators alone, until one of them releases
    /// it.
    Quarantine,
    /// It was drawn at random among those that no other reason sends. Such a verdict stands, and is looked at.
    Audit {
        /// The share that is drawn.
        rate: f64,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Below { threshold } => write!(f, "less sure than {threshold}"),
            Why::Always => f.write_str("every verdict waits for a person"),
            Why::Tag { tag } => write!(f, "a person decides where the tag `{tag}` is"),
            Why::Severity { severity } => write!(f, "a person decides over `{}` checks", severity.name()),
            Why::Disagreement { votes } => write!(f, "{votes}: a person decides"),
            Why::Detector { detector } => write!(f, "a person decides where `{detector}` finds something"),
            Why::Quarantine => f.write_str("a check of high risk failed in production"),
            Why::Audit { rate } => write!(f, "drawn at random for review ({rate} of those that are sure)"),
        }
    }
}

/// That a verdict goes to a person, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// Why.
    pub why: Vec<Why>,
    /// The probability with which such a verdict is sent, from 0 to 1: 1 unless only the audit sample sends it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub inclusion: f64,
    /// Whether the verdict waits for the person's decision.
    pub holds: bool,
    /// Digest of what the check was told beside the recording: what the suite says of the case, and the earlier reply that
    /// it compares with. `None` where no case is declared, and nothing compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_digest: Option<Digest>,
}

impl Routed {
    /// A verdict that waits for a person, for these reasons.
    pub fn held(why: Vec<Why>) -> Self {
        Self { why, inclusion: 1.0, holds: true, case_digest: None }
    }

    /// A verdict of the audit sample.
    pub fn audited(rate: f64) -> Self {
        Self { why: vec![Why::Audit { rate }], inclusion: rate, holds: false, case_digest: None }
    }
}

fn one() -> f64 {
    1.0
}

fn is_one(x: &f64) -> bool {
    *x == 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_from_a_record_as_it_was_written() {
        let routed = Routed::held(vec![
            Why::Below { threshold: 0.8 },
            Why::Severity { severity: Severity::Critical },
            Why::Detector { detector: "email".into() },
        ]);
        let text = serde_json::to_string(&routed).unwrap();
        let expected = r#"{"why":[{"why":"below","threshold":0.8},{"why":"severity","severity":"critical"},{"why":"detector","detector":"email"}],"holds":true}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Routed>(&text).unwrap(), routed);
        let audit = serde_json::to_string(&Routed::audited(0.05)).unwrap();
        assert_eq!(audit, r#"{"why":[{"why":"audit","rate":0.05}],"inclusion":0.05,"holds":false}"#);
    }
}
