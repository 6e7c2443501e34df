//! `memory`: how often the agent's memory is read and written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::describe;
use crate::checks::build::{Build, Example, Params};
use crate::checks::memory::{Access, Operation, operations};
use crate::checks::select::Glob;
use crate::checks::subject::Scope;
use crate::checks::{Compiled, ScopeCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// The agent's memory is read at most `max_reads` and written at most `max_writes` times in the turn or session. At
/// least one of the two is given.
///
/// Counted are the memory operations that were recorded (spans of the kind `memory`), failed ones too; a tool that
/// keeps something is a tool call, which `calls` counts. An operation is a read or a write by `gen_ai.operation.name`
/// or else its name (`search_memory` reads; `create_memory`, `update_memory`, `upsert_memory`, `delete_memory` and the
/// making or removing of a store write; so do common words such as `get`, `load`, `add` and `save`). Where that cannot
/// be told, or on which store it was, and the verdict depends on it, the check is an error.
///
/// No memory operation counts as 0 only in a trace: a recording of messages (chat, tau-bench), which could not show
/// one, is an error. In seatrial's own format a trace has spans with an `id` or of the kinds `agent`, `retrieval`,
/// `memory` or `guardrail`.
///
/// With `namespace` the check is about that store alone. A turn or session without an operation on it is then not
/// looked at, so that a misspelled namespace leaves the check unexercised.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// At most this many reads.
    max_reads: Option<u64>,
    /// At most this many writes.
    max_writes: Option<u64>,
    /// Only operations on the stores of this name (`gen_ai.memory.store.id`): a glob.
    namespace: Option<Glob>,
}

impl Params for Memory {
    const NAME: &'static str = "memory";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[session]]\nid = \"remembers-little\"\ncheck = \"memory\"\nmax_reads = 2\nmax_writes = 1\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"memory","name":"search_memory"},{"kind":"memory","name":"create_memory"}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"memory","name":"create_memory"},{"kind":"memory","name":"update_memory"}]}]}"#,
        },
        Example {
            check: "[[turn]]\nid = \"leaves-the-profile\"\ncheck = \"memory\"\nnamespace = \"profile/*\"\nmax_writes = 0\n",
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"memory","name":"search_memory","attributes":{"gen_ai.memory.store.id":"profile/7"}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"memory","name":"delete_memory","attributes":{"gen_ai.memory.store.id":"profile/7"}}]}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.max_reads.is_none() && self.max_writes.is_none() {
            build.problem(&[], "`memory` needs `max_reads` or `max_writes`", None);
            return None;
        }
        Some(Compiled::scope(build.level, self))
    }
}

/// What is known of the operations of one kind.
#[derive(Default)]
struct Count<'s> {
    /// Those that surely are.
    certain: Vec<Operation<'s>>,
    /// How many others may be.
    doubtful: u64,
}

impl ScopeCheck for Memory {
    fn check(&self, scope: &Scope<'_>) -> Finding {
        let mut found = match operations(scope.spans()) {
            Ok(found) => found,
            Err(why) => return Finding::error(why),
        };
        if let Some(namespace) = &self.namespace {
            // Those that may be on another store are kept, and are doubtful.
            found.retain(|operation| operation.is_on(namespace) != Some(false));
            if found.is_empty() {
                let namespace = describe::clip(namespace.as_str(), 80);
                return Finding::not_applicable(format!("no operation on the memory {namespace} in {}", scope.name()));
            }
        }
        let limits = [(Access::Read, "reads", self.max_reads), (Access::Write, "writes", self.max_writes)];
        let limited =
            limits.iter().filter_map(|(access, what, max)| Some((self.count(*access, &found), what, (*max)?)));
        let mut doubt = None;
        for (count, what, max) in limited {
            if count.certain.len() as u64 > max {
                return self.failure(&count, what, max);
            }
            if count.certain.len() as u64 + count.doubtful > max {
                doubt.get_or_insert((what, max));
            }
        }
        match doubt {
            None => Finding::pass(),
            Some((what, max)) => in_doubt(what, max, &found),
        }
    }
}

impl Memory {
    fn count<'s>(&self, access: Access, found: &[Operation<'s>]) -> Count<'s> {
        let mut count = Count::default();
        for operation in found.iter().filter(|o| o.access.is_none_or(|a| a == access)) {
            let here = self.namespace.as_ref().is_none_or(|n| operation.is_on(n) == Some(true));
            if here && operation.access.is_some() { count.certain.push(*operation) } else { count.doubtful += 1 }
        }
        count
    }

    fn failure(&self, count: &Count<'_>, what: &str, max: u64) -> Finding {
        let on = self.namespace.as_ref().map(|n| format!(" on {}", describe::clip(n.as_str(), 80))).unwrap_or_default();
        let names = describe::list(count.certain.iter().map(|o| describe::clip(&o.span.name, 80)));
        let n = count.certain.len();
        let mut finding = Finding::fail(format!("expected at most {max} memory {what}{on}; actual: {n}: {names}"));
        let over = count.certain.iter().skip(usize::try_from(max).unwrap_or(usize::MAX));
        finding.evidence = over.take(20).map(|o| Evidence::span(o.ordinal, Field::Whole)).collect();
        finding
    }
}

/// What is recorded leaves open whether there are too many.
fn in_doubt(what: &str, max: u64, found: &[Operation<'_>]) -> Finding {
    let why = match found.iter().find(|o| o.access.is_none()) {
        Some(o) => format!("the recording does not say whether {} reads or writes", describe::clip(&o.span.name, 80)),
        None => "the recording does not say which store each is on (`gen_ai.memory.store.id`)".to_owned(),
    };
    Finding::error(format!("there may be more than {max} memory {what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{examples_hold, problems, run, run_turn};
    use crate::model::Status;

    /// A session of one turn with memory operations: `name` or `name@store`.
    fn remembering(operations: &[&str]) -> String {
        let spans: Vec<String> = operations
            .iter()
            .map(|text| {
                let (name, store) = text.split_once('@').unwrap_or((text, ""));
                let attributes = match store {
                    "" => String::new(),
                    store => format!(r#","attributes":{{"gen_ai.memory.store.id":"{store}"}}"#),
                };
                format!(r#"{{"id":"1","kind":"memory","name":"{name}"{attributes}}}"#)
            })
            .collect();
        format!(r#"{{"id":"s","turns":[{{"spans":[{}]}}]}}"#, spans.join(","))
    }

    fn status(toml: &str, operations: &[&str]) -> Status {
        run::<Memory>(toml, &remembering(operations)).status
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Memory>();
    }

    #[test]
    fn reads_and_writes_have_bounds_of_their_own() {
        let (reads, writes) = ("max_reads = 1", "max_writes = 1");
        assert_eq!(status(reads, &["search_memory", "add", "add"]), Status::Pass);
        assert_eq!(status(writes, &["search_memory", "add", "add"]), Status::Fail);
        assert_eq!(status("max_reads = 0\nmax_writes = 9", &["get"]), Status::Fail);
        let failed = run::<Memory>(reads, &remembering(&["get", "add", "list"]));
        assert_eq!(failed.reason, "expected at most 1 memory reads; actual: 2: 1. get, 2. list");
        assert_eq!(failed.evidence, [Evidence::span(2, Field::Whole)]);
    }

    #[test]
    fn an_operation_that_cannot_be_told_is_an_error_where_it_could_decide() {
        let error = run::<Memory>("max_writes = 0", &remembering(&["memory"]));
        assert_eq!(error.status, Status::Error);
        assert!(error.reason.contains("does not say whether memory reads or writes"), "{}", error.reason);
        assert_eq!(status("max_writes = 1", &["add", "memory"]), Status::Error);
        assert_eq!(status("max_writes = 2", &["add", "memory"]), Status::Pass, "whichever way");
        assert_eq!(status("max_writes = 0", &["add", "memory"]), Status::Fail, "whichever way");
    }

    #[test]
    fn a_namespace_counts_its_own_store_and_one_that_is_not_recorded_is_in_doubt() {
        let own = "max_writes = 0\nnamespace = \"user/*\"";
        assert_eq!(status(own, &["get@user/1", "add@team"]), Status::Pass);
        assert_eq!(status(own, &["add@user/1/notes"]), Status::Fail);
        let error = run::<Memory>(own, &remembering(&["add"]));
        assert_eq!(error.status, Status::Error);
        assert!(error.reason.contains("which store"), "{}", error.reason);
        assert_eq!(status(own, &["get"]), Status::Pass, "a read on whichever store is no write");
    }

    #[test]
    fn a_namespace_that_nothing_is_on_does_not_exercise_the_check() {
        let finding = run::<Memory>("max_writes = 0\nnamespace = \"usr/*\"", &remembering(&["add@user/1"]));
        assert!(!finding.applies);
    }

    #[test]
    fn a_transcript_cannot_show_that_there_was_no_memory() {
        let chat = r#"{"id":"s","turns":[{"spans":[{"kind":"llm","name":"chat"}],"reply":"x"}]}"#;
        assert_eq!(run::<Memory>("max_reads = 0", chat).status, Status::Error);
        let traced = chat.replace("\"kind\"", "\"id\":\"1\",\"kind\"");
        assert_eq!(run::<Memory>("max_reads = 0", &traced).status, Status::Pass);
    }

    #[test]
    fn at_the_level_of_turns_each_has_its_own_count() {
        let session = r#"{"id":"s","turns":[{"spans":[{"kind":"memory","name":"get"}]},{"spans":[{"kind":"memory","name":"get"},{"kind":"memory","name":"get"}]},{}]}"#;
        let status = |turn| run_turn::<Memory>("max_reads = 1", session, turn).status;
        assert_eq!([0, 1, 2].map(status), [Status::Pass, Status::Fail, Status::Error]);
    }

    #[test]
    fn a_check_without_a_bound_is_refused() {
        assert_eq!(problems::<Memory>(Level::Session, "").len(), 1);
        assert_eq!(problems::<Memory>(Level::Turn, "namespace = \"a\"").len(), 1);
    }
}
