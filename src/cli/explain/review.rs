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

  What a check says, and what others do, is shown after the answer, so that the answer is the person's own. Whoever answers
  after having been shown it has that kept with the answer, as the store has it and not as they say: by `show --reveal`,
  `list` of what is decided, `export` without --blind, the page of an item that is decided, or an answer that they took back.
  What somebody read elsewhere, in a report of the run or under another name, the store does not know. `seatrial calibrate`
  holds judges against blind answers alone, and counts the others. An item belongs to whoever has it on the screen for some minutes, and nobody else is given
  it. An answer is a row of a book in which nothing is changed: an undo is one more row. Who has read a session is kept, too.

Who may
  A store without users is one person's: whoever can write it answers, and decides between answers. As soon as it has users
  (`seatrial review user add`), an answer takes one of them, and `adjudicate`, `undo --anyone` and an import of adjudications
  take the role of an adjudicator, in a terminal too. Names are not proven in a terminal: there the access to the store is
  what keeps others out. On the pages, passwords or a proxy prove them.

  An adjudicator decides where answers differ, two could not answer, or time ran out; elsewhere only by `adjudicate
  --overrule`, which the book (`overrule`), `decided_by`, and reports show.

  The content of a session under quarantine (`seatrial explain watching`) can be read by adjudicators and admins alone, and is
  in no export. One of them releases it, for everybody who reviews:
    seatrial review release SESSION --reason "..." --as NAME
  The session is named by its id, which stands for all versions of it that are in the queue, or by an item about one version;
  on the pages the release is beside the item. Who released it, when and why is in the audit trail. It is not taken back.

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
    labels                        every row of the book: id, reviewer, act (label, adjudicate, overrule, undo), answer,
                                  skip_reason, undoes, comment, at, seconds, source, shown_proposal (whether what the check
                                  says was seen before; null where that is not known)
    shown                         with --content: question, rubric, against, session
  With --blind, for those who are still to answer, proposal, score, confidence, inclusion, holds, labels and what was decided
  are left out, and so is what of `why` says how sure the check was.

  `seatrial review import` takes such lines, lines of single labels, and outputs of Amazon A2I. Labels of items that are not
  there, of people who have answered already, or from the future are told with their line; where one is wrong nothing is
  written, unless --partial: a file is one transaction. The same label comes in once; a label without an `id` that was taken
  back since is told, for it would not count. Where a line does not say `shown_proposal`, it is not known, and no judge is
  held against it.

  `seatrial review export --format a2i` writes what A2I writes of a human loop for a custom task: flowDefinitionArn,
  humanAnswers (answerContent with `verdict`, submissionTime, workerId), humanLoopName (the item), inputContent. A loop that
  is started under the name of an item comes back by `import`, when its template asks for `verdict`.
"#;
