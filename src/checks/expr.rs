//! `expr`: a MiniJinja expression over the subject is true.

use std::sync::LazyLock;

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, Expression};
use schemars::JsonSchema;
use serde::Deserialize;

use super::build::{Build, Example, Params};
use super::context::{noticing, span_value, turn_value, watch_misses};
use super::expect::Wanted;
use super::strict;
use super::subject::{Scene, Scope, SessionSubject, SpanSubject, TurnSubject};
use super::{Compiled, SessionCheck, SpanCheck, TurnCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// An expression over the subject is true.
///
/// The language is MiniJinja's (Jinja's): comparisons, `and`, `or`, `not`, `in`, `~`, filters (`|length`) and tests
/// (`is defined`). The names are `session` and `case`, at turn level also `turn`, at span level also `span` and `turn`:
///
/// - `span`: `kind`, `name`, `agent`, `model`, `status`, `status_message`, `input`, `output`, `duration_ms`, `ttft_ms`,
///   `tokens.input`, `tokens.output`, `tokens.total`, `cost_usd`, `attributes`
/// - `turn`: `index`, `user`, `reply`, `tools` (as spans), `spans`, `duration_ms`, `ttft_ms`, `attributes`
/// - `session`: `id`, `case`, `trial`, `agent`, `version`, `user`, `tags`, `turns`, `reply`, `tools` (names),
///   `duration_ms`, `reward`, `rating`, `escalated`, `state`, `attributes`
///
/// A result other than true or false is an error, and so is asking for what is not there, except by `is defined` or
/// with `|default(...)`. Where a recording may not show all calls of tools (it has no spans of tools, and not what a
/// model said), `tools` is not there, and an expression that looks for a tool among `spans` is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expr {
    /// The expression, without braces around it.
    expr: String,
}

/// How the names of the context are written at each level.
const fn names(level: Level) -> &'static [&'static str] {
    match level {
        Level::Span => &["span", "turn", "session", "case"],
        Level::Turn => &["turn", "session", "case"],
        _ => &["session", "case"],
    }
}

impl Params for Expr {
    const NAME: &'static str = "expr";
    const LEVELS: &'static [Level] = &[Level::Span, Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: r#"
[[span]]
id    = "small-totals"
on    = { kind = "tool", name = "price" }
check = "expr"
expr  = "span.output.total < 100 and span.output.currency in ['USD', 'EUR']"
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"price","output":{"total":12.5,"currency":"EUR"}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"price","output":{"total":250,"currency":"EUR"}}]}]}"#,
        },
        Example {
            check: r#"
[[session]]
id    = "looks-before-it-leaps"
check = "expr"
expr  = "session.tools|length <= 2 and session.tools|first == 'search'"
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"search"},{"kind":"tool","name":"book"}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"book"}]}]}"#,
        },
    ];

    fn wants(parameters: &serde_json::Value) -> Option<Wanted> {
        Wanted::of_text(parameters.get("expr")?.as_str()?)
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let ready = Ready::new(build, self.expr)?;
        Some(match build.level {
            Level::Span => Compiled::Span(Box::new(ready)),
            Level::Turn => Compiled::Turn(Box::new(ready)),
            _ => Compiled::Session(Box::new(ready)),
        })
    }
}

/// Expressions are compiled in and evaluated against one environment.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(strict::environment);

struct Ready {
    source: String,
    expression: Expression<'static, 'static>,
    /// The names that the expression reads, dotted, in order.
    reads: Vec<String>,
    /// `x[...]` occurs, so that a miss by item may be one of its look-ups.
    subscripts: bool,
    /// It looks for tools among spans, as far as words can tell.
    counts_spans: bool,
}

impl Ready {
    fn new(build: &mut Build<'_>, source: String) -> Option<Self> {
        if source.trim_start().starts_with("{{") {
            let help = "an expression stands without braces: `expr = \"span.output.total < 100\"`".to_owned();
            build.problem(&["expr"], "this is a template, not an expression", help);
            return None;
        }
        let expression = match ENVIRONMENT.compile_expression_owned(source.clone()) {
            Ok(expression) => expression,
            Err(e) => {
                build.problem(&["expr"], format!("not an expression: {}", short(&e)), None);
                return None;
            }
        };
        let known = names(build.level);
        let mut roots: Vec<String> = expression.undeclared_variables(false).into_iter().collect();
        roots.sort_unstable();
        for root in &roots {
            if !known.contains(&root.as_str()) && !ENVIRONMENT.globals().any(|(name, _)| name == root) {
                let message = format!("there is no `{root}` at {} level", build.level.name());
                build.problem(&["expr"], message, format!("the names here are {}", known.join(", ")));
            }
        }
        if !roots.iter().any(|r| known.contains(&r.as_str())) {
            build.warn(&["expr"], "the expression does not look at its subject", None);
        }
        let mut reads: Vec<String> = expression.undeclared_variables(true).into_iter().collect();
        reads.sort_unstable();
        let subscripts = strict::has_subscript(&source);
        let counts_spans = source.contains("spans") && source.contains("tool");
        Some(Self { source, expression, reads, subscripts, counts_spans })
    }

    fn reads_root(&self, root: &str) -> bool {
        self.reads.iter().any(|name| name.split('.').next() == Some(root))
    }

    /// What the expression sees: what it reads of `case` and `session`, and the subject's own names.
    fn context(&self, scene: &Scene<'_>, own: Vec<(&'static str, Value)>) -> Value {
        let mut names = own;
        for root in ["case", "session"] {
            if self.reads_root(root)
                && let Ok(value) = scene.context().get_attr(root)
                && !value.is_undefined()
            {
                names.push((root, noticing(value)));
            }
        }
        Value::from_pairs(names)
    }

    /// The verdict over what the expression sees; `scope` is the part of the session whose calls it may look at.
    fn judge(&self, context: Value, scope: &Scope<'_>, place: Evidence) -> Finding {
        if self.counts_spans
            && let Some(hidden) = scope.hidden_calls()
        {
            return hidden;
        }
        let missing = self.reads.iter().filter_map(|name| name.split('.').next());
        for root in missing {
            if context.get_attr(root).is_ok_and(|v| v.is_undefined()) && names(Level::Span).contains(&root) {
                return Finding::error(format!("there is no {root} here, in `{}`", self.source));
            }
        }
        let (result, misses) = watch_misses(|| self.expression.eval(context.clone()));
        if misses.iter().any(|miss| miss.key == "tools")
            && (result.is_err() || strict::missed(&misses, self.subscripts).is_some())
            && let Some(hidden) = scope.hidden_calls()
        {
            return Finding {
                reason: format!("there is no `tools`, in `{}`: {}", self.source, hidden.reason),
                ..hidden
            };
        }
        let value = match result {
            Ok(value) => value,
            Err(e) => return Finding::error(format!("cannot evaluate `{}`: {}", self.source, short(&e))).with(place),
        };
        if let Some(miss) = strict::missed(&misses, self.subscripts) {
            let reason = format!("there is no `{}`, in `{}`{}", miss.key, self.source, self.values(&context));
            return Finding::error(reason).with(place);
        }
        match value.kind() {
            ValueKind::Bool if value.is_true() => Finding::pass(),
            ValueKind::Bool => {
                Finding::fail(format!("`{}` is false{}", self.source, self.values(&context))).with(place)
            }
            kind => {
                let reason =
                    format!("`{}` is {} {}, neither true nor false", self.source, kind, clip(&value.to_string()));
                Finding::error(reason).with(place)
            }
        }
    }

    /// The values of the names that the expression reads.
    fn values(&self, context: &Value) -> String {
        let lookup = |name: &String| {
            let value = name.split('.').try_fold(context.clone(), |v, key| v.get_attr(key)).ok()?;
            (!value.is_undefined()).then(|| format!("{name} = {}", clip(&format!("{value:?}"))))
        };
        let values: Vec<String> = self.reads.iter().filter_map(lookup).collect();
        if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) }
    }
}

fn short(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(120) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}…", &text[..cut]),
    }
}

impl SpanCheck for Ready {
    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let mut own = Vec::new();
        if self.reads_root("span") {
            own.push(("span", span_value(subject.span)));
        }
        if let Some(index) = subject.turn.filter(|_| self.reads_root("turn")) {
            own.push(("turn", turn_value(subject.scene.session, index)));
        }
        // Of its own turn, unless it looks at the session.
        let scope = Scope { scene: subject.scene, turn: subject.turn.filter(|_| !self.reads_root("session")) };
        self.judge(self.context(subject.scene, own), &scope, Evidence::span(subject.ordinal, Field::Whole))
    }
}

impl TurnCheck for Ready {
    fn check(&self, subject: &TurnSubject<'_>) -> Finding {
        let own = vec![("turn", turn_value(subject.scene.session, subject.index))];
        let scope = Scope { turn: Some(subject.index).filter(|_| !self.reads_root("session")), ..subject.scope() };
        self.judge(self.context(subject.scene, own), &scope, Evidence::turn(subject.index, Field::Whole))
    }
}

impl SessionCheck for Ready {
    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        self.judge(self.context(subject.scene, Vec::new()), &subject.scope(), Evidence::session(Field::Whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{self, Error as Unmeasured, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Expr>();
    }

    const SPAN: &str = r#"{"id":"s","tags":["vip"],"turns":[{"reply":"ok","spans":[
        {"kind":"tool","name":"f","output":{"total":12,"list":[1,2],"http.code":500}}]}]}"#;

    fn of(level: Level, expr: &str) -> Status {
        let toml = format!("expr = {}", toml::Value::String(expr.to_owned()));
        status::<Expr>(level, &toml, SPAN)
    }

    #[test]
    fn an_expression_is_true_or_false() {
        for (expr, expected) in [
            ("span.output.total < 100", Pass),
            ("span.output.total > 100", Fail),
            ("span.output['http.code'] == 500", Pass),
            ("span.name == 'f' and turn.reply == 'ok' and 'vip' in session.tags", Pass),
            ("case.id == 's'", Pass),
            ("not span.output.list", Fail),
            ("span.output.list[1] == 2 and span.output.list[-1] == 2", Pass),
        ] {
            assert_eq!(of(Level::Span, expr), expected, "{expr}");
        }
        assert_eq!(of(Level::Turn, "turn.index == 1 and turn.tools[0].name == 'f'"), Pass);
        assert_eq!(of(Level::Session, "session.tools == ['f']"), Pass);
    }

    #[test]
    fn what_is_not_there_is_an_error_wherever_it_is_compared() {
        for expr in [
            "span.output.totl < 100",
            "span.output.totl != 100",
            "span.output['totl'] < 100",
            "span.output.list[7] != 1",
            "span.output.list[-7] != 1",
            "span.tokens.total < 100",
            "session.reward != 1",
            "not (span.output.totl == 1)",
            "span.duration_ms < 5 or true",
            "session.turns[4].reply != 'x'",
            "span.output.totl",
        ] {
            assert_eq!(of(Level::Span, expr), Unmeasured, "{expr}");
        }
    }

    #[test]
    fn tools_that_a_recording_may_hide_are_an_error_and_not_none() {
        let session = r#"{"id":"s","turns":[{"reply":"ok","spans":[{"id":"a","kind":"llm","name":"chat"}]}]}"#;
        let of = |level: Level, expr: &str| {
            finding::<Expr>(level, &format!("expr = {}", toml::Value::String(expr.to_owned())), session)
        };
        for (level, expr) in [
            (Level::Session, "session.tools|length == 0"),
            (Level::Session, "'refund' not in session.tools"),
            (Level::Session, "not session.turns[0].tools"),
            (Level::Session, "session.turns|map(attribute='tools')|list|length == 1"),
            (Level::Session, "session.turns[0].spans|selectattr('kind', 'eq', 'tool')|list|length == 0"),
            (Level::Turn, "turn.tools|length == 0"),
            (Level::Turn, "turn.spans|selectattr('kind', 'eq', 'tool')|list == []"),
            (Level::Span, "span.kind == 'llm' and turn.tools == []"),
            (Level::Span, "session.tools == []"),
        ] {
            let found = of(level, expr);
            assert_eq!(found.status, Unmeasured, "{expr}");
            assert!(found.reason.contains("may have called tools unseen"), "{expr}: {}", found.reason);
        }
        assert_eq!(of(Level::Session, "session.reply == 'ok'").status, Pass);
        assert_eq!(of(Level::Turn, "turn.spans|length == 1").status, Pass);
        assert_eq!(of(Level::Session, "session.tools is defined").status, Fail);
    }

    #[test]
    fn asking_whether_it_is_there_is_no_error() {
        for (expr, expected) in [
            ("span.output.totl is defined", Fail),
            ("span.output.totl is not defined", Pass),
            ("span.output.totl is undefined or span.output.totl < 3", Pass),
            ("span.output.total is defined and span.output.total < 100", Pass),
            ("span.output.totl|default(0) < 3", Pass),
            ("'totl' in span.output", Fail),
            ("'totl' not in span.output and span.output.total == 12", Pass),
            ("'x' in ['y'] or 'totl' not in span.output", Pass),
        ] {
            assert_eq!(of(Level::Span, expr), expected, "{expr}");
        }
    }

    #[test]
    fn a_miss_that_may_be_either_is_an_error() {
        assert_eq!(of(Level::Span, "'totl' not in span.output and span.output['x'] != 3"), Unmeasured);
    }

    #[test]
    fn only_true_and_false_are_verdicts() {
        for expr in ["span.output.total", "span.name", "none", "span.output.list|length"] {
            assert_eq!(of(Level::Span, expr), Unmeasured, "{expr}");
        }
    }

    #[test]
    fn the_reason_shows_the_values_read() {
        let found = finding::<Expr>(Level::Span, "expr = \"span.output.total < 10 or span.name == 'g'\"", SPAN);
        assert_eq!(
            found.reason,
            "`span.output.total < 10 or span.name == 'g'` is false: span.name = 'f', span.output.total = 12"
        );
    }

    #[test]
    fn a_span_before_the_first_turn_has_no_turn() {
        let session = r#"{"id":"s","spans":[{"kind":"tool","name":"f"}]}"#;
        let found = finding::<Expr>(Level::Span, "expr = \"turn.reply != 'x'\"", session);
        assert_eq!(found.status, Unmeasured);
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        for (bad, why) in [
            ("span.output.total <", "not an expression"),
            ("{{ span.output }}", "this is a template"),
            ("spam.output == 1", "there is no `spam` at span level"),
            ("turn.reply == x", "there is no `x`"),
        ] {
            let problem = build::<Expr>(Level::Span, &format!("expr = '{bad}'")).err().unwrap_or_default();
            assert!(problem.contains(why), "{bad}: {problem}");
        }
        assert!(build::<Expr>(Level::Session, "expr = 'span.name == \"f\"'").is_err());
    }
}
