//! What decides over a suite, in words: for `seatrial explain gate` and the README.

use crate::suite::schema::docs::table_docs;

/// The rules of the gate, then its keys.
pub(super) fn gate() -> String {
    let mut out = String::from(TEXT);
    for table in table_docs()
        .iter()
        .filter(|t| ["[gate]", "[[gate.group]]", "baseline", "[[gate.baseline.means]]"].contains(&t.name))
    {
        super::topics::table(table, &mut out);
    }
    out
}

const TEXT: &str = r#"A trial passes when all its blocking checks pass, a case when all its trials do. Every rule of the gate says passed, failed,
or why that could not be shown (inconclusive, held, unmeasured); the suite's decision is the gravest of them. What is not
known (held verdicts, errors) is taken both ways: a rule that comes out the same either way is final. One that people could
turn either way is held and says which cases it depends on (`seatrial explain routing`).

Always
  complete, left_out, exercised   the run ended, everything read could be used, every blocking check met something
  missing_cases, error_rate, skip_rate   what was not recorded, not measured, not looked at stays within its limit
  critical                        no check with severity "critical" failed
  system ID                       every system check keeps its bound

pass_rate = { min = 0.9 }
  The share of cases that pass is at least 0.9. Cases count by `weight`.

pass_rate = { min = 0.9, confidence = 0.95 }
  One is 95% sure of it: the lower limit of Clopper and Pearson (exact, one-sided) is at least 0.9. Where the share clears
  `min` and the limit does not, the suite is inconclusive (exit code 4) and says how many more cases like these would settle
  it. 50 of 50 cases have the limit 0.942, so they never show 0.95: `seatrial check` warns of that. A case counts once,
  however many trials it has, since trials of a case are not independent; and all cases count alike.

pass_rate = { min = 0.9, correct = "ppi" }      or "rogan_gladen"; labels = "labels.jsonl" beside it, or those of the store
  The share is corrected for the errors of the judge behind it, by what people said of its verdicts (`seatrial calibrate`):
  the lower limit of the corrected share, one-sided at `confidence` (0.95 unless given), is at least 0.9. What counts is
  what the judge says by itself of every case, also where a person let it pass. Cases that a person or another blocking
  check fails are failed; as long as a person may yet fail some, the suite is held where it depends on that. (A `pass_rate`
  among system checks knows no labels and cannot be corrected.) Labels are those of the check as it is (rubric, files,
  judge), drawn at random from all its verdicts
  (`review.audit`, or `always`); the record holds their counts, so that `seatrial gate RUN` decides again without them.
  rogan_gladen  by sensitivity and specificity: it supposes that the judge errs as often on good and on bad cases as on the
                labelled ones, however many of each there are now. Ten labels that people pass and ten that they fail are
                the least
  ppi           by how many are good among what the judge passes and what it fails (prediction-powered): it supposes that
                these shares are as among the labelled, of sessions of the same kind, and needs fewer labels of the rare kind
  unmeasured    fewer than 50 labels; labels of another version or not drawn at random; more than one in ten of those drawn
                are not decided; a judge that does not tell good from
                bad (sensitivity + specificity are not shown to exceed 1); a case with several trials, or that the judge did
                not see. The suite has exactly one blocking check that asks a judge, at session level
  Which interval covers how often: the table of what judges decide, in the page of statistics.

reliability = { k = 4, min = 0.6, confidence = 0.95 }
  pass^k, the chance that k trials of a case all pass, C(c,k) / C(n,k) with c of n passed, as the mean over the cases; its
  limit is that of Clopper and Pearson over the sum of these values, which spreads less than a count of the same mean.

baseline = { run = "reports/main", margin = 0.05, alpha = 0.05 }      or --baseline RUN
  This run is no worse than an earlier one. Cases are paired by id, over the blocking checks that are the same in both
  (by digest; others are named), and over as many trials as both have.
  passed        the one-sided limit of the paired difference by Tango's score, at 1 - alpha, lies above -margin; up to
                20,000 pairs it reaches so far that at worst alpha of the runs that are worse by the margin pass
                (`tango-exact`, by summing over all counts), beyond by the normal distribution (`tango`)
  failed        not that, and the exact McNemar test shows more cases that newly fail than that newly pass, at alpha; where
                groups are compared too ([[gate.group]] margin), Holm's adjustment shares alpha among them
  inconclusive  neither: the smallest margin that so many pairs show, and how many more cases would settle it, are said
  unmeasured    the baseline is missing or unreadable (unless `if_missing = "skip"`, which is printed), or it is partial, a
                shard, interrupted, or the same run; cases of it are absent now or were not measured in either run, beyond
                `max_unpaired`; or every session of this run is one of its own: a run that is compared with itself shows
                nothing. Where only some recordings are the same, their cases are left out of the comparison, in words

means = [{ metric = "tokens", max_rise = "10%" }, { metric = "csat", max_fall = 0.2 }]      in the table of `baseline`
  The mean of a metric is no worse than it was: of each case, the mean over its trials now less that over its trials then.
  `max_rise` is for what should be low, `max_fall` for what should be high, in the unit of the metric or as a share of the
  earlier mean. Metrics are those with a value per turn or session; ratios are compared by the check `metric` (`max_ratio`).
  passed        the one-sided limit of the mean difference, by Student's t over the pairs, at 1 - alpha, is within the bar
  failed        not that, and the difference is shown to be worse at all, at alpha; Holm's adjustment shares alpha among all
                comparisons with the baseline, that of passing cases included
  inconclusive  neither, and how many more cases would settle it is said; so few pairs that chance alone could put all of
                them on one side (4 at alpha 0.05) show nothing
  unmeasured    one of the runs did not measure the metric, or has no value of it in some cases, beyond `max_unpaired`
  With fewer than 20 cases, or where a few of them take so much more than the rest that so many do not bear a mean, it never
  passes and says how many it takes (see the table of how often means are wrong).

  What the comparison needs of the baseline is embedded in the record: `seatrial gate RUN` decides again without it.

Two runs side by side, with the evidence of what changed: `seatrial diff BEFORE AFTER`.
"#;
