//! Promotions in words, and examples of their hooks: for `seatrial explain promote`, `promote-hooks` and the README.

use crate::cli::promote::HOOK_EXAMPLES;

/// How a version is promoted, and what is kept of it.
pub(super) fn promote() -> String {
    TEXT.to_owned()
}

/// The examples of hooks.
pub(super) fn hooks() -> String {
    let mut out = String::from(HOOKS);
    for (_, name, script) in HOOK_EXAMPLES {
        out.push_str(&format!("\n---- seatrial promote hooks --example {name} > {name}.sh\n\n{script}"));
    }
    out
}

const TEXT: &str = r#"seatrial promote AGENT@VERSION --to TARGET
  asks that a version may go to a target, by the evidence of runs (--run; reports/latest without it). The rules of the
  target are [promote.TARGET] in seatrial.toml (`seatrial explain settings`). What came of it is recorded in the store, and
  never changed: draft -> pending -> approved | rejected.

  draft       the evidence is recorded: with --draft, or because the rules refuse it; better evidence of the same version
              makes it pending
  pending     the rules are met, and people have to approve: `promote approve p3 --by NAME`, as many as `approvals` says,
              each of `approvers`, none of them who submitted it (`self_approval`)
  approved    enough of them did, or `approvals = 0`, which is recorded as an approval by rule. TARGET and the `aliases` of
              the target point to the version from now on; what was live before stays approved, and live until then
  superseded  other evidence of the same version was submitted before it was decided; approvals do not go over

The evidence
  is decided again from the record of each run (with the decisions of people laid over it); summary.json is not believed.
  No evidence at all: a record that is partial, filtered, a shard, interrupted, or edited; sessions of another version, or
  of nobody's (`--subject`); a suite or recordings that are not what was run any more; a run from the future. The rules can
  refuse, and a person can override: a suite that did not pass or is missing, evidence older than `max_age`, a run whose end
  the store did not see (`store = "off"`, or it could not be reached: nothing shows that the record was not edited).
  Of several runs with one suite, the one that ended last counts; where the store knows a whole run of the version that
  ended later still, and it is not shown, that is refused, too, until a person overrides it.

What is kept
  gate.json   every decision with its statistics, and the digests of suites, files, policies, judges, data, records,
              artifact (`promote show p3 --gate`)
  statement   the same as an in-toto test result in a DSSE envelope, signed by an ed25519 key (`promote show p3 --statement`)
  log         every act, hash-chained: h(i) = SHA-256(h(i-1) || canonical JSON of entry i), RFC 8785; signed where there is
              a key. `promote log --head` is its end, to be kept elsewhere; `promote log --export DIR` is all of it
  Keys: `seatrial promote keygen ci` makes ci.pem (a secret: SEATRIAL_SIGNING_KEY, or SEATRIAL_SIGNING_KEY_FILE) and
  ci.pub.pem (`trusted_keys`). A name (--by) is a claim that nothing authenticates: `approvers` and `self_approval` keep
  honest people from mistakes, and nobody from taking another's name. That an entry is from one who holds a key,
  `trusted_keys` shows; who may write to the store, and has the key, can approve.
  Reasons and what hooks say go through the rules of redaction first, those of the settings and of the suites of the
  evidence: the log keeps them for ever.

seatrial promote verify AGENT@VERSION --to TARGET --artifact FILE
  holds an approval against what is there now, offline: the chain (and --head), signatures, expiry, and every digest it is
  bound to. A changed byte of artifact, suite, policy, recording, record or rule voids it, and is named; so does an answer of
  a person that was taken back or came later, for which the store is asked.

seatrial promote rollback AGENT --at TARGET --reason TEXT
  makes the version before live again, the last one that is still approved. `--alert NAME` is for the watch: the alert must be
  one of `rollback_on`.

--override REASON --until WHEN
  submits what the rules refuse, where the target says `override = true`. A person has to approve it all the same, the
  refusals stand in the statement, whose result stays FAILED, and the approval ends with the override.

Hooks
  `on_approve` and `on_rollback` run once the log is written (`seatrial explain promote-hooks`). One that fails is recorded,
  and runs again by `promote hooks --retry`; the approval stands.

Exit codes
  0   approved, rejected or rolled back as asked; verified; recorded as a draft that nothing speaks against
  1   refused by the rules (a gate failed, the wrong approver, a name for what is not approved); not verified
  2   usage: no such target or promotion, keys that cannot be read
  3   pending: people have to approve, or verdicts wait for a review
  4   not shown: no evidence, or too old; something that an approval is bound to is not at hand
  5   a hook failed (the decision stands), or the log could not be written
"#;

const HOOKS: &str = r#"A hook is a program or a webhook of your own that moves an endpoint, a tag or a deployment once a version is approved or
rolled back:

  [promote.prod]
  on_approve  = { run = ["./deploy.sh"], timeout = "10m" }
  on_rollback = { run = ["./deploy.sh"], timeout = "10m" }

A program starts in the folder of seatrial.toml, has to end with 0 within `timeout` (120 s unless it is said), and finds in
its environment:

  SEATRIAL_PROMOTE_VERSION     the version that is to be live now, on either occasion
  SEATRIAL_PROMOTE_FROM        the version that was live; empty where there was none
  SEATRIAL_PROMOTE_AGENT, SEATRIAL_PROMOTE_TARGET
  SEATRIAL_PROMOTE_ARTIFACT    the digest of what is to be live; empty where it was not given
  SEATRIAL_PROMOTE_CANARY      the share of traffic that it gets first; empty where there is none
  SEATRIAL_PROMOTE_OCCASION    on_approve or on_rollback
  SEATRIAL_PROMOTE_PROMOTION, SEATRIAL_PROMOTE_BY, SEATRIAL_PROMOTE_REASON, SEATRIAL_PROMOTE_AT

A webhook is told the same as JSON, signed as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`,
`webhook-signature`):

  on_approve  = { url = "https://deploy.example/hook", secret = "{{ env.DEPLOY_SECRET }}" }

  { "type": "promotion.approved", "timestamp": "...", "data": { "agent": "...", "version": "...", ... } }

It is sent again up to three times while that may help, under one id. What failed is recorded and runs again by `seatrial
promote hooks --retry`; a hook may run twice, and has to bear that.

Scripts to begin with:
"#;
