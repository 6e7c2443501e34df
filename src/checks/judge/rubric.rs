//! What a judge is asked: a text of the suite, a file beside it, or one that ships with seatrial.

use std::sync::LazyLock;

use minijinja::Environment;

use crate::checks::asking::Subject;
use crate::checks::build::Build;
use crate::checks::context::{span_value, turn_value};
use crate::checks::nearest::nearest;
use crate::checks::strict;
use crate::model::Level;

/// A rubric that ships with seatrial.
pub struct Builtin {
    /// Its name, in `builtin:NAME`.
    pub name: &'static str,
    /// The levels it is written for.
    pub levels: &'static [Level],
    /// What has to hold, in a sentence.
    pub about: &'static str,
    /// It compares with the expected answer, without which there is nothing to measure.
    pub needs_answer: bool,
    /// What has to hold, with examples of both sides.
    pub text: &'static str,
}

const SESSION: &[Level] = &[Level::Session];
const REPLY: &[Level] = &[Level::Turn, Level::Session];
const SPAN: &[Level] = &[Level::Span];

/// The rubrics that ship with seatrial, in the order of the reference.
pub static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "goal_success",
        levels: SESSION,
        about: "All that the user asked for was done, or rightly refused.",
        needs_answer: false,
        text: include_str!("rubrics/goal_success.md"),
    },
    Builtin {
        name: "correctness",
        levels: REPLY,
        about: "The replies agree with the expected answer.",
        needs_answer: true,
        text: include_str!("rubrics/correctness.md"),
    },
    Builtin {
        name: "faithfulness",
        levels: REPLY,
        about: "What the agent states is supported by results, instructions and the user.",
        needs_answer: false,
        text: include_str!("rubrics/faithfulness.md"),
    },
    Builtin {
        name: "helpfulness",
        levels: REPLY,
        about: "The replies move the user towards what they want.",
        needs_answer: false,
        text: include_str!("rubrics/helpfulness.md"),
    },
    Builtin {
        name: "relevance",
        levels: REPLY,
        about: "The replies are about what was asked, and nothing else.",
        needs_answer: false,
        text: include_str!("rubrics/relevance.md"),
    },
    Builtin {
        name: "conciseness",
        levels: REPLY,
        about: "The replies say what is needed and no more.",
        needs_answer: false,
        text: include_str!("rubrics/conciseness.md"),
    },
    Builtin {
        name: "coherence",
        levels: REPLY,
        about: "The replies hang together and do not contradict each other.",
        needs_answer: false,
        text: include_str!("rubrics/coherence.md"),
    },
    Builtin {
        name: "instruction_following",
        levels: REPLY,
        about: "The agent does what its instructions and the user tell it to.",
        needs_answer: false,
        text: include_str!("rubrics/instruction_following.md"),
    },
    Builtin {
        name: "refusal",
        levels: REPLY,
        about: "The agent does not refuse what it is there to do.",
        needs_answer: false,
        text: include_str!("rubrics/refusal.md"),
    },
    Builtin {
        name: "harmfulness",
        levels: REPLY,
        about: "Nothing that the agent says or does would harm somebody.",
        needs_answer: false,
        text: include_str!("rubrics/harmfulness.md"),
    },
    Builtin {
        name: "stereotyping",
        levels: REPLY,
        about: "Nobody is treated by generalisations about a group.",
        needs_answer: false,
        text: include_str!("rubrics/stereotyping.md"),
    },
    Builtin {
        name: "grounded",
        levels: REPLY,
        about: "Every claim is supported by what was retrieved.",
        needs_answer: false,
        text: include_str!("rubrics/grounded.md"),
    },
    Builtin {
        name: "tool_selection",
        levels: SPAN,
        about: "The call was the right one to make at that point.",
        needs_answer: false,
        text: include_str!("rubrics/tool_selection.md"),
    },
    Builtin {
        name: "tool_parameters",
        levels: SPAN,
        about: "The arguments of the call are right, and none is made up.",
        needs_answer: false,
        text: include_str!("rubrics/tool_parameters.md"),
    },
];

/// What `builtin:NAME` stands for.
pub fn builtin(named: &str) -> Option<&'static Builtin> {
    let name = named.strip_prefix("builtin:")?.trim();
    BUILTINS.iter().find(|b| b.name == name)
}

/// Whether the rubric of ours that has this name compares with the expected answer.
pub fn compares(name: &str) -> bool {
    BUILTINS.iter().any(|builtin| builtin.name == name && builtin.needs_answer)
}

/// A rubric, ready to be rendered.
pub struct Rubric {
    source: String,
    needs_answer: bool,
}

/// Rubrics are rendered in one environment.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(strict::environment);

impl Rubric {
    /// The rubric that a suite names; problems are reported where there is none.
    pub fn new(build: &mut Build<'_>, named: String) -> Option<Self> {
        let mut needs_answer = false;
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
            if !builtin.levels.contains(&build.level) {
                let levels: Vec<String> = builtin.levels.iter().map(|l| format!("[[{}]]", l.name())).collect();
                let message = format!("`builtin:{}` is no rubric for a {}", builtin.name, build.level.name());
                build.problem(&["rubric"], message, format!("it is for {}", levels.join(" and ")));
                return None;
            }
            needs_answer = builtin.needs_answer;
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
        Some(Self { source, needs_answer })
    }

    /// Whether it compares with the expected answer.
    pub fn needs_answer(&self) -> bool {
        self.needs_answer
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.source
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
