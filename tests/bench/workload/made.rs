//! The workload: recorded tau-bench sessions with fresh task ids, as many as are wanted.
//!
//! Where the project's shared data is (`SEATRIAL_SHARED`), its real sessions are repeated, as its own generator does.
//! Elsewhere sessions of the same shape are made: one long instruction, a dozen messages of both sides, half as many tool
//! calls with results of several hundred bytes, and a reference that most of them do not meet; about as long.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use serde_json::{Value, json};

/// The sessions that are repeated.
const TEMPLATES: usize = 100;

/// What a run over the workload is given.
pub struct Workload {
    templates: Vec<Value>,
    schemas: PathBuf,
    /// What its files are called.
    name: &'static str,
    /// Where it came from, for the table.
    pub origin: &'static str,
}

impl Workload {
    /// The shared one where there is one, else one that is made; files are put into `dir`.
    pub fn new(dir: &Path) -> io::Result<Self> {
        if let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) {
            let recorded = shared.join("data/tau-bench/gpt-4o-airline.even-tasks.json");
            let templates = serde_json::from_slice(&std::fs::read(recorded)?)?;
            let schemas = shared.join("bench/tool-schemas.json");
            return Ok(Self { templates, schemas, name: "recorded", origin: "recorded sessions of tau-bench" });
        }
        let schemas = dir.join("tool-schemas.json");
        std::fs::write(&schemas, serde_json::to_vec(&tool_schemas())?)?;
        let mut rng = Rng::with_seed(7);
        let instructions = sentences(&mut rng, 70);
        let templates = (0..TEMPLATES).map(|_| session(&mut rng, &instructions)).collect();
        Ok(Self { templates, schemas, name: "made", origin: "sessions made in the shape of tau-bench's" })
    }

    /// The schemas of the tools' arguments.
    pub fn schemas(&self) -> &Path {
        &self.schemas
    }

    /// Writes `n` sessions as one JSON array, unless that is done.
    pub fn write(&self, dir: &Path, n: usize) -> io::Result<PathBuf> {
        let path = dir.join(format!("{}-{n}.json", self.name));
        if path.exists() {
            return Ok(path);
        }
        let unfinished = dir.join("unfinished");
        let mut out = BufWriter::new(File::create(&unfinished)?);
        for (i, session) in self.templates.iter().cycle().take(n).enumerate() {
            let mut session = session.clone();
            session["task_id"] = i.into();
            session["trial"] = 0.into();
            out.write_all(if i == 0 { b"[\n" } else { b",\n" })?;
            serde_json::to_writer(&mut out, &session)?;
        }
        out.write_all(b"\n]\n")?;
        out.into_inner()?.sync_all()?;
        std::fs::rename(unfinished, &path)?;
        Ok(path)
    }
}

const TOOLS: [&str; 5] = ["get_user_details", "find_sailings", "book_ticket", "cancel_ticket", "think"];

fn tool_schemas() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {
            "user_id": { "type": "string", "pattern": "^[a-z]+_[0-9]{4}$" },
            "sailing": { "type": "string" },
            "passengers": { "type": "integer", "minimum": 1, "maximum": 5 },
        },
        "required": ["user_id"],
        "additionalProperties": false,
    });
    TOOLS.iter().map(|tool| ((*tool).to_owned(), schema.clone())).collect::<serde_json::Map<_, _>>().into()
}

fn sentences(rng: &mut Rng, n: usize) -> String {
    const WORDS: [&str; 16] = [
        "the",
        "reservation",
        "a",
        "flight",
        "user",
        "can",
        "not",
        "change",
        "their",
        "ticket",
        "before",
        "it",
        "\"departs\"",
        "and",
        "payment",
        "is",
    ];
    let mut text = String::new();
    for _ in 0..n {
        for _ in 0..16 {
            text.push_str(WORDS[rng.usize(..WORDS.len())]);
            text.push(' ');
        }
        text.push_str(".\n\n");
    }
    text
}

fn session(rng: &mut Rng, instructions: &str) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": instructions })];
    let mut actions = Vec::new();
    for turn in 0..rng.usize(4..9) {
        messages.push(json!({ "role": "user", "content": sentences(rng, 1) }));
        for call in 0..rng.usize(0..3) {
            let name = TOOLS[rng.usize(..TOOLS.len())];
            // Some do not meet their schema.
            let arguments = json!({
                "user_id": format!("ann_{}", rng.u32(999..9999)),
                "sailing": format!("OC-{}", rng.u32(..9999)),
                "passengers": rng.u32(1..7),
            });
            // Some are not what was expected.
            if rng.u8(..5) == 0 {
                actions.push(json!({ "name": name, "kwargs": arguments }));
            }
            let id = format!("call_{turn}_{call}");
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            messages.push(json!({
                "role": "assistant", "content": null,
                "tool_calls": [{ "id": id, "type": "function", "function": function }],
            }));
            let result = json!({ "sailings": (0..10).map(|_| json!({
                "id": format!("OC-{}", rng.u32(..9999)), "price": rng.u32(..20_000), "seats": { "deck": rng.u8(..), "cabin": rng.u8(..) },
                "status": "available",
            })).collect::<Vec<_>>() });
            messages.push(json!({ "role": "tool", "tool_call_id": id, "name": name, "content": result.to_string() }));
        }
        messages.push(json!({ "role": "assistant", "content": sentences(rng, 2) }));
    }
    messages.push(json!({ "role": "user", "content": "###STOP###" }));
    if rng.bool() {
        actions.push(json!({ "name": "book_ticket", "kwargs": { "user_id": "ann_1000", "passengers": 1 } }));
    }
    json!({
        "task_id": 0, "reward": 0.0, "trial": 0, "traj": messages,
        "info": {
            "task": { "user_id": "ann_1000", "actions": actions, "instruction": sentences(rng, 4), "outputs": [] },
            "source": "user", "user_cost": 0.0012,
        },
    })
}
