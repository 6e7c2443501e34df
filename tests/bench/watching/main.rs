//! Production, watched: how much one process takes, what its memory does over a week, how soon it is ready again.
//!
//! `cargo bench --bench watching -- through [SESSIONS_A_MINUTE [MINUTES [PERCENT]]]`: agents export, at that pace (0: as fast
//! as they are answered), and so many of the sessions are judged by six deterministic checks.
//! `cargo bench --bench watching -- week [SESSIONS]`: a week on a driven clock.
//! `cargo bench --bench watching -- restart [SESSIONS]`: so many sessions are open when the process is killed.
//! `cargo bench --bench watching -- huge [MEGABYTES]`: one session of so many megabytes.
//! `cargo bench --bench watching -- distinct [VALUES]`: an attribute that has so many distinct values.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

mod agents;
mod flood;
mod restart;
mod through;
mod watcher;
mod week;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The numbers after the name of what is measured.
pub struct Numbers(std::vec::IntoIter<u64>);

impl Numbers {
    fn next(&mut self, usual: u64) -> u64 {
        self.0.next().unwrap_or(usual)
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let numbers: Vec<u64> = words.iter().skip(1).filter_map(|word| word.parse().ok()).collect();
    let mut numbers = Numbers(numbers.into_iter());
    match words.first().map(String::as_str) {
        Some("through") => through::measure(&mut numbers),
        Some("week") => week::measure(&mut numbers),
        Some("restart") => restart::measure(&mut numbers),
        Some("huge") => flood::huge(&mut numbers),
        Some("distinct") => flood::distinct(&mut numbers),
        None => {
            through::measure(&mut numbers);
            restart::measure(&mut numbers);
            week::measure(&mut numbers);
            flood::huge(&mut numbers);
            flood::distinct(&mut numbers);
        }
        Some(other) => panic!("`{other}` is none of through, week, restart, huge, distinct"),
    }
}
