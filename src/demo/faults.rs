//! What the agent does wrong, when it is told to: by a flag, a header of the request, or a word of the user's.

use std::str::FromStr;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It cancels where it was to look up.
    WrongTool,
    /// It looks the same order up again and again.
    Loop,
    /// Its first word is long in coming.
    SlowFirstToken,
    /// A tool fails.
    ToolError,
    /// It says what it must not: a card's number and an address.
    Pii,
    /// The process ends.
    Crash,
    /// It never answers.
    Hang,
    /// It answers with status 500.
    ServerError,
    /// The connection ends in the middle of the answer.
    Reset,
    /// It says to come again, once a session.
    Busy,
}

impl Fault {
    /// All, by name.
    pub const ALL: [(&'static str, Self); 10] = [
        ("wrong-tool", Self::WrongTool),
        ("loop", Self::Loop),
        ("slow", Self::SlowFirstToken),
        ("tool-error", Self::ToolError),
        ("pii", Self::Pii),
        ("crash", Self::Crash),
        ("hang", Self::Hang),
        ("500", Self::ServerError),
        ("reset", Self::Reset),
        ("busy", Self::Busy),
    ];
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|(name, _)| *name == text);
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        named.map(|(_, fault)| fault).ok_or_else(|| format!("no fault `{text}`; there are {}", names()))
    }
}

/// What goes wrong in a turn.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// These.
    pub fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    /// Whether this one does.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// These, those that a header names, and those that the user's words do (`[demo:loop]`); the words without them.
    pub fn and(&self, header: Option<&str>, words: &str) -> (Self, String) {
        let mut all = self.0.clone();
        all.extend(header.into_iter().flat_map(|h| h.split(',')).filter_map(|name| name.trim().parse::<Fault>().ok()));
        let (mut rest, mut said) = (words, String::new());
        while let Some((before, after)) = rest.split_once("[demo:") {
            let Some((name, after)) = after.split_once(']') else { break };
            all.extend(name.trim().parse::<Fault>());
            said.push_str(before);
            rest = after;
        }
        said.push_str(rest);
        (Self(all), said.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_from_flags_headers_and_words() {
        let (faults, said) =
            Faults::new(vec![Fault::Pii]).and(Some("loop, nonsense"), "Hello [demo:slow] there [demo:x]");
        assert_eq!(faults.0, [Fault::Pii, Fault::Loop, Fault::SlowFirstToken]);
        assert_eq!(said, "Hello  there");
        assert!("sloow".parse::<Fault>().unwrap_err().contains("wrong-tool, loop, slow"));
    }
}
