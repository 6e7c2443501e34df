//! tau2-bench result files: `{info, tasks, simulations}`, or a folder `simulations/` with one simulation a file beside
//! a `results.json` that holds `info` and `tasks`.
//!
//! - [`task`]: what `info` and `tasks` say, shared by all simulations of a file.
//! - [`simulation`]: one simulation to a session.

mod simulation;
mod task;

use std::path::{Path, PathBuf};

use super::peek::{Shape, shape};
use super::{Decode, Decoder, Format, Head, Layout, wire};
use crate::model::{Problem, Session};
use simulation::Simulation;
use task::Shared;

/// Keys every simulation needs, in the order in which [`Format::decoder`] gets them.
const HEADERS: &[&str] = &["info", "tasks"];

/// The `tau2-bench` format.
pub struct Tau2Bench;

impl Format for Tau2Bench {
    fn name(&self) -> &'static str {
        "tau2-bench"
    }

    fn doc(&self) -> &'static str {
        "Result files of tau2-bench, or its folder form (`simulations/*.json` beside `results.json`). A session is one \
         simulation. The task's actions that the agent should take become `reference.tools` (with `compare_args`, only \
         the arguments named there); an agent that works alone, without a simulated user, should take the user's \
         actions too. `communicate_info` becomes `reference.facts`. Tool calls of the simulated user are \
         spans of kind `other` with `requestor = \"user\"`, never the agent's, and its cost and tokens are not the \
         agent's either. A message of the user that holds only tool calls starts no turn; one that holds only \
         `###STOP###` does, as it was recorded. A simulation that ended in `infrastructure_error`, `user_error` or \
         `unexpected_error`, and a voice simulation without messages, is a failed recording."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        layout_of(&shape(head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        let shape = shape(head);
        layout_of(&shape).unwrap_or(if shape.has("task_id") { Layout::Values } else { ENVELOPE })
    }

    fn companion(&self, path: &Path) -> Option<PathBuf> {
        let folder = path.parent()?;
        let named = folder.file_name()? == "simulations" && path.file_name()? != "results.json";
        named.then(|| folder.parent().unwrap_or(Path::new("")).join("results.json"))
    }

    fn decoder(&self, headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        let header = |i: usize| headers.get(i).and_then(Option::as_deref);
        Ok(Decode::sessions(SimulationDecoder(Shared::read(header(0), header(1))?)))
    }
}

const ENVELOPE: Layout = Layout::Envelope { stream: "simulations", headers: HEADERS };

fn layout_of(shape: &Shape) -> Option<Layout> {
    let simulation =
        |s: &Shape| s.has("task_id") && s.has("termination_reason") && (s.has_array("messages") || s.has("start_time"));
    if simulation(shape) {
        return Some(Layout::Values);
    }
    // The head may end within the tasks, before the simulations.
    let info = shape.get("info").is_some_and(|i| i.has("agent_info") || i.has("user_info") || i.has("num_trials"));
    let simulations = shape.get("simulations").and_then(Shape::first).is_some_and(simulation);
    (simulations || (info && (shape.has_array("tasks") || shape.has_array("simulations")))).then_some(ENVELOPE)
}

struct SimulationDecoder(Shared);

impl Decoder for SimulationDecoder {
    fn decode<'a>(&self, element: &'a [u8], _index: u64, _source: &str) -> Result<Session<'a>, Problem> {
        wire::parse::<Simulation<'a>>(element)?.into_session(&self.0)
    }
}

#[cfg(test)]
mod tests;
