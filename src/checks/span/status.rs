//! `status`: how an operation ended.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::context::status_name;
use crate::checks::subject::SpanSubject;
use crate::checks::text::quote;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SpanCheck};
use crate::model::{Evidence, Field, Finding, Level, SpanStatus};

/// The operation ended as expected.
///
/// `unset` is not success: where the recording does not say how an operation ended, `is = "ok"` and `is = "error"` are
/// errors. `is = "unset"` asks for exactly that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusCheck {
    /// How it should have ended.
    #[serde(default = "ok")]
    is: SpanStatus,
}

fn ok() -> SpanStatus {
    SpanStatus::Ok
}

impl Params for StatusCheck {
    const NAME: &'static str = "status";
    const LEVELS: &'static [Level] = &[Level::Span];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[span]]
id    = "tools-succeed"
on    = { kind = "tool" }
check = "status"
"#,
        passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"search","status":"ok"}]}]}"#,
        fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"search","status":"error","status_message":"timeout"}]}]}"#,
    }];

    fn build(self, _: &mut Build<'_>) -> Option<Compiled> {
        Some(Compiled::Span(Box::new(self)))
    }
}

impl SpanCheck for StatusCheck {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let span = subject.span;
        if span.status == self.is {
            return Finding::pass();
        }
        if span.status == SpanStatus::Unset {
            return Finding::error(format!("the recording does not say how `{}` ended", span.name));
        }
        let message = span.status_message.as_ref().map_or(String::new(), |m| format!(": {}", quote(m)));
        let reason = format!(
            "`{}` ended in {}, expected {}{message}",
            span.name,
            status_name(span.status),
            status_name(self.is)
        );
        Finding::fail(reason).with(Evidence::span(subject.ordinal, Field::Whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{examples, finding, status};
    use crate::model::Status::{Error, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<StatusCheck>();
    }

    #[test]
    fn unset_is_not_success() {
        for (is, actual, expected) in [
            ("ok", "ok", Pass),
            ("ok", "error", Fail),
            ("ok", "unset", Error),
            ("error", "error", Pass),
            ("error", "ok", Fail),
            ("error", "unset", Error),
            ("unset", "unset", Pass),
            ("unset", "ok", Fail),
        ] {
            let session = format!(r#"{{"id":"s","spans":[{{"kind":"tool","name":"f","status":"{actual}"}}]}}"#);
            assert_eq!(
                status::<StatusCheck>(Level::Span, &format!("is = '{is}'"), &session),
                expected,
                "{is} {actual}"
            );
        }
    }

    #[test]
    fn the_reason_holds_the_errors_text() {
        let session = r#"{"id":"s","spans":[{"kind":"tool","name":"f","status":"error","status_message":"no seat"}]}"#;
        assert_eq!(
            finding::<StatusCheck>(Level::Span, "", session).reason,
            "`f` ended in error, expected ok: \"no seat\""
        );
    }
}
