//! Exports of a store, from outside: what is taken in adds up, and of what is refused nothing is.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use seatrial::promote::book::unbelievable;
use seatrial::store::db::{Store, StoreUrl};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::targets::{Target, target};
use super::tree::Syntax;

/// The target.
pub fn all() -> Vec<Target> {
    // What is refused leaves it empty for the next.
    let empty = Mutex::new(None);
    vec![target("store", Syntax::Lines, vec![exported()], move |input| take_in(input, &empty))]
}

/// A store that takes one export in.
struct Empty {
    runtime: Runtime,
    store: Store,
    _folder: TempDir,
}

impl Empty {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let store = runtime.block_on(Store::open(&StoreUrl::File(folder.path().join("s.db")))).expect("a new store");
        Self { runtime, store, _folder: folder }
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}

/// Whatever is in it, an export is taken in whole or refused by its own words; the database itself is never in trouble.
fn take_in(input: &[u8], kept: &Mutex<Option<Empty>>) {
    let empty = kept.lock().map_or(None, |mut kept| kept.take()).unwrap_or_else(Empty::new);
    let (store, runtime) = (&empty.store, &empty.runtime);
    let taken = runtime.block_on(store.take_in(&mut &input[..], unbelievable));
    let taken = taken.unwrap_or_else(|why| panic!("the database is in trouble: {why}"));
    let info = runtime.block_on(store.info()).expect("it can be read");
    let rows: u64 = info.rows.iter().map(|(_, n)| *n).sum();
    match taken {
        Err(why) => {
            assert!(!why.to_string().is_empty(), "it is refused, and nothing says why");
            assert_eq!(rows, 0, "it is refused, and some of it is there");
            *kept.lock().expect("nobody panics with it") = Some(empty);
        }
        Ok(_) => {
            let damage = runtime.block_on(store.damage()).expect("it can be read");
            assert!(damage.is_none(), "it is taken in, and {damage}");
            let written = runtime.block_on(store.export(&mut Vec::new()));
            assert!(written.is_ok_and(|written| written.is_ok()), "it is taken in, and cannot be given out again");
        }
    }
}

/// What a store holds after a run that people answered and somebody asked to promote, as the binary writes it.
fn exported() -> Vec<u8> {
    const TARGET: &str = "\n[promote.prod]\nsuites = [\"reviewed\"]\n";
    const SPEAKS: &str = "\"seatrial\":1,\"agent\":\"shop\",\"version\":\"1\",";
    let folder = tempfile::tempdir().expect("a folder");
    seatrial(folder.path(), &["init", "--review"], 0);
    let edit = |file: &str, edited: &dyn Fn(String) -> String| {
        let file = folder.path().join(file);
        let text = std::fs::read_to_string(&file).expect("what init wrote");
        std::fs::write(&file, edited(text)).expect("written");
    };
    edit("seatrial.toml", &|text| text + TARGET);
    edit("recordings/reviewed.jsonl", &|text| text.replace("\"seatrial\":1,", SPEAKS));
    seatrial(folder.path(), &["run", "suites", "--subject", "shop@1"], 3);
    let items = String::from_utf8(seatrial(folder.path(), &["review", "export"], 0)).expect("text");
    for line in items.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let item = line["item"].as_str().expect("an item");
        seatrial(folder.path(), &["review", "label", item, "pass", "--as", "ann", "--comment", "Refused kindly."], 0);
    }
    seatrial(folder.path(), &["promote", "shop@1", "--to", "prod", "--by", "ann"], 3);
    let exported = seatrial(folder.path(), &["store", "export"], 0);
    for table in ["runs", "verdicts", "items", "labels", "contents", "promotion_log"] {
        assert!(exported.windows(table.len()).any(|at| at == table.as_bytes()), "nothing of {table} is tried");
    }
    exported
}

fn seatrial(folder: &Path, args: &[&str], code: i32) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.args(args).current_dir(folder);
    let said = command.output().expect("the binary runs");
    assert_eq!(said.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&said.stderr));
    said.stdout
}
