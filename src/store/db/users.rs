//! Who may log in, who has, and who tried in vain.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql, count, named};
use super::{Store, StoreError};
use crate::ledger::{Millis, Refused};

/// What a person may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers.
    Reviewer,
    /// Decides where answers differ.
    Adjudicator,
    /// Says who may do what, and sees who looked at what.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Reviewer, Self::Adjudicator, Self::Admin];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Adjudicator => "adjudicator",
            Self::Admin => "admin",
        }
    }

    /// The role of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, which labels carry.
    pub name: String,
    /// The hash of the password, as a PHC string.
    pub hash: String,
    /// What the person may do.
    pub role: Role,
    /// Whether the person may not log in any more.
    pub disabled: bool,
    /// Since when.
    pub created: Millis,
}

/// In the audit log: that somebody signed in.
pub const LOGIN: &str = "login";

/// Attempts to log in that were in vain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failed {
    /// Under a name, from anywhere.
    pub named: u64,
    /// From a place, under any name.
    pub from: u64,
    /// Under the name and from the place.
    pub both: u64,
}

/// Somebody who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Digest of what the cookie holds: who reads the database cannot log in with it.
    pub token_hash: String,
    /// Who.
    pub name: String,
    /// What forms must carry.
    pub csrf: String,
    /// Since when.
    pub created: Millis,
    /// Until when.
    pub until: Millis,
}

const USER: &str = "SELECT name, hash, role, disabled, created FROM users ";

fn user(row: &AnyRow) -> Result<User, sqlx::Error> {
    Ok(User {
        name: row.try_get("name")?,
        hash: row.try_get("hash")?,
        role: named(row, "role", Role::named)?,
        disabled: row.try_get::<i64, _>("disabled")? != 0,
        created: row.try_get("created")?,
    })
}

fn login(row: &AnyRow) -> Result<Login, sqlx::Error> {
    Ok(Login {
        token_hash: row.try_get("token_hash")?,
        name: row.try_get("name")?,
        csrf: row.try_get("csrf")?,
        created: row.try_get("created")?,
        until: row.try_get("until")?,
    })
}

impl Store {
    /// Adds somebody; refused where the name is taken.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn add_user(
        &self,
        name: &str,
        hash: &str,
        role: Role,
        now: Millis,
    ) -> Result<Result<(), Refused>, StoreError> {
        let mut sql = Sql::new("INSERT INTO users (name, hash, role, disabled, created) VALUES ");
        sql.list([Arg::from(name), hash.into(), role.name().into(), false.into(), now.into()]);
        sql.add(" ON CONFLICT DO NOTHING");
        let taken = || Refused::Forbidden { why: format!("there is a user `{name}` already") };
        Ok(if self.run(&sql).await? == 0 { Err(taken()) } else { Ok(()) })
    }

    /// Somebody, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let mut sql = Sql::new(USER);
        sql.add("WHERE name = ").arg(name);
        self.one(&sql, user).await
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut sql = Sql::new(USER);
        sql.add("ORDER BY name");
        self.all(&sql, user).await
    }

    /// Gives somebody another role.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn set_role(&self, name: &str, role: Role) -> Result<Result<(), Refused>, StoreError> {
        self.change(name, "role", role.name().into()).await
    }

    /// Gives somebody another password; whoever is logged in under the name is not any more.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn set_password(&self, name: &str, hash: &str) -> Result<Result<(), Refused>, StoreError> {
        let changed = self.change(name, "hash", hash.into()).await?;
        self.end_logins(name).await?;
        Ok(changed)
    }

    /// Lets somebody log in no more, or again. What the person said stays.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn set_disabled(&self, name: &str, disabled: bool) -> Result<Result<(), Refused>, StoreError> {
        let changed = self.change(name, "disabled", disabled.into()).await?;
        if disabled {
            self.end_logins(name).await?;
        }
        Ok(changed)
    }

    /// What somebody may do who is taken at their word. A store without users is not a team's: whoever can write it may do
    /// everything, as with a file.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn role(&self, name: &str) -> Result<Result<Role, Refused>, StoreError> {
        let any = Sql::new("SELECT name FROM users LIMIT 1");
        if self.one(&any, |_| Ok(())).await?.is_none() {
            return Ok(Ok(Role::Admin));
        }
        let why = match self.user(name).await? {
            Some(user) if user.disabled => format!("{name} is kept out (`seatrial review user enable`)"),
            Some(user) => return Ok(Ok(user.role)),
            None => format!("this store has users, and {name} is none of them (`seatrial review user add`)"),
        };
        Ok(Err(Refused::Forbidden { why }))
    }

    /// Whether somebody who is taken at their word may do what takes a role.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn permits(&self, name: &str, role: Role) -> Result<Result<(), Refused>, StoreError> {
        let refused = |own: Role| Refused::Forbidden {
            why: format!(
                "this is for {}s, and {name} is a {} (`seatrial review user role` changes that)",
                role.name(),
                own.name()
            ),
        };
        let own = self.role(name).await?;
        Ok(own.and_then(|own| if own >= role { Ok(()) } else { Err(refused(own)) }))
    }

    async fn change(&self, name: &str, column: &str, to: Arg) -> Result<Result<(), Refused>, StoreError> {
        let mut sql = Sql::new("UPDATE users SET ");
        sql.add(column).add(" = ").arg(to).add(" WHERE name = ").arg(name);
        let unknown = || Refused::Unknown { what: format!("user `{name}`") };
        Ok(if self.run(&sql).await? == 0 { Err(unknown()) } else { Ok(()) })
    }

    /// Somebody has logged in.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn add_login(&self, login: &Login) -> Result<(), StoreError> {
        let mut sql = Sql::new("INSERT INTO logins (token_hash, name, csrf, created, until) VALUES ");
        let Login { token_hash, name, csrf, created, until } = login;
        sql.list([Arg::from(token_hash), name.into(), csrf.into(), (*created).into(), (*until).into()]);
        self.run(&sql).await.map(|_| ())
    }

    /// Who has logged in with this token, and may still be.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn login(&self, token_hash: &str, now: Millis) -> Result<Option<(Login, User)>, StoreError> {
        let mut sql = Sql::new("SELECT token_hash, name, csrf, created, until FROM logins WHERE token_hash = ");
        sql.arg(token_hash).add(" AND until > ").arg(now);
        let Some(login) = self.one(&sql, login).await? else { return Ok(None) };
        let user = self.user(&login.name).await?;
        Ok(user.filter(|user| !user.disabled).map(|user| (login, user)))
    }

    /// Lets a login last until then.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn extend_login(&self, token_hash: &str, until: Millis) -> Result<(), StoreError> {
        let mut sql = Sql::new("UPDATE logins SET until = ");
        sql.arg(until).add(" WHERE token_hash = ").arg(token_hash);
        self.run(&sql).await.map(|_| ())
    }

    /// Logs out.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn end_login(&self, token_hash: &str) -> Result<(), StoreError> {
        let mut sql = Sql::new("DELETE FROM logins WHERE token_hash = ");
        sql.arg(token_hash);
        self.run(&sql).await.map(|_| ())
    }

    /// Logs somebody out everywhere.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn end_logins(&self, name: &str) -> Result<(), StoreError> {
        let mut sql = Sql::new("DELETE FROM logins WHERE name = ");
        sql.arg(name);
        self.run(&sql).await.map(|_| ())
    }

    /// Takes out logins that are over, and failures from before `since`, which nobody asks for any more.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn sweep_logins(&self, now: Millis, since: Millis) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.run(&Sql::of("DELETE FROM logins WHERE until <= $1", [now.into()])).await?;
        tx.run(&Sql::of("DELETE FROM failed_logins WHERE at < $1", [since.into()])).await?;
        tx.commit().await
    }

    /// Somebody tried to log in under a name, from somewhere, in vain.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn failed_login(&self, name: &str, origin: &str, now: Millis) -> Result<(), StoreError> {
        let mut sql = Sql::new("INSERT INTO failed_logins (name, origin, at) VALUES ");
        sql.list([Arg::from(name), origin.into(), now.into()]);
        self.run(&sql).await.map(|_| ())
    }

    /// How often somebody tried in vain since then.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn failed_logins(&self, name: &str, origin: &str, since: Millis) -> Result<Failed, StoreError> {
        let mut sql = Sql::new("SELECT count(*) AS n, CAST(COALESCE(SUM(CASE WHEN name = ");
        sql.arg(name).add(" THEN 1 ELSE 0 END), 0) AS BIGINT) AS named, CAST(COALESCE(SUM(CASE WHEN origin = ");
        sql.arg(origin).add(" THEN 1 ELSE 0 END), 0) AS BIGINT) AS origin_n FROM failed_logins WHERE at >= ");
        sql.arg(since).add(" AND (name = ").arg(name).add(" OR origin = ").arg(origin).add(")");
        let counted = |row: &AnyRow| Ok((count(row, "n")?, count(row, "named")?, count(row, "origin_n")?));
        let (either, named, from) = self.one(&sql, counted).await?.unwrap_or_default();
        Ok(Failed { named, from, both: (named + from).saturating_sub(either) })
    }

    /// Whether somebody has ever signed in under a name from an address, as the audit log has it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn has_signed_in(&self, name: &str, origin: &str) -> Result<bool, StoreError> {
        let mut sql = Sql::new("SELECT n FROM trail WHERE item IS NULL AND who = ");
        sql.arg(name).add(" AND what = ").arg(LOGIN).add(" AND origin = ").arg(origin).add(" LIMIT 1");
        Ok(self.one(&sql, |_| Ok(())).await?.is_some())
    }
}
