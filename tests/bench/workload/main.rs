//! A whole run over recorded sessions beside reading the same bytes: wall time, CPU time, peak memory; and reports drawn
//! again.
//!
//! `cargo bench --bench workload [-- N ...]` (1 session, which is the start-up, 1,000, 10,000 and 100,000; they are made
//! under `target/`). A run decides six deterministic checks of every session (`tests/bench/workload.toml`) and writes its
//! record, kept sessions, JUnit, HTML, JSON and markdown. Every number is the median of several whole processes on as many
//! threads, with a warm page cache, one kind after the other, so that what else the machine does falls on all of them.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

mod floor;
mod made;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use floor::Floor;
use made::Workload;
use wait4::Wait4;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads of everything that is measured.
const JOBS: usize = 2;

/// Whole processes behind each number.
const ROUNDS: usize = 7;

/// Of several processes: medians of seconds, and the largest peak in MB.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: f64,
    cpu: f64,
    peak: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // A floor is a process of its own, as a run is.
    if let [name, path] = &args[..]
        && let Some(floor) = Floor::ALL.into_iter().find(|f| f.name() == name)
    {
        let sessions = floor.run(Path::new(path), JOBS).expect("a readable workload");
        println!("{name}: {sessions} sessions");
        return;
    }
    let sizes: Vec<usize> = args.iter().map(|a| a.parse().expect("a number of sessions")).collect();
    let sizes = if sizes.is_empty() { vec![1, 1_000, 10_000, 100_000] } else { sizes };
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("workload");
    std::fs::create_dir_all(&dir).expect("a folder for the workload");
    let workload = Workload::new(&dir).expect("a workload");
    println!("{}, {JOBS} threads; seconds of wall / CPU, peak MB\n", workload.origin);
    println!("| sessions | run | serde_json into structs | | seatrial's decoder | | report again |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for n in sizes {
        let path = workload.write(&dir, n).expect("a workload on disk");
        row(n, &path, &workload, &dir);
    }
}

fn seatrial(args: &[OsString]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.args(args);
    command
}

fn row(n: usize, path: &Path, workload: &Workload, dir: &Path) {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/workload.toml");
    let out = dir.join("reports");
    let jobs = JOBS.to_string();
    let mut run = seatrial(&["run".into(), suite.into(), "--quiet".into(), "--jobs".into(), jobs.into()]);
    run.arg("--out").arg(&out).env("WORKLOAD", path).env("TOOL_SCHEMAS", workload.schemas());
    let floors = Floor::ALL.map(|floor| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(floor.name()).arg(path);
        command
    });
    let [typed, sessions] = floors;
    let [run, typed, sessions] = measure([run, typed, sessions]);
    let [report] = measure([seatrial(&["report".into(), out.join("latest").into()])]);
    let cost = |c: Cost| format!("{:.3} / {:.3}, {:.0}", c.wall, c.cpu, c.peak);
    let ratio = |floor: Cost| format!("{:.2} / {:.2}", run.wall / floor.wall, run.cpu / floor.cpu);
    println!(
        "| {n} | {} | {} | {} | {} | {} | {} |",
        cost(run),
        cost(typed),
        ratio(typed),
        cost(sessions),
        ratio(sessions),
        cost(report)
    );
    let _ = std::fs::remove_dir_all(&out);
}

/// Runs the commands in turn, several times.
fn measure<const N: usize>(mut commands: [Command; N]) -> [Cost; N] {
    let mut costs = [const { Vec::new() }; N];
    // The first round only warms up.
    for round in 0..=ROUNDS {
        for (command, costs) in commands.iter_mut().zip(&mut costs) {
            let cost = once(command);
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let median = |costs: &[Cost], of: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    costs.map(|costs| Cost {
        wall: median(&costs, |c| c.wall),
        cpu: median(&costs, |c| c.cpu),
        peak: costs.iter().map(|c| c.peak).fold(0.0, f64::max),
    })
}

fn once(command: &mut Command) -> Cost {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
    let used = child.wait4().expect("its end");
    let wall = began.elapsed().as_secs_f64();
    // The workload fails some of its checks: that is part of the work.
    assert!(matches!(used.status.code(), Some(0 | 1)), "{command:?}: {}", used.status);
    let rusage = used.rusage;
    Cost { wall, cpu: (rusage.utime + rusage.stime).as_secs_f64(), peak: rusage.maxrss as f64 / 1e6 }
}
