//! Items with their labels out of the ledger, a page at a time, so that however many there are they take little memory.

use serde_json::Value;

use crate::ledger::line::{ItemLine, Shown};
use crate::ledger::{Item, ItemId, Label, Millis};
use crate::store::db::{ItemFilter, Page, REVEALED, Seen, Store, StoreError};

/// Items of one page.
const PAGE: u32 = 200;

/// An item on its way out.
pub struct Exported {
    /// Its line.
    pub line: ItemLine,
    /// The rows that the line holds.
    pub labels: Vec<Label>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum Ended<E> {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever takes the items.
    #[error("{0}")]
    Taker(E),
}

/// What of items goes out, and to whom.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'h> {
    /// Who takes it, and is written down as having seen what checks and people say, and the sessions; `None` where nobody is
    /// told of single items.
    pub who: Option<&'h str>,
    /// With what people are asked and shown, the session included.
    pub content: bool,
    /// Whether lines are to be without what checks and people say.
    pub blind: bool,
}

/// Hands every item that the filter lets through to `take`.
///
/// # Errors
/// The store cannot be read, or `take` says no.
pub async fn each<E>(
    store: &Store,
    filter: &ItemFilter,
    how: How<'_>,
    now: Millis,
    take: &mut (dyn FnMut(Exported) -> Result<(), E> + Send),
) -> Result<u64, Ended<E>> {
    let mut done = 0;
    // By name, not by urgency: while it is written, items may become more urgent, and none may be missed for it.
    let mut ids = all_ids(store, filter, now).await?;
    ids.sort();
    for some in ids.chunks(PAGE as usize) {
        let only = ItemFilter { ids: some.to_vec(), ..ItemFilter::default() };
        let mut items = store.items(&only, Page::ALL, now).await?;
        items.sort_by(|a, b| a.id.cmp(&b.id));
        let labels = store.labels(some).await?;
        // Written down before it is handed out.
        if let Some(who) = how.who {
            let reads = |item: &&Item| how.content && item.content.is_some();
            let read = items.iter().filter(reads).map(|item| Seen::at_terminal(item, who, "export", now));
            let told = items.iter().filter(|_| !how.blind).map(|item| Seen::at_terminal(item, who, REVEALED, now));
            store.seen_all(&read.chain(told).collect::<Vec<_>>()).await?;
        }
        for item in &items {
            let own: Vec<Label> = labels.iter().filter(|label| label.item == item.id).cloned().collect();
            let mut line = ItemLine::of(item, &own);
            if how.content {
                line.shown = Some(read(store, item).await?);
            }
            take(Exported { line, labels: own }).map_err(Ended::Taker)?;
            done += 1;
        }
    }
    Ok(done)
}

async fn all_ids(store: &Store, filter: &ItemFilter, now: Millis) -> Result<Vec<ItemId>, StoreError> {
    const MANY: u32 = 5000;
    let mut ids = Vec::new();
    loop {
        let page = Page { offset: u32::try_from(ids.len()).unwrap_or(u32::MAX), limit: MANY };
        let items = store.items(filter, page, now).await?;
        let last = items.len() < MANY as usize;
        ids.extend(items.into_iter().map(|item| item.id));
        if last {
            return Ok(ids);
        }
    }
}

/// What people are asked and shown of an item.
async fn read(store: &Store, item: &Item) -> Result<Shown, StoreError> {
    let session = match &item.content {
        // Where it goes from here nobody knows: what is under quarantine stays.
        Some(_) if store.quarantined(&item.key.session).await? => None,
        Some(digest) => store.content(digest).await?,
        None => None,
    };
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
    Ok(Shown {
        question: item.question.clone(),
        rubric: item.rubric.clone(),
        against: item.against.as_deref().and_then(|text| json(text.as_bytes())),
        session: session.as_deref().and_then(json),
    })
}
