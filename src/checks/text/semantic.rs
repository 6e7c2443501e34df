//! `semantic`: how near a text is to another in meaning.

use std::cell::RefCell;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{LEVELS, Of, chosen, on, quote};
use crate::checks::Compiled;
use crate::checks::askable::Asked;
use crate::checks::asking::{Answer, AskingCheck, Need, Subject};
use crate::checks::build::{Answered, Build, Example, Params};
use crate::model::{Finding, Level};

/// The text means about the same as another: the cosine of the angle between their embeddings is at least `min`. The
/// cosine is the score (0 where it is below 0).
///
/// What a cosine means depends on the model: take `min` from texts of which you know that they mean the same, and of which
/// you know that they do not. An endpoint that cannot be reached, or answers with something that is no embedding, is an
/// error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Semantic {
    /// Which text is looked at.
    of: Option<Of>,
    /// The text it should mean the same as.
    to: String,
    /// The smallest cosine that passes, above -1 and at most 1.
    min: f64,
    /// Whose embeddings are compared: `[embedding.NAME]` of `seatrial.toml`.
    #[serde(default = "default_endpoint")]
    endpoint: String,
}

fn default_endpoint() -> String {
    "default".to_owned()
}

/// Longest text that is embedded, in bytes: more than any model takes.
const MOST: usize = 200_000;

impl Params for Semantic {
    const NAME: &'static str = "semantic";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[turn]]
id    = "says-it-is-closed"
check = "semantic"
to    = "We are closed on Sundays."
min   = 0.8
"#,
        passes: r#"{"id":"a","turns":[{"reply":"On Sunday nobody is there."}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"We sell shoes."}]}"#,
    }];
    const ANSWERS: &'static [Answered] = &[
        Answered { when: "We are closed on Sundays.", says: "[1.0, 0.0]" },
        Answered { when: "On Sunday nobody is there.", says: "[0.9, 0.1]" },
        Answered { when: "We sell shoes.", says: "[0.1, 0.9]" },
    ];

    fn asks(parameters: &Value) -> Vec<Asked> {
        let endpoint = parameters.get("endpoint").and_then(Value::as_str);
        vec![Asked::Embedding(endpoint.map_or_else(default_endpoint, str::to_owned))]
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, to, min, endpoint } = self;
        if !(min > -1.0 && min <= 1.0) {
            build.problem(&["min"], "a cosine lies between -1 and 1, and -1 always passes", None);
        }
        if to.trim().is_empty() {
            build.problem(&["to"], "an empty text means nothing", None);
        }
        let of = chosen(build, of);
        let endpoint = build.embedding("endpoint", &endpoint);
        if build.problems.iter().any(|p| !p.warning) {
            return None;
        }
        Some(Compiled::Asking(Box::new(Near { of: of?, to: to.into(), min, endpoint: endpoint? })))
    }
}

struct Near {
    of: Of,
    to: Arc<str>,
    min: f64,
    endpoint: Arc<str>,
}

impl AskingCheck for Near {
    fn needs(&self, subject: &Subject<'_>, have: &[Answer]) -> Vec<Need> {
        let needs = RefCell::new(Vec::new());
        if have.is_empty() {
            let need = |text: Arc<str>| Need::Embedding { endpoint: self.endpoint.clone(), text };
            on(self.of, subject, |text| {
                if embeddable(text).is_ok() {
                    *needs.borrow_mut() = vec![need(self.to.clone()), need(text.into())];
                }
                Finding::pass()
            });
        }
        needs.into_inner()
    }

    fn check(&self, subject: &Subject<'_>, have: &[Answer]) -> Finding {
        on(self.of, subject, |text| match embeddable(text).and_then(|()| self.cosine(have)) {
            Err(why) => Finding::error(why),
            Ok(cosine) => Finding::of(cosine >= self.min, || {
                format!("the cosine to {} is {cosine:.3}, less than {}: {}", quote(&self.to), self.min, quote(text))
            })
            .scored(cosine.clamp(0.0, 1.0)),
        })
    }
}

/// Why a text has no embedding, if so.
fn embeddable(text: &str) -> Result<(), String> {
    match text {
        _ if text.trim().is_empty() => Err("an empty text means nothing that could be compared".to_owned()),
        _ if text.len() > MOST => Err(format!("{} bytes are too many to embed; the most is {MOST}", text.len())),
        _ => Ok(()),
    }
}

impl Near {
    fn cosine(&self, have: &[Answer]) -> Result<f64, String> {
        let vector = |at: usize| match have.get(at) {
            Some(answer) => {
                let vector = answer.as_ref().map_err(String::clone).and_then(|reply| reply.vector());
                vector.map_err(|why| format!("the embedding endpoint `{}`: {why}", self.endpoint))
            }
            None => Err(format!("the embedding endpoint `{}` was not asked", self.endpoint)),
        };
        let (to, text) = (vector(0)?, vector(1)?);
        cosine(to, text).map_err(|why| format!("the embedding endpoint `{}`: {why}", self.endpoint))
    }
}

/// The cosine of the angle between two vectors, from -1 to 1.
fn cosine(a: &[f32], b: &[f32]) -> Result<f64, String> {
    if a.len() != b.len() {
        return Err(format!("embeddings of {} and of {} dimensions cannot be compared", a.len(), b.len()));
    }
    let product = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let cosine = product(a, b) / (product(a, a) * product(b, b)).sqrt();
    if cosine.is_finite() { Ok(cosine.clamp(-1.0, 1.0)) } else { Err("an embedding without a direction".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::{Edge, Reply, settle};
    use crate::checks::probe::{build, examples, scene, turns};
    use crate::model::{Evidence, Field, Status};
    use proptest::prelude::*;

    struct Vectors(Vec<Answer>, std::sync::atomic::AtomicUsize);

    impl Edge for Vectors {
        fn answer(&self, _: &Need) -> Answer {
            self.0[self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed)].clone()
        }
    }

    fn near(min: &str, reply: &str, answers: Vec<Answer>) -> Finding {
        let Compiled::Asking(check) = build::<Semantic>(Level::Turn, &format!("to = 'x'\nmin = {min}")).unwrap() else {
            panic!()
        };
        let session = serde_json::json!({ "id": "s", "turns": [{ "reply": reply }] }).to_string();
        let edge = Vectors(answers, 0.into());
        scene(&session, &[], |scene| settle(&*check, &Subject::Turn(turns(scene).next().unwrap()), &edge))
    }

    fn vector(values: &[f32]) -> Answer {
        Ok(Reply::Vector(values.to_vec()))
    }

    #[test]
    fn the_documented_examples_hold() {
        examples::<Semantic>();
    }

    #[test]
    fn the_cosine_is_the_score_and_the_bound_is_included() {
        let found = near("0.6", "y", vec![vector(&[1.0, 0.0]), vector(&[3.0, 4.0])]);
        assert_eq!((found.status, found.score), (Status::Pass, Some(0.6)));
        let found = near("0.61", "y", vec![vector(&[1.0, 0.0]), vector(&[3.0, 4.0])]);
        assert_eq!((found.status, found.score), (Status::Fail, Some(0.6)));
        assert_eq!(found.evidence, [Evidence::turn(0, Field::Reply)]);
        let opposite = near("0.1", "y", vec![vector(&[1.0]), vector(&[-2.0])]);
        assert_eq!((opposite.status, opposite.score), (Status::Fail, Some(0.0)));
    }

    #[test]
    fn what_is_no_embedding_is_an_error() {
        let down = Err("503".to_owned());
        for (reply, answers, why) in [
            ("y", vec![vector(&[1.0]), down], "`default`: 503"),
            ("y", vec![vector(&[1.0]), vector(&[1.0, 0.0])], "1 and of 2 dimensions"),
            ("y", vec![vector(&[1.0]), vector(&[0.0])], "without a direction"),
            ("y", vec![vector(&[1.0]), vector(&[f32::NAN])], "without a direction"),
            ("y", vec![vector(&[]), vector(&[])], "without a direction"),
            (" ", vec![], "an empty text"),
        ] {
            let found = near("0.5", reply, answers);
            assert_eq!(found.status, Status::Error);
            assert!(found.reason.contains(why), "{}", found.reason);
        }
    }

    #[test]
    fn parameters_that_mean_nothing_are_refused() {
        for (toml, key) in [
            ("to = ''\nmin = 0.5", "to:"),
            ("to = 'x'\nmin = -1.0", "min:"),
            ("to = 'x'\nmin = 1.1", "min:"),
            ("to = 'x'\nmin = nan", "min:"),
            ("to = 'x'\nmin = 0.5\nendpoint = 'other'", "endpoint:"),
        ] {
            assert!(build::<Semantic>(Level::Turn, toml).err().unwrap().starts_with(key), "{toml}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_as_near_to_itself_as_can_be_and_nearness_is_mutual(
            a in prop::collection::vec(-1.0f32..1.0, 4), b in prop::collection::vec(0.1f32..1.0, 4),
        ) {
            prop_assert!((cosine(&b, &b).unwrap() - 1.0).abs() < 1e-6);
            prop_assert_eq!(cosine(&a, &b), cosine(&b, &a));
        }
    }
}
