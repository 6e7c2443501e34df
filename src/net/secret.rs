//! Texts with secrets in them: `Bearer {{ env.API_KEY }}`. What is written is kept, what it becomes is not shown.
//!
//! A secret is in a variable of the environment, or in a file that the variable `API_KEY_FILE` names, as containers have
//! it: so whatever may use a variable may use a file, and no suite names a path of one machine.

use std::fs::File;
use std::io::Read;

use secrecy::SecretString;

use super::scrub::Secrets;

/// Environment variables.
pub type Vars<'v> = &'v (dyn Fn(&str) -> Option<String> + Send + Sync);

/// What the name of a variable ends with that names a file.
const FILE: &str = "_FILE";

/// The longest file that is taken for a secret, in bytes.
const LONGEST: u64 = 64 << 10;

/// The secret called `name`: that of the environment, else what the file holds that `NAME_FILE` names, without the blanks
/// and ends of lines around it. `None` where there is neither, or the file cannot be read ([`unset`] says which).
pub fn find(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    env(name).or_else(|| read(&env(&format!("{name}{FILE}"))?).ok())
}

/// The secret called `name` of this process's environment ([`find`]); from then on it is taken out of whatever is written
/// or told ([`Secrets::of_process`]).
pub fn of_environment(name: &str) -> Option<String> {
    /// What is looked up as secrets are, and is none.
    const PUBLIC: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let found = find(name, &|name| std::env::var(name).ok())?;
    if !PUBLIC.contains(&name) {
        Secrets::of_process().add(&found);
    }
    Some(found)
}

fn read(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|why| why.to_string())?;
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|why| why.to_string())?;
    match text.trim() {
        _ if text.len() as u64 > LONGEST => Err(format!("it is longer than {LONGEST} bytes")),
        "" => Err("it is empty".to_owned()),
        secret => Ok(secret.to_owned()),
    }
}

/// That a variable is not set, and what is wrong with the file that stands in for it, if there is one.
pub fn unset(name: &str, vars: Vars<'_>) -> String {
    let message = format!("the environment variable `{name}` is not set");
    match vars(&format!("{name}{FILE}")) {
        None => message,
        Some(path) => {
            let why = read(&path).err().unwrap_or_else(|| "it cannot be used".to_owned());
            format!("{message}, and the file that `{name}{FILE}` names cannot be read: {why}")
        }
    }
}

/// Whether a header of this name holds a secret, as a rule.
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "api-key", "apikey", "token", "secret", "cookie", "password"]
        .iter()
        .any(|part| name.contains(part))
}

/// What is said of a secret that is written out.
pub fn written_out(name: &str) -> (String, String) {
    (
        format!("`{name}` is written out here, and looks like a secret"),
        format!("write `{name} = \"{{{{ env.NAME }}}}\"` and set the variable, or `NAME_FILE`"),
    )
}

/// A text in which `{{ env.NAME }}` stands for an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secretive {
    written: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl Secretive {
    /// Parses a text; `Err` says what is wrong with it.
    pub fn parse(written: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = written;
        while let Some(at) = rest.find("{{") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            let end = after.find("}}").ok_or("`{{` is not closed by `}}`")?;
            let name = after[..end].trim().strip_prefix("env.").ok_or("only `{{ env.NAME }}` may be used here")?;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("`{name}` is no name of an environment variable"));
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Variable(name.to_owned()));
            rest = &after[end + 2..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { written: written.to_owned(), pieces })
    }

    /// As it is written: what digests and records hold.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether anything in it is from the environment.
    pub fn has_variables(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)))
    }

    /// What its variables hold; `Err` names the one that is not set.
    pub fn filled(&self, vars: Vars<'_>) -> Result<Vec<String>, String> {
        let names = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name),
            Piece::Text(_) => None,
        });
        names.map(|name| vars(name).ok_or_else(|| unset(name, vars))).collect()
    }

    /// The text with its variables in place; `Err` names the one that is not set.
    pub fn fill(&self, vars: Vars<'_>) -> Result<SecretString, String> {
        self.fill_with(vars, &str::to_owned)
    }

    /// The same with every value as `put` puts it.
    pub fn fill_with(&self, vars: Vars<'_>, put: &dyn Fn(&str) -> String) -> Result<SecretString, String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Variable(name) => {
                    text.push_str(&put(&vars(name).ok_or_else(|| unset(name, vars))?));
                }
            }
        }
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn fill(text: &str) -> Result<String, String> {
        let vars = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
        Secretive::parse(text)?.fill(&vars).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn variables_are_put_in_and_nothing_else_is() {
        assert_eq!(fill("Bearer {{ env.KEY }}!"), Ok("Bearer s3cret!".to_owned()));
        assert_eq!(fill("plain } {"), Ok("plain } {".to_owned()));
        assert_eq!(fill("{{env.NOPE}}"), Err("the environment variable `NOPE` is not set".to_owned()));
        for bad in ["{{ case.id }}", "{{ env. }}", "{{ env.KEY", "{{ env.KEY | upper }}"] {
            assert!(fill(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_in_the_environment_is_in_the_file_that_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_string_lossy().into_owned()
        };
        let (good, empty) = (path("good", b" s3cret\r\n"), path("empty", b"\n"));
        let (bytes, long) = (path("bytes", b"\xff"), path("long", &vec![b'x'; LONGEST as usize + 1]));
        let env = |name: &str| match name {
            "SET" | "BOTH" => Some("from env".to_owned()),
            "BOTH_FILE" | "GOOD_FILE" => Some(good.clone()),
            "EMPTY_FILE" => Some(empty.clone()),
            "BYTES_FILE" => Some(bytes.clone()),
            "LONG_FILE" => Some(long.clone()),
            "GONE_FILE" => Some("no/such/file".to_owned()),
            _ => None,
        };
        let vars = |name: &str| find(name, &env);
        for (name, expected) in [("SET", "from env"), ("BOTH", "from env"), ("GOOD", "s3cret")] {
            assert_eq!(vars(name).as_deref(), Some(expected));
        }
        for name in ["EMPTY", "BYTES", "LONG", "GONE", "NOT"] {
            assert_eq!(vars(name), None, "{name}");
            assert_eq!(unset(name, &vars).contains(&format!("{name}_FILE")), name != "NOT", "{name}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let vars = |_: &str| Some("s3cret".to_owned());
        let secret = Secretive::parse("{{ env.KEY }}").unwrap().fill(&vars).unwrap();
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
