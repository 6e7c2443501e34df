//! Whether intervals cover as often as they say, and how often a gate promotes what it must not: by simulation, many
//! times over, with a fixed seed.
//!
//! `cargo bench --bench simulation` prints the tables; `-- --write` puts them into src/stats/statistics.md.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

mod checks;
mod coverage;
mod draws;
mod means;
mod promotions;
mod rows;

use rows::{DRAWS, counted, table};

fn main() {
    let (coverage, means) = (coverage::all(), means::all());
    let (promotions, alarms) = (promotions::all(), checks::all());
    let (all, kept) = counted(&[&coverage, &means, &promotions, &alarms]);
    let text = format!(
        "{DRAWS} draws a row; {kept} of {all} rows keep what they promise.\n\n\
         Intervals at 95%:\n\n{}\n\
         Means, of which no method is right for everything: intervals at 95% that miss without saying that they may, and \
         gates at the level 5% that pass what is worse by just the margin (in doubt, they are inconclusive):\n\n{}\n\
         Gates at the level 5%, of something that is just not good enough:\n\n{}\n\
         Checks against an earlier run, and of a budget, by the checks themselves:\n\n{}",
        table(&coverage, "covered"),
        table(&means, "wrong without a word"),
        table(&promotions, "promoted"),
        table(&alarms, "wrong"),
    );
    println!("{text}");
    if std::env::args().any(|a| a == "--write") {
        write(&text);
    }
}

/// Puts the tables between the marks of the page.
fn write(text: &str) {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stats/statistics.md");
    let page = std::fs::read_to_string(PAGE).expect("src/stats/statistics.md is there");
    let (before, rest) = page.split_once("<!-- simulation -->\n").expect("it has a mark");
    let (_, after) = rest.split_once("<!-- end of simulation -->").expect("and another");
    let page = format!("{before}<!-- simulation -->\n{text}\n<!-- end of simulation -->{after}");
    std::fs::write(PAGE, page).expect("src/stats/statistics.md can be written");
}
