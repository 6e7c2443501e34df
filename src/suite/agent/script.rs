//! What the user of a case says, turn by turn: texts that may use what was replied before.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::{Live, User};
use crate::checks::context::json_value;
use crate::checks::jinja::Template;
use crate::suite::Cases;
use crate::suite::problems::choice;
use crate::suite::raw::{Pos, span_at};
use crate::suite::resolve::{Layer, Resolver, section_pos};

/// What is said in one turn of a case, as it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// What the user says.
    pub user: Option<String>,
    /// The tool that is called, with its arguments, where the agent is a set of tools.
    pub call: Option<(String, Map<String, Value>)>,
}

impl Line {
    /// Whether anything is said at all.
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.call.is_none()
    }

    /// The line with its templates rendered: `case`, `trial`, and `turns` with `user` and `reply` of each before.
    ///
    /// # Errors
    /// What a template refers to and there is not.
    pub fn render(&self, context: &Value) -> Result<Self, String> {
        let user = match &self.user {
            None => None,
            Some(text) => match rendered(&Value::String(text.clone()), context)? {
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            },
        };
        let call = match &self.call {
            None => None,
            Some((name, args)) => match rendered(&Value::Object(args.clone()), context)? {
                Value::Object(args) => Some((name.clone(), args)),
                _ => None,
            },
        };
        Ok(Self { user, call })
    }

    /// Every template in it.
    fn templates(&self) -> Vec<&str> {
        let mut out: Vec<&str> = self.user.as_deref().filter(|text| Template::is_in(text)).into_iter().collect();
        for value in self.call.iter().flat_map(|(_, args)| args.values()) {
            templates_in(value, &mut out);
        }
        out
    }
}

pub(super) fn templates_in<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if Template::is_in(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|item| templates_in(item, out)),
        Value::Object(map) => map.values().for_each(|value| templates_in(value, out)),
        _ => {}
    }
}

/// A value with the templates in it rendered.
pub(super) fn rendered(value: &Value, context: &Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) if Template::is_in(text) => {
            let template = Template::parse(text).map_err(|e| e.message)?;
            template.render(&json_value(context))?
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| rendered(item, context)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| Ok((key.clone(), rendered(value, context)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// Names that a user's words may start from.
const ROOTS: &[&str] = &["case", "trial", "turns"];

/// Names that the texts of a simulated user may start from: it hears of the turns by itself.
const ROOTS_OF_SIMULATED: &[&str] = &["case", "trial"];

impl Resolver<'_, '_, '_> {
    /// Reports what keeps the cases from being driven.
    pub(in crate::suite) fn scripts(&mut self, own: &Layer<'_>, live: &Live, cases: Option<&Cases>, recorded: bool) {
        let Some(cases) = cases else {
            if !recorded {
                let pos = section_pos(own, "agent", "kind");
                let help = "declare [[case]] with what the user says, or name a file of cases in [suite]".to_owned();
                self.sink.missing(&pos, "there is no case to drive the agent with", help);
            }
            return;
        };
        for case in &cases.list {
            let pos = place(own, &case.id);
            let silent = case.script.iter().position(Line::is_empty);
            let user = live.user_of(case);
            if let Some(user) = &user {
                self.simulated(user, live, &case.vars, &pos);
            }
            if user.is_none() && case.simulated.is_some() {
                let help = "write `goal = \"...\"` into its `user`, or into `user` of [agent]".to_owned();
                self.sink.error(&pos, format!("the user of case `{}` has no goal", case.id), help);
                continue;
            }
            let said = case.skip.is_some() || user.is_some();
            if !said && (case.script.is_empty() || silent.is_some()) {
                let message = match silent {
                    Some(turn) => format!("in turn {} of case `{}` the user says nothing", turn + 1, case.id),
                    None => format!("case `{}` does not say what the user says", case.id),
                };
                let help = "write `user = [...]`, or `user = { goal = \"...\" }`; without it the case cannot be driven"
                    .to_owned();
                // Recordings do not need it.
                if recorded { self.sink.warn(&pos, message, help) } else { self.sink.error(&pos, message, help) }
            }
            for text in case.script.iter().flat_map(Line::templates) {
                self.template_of_user(text, ROOTS, &case.vars, &pos);
            }
        }
    }

    /// Reports what keeps a model from playing a user.
    fn simulated(&mut self, user: &User, live: &Live, case: &Value, pos: &Pos) {
        if live.kind == "mcp" {
            self.sink.error(
                pos,
                "the tools of an `mcp` agent are called, not spoken with: no model plays its user",
                None,
            );
        }
        match self.env.kit.askable.judge(&user.judge) {
            Ok(judge) if judge.members.len() > 1 => {
                let message = format!("`{}` is a panel: a user is played by one model", user.judge);
                self.sink.error(pos, message, None);
            }
            Ok(_) => {}
            Err(help) => {
                self.sink.error(pos, format!("no judge is called `{}`, which plays the user", user.judge), help);
            }
        }
        for text in user.texts().filter(|text| Template::is_in(text)) {
            self.template_of_user(text, ROOTS_OF_SIMULATED, case, pos);
        }
    }

    fn template_of_user(&mut self, text: &str, known: &[&str], case: &Value, pos: &Pos) {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => return self.sink.error(pos, format!("in `{text}`: {}", error.message), None),
        };
        let roots = template.roots();
        for other in roots.iter().filter(|root| !known.contains(&root.as_str())) {
            let message = format!("in `{text}`: `{other}` is not known when the user speaks");
            self.sink.error(pos, message, Some(choice(other, known.iter().copied())));
        }
        if roots == BTreeSet::from(["case".to_owned()])
            && let Err(why) = template.render(&json_value(&serde_json::json!({ "case": case })))
        {
            self.sink.error(pos, format!("in `{text}`: {why}"), None);
        }
    }
}

/// Where a case stands in the suite: its table, or the name of the file of cases.
fn place(own: &Layer<'_>, id: &str) -> Pos {
    let tables = own.table.get("case").map(|v| v.get_ref());
    let found = match tables {
        Some(DeValue::Array(items)) => items.iter().find_map(|item| {
            let DeValue::Table(table) = item.get_ref() else { return None };
            let is_it = table.get("id").is_some_and(|v| v.get_ref().as_str() == Some(id));
            is_it.then(|| span_at(table, &item.span(), &["id".to_owned()]))
        }),
        _ => None,
    };
    found.unwrap_or_else(|| section_pos(own, "suite", "cases"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_may_use_earlier_replies_and_arguments_keep_their_type() {
        let Value::Object(args) = json!({ "n": "{{ case.n }}", "list": ["{{ turns[0].reply }}", "plain"] }) else {
            unreachable!()
        };
        let line = Line { user: Some("You said {{ turns[0].reply }}.".into()), call: Some(("f".into(), args)) };
        let context = json!({ "case": { "n": 3 }, "trial": 1, "turns": [{ "user": "a", "reply": "b" }] });
        let said = line.render(&context).unwrap();
        assert_eq!(said.user.as_deref(), Some("You said b."));
        assert_eq!(Value::Object(said.call.unwrap().1), json!({ "n": 3, "list": ["b", "plain"] }));
    }

    #[test]
    fn a_reply_that_was_not_given_is_no_empty_text() {
        let line = Line { user: Some("{{ turns[1].reply }}".into()), call: None };
        assert!(line.render(&json!({ "case": {}, "trial": 1, "turns": [{ "user": "a", "reply": "b" }] })).is_err());
        let line = Line { user: Some("x {{ turns[0].reply }}".into()), call: None };
        assert!(line.render(&json!({ "case": {}, "trial": 1, "turns": [{ "user": "a" }] })).is_err());
    }

    #[test]
    fn braces_in_a_reply_are_no_template() {
        let line = Line { user: Some("{{ turns[0].reply }}".into()), call: None };
        let context = json!({ "case": {}, "trial": 1, "turns": [{ "user": "a", "reply": "{{ case.secret }}" }] });
        assert_eq!(line.render(&context).unwrap().user.as_deref(), Some("{{ case.secret }}"));
    }
}
