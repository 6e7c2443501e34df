//! The queue: what waits, for whom, and why there is nothing to do when there is not.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use axum::response::{IntoResponse, Redirect};
use serde::{Deserialize, Serialize};

use super::effect::{self, Reviewer};
use super::frame::Frame;
use super::problem::Problem;
use super::view::{severity_name, when};
use super::who::{Form, Visitor};
use super::{App, pages};
use crate::ledger::{Item, ItemStatus, Millis};
use crate::net::percent;
use crate::store::db::{Claimed, Counts, ItemFilter, Page as Slice, Role};

/// Items of one page.
const PAGE: u32 = 50;

/// Which items are looked at; as addresses have it, and empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Wanted {
    /// By suite.
    pub suite: String,
    /// By check.
    pub check: String,
    /// By run.
    pub run: String,
    /// By tag.
    pub tag: String,
    /// By status.
    pub status: String,
    /// By who labelled them.
    pub reviewer: String,
}

impl Wanted {
    /// What the store is asked for.
    ///
    /// # Errors
    /// A status that there is not.
    pub fn filter(&self) -> Result<ItemFilter, Problem> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        let status = match self.status.as_str() {
            "" => Vec::new(),
            "open" => vec![ItemStatus::Pending, ItemStatus::NeedsMore, ItemStatus::Leased],
            name => vec![ItemStatus::named(name).ok_or_else(|| Problem::unknown("status of that name"))?],
        };
        Ok(ItemFilter {
            suite: some(&self.suite),
            check: some(&self.check),
            run: some(&self.run),
            tag: some(&self.tag),
            status,
            reviewer: some(&self.reviewer),
            ..ItemFilter::default()
        })
    }

    /// What may be taken from: whatever its status.
    fn claimed(&self) -> Result<ItemFilter, Problem> {
        Self { status: String::new(), reviewer: String::new(), ..self.clone() }.filter()
    }

    /// The filter of a form.
    pub fn of(form: &Form) -> Self {
        let get = |name: &str| form.get(name).to_owned();
        Self {
            suite: get("suite"),
            check: get("check"),
            run: get("run"),
            tag: get("tag"),
            status: get("status"),
            reviewer: String::new(),
        }
    }

    /// As a part of an address, without `?`.
    pub fn address(&self) -> String {
        let parts = [
            ("suite", &self.suite),
            ("check", &self.check),
            ("run", &self.run),
            ("tag", &self.tag),
            ("status", &self.status),
            ("reviewer", &self.reviewer),
        ];
        let said = parts.iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("{name}={}", percent::encode(value.as_bytes(), b"")))
            .collect::<Vec<_>>()
            .join("&")
    }

    /// Whether it leaves anything out.
    fn is_filter(&self) -> bool {
        *self != Self::default()
    }
}

/// What else the address of the queue says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Also {
    /// The page, from 0.
    page: u32,
    /// Nothing could be taken.
    nothing: Option<String>,
    /// What was done before.
    said: Option<String>,
}

/// An item in the list.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    check: String,
    suite: String,
    case: String,
    trial: Option<String>,
    severity: String,
    tags: Vec<String>,
    status: &'static str,
    /// Whether it is decided.
    decided: bool,
    /// What was decided, where they may know it.
    decision: Option<&'static str>,
    open: u32,
    reviewers: u32,
    waits: String,
    overdue: bool,
    due: Option<String>,
    holds: bool,
}

/// A status with how many items have it.
#[derive(Debug, Serialize)]
struct Tab {
    name: &'static str,
    words: &'static str,
    n: u64,
    here: bool,
    address: String,
}

/// Why nothing can be taken, or that something can.
#[derive(Debug, PartialEq, Serialize)]
struct Rest {
    /// Items that somebody could still answer.
    open: u64,
    /// All items that match the filter.
    total: u64,
    /// All items.
    all: u64,
    /// Those with somebody, and until when.
    leased: Vec<(String, String)>,
    /// Those that an adjudicator is to decide.
    stuck: u64,
}

#[derive(Debug, Serialize)]
struct Queue {
    wanted: Wanted,
    filtered: bool,
    address: String,
    rows: Vec<Row>,
    tabs: Vec<Tab>,
    rest: Rest,
    nothing: bool,
    page: u32,
    more: bool,
    first: u32,
    reviewers: Vec<Reviewer>,
    everybody: bool,
    adjudicates: bool,
    suites: Vec<String>,
}

/// `GET /`
pub(super) async fn queue(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    Query(also): Query<Also>,
) -> Result<Response<Body>, Problem> {
    let now = (app.clock)();
    let filter = wanted.filter()?;
    let any = Wanted { status: String::new(), ..wanted.clone() };
    let counts = app.store.counts(&any.filter()?, now).await?;
    let all = app.store.counts(&ItemFilter::default(), now).await?;
    let slice = Slice { offset: also.page.saturating_mul(PAGE), limit: PAGE + 1 };
    let items = app.store.items(&filter, slice, now).await?;
    let more = items.len() > PAGE as usize;
    let everybody = visitor.role >= Role::Adjudicator;
    let (known, labels) = app.book(&wanted).await?;
    let mut rows: Vec<Row> = items.iter().take(PAGE as usize).map(|item| row(item, now)).collect();
    // What others decided is told on the page of the item, which writes it down: an item may be open again later, and
    // whoever passed by here is to answer it blind.
    let answered: BTreeSet<&str> =
        labels.iter().filter(|l| l.reviewer == visitor.name).map(|l| l.item.as_str()).collect();
    rows.iter_mut().filter(|row| !answered.contains(row.id.as_str())).for_each(|row| row.decision = None);
    let mut reviewers = effect::reviewers(&known, &labels);
    // How somebody agrees with others is for them and for those who decide: it makes nobody chase the others.
    reviewers.retain(|r| everybody || r.name == visitor.name);
    let page = Queue {
        filtered: wanted.is_filter(),
        address: wanted.address(),
        tabs: tabs(&wanted, &counts),
        rest: rest(&counts, &all),
        nothing: also.nothing.is_some(),
        page: also.page,
        first: also.page.saturating_mul(PAGE).saturating_add(1),
        more,
        rows,
        reviewers,
        everybody,
        adjudicates: everybody,
        suites: app.store.suites().await?,
        wanted,
    };
    let frame = Frame::of(&visitor, "queue", "Review queue").said(also.said.as_deref());
    Ok(pages::draw(StatusCode::OK, "queue.html", &frame, &page))
}

/// `POST /next`: takes the next item, or says why there is none.
pub(super) async fn next(State(app): State<Arc<App>>, form: Form) -> Result<Response<Body>, Problem> {
    let wanted = Wanted::of(&form);
    let claimed = app.store.claim(&form.visitor.name, &wanted.claimed()?, (app.clock)(), app.lease).await?;
    let query = wanted.address();
    let to = match claimed {
        Claimed::Item(item, lease) => format!("/item/{}?fence={}&{query}", item.id, lease.fence),
        Claimed::Nothing(_) => format!("/?nothing=1&{query}"),
    };
    Ok(Redirect::to(to.trim_end_matches('&')).into_response())
}

fn row(item: &Item, now: Millis) -> Row {
    let open = item.open > 0 && item.decision.is_none();
    Row {
        id: item.id.to_string(),
        check: item.key.check.clone(),
        suite: item.key.suite.clone(),
        case: item.case.clone(),
        trial: item.trial.clone(),
        severity: severity_name(item.severity),
        tags: item.tags.clone(),
        status: item.status.name(),
        decided: item.decision.is_some(),
        decision: item.decision.map(|d| d.name()),
        open: item.open,
        reviewers: item.reviewers,
        waits: span(now - item.created),
        overdue: open && item.due.is_some_and(|due| due < now),
        due: item.due.map(when),
        holds: item.routed.holds,
    }
}

/// A length of time in its largest unit.
pub fn span(ms: Millis) -> String {
    let minutes = ms.max(0) / 60_000;
    match minutes {
        0 => "less than a minute".to_owned(),
        1..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

/// What each status is called in the list of them.
const TABS: [(ItemStatus, &str); 8] = [
    (ItemStatus::Pending, "waiting"),
    (ItemStatus::Leased, "taken"),
    (ItemStatus::NeedsMore, "needs another"),
    (ItemStatus::Disputed, "disputed"),
    (ItemStatus::Resolved, "decided"),
    (ItemStatus::Skipped, "skipped"),
    (ItemStatus::Expired, "expired"),
    (ItemStatus::Cancelled, "cancelled"),
];

fn tabs(wanted: &Wanted, counts: &Counts) -> Vec<Tab> {
    let to = |status: &str| Wanted { status: status.to_owned(), ..wanted.clone() }.address();
    let total = counts.total();
    let all = Tab { name: "", words: "all", n: total, here: wanted.status.is_empty(), address: to("") };
    let shown = TABS.iter().filter(|(status, _)| counts.of(*status) > 0 || wanted.status == status.name());
    let tab = |(status, words): &(ItemStatus, &'static str)| Tab {
        name: status.name(),
        words,
        n: counts.of(*status),
        here: wanted.status == status.name(),
        address: to(status.name()),
    };
    std::iter::once(all).chain(shown.map(tab)).collect()
}

fn rest(counts: &Counts, all: &Counts) -> Rest {
    let open = [ItemStatus::Pending, ItemStatus::NeedsMore].iter().map(|s| counts.of(*s)).sum();
    Rest {
        open,
        total: counts.total(),
        all: all.total(),
        leased: counts.leased.iter().map(|(who, until)| (who.clone(), when(*until))).collect(),
        stuck: [ItemStatus::Disputed, ItemStatus::Skipped, ItemStatus::Expired].iter().map(|s| counts.of(*s)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_the_filter_and_nothing_that_is_empty() {
        let wanted = Wanted { suite: "a b&c".into(), status: "pending".into(), ..Wanted::default() };
        assert_eq!(wanted.address(), "suite=a%20b%26c&status=pending");
        assert_eq!(Wanted::default().address(), "");
        assert!(wanted.is_filter() && !Wanted::default().is_filter());
        assert!(Wanted { status: "held".into(), ..Wanted::default() }.filter().is_err());
    }

    #[test]
    fn waiting_is_told_in_one_unit() {
        let told = [0, 59_000, 61_000, 3_600_000, 47 * 3_600_000, 72 * 3_600_000, -5].map(span);
        assert_eq!(
            told,
            ["less than a minute", "less than a minute", "1 min", "1 h", "47 h", "3 days", "less than a minute"]
        );
    }
}
