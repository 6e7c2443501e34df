//! What redaction takes out, where, and what it means for checks: for `seatrial explain redaction`.

use crate::suite::schema::docs::table_docs;

/// What it does, then its keys.
pub(super) fn redaction() -> String {
    let mut out = String::from(TEXT);
    for table in table_docs().iter().filter(|t| t.name == "[redact]") {
        super::topics::table(table, &mut out);
    }
    out
}

const TEXT: &str = r#"[redact] says what is taken out of everything that seatrial writes: the record, kept sessions, every report, what
is printed, what `import` and `show` hand out. Checks see each session as it was.

  [redact]
  detectors  = ["credit_card", "email", "secret", "custom.booking"]
  keys       = ["password", "*_token", "ssn"]
  paths      = ["$.turns[*].spans[?@.name == 'kyc'].output", "attributes.address"]
  pseudonyms = ["session", "user"]
  judge      = true

It stands in a suite, in a fragment, or in seatrial.toml, where it holds for every suite, and for `import` and `show`, which
belong to none. The rules of all of them are added. What the suite itself says (names, ids of checks, texts it looks for)
is not searched for; where a message quotes it, the message is.

Where it looks
  In every text, name, id, attribute and payload of a session; in JSON, in JSON within a string of JSON, in keys and numbers,
  behind escapes such as \u0040; in reasons, differences, errors and names of files. A number that is hidden becomes a string.
  Rules do not look into base64, percent-encoding or other encodings, nor into times, counts, costs and scores.

  What `record` has received and not yet written is searched by detectors and keys before it is on disk; `paths` and
  `pseudonyms` need a whole session, and what only they hide stands in `FILE.spool`, for its owner alone to read, until it is
  written. A damaged request, in which nobody can tell what to hide, is refused while there are such rules.

What it leaves
  [redacted:<detector>], [redacted:key] or [redacted:path], all of them where several rules hide the same. An id or name (of a
  session, case, user, tag, tool or file, or a key of JSON) in which something is hidden keeps apart from others by letters
  after it, [redacted:email]~knfpjgadmcboelih, the same for the same name: cases, merges, comparisons and `--resume` go on as
  before. `pseudonyms` do so for the whole id: user~knfpjgadmcboelih. The letters come from a hash with the key in
  SEATRIAL_REDACT_KEY. Without the variable the key is one that everybody knows, and who can guess an id can check the guess.
  Runs are joined only under the same rules and the same key; the record holds the rules, and of the key enough to tell it from
  another. Digests of suites and sessions are those of before.

Secrets of the run
  What `{{ env.NAME }}` gives to an agent, a hook or a model is taken out without any rule, also where it comes back escaped, in
  base64 or percent-encoding, or cut: [secret] stands in its place, here and in messages. Fields of sessions are flagged with
  `env`. Values of fewer than 4 bytes, and what programs inherit without its being named, are not known.

When a redacted session is judged again
  Every field that changed is flagged in it (`redacted`, by JSON pointer). The detector that found something finds its marker:
  `not_contains` with it fails, `contains` passes. Any other check that reads a flagged field, or selects by it, is an error:
  judge the session where it was recorded, or take the field out of [redact].

What models are shown
  Judges and endpoints of embeddings see each session as it was, as other checks do. With `judge = true` they see it as it may be
  written, with the expected answer of a recording; rubrics and other templates of such checks are rendered from that, too. A
  check whose verdict needs what was taken out cannot be judged so: it will fail, or be unsure.
"#;
