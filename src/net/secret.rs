//! Texts with secrets in them: `Bearer {{ env.API_KEY }}`. What is written is kept, what it becomes is not shown.

use secrecy::SecretString;

/// Environment variables.
pub type Vars<'v> = &'v (dyn Fn(&str) -> Option<String> + Send + Sync);

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

    /// The text with its variables in place; `Err` names the one that is not set.
    pub fn fill(&self, vars: Vars<'_>) -> Result<SecretString, String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Variable(name) => {
                    text.push_str(&vars(name).ok_or_else(|| format!("the environment variable `{name}` is not set"))?);
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
    fn a_secret_is_not_shown() {
        let vars = |_: &str| Some("s3cret".to_owned());
        let secret = Secretive::parse("{{ env.KEY }}").unwrap().fill(&vars).unwrap();
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
