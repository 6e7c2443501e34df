//! `cedar`: a tool call is authorised by Cedar policies, as a gateway in front of the tools would have decided it.
//!
//! - [`load`]: policies, schema and entities from files, with what is wrong with them at its line; [`depth`] and
//!   [`expanded`]: what is too large for Cedar, found before it tries.
//! - [`entity`]: who, what and upon what, from names and templates.
//! - [`values`]: JSON as Cedar values, and [`reads`]: what of the context the policies look at.

mod depth;
mod entity;
mod expanded;
mod load;
mod reads;
#[cfg(test)]
mod tests;
mod values;

use cedar_policy::{Authorizer, Context, Decision, EntityUid, Request, RestrictedExpression};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::entity::Named;
use self::load::Loaded;
use self::values::Converter;
use crate::checks::build::{Build, Example, Params};
use crate::checks::select::OneOrMany;
use crate::checks::subject::{SessionSubject, SpanSubject};
use crate::checks::{Compiled, SpanCheck};
use crate::model::{Attributes, Evidence, Field, Finding, Level, SpanKind};

/// The tool call is allowed by Cedar policies. It replays the gate of a tool gateway over recorded calls.
///
/// The principal is the agent, the action the tool: `Agent::"refunds"` does `Action::"issue_refund"` on
/// `Tool::"issue_refund"`, unless `principal`, `action` and `resource` say otherwise. The context holds `input` (the
/// arguments), `session` (the session's attributes), and, where they are known, `agent`, `user` and `turn` (from 1).
///
/// A call that is denied fails, and the reason names the policy that forbids it (by its `@id`, file and line) or says
/// that none permits it. It is an error when a policy cannot be evaluated (also when the others would allow the call),
/// when the arguments are not recorded or are not JSON, when the principal is not known, and, with a `schema`, when the
/// call does not conform to it. Spans of other kinds than `tool` are no subjects; a session whose recording may not show
/// all calls of tools (it has no spans of tools, and not what a model said) is an error.
///
/// JSON becomes Cedar values so: whole numbers are `Long`, numbers with a point are `decimal` (of at most four decimal
/// places), lists are sets. What has no Cedar value (`null`, longer fractions, larger numbers) is an error where a
/// policy looks at it, and is left out where none does. Nothing in the arguments is taken for an entity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cedar {
    /// One or several files of policies, relative to the suite.
    policies: OneOrMany<String>,
    /// A JSON file of entities, relative to the suite.
    entities: Option<String>,
    /// A schema file, relative to the suite: in Cedar's own syntax, or JSON when its name ends in `.json`. Policies are
    /// then validated against it strictly, and so are entities and calls.
    schema: Option<String>,
    /// Who acts: `agent` (`Agent::"<its name>"`), `user` (`User::"<its id>"`), or an entity whose id may be a template,
    /// such as `App::Agent::"{{ span.agent }}"`.
    #[serde(default = "agent")]
    principal: String,
    /// What is done; default `Action::"{{ span.name }}"`.
    action: Option<String>,
    /// What it is done to, such as `Reservation::"{{ span.input.reservation_id }}"`; default `Tool::"{{ span.name }}"`.
    /// What stands between the quotes is the id as it is, without escapes.
    resource: Option<String>,
    /// What a JSON `null` is that a policy looks at.
    #[serde(default)]
    nulls: Nulls,
}

/// What a JSON `null` is, for which Cedar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    /// The call cannot be decided.
    #[default]
    Error,
    /// The key is not there: `context.input has key` is false.
    Absent,
}

fn agent() -> String {
    "agent".to_owned()
}

impl Params for Cedar {
    const NAME: &'static str = "cedar";
    const LEVELS: &'static [Level] = &[Level::Span];
    const RENDERS: &'static [&'static str] = &["principal", "action", "resource"];
    const FILES: &'static [&'static str] = &["policies", "entities", "schema"];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
# tools.cedar:
#   permit(principal == Agent::"refunds", action == Action::"issue_refund", resource)
#   when { context.input.amount <= 100 };
[[span]]
id       = "tools-are-authorised"
on       = { kind = "tool" }
check    = "cedar"
policies = "tools.cedar"
severity = "critical"
"#,
        passes: r#"{"id":"a","agent":"refunds","turns":[{"spans":[{"kind":"tool","name":"issue_refund","input":{"order":"O-1","amount":40}}]}]}"#,
        fails: r#"{"id":"b","agent":"refunds","turns":[{"spans":[{"kind":"tool","name":"issue_refund","input":{"order":"O-1","amount":400}}]}]}
{"id":"c","agent":"triage","turns":[{"spans":[{"kind":"tool","name":"issue_refund","input":{"order":"O-1","amount":40}}]}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let principal = match self.principal.as_str() {
            "agent" => Some(Principal::Agent),
            "user" => Some(Principal::User),
            _ => Named::parse(build, "principal", &self.principal).map(Principal::Entity),
        };
        let action = Named::parse(build, "action", self.action.as_deref().unwrap_or(r#"Action::"{{ span.name }}""#));
        let resource =
            Named::parse(build, "resource", self.resource.as_deref().unwrap_or(r#"Tool::"{{ span.name }}""#));
        let loaded = Loaded::read(build, &self.policies.0, self.schema.as_deref(), self.entities.as_deref());
        let gate =
            Gate { principal: principal?, action: action?, resource: resource?, loaded: loaded?, nulls: self.nulls };
        Some(Compiled::Span(Box::new(gate)))
    }
}

enum Principal {
    Agent,
    User,
    Entity(Named),
}

/// The check, compiled.
struct Gate {
    principal: Principal,
    action: Named,
    resource: Named,
    loaded: Loaded,
    nulls: Nulls,
}

/// What is known of a call besides its arguments.
struct Call<'s> {
    agent: Option<&'s str>,
    user: Option<&'s str>,
}

impl SpanCheck for Gate {
    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        if subject.span.kind != SpanKind::Tool {
            return Finding::not_applicable("it is not the call of a tool");
        }
        let place = Evidence::span(subject.ordinal, Field::Input);
        let session = subject.scene.session;
        let call = Call {
            agent: subject.span.agent.as_ref().or(session.agent.as_ref()).map(|a| a.as_str()),
            user: session.user.as_ref().map(|u| u.as_str()),
        };
        match self.request(subject, &call) {
            Ok(request) => self.decide(&request).with(place),
            Err(why) => Finding::error(why).with(place),
        }
    }

    /// A gate that did not see a call has not allowed it.
    fn unseen(&self, subject: &SessionSubject<'_>) -> Option<Finding> {
        subject.scope().hidden_calls()
    }
}

impl Gate {
    /// The request that the gateway would have put to Cedar; or why nobody can say.
    fn request(&self, subject: &SpanSubject<'_>, call: &Call<'_>) -> Result<Request, String> {
        let principal = self.principal(subject, call)?;
        let action = self.action.of(subject)?;
        let resource = self.resource.of(subject)?;
        let context = self.context(subject, call)?;
        let schema = self.loaded.schema.as_ref();
        Request::new(principal, action, resource, context, schema)
            .map_err(|e| format!("the call of `{}` does not conform to the schema: {e}", subject.span.name))
    }

    fn principal(&self, subject: &SpanSubject<'_>, call: &Call<'_>) -> Result<EntityUid, String> {
        let unknown = |what: &str| format!("the recording does not say {what} `{}` was called", subject.span.name);
        match &self.principal {
            Principal::Agent => entity::named("Agent", call.agent.ok_or_else(|| unknown("by which agent"))?),
            Principal::User => entity::named("User", call.user.ok_or_else(|| unknown("for which user"))?),
            Principal::Entity(named) => named.of(subject),
        }
    }

    fn context(&self, subject: &SpanSubject<'_>, call: &Call<'_>) -> Result<Context, String> {
        let span = subject.span;
        let input = span.input.as_ref();
        let input = input.ok_or_else(|| format!("the recording holds no arguments of `{}`", span.name))?;
        let input = input.json().ok_or_else(|| format!("the arguments of `{}` are not valid JSON", span.name))?;
        let converter = Converter { reads: &self.loaded.reads, nulls: self.nulls };
        let session = attributes(&subject.scene.session.attributes);
        let mut pairs: Vec<(String, RestrictedExpression)> = Vec::new();
        for (name, value) in [("input", input), ("session", &session)] {
            pairs.extend(converter.member(name, value)?.map(|value| (name.to_owned(), value)));
        }
        for (name, value) in [("agent", call.agent), ("user", call.user)] {
            let text = |v: &str| (name.to_owned(), RestrictedExpression::new_string(v.to_owned()));
            pairs.extend(value.map(text));
        }
        if let Some(turn) = subject.turn {
            pairs.push(("turn".to_owned(), RestrictedExpression::new_long(turn as i64 + 1)));
        }
        Context::from_pairs(pairs).map_err(|e| format!("the context of the call is no Cedar value: {e}"))
    }

    /// Asks Cedar. A policy that could not be evaluated is an error whatever the others say: the gateway's answer would
    /// rest on it.
    fn decide(&self, request: &Request) -> Finding {
        let response = Authorizer::new().is_authorized(request, &self.loaded.policies, &self.loaded.entities);
        let mut errors: Vec<String> = response.diagnostics().errors().map(|e| self.loaded.explain(e)).collect();
        if !errors.is_empty() {
            errors.sort_unstable();
            return Finding::error(format!("a policy could not be evaluated: {}", errors.join("; ")));
        }
        if response.decision() == Decision::Allow {
            return Finding::pass();
        }
        let part = |uid: Option<&EntityUid>| uid.map(ToString::to_string).unwrap_or_default();
        let (who, what, on) = (part(request.principal()), part(request.action()), part(request.resource()));
        let mut by: Vec<String> = response.diagnostics().reason().map(|id| self.loaded.name(id)).collect();
        by.sort_unstable();
        Finding::fail(match by.is_empty() {
            true => format!("denied: no policy permits {who} to do {what} on {on}"),
            false => format!("denied: {} forbids {who} to do {what} on {on}", by.join(" and ")),
        })
    }
}

/// Attributes as one JSON object. Names may repeat in a hostile recording; the last one counts.
fn attributes(attributes: &Attributes<'_>) -> Value {
    let pairs = attributes.0.iter().map(|(name, value)| (name.to_string(), value.to_value()));
    Value::Object(pairs.collect::<Map<String, Value>>())
}
