//! Hostile input by the million: every decoder, the suite parser and the small languages are given damaged forms of what
//! the project itself keeps, and must neither panic nor hang nor take more memory than an input is worth.
//!
//! The ordinary test run tries a few inputs of each target. All of it, with checks of overflow and debug assertions:
//!
//! ```text
//! cargo test --profile fuzz --test fuzz -- --inputs 1000000
//! ```
//!
//! `--target NAME` tries one of them, `--seed N` other inputs, `--from N` begins later, `--show` prints each input; the
//! number that a finding is reported with gives the same input again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may panic and says what it found"
)]

mod corpus;
mod guard;
mod mutate;
mod said;
mod stored;
mod targets;
mod tree;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::guard::{Counted, Watch};
use self::mutate::Random;
use self::targets::Target;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Inputs of each target in the ordinary test run.
const FEW: u64 = 200;
/// Most memory that an input may take: this, and so much for each of its bytes.
const MEMORY: (usize, usize) = (64 << 20, 1000);
/// Findings that are kept of one target.
const MOST: usize = 5;

struct Args {
    inputs: u64,
    from: u64,
    seed: u64,
    target: Option<String>,
    jobs: usize,
    /// Whether inputs are printed before they are tried.
    show: bool,
}

/// What one target showed.
struct Told {
    name: &'static str,
    seeds: usize,
    seconds: f64,
    findings: Vec<String>,
}

fn main() {
    let args = args();
    seatrial::eval::evaluate::keep_panics_quiet();
    let targets: Vec<Target> =
        targets::all().into_iter().filter(|t| args.target.as_deref().is_none_or(|name| name == t.name)).collect();
    assert!(!targets.is_empty(), "no such target");
    let (next, watch, done) = (AtomicUsize::new(0), Watch::new(args.jobs), AtomicBool::new(false));
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs)
            .map(|thread| {
                let worker = std::thread::Builder::new().stack_size(8 << 20);
                let (targets, next, watch, told, args) = (&targets, &next, &watch, &told, &args);
                let work = move || {
                    while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let one = tried(target, args, thread, watch);
                        print_row(&one, args.inputs);
                        told.lock().unwrap().push(one);
                    }
                };
                worker.spawn_scoped(scope, work).unwrap()
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if let Some((target, number)) = watch.hung() {
                    println!(
                        "{target}: input {number} takes too long: --target {target} --from {number} --inputs 1 --show"
                    );
                    std::process::exit(1);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        workers.into_iter().for_each(|w| w.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let found: usize = told.into_inner().unwrap().iter().map(|t| t.findings.len()).sum();
    if found > 0 {
        std::process::exit(1);
    }
}

fn args() -> Args {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut args = Args { inputs: FEW, from: 0, seed: 1, target: None, jobs: cores, show: false };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut number = || given.next().and_then(|n| n.parse().ok()).expect("a number behind the flag");
        match flag.as_str() {
            "--inputs" => args.inputs = number(),
            "--from" => args.from = number(),
            "--seed" => args.seed = number(),
            "--jobs" => args.jobs = number() as usize,
            "--show" => args.show = true,
            "--target" => args.target = given.next(),
            // What the test runner of cargo is given is not for this one.
            _ => {}
        }
    }
    args
}

/// Tries the inputs of one target.
fn tried(target: &Target, args: &Args, thread: usize, watch: &Watch) -> Told {
    assert!(!target.seeds.is_empty(), "{} has nothing to begin with", target.name);
    let begun = Instant::now();
    let mut findings = Vec::new();
    for number in args.from..args.from + args.inputs {
        let input = input(target, args.seed, number);
        watch.set(thread, Some((target.name, number)));
        if args.show {
            println!("{}: input {number}: {}", target.name, input.escape_ascii());
        }
        let (ran, memory) = guard::memory(|| catch_unwind(AssertUnwindSafe(|| (target.run)(&input))));
        let what = match ran {
            Err(_) => format!("panicked: {}", seatrial::eval::evaluate::last_panic()),
            Ok(()) if memory > MEMORY.0 + MEMORY.1 * input.len() => format!("took {} MB", memory >> 20),
            Ok(()) => continue,
        };
        println!("{}: input {number} of {} bytes {what}", target.name, input.len());
        println!("  {}", input.escape_ascii().to_string().chars().take(2000).collect::<String>());
        findings.push(what);
        if findings.len() == MOST {
            break;
        }
    }
    watch.set(thread, None);
    Told { name: target.name, seeds: target.seeds.len(), seconds: begun.elapsed().as_secs_f64(), findings }
}

/// The input of a number: half of them well-formed.
fn input(target: &Target, seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::of(seed, target.name, number);
    if random.below(2) == 0 {
        let seed = random.of_all(&target.seeds).clone();
        if let Some(input) = tree::changed(&mut random, &seed, target.syntax) {
            return input;
        }
    }
    mutate::mutated(&mut random, &target.seeds)
}

fn print_row(told: &Told, inputs: u64) {
    let Told { name, seeds, seconds, findings } = told;
    let rate = inputs as f64 / seconds.max(1e-9);
    println!("{name:<20} {seeds:>4} seeds {inputs:>9} inputs {rate:>9.0}/s  {} found", findings.len());
}
