//! `command`: a program of the user's own.

use super::{ChannelKind, Given, Letter, What, moment, summary};
use crate::alerts::Notice;

pub(super) const CHANNEL: ChannelKind = ChannelKind {
    name: "command",
    doc: "Starts a program, in the folder of seatrial.toml. The notice is in its environment: SEATRIAL_ALERT_NAME, \
          SEATRIAL_ALERT_SUITE, SEATRIAL_ALERT_SEVERITY, SEATRIAL_ALERT_AT, SEATRIAL_ALERT_SUMMARY, SEATRIAL_ALERT_KEY, and \
          all of it as JSON in SEATRIAL_ALERT_NOTICE. Any exit code but 0 is a failure, after which it is started again.",
    example: "[notify.page]\nkind = \"command\"\nrun = [\"./page.sh\"]\n",
    needs: &["run"],
    takes: &["timeout"],
    url: None,
    letters,
};

/// The variables that tell a program what happened.
pub(super) fn variables(notice: &Notice) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(notice).unwrap_or_default();
    vec![
        ("SEATRIAL_ALERT_NAME", notice.alert.clone()),
        ("SEATRIAL_ALERT_SUITE", notice.suite.clone()),
        ("SEATRIAL_ALERT_SEVERITY", notice.severity.name().to_owned()),
        ("SEATRIAL_ALERT_AT", moment(notice.at)),
        ("SEATRIAL_ALERT_SUMMARY", summary(notice).replace('\0', " ")),
        ("SEATRIAL_ALERT_KEY", notice.key.clone()),
        ("SEATRIAL_ALERT_NOTICE", json),
    ]
}

fn letters(notice: &Notice, given: &Given<'_>) -> Vec<Letter> {
    vec![Letter { id: notice.key.clone(), what: What::Run(given.run.to_vec(), variables(notice)) }]
}
