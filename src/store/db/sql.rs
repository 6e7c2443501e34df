//! Statements: text of our own, and values that are bound and never part of it.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Row};

use super::Dialect;

/// A value, with its type also where there is none: PostgreSQL wants to know.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
    Real(Option<f64>),
    Bytes(Option<Vec<u8>>),
}

impl Arg {
    /// The value as it can be stored: PostgreSQL takes no text with a NUL in it, and one in what an agent said must not keep
    /// all the rest from being stored. The same in both databases, and for what is looked for.
    fn clean(self) -> Self {
        match self {
            Self::Text(Some(text)) if text.contains('\0') => Self::Text(Some(text.replace('\0', "\u{fffd}"))),
            other => other,
        }
    }
}

macro_rules! from {
    ($($type:ty => $make:expr),* $(,)?) => {
        $(impl From<$type> for Arg {
            fn from(value: $type) -> Self {
                let make: fn($type) -> Arg = $make;
                make(value)
            }
        })*
    };
}

from! {
    &str => |v| Arg::Text(Some(v.to_owned())),
    &String => |v| Arg::Text(Some(v.clone())),
    String => |v| Arg::Text(Some(v)),
    Option<String> => Arg::Text,
    Option<&str> => |v| Arg::Text(v.map(str::to_owned)),
    Option<&String> => |v| Arg::Text(v.cloned()),
    i64 => |v| Arg::Int(Some(v)),
    Option<i64> => Arg::Int,
    u32 => |v| Arg::Int(Some(i64::from(v))),
    Option<u32> => |v| Arg::Int(v.map(i64::from)),
    bool => |v| Arg::Int(Some(i64::from(v))),
    f64 => |v| Arg::Real(Some(v)),
    Option<f64> => Arg::Real,
    Vec<u8> => |v| Arg::Bytes(Some(v)),
    Option<Vec<u8>> => Arg::Bytes,
}

/// The most values of one statement: SQLite takes 32,766, PostgreSQL 65,535.
const MOST_ARGS: usize = 32_000;

/// A statement and its values.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    text: String,
    args: Vec<Arg>,
    /// Whether it is worth preparing: one of many rows is not seen again.
    persistent: bool,
    /// Whether values have no number: SQLite looks each number up among all of a statement, one after another, so that ten
    /// times the rows would take it a hundred times as long.
    unnumbered: bool,
}

impl Sql {
    pub fn new(text: &str) -> Self {
        Self::of(text, [])
    }

    /// More text.
    pub fn add(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A value, where the text stands now.
    pub fn arg(&mut self, arg: impl Into<Arg>) -> &mut Self {
        self.args.push(arg.into().clean());
        if self.unnumbered {
            self.text.push('?');
        } else {
            self.text.push('$');
            self.text.push_str(&self.args.len().to_string());
        }
        self
    }

    /// Values in brackets, with commas between them.
    pub fn list<A: Into<Arg>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.text.push('(');
        let mut any = false;
        for arg in args {
            if std::mem::replace(&mut any, true) {
                self.text.push_str(", ");
            }
            self.arg(arg);
        }
        if !any {
            // An empty list is no SQL: nothing is in it.
            self.text.push_str("NULL");
        }
        self.text.push(')');
        self
    }

    /// Text and values in turn: each value follows its text.
    pub fn of(text: &str, args: impl IntoIterator<Item = Arg>) -> Self {
        let args = args.into_iter().map(Arg::clean).collect();
        Self { text: text.to_owned(), args, persistent: true, unnumbered: false }
    }

    /// Statements that insert all rows, as few as there can be. `into` names the table and its columns.
    pub fn inserts(dialect: Dialect, into: &str, rows: impl IntoIterator<Item = Vec<Arg>>, tail: &str) -> Vec<Self> {
        let unnumbered = dialect == Dialect::Sqlite;
        let begin = || Self { persistent: false, unnumbered, ..Self::new(&format!("INSERT INTO {into} VALUES ")) };
        let mut made = Vec::new();
        let mut current = begin();
        for row in rows {
            if current.args.len() + row.len() > MOST_ARGS {
                made.push(std::mem::replace(&mut current, begin()));
            }
            if !current.args.is_empty() {
                current.add(", ");
            }
            current.list(row);
        }
        if !current.args.is_empty() {
            made.push(current);
        }
        made.iter_mut().for_each(|sql| {
            sql.add(tail);
        });
        made
    }

    pub fn query(&self) -> sqlx::query::Query<'_, Any, AnyArguments<'_>> {
        let mut query = sqlx::query(&self.text).persistent(self.persistent);
        for arg in &self.args {
            query = match arg {
                Arg::Text(text) => query.bind(text.as_deref()),
                Arg::Int(n) => query.bind(*n),
                Arg::Real(x) => query.bind(*x),
                Arg::Bytes(bytes) => query.bind(bytes.as_deref()),
            };
        }
        query
    }
}

/// Something in the database that this version does not know what to do with.
pub(super) fn strange(what: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Decode(what.into().into())
}

/// A column that holds one of a few names.
pub(super) fn named<T>(row: &AnyRow, column: &str, of: impl Fn(&str) -> Option<T>) -> Result<T, sqlx::Error> {
    let name: String = row.try_get(column)?;
    of(&name).ok_or_else(|| strange(format!("`{column}` is `{name}`")))
}

/// A column that holds JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|e| strange(format!("`{column}`: {e}")))
}

/// A column that holds JSON, or nothing.
pub(super) fn json_or_none<T: serde::de::DeserializeOwned>(
    row: &AnyRow,
    column: &str,
) -> Result<Option<T>, sqlx::Error> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|e| strange(format!("`{column}`: {e}")))).transpose()
}

/// A column that holds a number that cannot be negative.
pub(super) fn count(row: &AnyRow, column: &str) -> Result<u64, sqlx::Error> {
    let n: i64 = row.try_get(column)?;
    u64::try_from(n).map_err(|_| strange(format!("`{column}` is {n}")))
}

/// The same for a small one.
pub(super) fn small(row: &AnyRow, column: &str) -> Result<u32, sqlx::Error> {
    let n: i64 = row.try_get(column)?;
    u32::try_from(n).map_err(|_| strange(format!("`{column}` is {n}")))
}

/// A value as JSON. What is ours has keys that are text, and no number that JSON does not know; should it have, nothing is
/// written rather than something else.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bound_and_numbered() {
        let mut sql = Sql::new("SELECT 1 WHERE a = ");
        sql.arg("x' OR 1=1 --").add(" AND b IN ").list(["p", "q"]).add(" AND c IN ").list(Vec::<String>::new());
        assert_eq!(sql.text, "SELECT 1 WHERE a = $1 AND b IN ($2, $3) AND c IN (NULL)");
        assert_eq!(sql.args.len(), 3);
    }

    #[test]
    fn many_rows_become_few_statements_and_none_becomes_none() {
        let row = |n: i64| vec![Arg::from(n), Arg::from("x")];
        let made = Sql::inserts(Dialect::Postgres, "t (a, b)", (0..3).map(row), " ON CONFLICT DO NOTHING");
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].text, "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT DO NOTHING");
        let made = Sql::inserts(Dialect::Sqlite, "t (a, b)", (0..40_000).map(row), "");
        assert!(made[0].text.starts_with("INSERT INTO t (a, b) VALUES (?, ?), (?, ?), "));
        assert_eq!(made.iter().map(|sql| sql.args.len()).collect::<Vec<_>>(), [32_000, 32_000, 16_000]);
        assert!(Sql::inserts(Dialect::Sqlite, "t (a, b)", std::iter::empty(), "").is_empty());
    }
}
