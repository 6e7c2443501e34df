//! `seatrial review user`: who may sign in to the pages, and what they may do.

use std::io::{self, BufRead, IsTerminal};

use console::Term;
use secrecy::{ExposeSecret, SecretString};

use super::super::context::{Context, Failure};
use super::opened::{Opened, now};
use crate::eval::exit;
use crate::ledger::Refused;
use crate::report::safe;
use crate::review::serve::secret;
use crate::store::db::{Role, User};

/// Arguments of `seatrial review user`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial review user add ann --role admin      asks for a password
  pass show review/bob | seatrial review user add bob --password-stdin
  seatrial review user add eve --no-password     for `serve --auth proxy` alone
  seatrial review user role bob adjudicator
  seatrial review user disable bob               at once, wherever bob is signed in

A reviewer answers; an adjudicator also decides where answers differ; an admin also sees who looked at what. \
Passwords are kept as hashes (Argon2id).")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let somebody in.
    Add {
        /// The name that they sign in with, and that their answers are given by.
        name: String,
        /// What they may do.
        #[arg(long, value_name = "ROLE", default_value = "reviewer", value_parser = role)]
        role: Role,
        #[command(flatten)]
        password: Password,
    },
    /// List who may sign in.
    List,
    /// Change what somebody may do.
    Role {
        /// Who.
        name: String,
        /// What they may do from now on: reviewer, adjudicator or admin.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Keep somebody out. Their answers stay.
    Disable {
        /// Who.
        name: String,
    },
    /// Let somebody in again.
    Enable {
        /// Who.
        name: String,
    },
    /// Set somebody's password. Wherever they are signed in, they have to sign in again.
    Passwd {
        /// Who.
        name: String,
        #[command(flatten)]
        password: Password,
    },
}

#[derive(Debug, clap::Args)]
struct Password {
    /// Take the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// No password: they come in by a proxy alone.
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
}

fn role(name: &str) -> Result<Role, String> {
    Role::named(name).ok_or_else(|| "reviewer, adjudicator or admin".to_owned())
}

/// Add, change and list the people who may review.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let opened = Opened::new(context)?;
    let store = &opened.store;
    let told = match &args.command {
        Command::List => return list(context, &opened.wait(store.users())?),
        Command::Add { name, role, password } => {
            if !good(name) {
                return Err(Failure::usage(
                    "a name has 1 to 64 characters, none of them blank or a control character at its ends",
                ));
            }
            if opened.wait(store.user(name))?.is_some() {
                return Err(Failure::usage(format_args!(
                    "there is a user {name} already (`seatrial review user passwd` and `role` change one)"
                )));
            }
            let hash = ask(password, name)?;
            let hash = hash.as_ref().map_or("", |h| h.expose_secret());
            taken(opened.wait(store.add_user(name, hash, *role, now()))?)?;
            format!("{name} may sign in as {}", role.name())
        }
        Command::Role { name, role } => {
            taken(opened.wait(store.set_role(name, *role))?)?;
            format!("{name} is {} now", role.name())
        }
        Command::Disable { name } => {
            taken(opened.wait(store.set_disabled(name, true))?)?;
            format!("{name} is kept out; what {name} answered stays")
        }
        Command::Enable { name } => {
            taken(opened.wait(store.set_disabled(name, false))?)?;
            format!("{name} may sign in again")
        }
        Command::Passwd { name, password } => {
            if opened.wait(store.user(name))?.is_none() {
                return Err(Failure::usage(format_args!("there is no user {}", safe::line(name))));
            }
            let hash = ask(password, name)?;
            let hash = hash.as_ref().map_or("", |h| h.expose_secret());
            taken(opened.wait(store.set_password(name, hash))?)?;
            format!("the password of {name} is set")
        }
    };
    context.note(&format!("seatrial: {}\n", safe::line(&told)));
    Ok(exit::PASSED)
}

fn good(name: &str) -> bool {
    let length = name.chars().count();
    (1..=64).contains(&length) && name.trim() == name && !name.contains(char::is_control) && safe::line(name) == name
}

fn taken(done: Result<(), Refused>) -> Result<(), Failure> {
    done.map_err(Failure::usage)
}

fn list(context: &Context, users: &[User]) -> Result<u8, Failure> {
    let width = users.iter().map(|u| u.name.chars().count()).max().unwrap_or(0);
    let line = |u: &User| {
        let mut notes = String::new();
        if u.hash.is_empty() {
            notes.push_str("  no password");
        }
        if u.disabled {
            notes.push_str("  disabled");
        }
        format!("{:<width$}  {:<11}{notes}", safe::line(&u.name), u.role.name()).trim_end().to_owned() + "\n"
    };
    if users.is_empty() {
        context.note("seatrial: no users; `seatrial review user add NAME --role admin` adds the first\n");
    }
    context.print(users.iter().map(line).collect::<String>().as_bytes(), exit::PASSED)
}

/// The hash of a password that is asked for; `None` where there is to be none.
fn ask(password: &Password, name: &str) -> Result<Option<SecretString>, Failure> {
    if password.no_password {
        return Ok(None);
    }
    let broken = |why: io::Error| Failure::usage(format_args!("the password could not be read: {why}"));
    let typed: SecretString = if password.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(broken)?;
        line.trim_end_matches(['\r', '\n']).to_owned().into()
    } else if io::stdin().is_terminal() {
        let term = Term::stderr();
        let read = |prompt: String| -> io::Result<SecretString> {
            term.write_str(&prompt)?;
            Ok(term.read_secure_line()?.into())
        };
        let first = read(format!("password of {name}: ")).map_err(broken)?;
        let again = read("the same again: ".to_owned()).map_err(broken)?;
        if first.expose_secret() != again.expose_secret() {
            return Err(Failure::usage("the two differ; nothing was changed"));
        }
        first
    } else {
        return Err(Failure::usage(
            "there is no terminal to ask for a password: give it by `--password-stdin`, or none by `--no-password`",
        ));
    };
    let hash = secret::hash(typed.expose_secret()).map_err(Failure::usage)?;
    Ok(Some(hash.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are() {
        assert!(good("ann") && good("Ann Lee") && good("ann@example.com"));
        for bad in ["", " ann", "a\u{202e}b", "a\nb", &"x".repeat(65)] {
            assert!(!good(bad), "{bad:?}");
        }
    }
}
