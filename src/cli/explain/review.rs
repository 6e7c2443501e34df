//! People in the loop: the queue, how it is answered, labels in and out, webhooks: for `seatrial explain review`.

use crate::suite::settings::REVIEW_DOC;

/// All of it.
pub(super) fn review() -> String {
    format!("{TEXT}\n{REVIEW_DOC}\n{EXCHANGE}")
}

const TEXT: &str = r#"Where a check says `review`, a person decides over some of its verdicts (`seatrial explain keys`). Such a verdict is
held: the gate is decided under every way in which those that are held may fall, and where that makes a difference the run
ends with exit code 3.

The queue
  It lies in the store (`store` of the settings, `.seatrial/seatrial.db` by default, a PostgreSQL database for a team). An
  item is one subject of one check of one session, with why it is there and how likely it was to be chosen. To send it again
  changes nothing: the same check of the same session is the same item, and its answers hold for it.

    pending      waits for somebody
    leased       as many people work on it as are to answer it
    needs_more   some have answered, and more are to (`reviewers` of the check)
    disputed     the answers differ: an adjudicator decides
    resolved     decided
    skipped      two people could not say; it stays held until an adjudicator decides
    expired      nobody decided in time, where the check says so; it stays held
    cancelled    nobody needs to know any more

Answering
  seatrial review               in the terminal, one item a screen: p pass, f fail, s skip, c comment, u undo, ? for more
  seatrial review serve         pages in a browser, for one person or a team
  seatrial review label ITEM pass --comment "..." --as NAME      by name; also `skip`, `undo`, `adjudicate`
  seatrial review list, show, stats                              what waits, one item, how far people agree

  What a check says is shown after the answer, so that the answer is the person's own; whoever answers after having seen it
  has that kept with the answer. An item belongs to whoever has it on the screen for some minutes, and nobody else is given
  it. An answer is a row of a book in which nothing is changed: an undo is one more row. Who has read a session is kept, too.

Deciding again
  seatrial gate RUN             decides with the answers, and evaluates nothing
"#;

const EXCHANGE: &str = r#"Labels out and in
  `seatrial review export` writes an item on each line, as JSON:
    item, suite, check, check_digest, session, session_id, case, trial, subject, level, severity, tags, run   which
    case_digest                   where the case is declared: what the suite said of it
    why, inclusion, holds         why it is in the queue, how likely that was, whether a gate waits for it
    proposal, score, confidence, judge, judge_version   what the check says, and who judged
    reviewers, created, due, status, decision, decided_by, resolved   where it stands; times are RFC 3339
    labels                        every row of the book: id, reviewer, act (label, adjudicate, undo), answer, skip_reason,
                                  undoes, comment, at, seconds, source, shown_proposal
    shown                         with --content: question, rubric, against, session

  `seatrial review import` takes such lines, lines of single labels, and outputs of Amazon A2I. Labels of items that are not
  there, of people who have answered already, or from the future are told with their line; where one is wrong nothing is
  written, unless --partial. The same label comes in once.

  `seatrial review export --format a2i` writes what A2I writes of a human loop for a custom task: flowDefinitionArn,
  humanAnswers (answerContent with `verdict`, submissionTime, workerId), humanLoopName (the item), inputContent. A loop that
  is started under the name of an item comes back by `import`, when its template asks for `verdict`.
"#;
