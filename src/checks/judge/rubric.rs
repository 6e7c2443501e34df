//! What a judge is asked: a text of the suite, a file beside it, or one that ships with seatrial.

use std::sync::LazyLock;

use minijinja::Environment;

use crate::checks::asking::Subject;
use crate::checks::build::Build;
use crate::checks::context::{span_value, turn_value};
use crate::checks::nearest::nearest;
use crate::checks::strict;

/// A rubric that ships with seatrial.
pub struct Builtin {
    /// Its name, in `builtin:NAME`.
    pub name: &'static str,
    /// What has to hold, with examples of both sides.
    pub text: &'static str,
}

/// The rubrics that ship with seatrial, in the order of the reference.
pub static BUILTINS: &[Builtin] = &[
    Builtin { name: "faithfulness", text: include_str!("rubrics/faithfulness.md") },
    Builtin { name: "goal_success", text: include_str!("rubrics/goal_success.md") },
];

/// A rubric, ready to be rendered.
pub struct Rubric {
    source: String,
}

/// Rubrics are rendered in one environment.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(strict::environment);

impl Rubric {
    /// The rubric that a suite names; problems are reported where there is none.
    pub fn new(build: &mut Build<'_>, named: String) -> Option<Self> {
        let source = if let Some(path) = named.strip_prefix("file:") {
            let bytes = build.read("rubric", path.trim())?;
            match std::str::from_utf8(&bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => {
                    build.problem(&["rubric"], format!("`{path}` is not UTF-8"), None);
                    return None;
                }
            }
        } else if let Some(name) = named.strip_prefix("builtin:") {
            let Some(builtin) = BUILTINS.iter().find(|b| b.name == name.trim()) else {
                let names = || BUILTINS.iter().map(|b| b.name);
                let help = match nearest(name, names()) {
                    Some(near) => format!("did you mean `builtin:{near}`?"),
                    None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
                };
                build.problem(&["rubric"], format!("there is no rubric `{name}`"), help);
                return None;
            };
            builtin.text.to_owned()
        } else {
            named
        };
        if source.trim().is_empty() {
            build.problem(&["rubric"], "an empty rubric asks for nothing", None);
            return None;
        }
        if let Err(why) = ENVIRONMENT.template_from_str(&source) {
            build.problem(&["rubric"], format!("not a template: {why}"), None);
            return None;
        }
        Some(Self { source })
    }

    /// The rubric about a subject; `Err` says which name in it is not there.
    pub fn render(&self, subject: &Subject<'_>) -> Result<String, String> {
        let scene = subject.scene();
        let turn = |index: Option<usize>| index.map(|i| turn_value(scene.session, i));
        let own = match subject {
            Subject::Session(_) => minijinja::context! {},
            Subject::Turn(t) => minijinja::context! { turn => turn(Some(t.index)) },
            Subject::Span(s) => minijinja::context! { turn => turn(s.turn), span => span_value(s.span) },
        };
        let context = minijinja::context! { ..own, ..scene.context().clone() };
        let rendered = ENVIRONMENT.template_from_str(&self.source).and_then(|template| template.render(context));
        rendered.map(|text| text.trim().to_owned()).map_err(|why| format!("the rubric cannot be rendered: {why}"))
    }
}
