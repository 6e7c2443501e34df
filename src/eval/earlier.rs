//! What the sessions of an earlier run replied, by case and trial, for checks that compare with it.

use std::collections::HashMap;

use crate::checks::subject::EarlierReply;
use crate::model::Session;

/// The replies of the sessions of an earlier run, or why there are none.
#[derive(Debug, Default)]
pub struct Earlier {
    replies: HashMap<(String, String), Vec<EarlierReply>>,
    missing: Option<String>,
}

/// Which session of a case it is, where a recording says so.
fn trial_of(trial: Option<&str>) -> String {
    trial.unwrap_or_default().to_owned()
}

impl Earlier {
    /// Replies that cannot be had.
    pub fn missing(why: String) -> Self {
        Self { missing: Some(why), ..Self::default() }
    }

    /// Adds a session of a case.
    pub fn add(&mut self, case: &str, trial: Option<&str>, session: &Session<'_>) {
        let hidden = |turn: usize| session.redacted.iter().any(|(field, _)| field == format!("/turns/{turn}/reply"));
        let replies = session.turns.iter().enumerate().map(|(i, turn)| match &turn.reply {
            _ if hidden(i) => EarlierReply::Hidden,
            Some(reply) => EarlierReply::Said(reply.to_string()),
            None => EarlierReply::Nothing,
        });
        self.replies.insert((case.to_owned(), trial_of(trial)), replies.collect());
    }

    /// The replies of a trial of a case, turn by turn.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub fn of(&self, case: &str, trial: Option<&str>) -> Result<&[EarlierReply], &str> {
        if let Some(why) = &self.missing {
            return Err(why);
        }
        let found = self.replies.get(&(case.to_owned(), trial_of(trial)));
        found.map(Vec::as_slice).ok_or("the baseline run holds no session of the same case and trial")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_those_of_the_same_case_and_trial_and_what_was_hidden_is_unknown() {
        let session = r#"{"id":"s","turns":[{"reply":"one"},{"user":"x"},{"reply":"[redacted:email]"}],
            "redacted":{"/turns/2/reply":["email"]}}"#;
        let session: Session<'_> = serde_json::from_str(session).unwrap();
        let mut earlier = Earlier::default();
        earlier.add("c", Some("2"), &session);
        let replies = earlier.of("c", Some("2")).unwrap();
        assert_eq!(replies, [EarlierReply::Said("one".into()), EarlierReply::Nothing, EarlierReply::Hidden]);
        assert!(earlier.of("c", None).is_err() && earlier.of("d", Some("2")).is_err());
        assert_eq!(Earlier::missing("gone".into()).of("c", Some("2")), Err("gone"));
    }
}
