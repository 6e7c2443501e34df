//! Which items are meant: the flags that choose among them.

use std::path::PathBuf;

use crate::cli::context::{Context, Failure};
use crate::ledger::ItemStatus;
use crate::store::db::ItemFilter;
use crate::suite::nearest::nearest;

/// Flags that choose items.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Only those of this suite.
    #[arg(long, value_name = "NAME", help_heading = "Which items")]
    suite: Option<String>,
    /// Only those of this check.
    #[arg(long, value_name = "ID", help_heading = "Which items")]
    check: Option<String>,
    /// Only those of this case.
    #[arg(long, value_name = "ID", help_heading = "Which items")]
    case: Option<String>,
    /// Only those with this tag.
    #[arg(long, value_name = "TAG", help_heading = "Which items")]
    tag: Option<String>,
    /// Only those that this run sent: its folder or its id.
    #[arg(long, value_name = "RUN", help_heading = "Which items")]
    run: Option<PathBuf>,
    /// Only those that should have been decided by now.
    #[arg(long, help_heading = "Which items")]
    overdue: bool,
}

/// The statuses of items that somebody can do something about.
pub const OPEN: [ItemStatus; 4] =
    [ItemStatus::Pending, ItemStatus::Leased, ItemStatus::NeedsMore, ItemStatus::Disputed];

impl Args {
    /// The filter, of items of any status.
    pub fn filter(&self, context: &Context) -> ItemFilter {
        ItemFilter {
            suite: self.suite.clone(),
            check: self.check.clone(),
            case: self.case.clone(),
            tag: self.tag.clone(),
            run: self.run.as_ref().map(|run| id_of_run(run, context)),
            overdue: self.overdue,
            ..ItemFilter::default()
        }
    }

    /// Whether any is left out.
    pub fn is_partial(&self) -> bool {
        let Self { suite, check, case, tag, run, overdue } = self;
        *overdue || run.is_some() || [suite, check, case, tag].iter().any(|flag| flag.is_some())
    }
}

/// The id of a run: the name of its folder, where it is one.
fn id_of_run(run: &std::path::Path, context: &Context) -> String {
    let path = context.cwd.join(run);
    let folder = if path.is_file() { path.parent().map(PathBuf::from) } else { Some(path) };
    let real = folder.and_then(|folder| folder.canonicalize().ok());
    let name = real.and_then(|real| real.file_name().map(|name| name.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| run.to_string_lossy().into_owned())
}

/// Statuses as they are written: `all`, `open`, or names with commas between them.
pub fn statuses(text: &str) -> Result<Vec<ItemStatus>, Failure> {
    if text == "all" {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in text.split(',').map(str::trim) {
        match ItemStatus::named(name) {
            _ if name == "open" => found.extend(OPEN),
            Some(status) => found.push(status),
            None => {
                let names = || ItemStatus::ALL.iter().map(|s| s.name()).chain(["open", "all"]);
                let help = match nearest(name, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => names().collect::<Vec<_>>().join(", "),
                };
                let name = crate::report::safe::line(name);
                return Err(Failure::usage(format_args!("no status is called `{name}`\nhelp: {help}")));
            }
        }
    }
    Ok(found)
}
