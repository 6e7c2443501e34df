//! The kinds of live agents, and the keys of each.

use std::fmt::Write;

use super::{indented, params, short, topics, wrapped};
use crate::agents::{KINDS, Kind};
use crate::suite::schema::docs::{struct_doc, table_docs};

/// The keys of `[agent]` that every kind has, and the kinds.
pub(super) fn agents() -> String {
    let mut out = String::from("Kinds of agents\n");
    let width = KINDS.iter().map(|k| k.name.len()).max().unwrap_or(0);
    for kind in KINDS {
        let _ = writeln!(out, "  {:width$}  {}", kind.name, short(&struct_doc(kind.schema).summary));
    }
    out.push_str("\nEach has keys of its own, beside those below: `seatrial explain http`.\n");
    let own = |name: &str| name.contains("agent]") || name.contains("[agent.");
    table_docs().iter().filter(|table| own(table.name)).for_each(|table| topics::table(table, &mut out));
    out
}

/// One kind: what it is, its keys, an example.
pub(super) fn kind(kind: &Kind) -> String {
    let doc = struct_doc(kind.schema);
    let mut out = format!("{} (kind of agent)\n\n{}\n", kind.name, wrapped(&doc.summary, 0, 0));
    if !doc.details.is_empty() {
        let _ = writeln!(out, "\n{}", doc.details);
    }
    out.push_str("\nKeys of [agent]\n");
    params(&doc.params, &mut out);
    out.push_str("\nBeside them it takes the keys that every kind has: `seatrial explain agent`.\n");
    let _ = write!(out, "\nExample\n{}", indented(kind.example, 2));
    out
}
