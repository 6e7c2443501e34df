//! What goes to people, and what becomes of what they say: for `seatrial explain routing`.

use crate::suite::schema::docs::table_docs;

/// What it does, then its keys.
pub(super) fn routing() -> String {
    let mut out = String::from(TEXT);
    for table in table_docs().iter().filter(|t| t.name == "[review]") {
        super::topics::table(table, &mut out);
    }
    out
}

const TEXT: &str = r#"`review` of a check says which of its verdicts go to a person. [review] of a suite, or of a fragment, says it for every
check that asks somebody (a judge, a program, embeddings), key by key where the check itself does not.

  [review]
  severities   = ["critical"]
  disagreement = true
  audit        = 0.05

  [[session]]
  id     = "goal"
  check  = "judge"
  rubric = "builtin:goal_success"
  votes  = 5
  review = { below = 0.8, tags = ["refund"], detect = ["credit_card"], reviewers = 2, due = "2d" }

What waits
  Such a verdict is held, with the check's own as the proposal. Any reason is enough, and all of them are kept in the record
  and with the item of the queue. What could not be measured is an error all the same: nobody could tell.

The audit sample
  `audit` draws among the verdicts that nothing else sends. They stand and hold nothing; a person looks at them all the same,
  since without them nobody knows how often the check is wrong where it is sure, and no threshold can be tuned. Drawn is by a
  hash of suite, check, session and subject: the same verdict on every machine, shard and run, and a larger share holds a
  smaller one. The item says with which probability it was drawn.

Where it goes
  A run that has ended puts its items into the queue of the store (`store`, see `seatrial explain settings`), each once however
  often it is sent; a shard does not, `seatrial merge` does. `seatrial review add RUN` does it again. Their sessions are kept
  beside the record whatever `keep` says, as redacted; nothing else goes to people. A store that fails makes the run incomplete
  (exit code 5) after record and reports are written.

Back into the gate
  `seatrial gate RUN` decides again with what people decided by then: their answer takes the place of the verdict, is rolled up
  as the check's `require` says, and system checks that count verdicts are asked again, all from the record alone. So do
  `seatrial report RUN`, and, where the store is not at hand, both with --labels FILE of an export, in which a
  decision that does not follow from the labels beside it is refused. An answer over an audit item counts as well, for or
  against the agent: once a person has spoken, the gate does not say otherwise. What is open, skipped or expired stays held.
  `seatrial gate RUN --wait 30m` waits for people.
  An answer holds for suite, check, digest of the check, session and subject, also in later runs over the same session. A
  check that is changed is another and asks anew; `review` itself is no part of it, so that a threshold can be moved.

Who is waited for
  Each rule of the gate is taken at both ends of what people may decide. One that comes out the same is final, and nobody is
  waited for; another is held (exit code 3), and says which cases it depends on. What is inconclusive or unmeasured whatever
  they decide is so now: nobody could turn it into a pass. It never decides before people could change it, and waits although
  they cannot only where that is not worked out: a case that is expected to fail may drop out of a comparison or a rate;
  whether errors are tolerated depends on what they decide; rules that pull in opposite directions over the same verdicts
  (a `detection_rate` with `min`) might never pass together; a rate that is corrected with more than 262,144 ways to count
  it; `max_ratio`, or `max` with `min`, of a `detection_rate` that neither end keeps, with more than 256 ways.
"#;
