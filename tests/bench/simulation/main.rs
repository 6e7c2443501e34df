//! Whether intervals cover as often as they say, and how often a gate promotes what it must not: by simulation, many
//! times over, with a fixed seed.
//!
//! Pass rates, reliability and checks go through the gate and the checks as suites have them. Comparisons with a baseline and
//! corrected rates, which are too many to fold, take the functions that the gate calls: that it decides as they say is tested
//! beside it, over grids (`as_the_simulation_counts`).
//!
//! `cargo bench --bench simulation` prints the tables, `-- checks` one of them (`-- alarms`: false alarms of the watch); `-- --write` puts all of them into
//! src/stats/statistics.md.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

mod checks;
mod coverage;
mod draws;
mod gates;
mod judges;
mod means;
mod promotions;
mod rows;
mod watch;

use rows::{DRAWS, Row, table};

/// A table: its name on the command line, what stands above it, what its share is called, and how its rows are made.
type Part = (&'static str, &'static str, &'static str, fn() -> Vec<Row>);

const PARTS: [Part; 6] = [
    ("coverage", "Intervals at 95%:", "covered", coverage::all),
    (
        "means",
        "Means, of which no method is right for everything: intervals at 95% that miss without saying that they may, and \
         gates at the level 5% that pass what is worse by just the margin (in doubt, they are inconclusive):",
        "wrong without a word",
        means::all,
    ),
    ("promotions", "Gates at the level 5%, of something that is just not good enough:", "promoted", promotions::all),
    ("checks", "Checks against an earlier run, and of a budget, by the checks themselves:", "wrong", checks::all),
    (
        "judges",
        "What judges decide: rates corrected for their errors, gates over these at the level 5%, and the confidence from \
         which on a judge is left alone (at most 5% wrong, except in 5%). Where an interval covers more than 96% it is \
         wider than it had to be, and safe:",
        "so often",
        judges::all,
    ),
    (
        "watch",
        "What a watch says of the sessions that there were, 4,000 in a window, from those that it looked at, at 95%. What is \
         kept fails more often than what is not:",
        "covered",
        watch::all,
    ),
];

fn main() {
    // What cargo adds are flags.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let mut text = String::new();
    let (mut all, mut kept) = (0, 0);
    for (name, title, what, rows) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            let rows = rows();
            all += rows.iter().filter(|r| r.promises()).count();
            kept += rows.iter().filter(|r| r.promises() && r.keeps()).count();
            text.push_str(&format!("{title}\n\n{}\n", table(&rows, what)));
        }
    }
    if wanted.is_empty() || wanted.iter().any(|w| w == "alarms") {
        text.push_str(&format!("How often alerts fire where nothing is wrong:\n\n{}\n", watch::alarms()));
    }
    let text = format!("{DRAWS} draws a row; {kept} of {all} rows keep what they promise.\n\n{text}");
    println!("{text}");
    if wanted.is_empty() && std::env::args().any(|a| a == "--write") {
        write(&text);
    }
}

/// Puts the tables between the marks of the page.
fn write(text: &str) {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stats/statistics.md");
    let page = std::fs::read_to_string(PAGE).expect("src/stats/statistics.md is there");
    let (before, rest) = page.split_once("<!-- simulation -->\n").expect("it has a mark");
    let (_, after) = rest.split_once("<!-- end of simulation -->").expect("and another");
    let page = format!("{before}<!-- simulation -->\n{text}<!-- end of simulation -->{after}");
    std::fs::write(PAGE, page).expect("src/stats/statistics.md can be written");
}
