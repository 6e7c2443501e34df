//! What people said of judges: from the store or from exports, for `calibrate`, and for the gates of runs that are corrected by it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use crate::calibrate::labelled::{self, Answered};
use crate::calibrate::{LabelledVerdict, sample};
use crate::eval::baseline::Found;
use crate::eval::calibration::{Calibration, NAME};
use crate::eval::event::BaselineEvent;
use crate::eval::plan::Planned;
use crate::ledger::line::ItemLine;
use crate::ledger::{ItemId, Label};
use crate::redact::Redacted;
use crate::report::safe;
use crate::stats::confusion::Confusion;
use crate::store::db::{ItemFilter, Page, StoreUrl};

/// Most problems that are told of files.
const MOST: usize = 20;

/// More than one in so many drawn verdicts that nobody decided makes the others no sample.
const MOST_UNDECIDED: usize = 10;

/// The labels of some exports. Of an item that several of them have, the last one tells: it knows more.
///
/// # Errors
///
/// Everything that is wrong with any of them.
pub fn of_files(files: &[PathBuf], context: &Context) -> Result<Vec<LabelledVerdict>, String> {
    let mut all: BTreeMap<String, LabelledVerdict> = BTreeMap::new();
    let mut problems: Vec<String> = Vec::new();
    for file in files {
        let name = safe::line(&file.to_string_lossy()).into_owned();
        match read(&context.cwd.join(file)) {
            Ok(verdicts) => all.extend(verdicts.into_iter().map(|v| (v.item.clone(), v))),
            Err(found) => problems.extend(found.into_iter().map(|why| format!("{name}: {why}"))),
        }
    }
    if problems.is_empty() {
        return Ok(all.into_values().collect());
    }
    let more = problems.len().saturating_sub(MOST);
    problems.truncate(MOST);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Err(problems.join("\n"))
}

fn read(path: &Path) -> Result<Vec<LabelledVerdict>, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|why| vec![format!("it cannot be read: {why}")])?;
    labelled::read(&text)
}

/// The labels that a suite's gate is corrected by; `None` where it is not corrected.
pub fn event(index: usize, planned: &Planned<'_>, context: &Context) -> Option<Redacted<BaselineEvent>> {
    let at = planned.plan.corrects()?;
    let check = planned.plan.checks.get(at as usize)?;
    let labels = match &planned.plan.gate.labels {
        Some(labels) => of_files(std::slice::from_ref(&labels.path), context).map_err(|_| {
            // The reasons name the place, which may hold what the environment gave.
            let file = safe::line(&labels.file).into_owned();
            format!("`{file}` is not there, or is no export; `seatrial calibrate` with it says what is wrong")
        }),
        None => of_store(&planned.plan.name, context).map_err(|failure| {
            let told = failure.message.trim_start_matches("seatrial: ").trim_end();
            told.lines().next().unwrap_or_default().to_owned()
        }),
    };
    let found = match labels {
        Err(why) => Found::Missing(why),
        Ok(labels) => {
            let ours: Vec<&LabelledVerdict> = labels
                .iter()
                .filter(|v| v.suite == planned.plan.name && v.check == check.id && v.check_digest == check.digest)
                .collect();
            match sample::representative(&ours) {
                Err(why) => Found::Refused(why.to_string()),
                // Those that nobody has decided may be the hard ones, and who had seen what the judge says is no judge of it.
                Ok(sample) if undecided(&sample) * MOST_UNDECIDED > sample.verdicts.len() => Found::Refused(format!(
                    "{} of the {} drawn verdicts are not decided, or not blind, more than one in {MOST_UNDECIDED}",
                    undecided(&sample),
                    sample.verdicts.len()
                )),
                Ok(sample) => Found::Labels(Calibration {
                    check: check.id.clone(),
                    digest: check.digest,
                    labels: counted(&sample),
                    undecided: undecided(&sample) as u64,
                    rate: sample.rate,
                }),
            }
        }
    };
    let event = BaselineEvent { suite: index as u32, name: NAME.to_owned(), found };
    Some(planned.suite.redactor.pass(&event).map(Cow::into_owned))
}

fn undecided(sample: &sample::Sample<'_>) -> usize {
    sample.open() + sample.given_up() + sample.not_blind()
}

fn counted(sample: &sample::Sample<'_>) -> Confusion {
    let decided = sample.verdicts.iter().filter_map(|v| match v.answered {
        Answered::Said(people) => Some((v.says, people)),
        Answered::Told | Answered::Unknown | Answered::Open | Answered::GivenUp => None,
    });
    decided.collect()
}

/// The labels of a suite in the store.
///
/// # Errors
///
/// Why they cannot be read: there is no store, or it is not to be had.
pub fn of_store(suite: &str, context: &Context) -> Result<Vec<LabelledVerdict>, Failure> {
    let none = |why: &str| Failure::usage(format!("{why}\nhelp: name an export of labels (`seatrial review export`)"));
    // To look for labels makes no store.
    match context.store_url()? {
        None => return Err(none("there is no store to read labels from: `store` is `off`")),
        Some(StoreUrl::File(path)) if !path.exists() => return Err(none("there is no store to read labels from yet")),
        Some(_) => {}
    }
    let store = context.needed_store()?;
    let now = jiff::Timestamp::now().as_millisecond();
    let filter = ItemFilter { suite: Some(suite.to_owned()), ..ItemFilter::default() };
    let items = store.wait(store.store().items(&filter, Page::ALL, now))?;
    let ids: Vec<ItemId> = items.iter().map(|item| item.id.clone()).collect();
    let rows = store.wait(store.store().labels(&ids))?;
    let mut of_item: BTreeMap<ItemId, Vec<Label>> = BTreeMap::new();
    rows.into_iter().for_each(|row| of_item.entry(row.item.clone()).or_default().push(row));
    let lines = items.iter().map(|item| ItemLine::of(item, of_item.get(&item.id).map_or(&[], Vec::as_slice)));
    let read = lines.map(|line| LabelledVerdict::of(&line).map_err(|why| format!("item {}: {why}", line.item)));
    read.collect::<Result<_, _>>().map_err(Failure::usage)
}
