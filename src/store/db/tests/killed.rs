//! Processes that write are killed in the middle of it, again and again: what they were told is written is there. And
//! processes that claim at once, as tasks do in `crowd`.
//!
//! The processes are this test binary, with one of the ignored tests below. `SEATRIAL_ROUNDS` and `SEATRIAL_CROWD` make
//! it longer and larger, `SEATRIAL_FIGURES` prints what was counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use secrecy::ExposeSecret;
use sqlx::Row;

use crate::ledger::{Answer, ItemId, ItemStatus};
use crate::model::digest::Digest;
use crate::redact::Redacted;
use crate::store::db::sql::Sql;
use crate::store::db::testing::{items, on_both, said};
use crate::store::db::{Claimed, ItemFilter, Page, Store, StoreUrl};

const STORE: &str = "SEATRIAL_TEST_STORE";
const NAME: &str = "SEATRIAL_TEST_NAME";

/// A number that the environment may raise.
fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// Prints what was counted, where somebody wants to know.
pub fn figures(text: &str) {
    if std::env::var_os("SEATRIAL_FIGURES").is_some() {
        let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
    }
}

fn process(at: &StoreUrl, role: &str, name: &str) -> Child {
    let address = match at {
        StoreUrl::File(path) => path.display().to_string(),
        StoreUrl::Postgres(address) => address.expose_secret().to_owned(),
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("store::db::tests::killed::{role}"), "--ignored", "--nocapture"]);
    command.env(STORE, address).env(NAME, name).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The store and the name that a process was given.
async fn given() -> (Store, String) {
    let address = std::env::var(STORE).expect("run by another test");
    let at =
        if address.starts_with("postgres:") { StoreUrl::postgres(&address) } else { StoreUrl::File(address.into()) };
    (Store::open(&at).await.unwrap(), std::env::var(NAME).unwrap())
}

fn tell(line: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test]
#[ignore = "a process that is killed; run by: cargo test --lib killed::what_was_told"]
async fn writer() {
    let (store, name) = given().await;
    for n in 0.. {
        let sent = items(1, |_, new| new.asked.key.session = Digest::of(format!("{name}-{n}").as_bytes()));
        let id = sent.get()[0].key.id();
        store.enqueue(&sent, 1).await.unwrap();
        let (_, lease) = store.claim_item(&id, &name, 1, 1_000).await.unwrap().unwrap();
        let label = format!("{name}-{n}");
        store.submit(&lease, &said(&label, Answer::Fail), 2).await.unwrap().unwrap();
        tell(&format!("label {label} {id}"));
        if n % 8 == 7 {
            store.add_run(&Redacted::drawn(super::runs::run(&label, 40)), 3).await.unwrap();
            tell(&format!("run {label}"));
        }
    }
}

#[tokio::test]
#[ignore = "a process of many at once; run by: cargo test --lib killed::processes"]
async fn claimer() {
    let (store, name) = given().await;
    for n in 0.. {
        let claimed = store.claim(&name, &ItemFilter::default(), 1, 1_000_000).await.unwrap();
        let Claimed::Item(item, lease) = claimed else { break };
        tell(&format!("got {}", item.id));
        store.submit(&lease, &said(&format!("{name}-{n}"), Answer::Pass), 2).await.unwrap().unwrap();
    }
}

fn heard(child: &mut Child) -> impl Iterator<Item = Vec<String>> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.map(|line| line.split(' ').map(str::to_owned).collect())
}

on_both! {
    async fn what_was_told_is_there_after_the_writer_was_killed(on) {
        let (mut labels, mut runs) = (BTreeMap::new(), BTreeSet::new());
        let rounds = number("SEATRIAL_ROUNDS", 3);
        for round in 0..rounds {
            // Two at a time, in each other's way, and each killed wherever it happens to be.
            let mut both: Vec<Child> = (0..2).map(|n| process(&on.at, "writer", &format!("w{round}-{n}"))).collect();
            let hearing: Vec<_> = both.iter_mut().map(|child| {
                let heard = heard(child);
                let (id, least) = (child.id(), 9 + 5 * round % 17);
                std::thread::spawn(move || {
                    let mut told = Vec::new();
                    for words in heard {
                        if matches!(words[0].as_str(), "label" | "run") {
                            told.push(words);
                            if told.len() == least {
                                Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
                            }
                        }
                    }
                    told
                })
            }).collect();
            for told in hearing.into_iter().flat_map(|thread| thread.join().unwrap()) {
                match told[0].as_str() {
                    "label" => drop(labels.insert(told[1].clone(), ItemId(told[2].clone()))),
                    _ => drop(runs.insert(told[1].clone())),
                }
            }
            for child in &mut both {
                assert!(!child.wait().unwrap().success(), "it was killed");
            }
        }
        assert!(labels.len() >= 14 * rounds && runs.len() >= rounds, "{} {}", labels.len(), runs.len());
        let there = on.store.all(&Sql::new("SELECT id FROM labels"), |row| row.try_get::<String, _>("id")).await.unwrap();
        let there: BTreeSet<String> = there.into_iter().collect();
        let lost: Vec<_> = labels.keys().filter(|label| !there.contains(*label)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        let decided = ItemFilter { status: vec![ItemStatus::Resolved], ..ItemFilter::default() };
        let decided: BTreeSet<ItemId> =
            on.store.items(&decided, Page::ALL, 5).await.unwrap().into_iter().map(|item| item.id).collect();
        assert!(labels.values().all(|item| decided.contains(item)));
        for run in &runs {
            assert_eq!(on.store.whole_run(run).await.unwrap(), Some(super::super::runs::run(run, 40)), "{run}");
        }
        assert!(on.store.damage().await.unwrap().is_none());
        figures(&format!(
            "{:?}: {} writers killed, {} labels and {} verdicts acknowledged, {} lost",
            on.store.dialect(), 2 * rounds, labels.len(), runs.len() * 240, lost.len()
        ));
    }

    async fn processes_that_claim_at_once_never_get_the_same_item_beyond_its_overlap(on) {
        let (crowd, count) = (number("SEATRIAL_CROWD", 5), number("SEATRIAL_ITEMS", 40));
        on.store.enqueue(&items(count as u32, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        let since = Instant::now();
        let mut people: Vec<Child> = (0..crowd).map(|n| process(&on.at, "claimer", &format!("r{n}"))).collect();
        let hearing: Vec<_> = people.iter_mut().map(heard).map(|heard| {
            std::thread::spawn(move || heard.filter(|words| words[0] == "got").map(|words| words[1].clone()).collect::<Vec<_>>())
        }).collect();
        let mut given: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (person, thread) in hearing.into_iter().enumerate() {
            for item in thread.join().unwrap() {
                given.entry(item).or_default().push(person);
            }
        }
        for child in &mut people {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(given.len(), count);
        for (item, people) in given {
            assert!(people.len() == 2 && people[0] != people[1], "{item} was given to {people:?}");
        }
        let counts = on.store.counts(&ItemFilter::default(), 5).await.unwrap();
        assert_eq!(counts.of(ItemStatus::Resolved), count as u64);
        figures(&format!(
            "{:?}: {crowd} processes, {count} items twice each: {:.0} claims and answers a second",
            on.store.dialect(), 2.0 * count as f64 / since.elapsed().as_secs_f64()
        ));
    }
}
