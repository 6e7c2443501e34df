//! `promote`: an alert that takes the version back which is live.

use super::{ChannelKind, Given, Letter, What, command, summary};
use crate::alerts::{Notice, Turn};

pub(super) const CHANNEL: ChannelKind = ChannelKind {
    name: "promote",
    doc: "Takes back the version of `agent` that is live at `target`, as `seatrial promote rollback --alert` does, when an \
          alert fires that is listed in `rollback_on` of the target; hooks then move what has to be moved. The end of an \
          alert brings nothing back.",
    example: "[notify.rollback]\nkind = \"promote\"\nagent = \"airline\"\ntarget = \"prod\"\n",
    needs: &["agent", "target"],
    takes: &["timeout"],
    url: None,
    letters,
};

fn letters(notice: &Notice, given: &Given<'_>) -> Vec<Letter> {
    // Once: what is told again while it lasts must not take back the version before, too.
    if !notice.changes.iter().any(|change| change.turn == Turn::Fires) {
        return Vec::new();
    }
    let (agent, target) = given.promotion;
    let words = [
        given.program,
        "promote",
        "rollback",
        agent,
        "--at",
        target,
        "--alert",
        &notice.alert,
        "--by",
        "seatrial watch",
        "--reason",
        &summary(notice),
    ];
    let run = words.map(|word| word.replace('\0', " ")).to_vec();
    vec![Letter { id: notice.key.clone(), what: What::Run(run, command::variables(notice)) }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::channels::testing::notice;

    #[test]
    fn only_what_begins_to_fire_rolls_back() {
        let given = Given { promotion: ("airline", "prod"), program: "seatrial", ..Given::default() };
        let [letter] = &letters(&notice(), &given)[..] else { panic!("one letter") };
        let What::Run(run, _) = &letter.what else { panic!("a program") };
        assert_eq!(run[..8], ["seatrial", "promote", "rollback", "airline", "--at", "prod", "--alert", "slow"]);
        let mut over = notice();
        over.changes.iter_mut().for_each(|change| change.turn = Turn::Repeats);
        assert_eq!(letters(&over, &given), []);
    }
}
