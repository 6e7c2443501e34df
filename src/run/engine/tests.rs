//! A record that can no longer be written stops the run, and what was written can still be read.

use super::*;
use crate::eval::event::{Header, Plan, SCHEMA};
use crate::eval::testing;
use crate::report::replay;
use crate::sources::ReadOptions;
use crate::store::record;

/// A disk that is full after so many bytes; it takes what fits, as a disk does.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.room - self.bytes.len());
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs 3000 good sessions onto a disk; whether the run was stopped by it, its bytes, and the folder's path.
fn onto(room: usize, jobs: usize) -> (Outcome, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    let line = |i: usize| format!("{{\"id\":\"s{i}\",\"turns\":[{{\"reply\":\"good {}\"}}]}}\n", "x".repeat(600));
    std::fs::write(&path, (0..3000).map(line).collect::<String>()).unwrap();
    let suite = testing::suite("[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"good\"\n");
    let planned = Planned::new(&suite, None).unwrap();
    let redactor = Redactor::default();
    let mut head = Vec::new();
    let header = Header { schema: SCHEMA, min_reader: SCHEMA, seatrial: "0".to_owned() };
    record::event(&mut head, "record", &redactor.pass(&header)).unwrap();
    let plan = Plan {
        as_of: None,
        filter: None,
        rerun: None,
        shard: None,
        settings: Default::default(),
        suites: vec![planned.plan.clone()],
    };
    record::event(&mut head, "plan", &redactor.pass(&plan)).unwrap();
    let mut disk = Disk { room: head.len() + room, bytes: head };
    let files = [RecordedFile { path, name: "x.jsonl".to_owned() }];
    let stop = AtomicBool::new(false);
    let job = Job {
        planned: &planned,
        index: 0,
        files: &files,
        ignored: Vec::new(),
        problems: Vec::new(),
        now_ns: 0,
        jobs,
        fail_fast: false,
        keep: Keep { failed: false, passed: 0, limit: 0 },
        shard: None,
        known: None,
        stop: &stop,
        progress: &|_| (),
        redactor: &redactor,
        live: false,
        assemble: &Options::default(),
        edge: &crate::checks::asking::Nobody,
        collecting: false,
        crew: None,
        given_up: None,
    };
    let mut fold = SuiteFold::new(&planned.plan, 0);
    let reader = Reader::new(files.to_vec(), ReadOptions::default());
    let outcome =
        run(&job, reader, &mut fold, Sinks { record: &mut disk, kept: &mut io::sink(), past: None, live: None });
    (outcome, disk.bytes)
}

#[test]
fn a_full_disk_stops_the_run_and_what_was_written_can_be_read() {
    for (room, jobs) in [(0, 1), (1000, 1), (200_000, 2), (400_000, 3)] {
        let (outcome, bytes) = onto(room, jobs);
        assert!(matches!(&outcome.stopped, Some(Early::Write(why)) if why.kind() == io::ErrorKind::StorageFull));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        std::fs::write(&path, &bytes).unwrap();
        let replayed = replay::fold(&path).unwrap();
        assert_eq!(replayed.summary.exit_code, crate::eval::exit::INCOMPLETE);
        let sessions = replayed.summary.suites[0].sessions.evaluated;
        let whole = bytes
            .split_inclusive(|b| *b == b'\n')
            .filter(|l| l.starts_with(b"{\"event\":\"session\"") && l.ends_with(b"\n"));
        assert_eq!(sessions, whole.count() as u64);
        assert!(room < 200_000 || sessions > 100, "{sessions}");
    }
    assert!(onto(usize::MAX >> 1, 2).0.stopped.is_none());
}
