//! What watching production does, and what it does when something goes wrong.

/// The topic `watching`.
pub(super) fn watching() -> String {
    TEXT.trim_start().to_owned()
}

const TEXT: &str = "
`seatrial watch SUITES` applies suites to what really happens, by the very code that a run applies them with. `[[case]]` and
`[gate]` do not apply; `[subject] agent` says whose sessions a suite looks at, and every version of it is looked at.

Sources
  OTLP over HTTP (--listen) and gRPC (--grpc): what agents and collectors export. It is in --state on disk before it is
  acknowledged.
  A folder that grows (--from): every format of `seatrial explain formats`, plain, gzip or Zstandard. Files that lie in lines
  are read on from where they were, also after a restart, when they are renamed, and when they are packed; others are read
  once nobody has written to them for 5 seconds. A file is known by its first line.
  A stream of NATS JetStream (--from nats://HOST/STREAM): a session, or a request of OTLP, a message. Nothing is acknowledged
  or taken away; how far it was read is stored with what came of it. A work queue, whose messages belong to one, is refused.
  A table of PostgreSQL (--from 'postgres://HOST/DATABASE?table=NAME'): a session a row, in the columns `id`, `time` and
  `session` or those that `&id=..&time=..&session=..` names. The last minute is read again every time, for rows that become
  visible late; a row that is written anew, with a new time, is a new version of its session.
  --on nats://... has sessions judged by workers (`seatrial explain fleet`).

When a session is over
  said      a record carries one of --end as an attribute (of any value but false) or as its name, or as the name of an event
  idle      nothing of it has arrived for --idle (15m)
  age       it began --max-age ago (24h): it is cut off; what comes later is counted as late
  size      more than 100,000 records or 64 MiB: it is cut off and an `error`, never a pass
  More of it may come for --late (10m) after that: then the whole of it is judged again, as one version more. Only the latest
  version counts, in every number.

What is kept
  A row for each version of a session, in the store, for --keep (30d) and at most 5,000,000 of them: the groups that the
  session counts in, its numbers and the verdicts; nothing of what was said. Windows (--window, 5m) are added up from rows, and
  anew when something comes late. A session counts as many times as it stands for others (1 / how likely it was to be looked
  at). Verdicts that go to people are in their queue (`seatrial explain review`).
  Groups: agent, version, model, tool, flow. Of each, a window tells the 50 largest apart; all others are in `(other)`.
  In memory: the newest 576 windows as they are (two days of 5m), and of older ones what alerts look back at. An alert that
  looks back more than 30 days, or for which more than a million numbers would be kept, is refused by `seatrial check`.
  In --state: what is going on, what models answered (evidence.jsonl) and what system checks said at each window's end
  (system.jsonl), both of limited size, what fires (alerts.json) and what was spent (sampling.json).

Models
  Judges are asked as in a run, without its cache. `max_usd_per_hour` and `max_usd_per_day` of [watch.sample] limit what they
  may cost: what is left becomes a chance before each window, and so few sessions are looked at together that a limit is not
  exceeded but by what the last of them cost more than such sessions did before. An endpoint that fails 5 times in a row is
  left alone for a minute, and then tried again.

High risk
  Where a check of [watch.quarantine] fails, the session goes to review, its content can be read by adjudicators and admins
  alone, and whoever is named there is told at once, under one id however often: a kill switch, or a throttle.
  An adjudicator or an admin releases it by `seatrial review release SESSION --reason TEXT`, or on the page of an item; who,
  when and why is in the audit trail, and from then on reviewers may read it. What is released are the versions of the session
  that are there: a version that is evaluated later, because more of it came, is under quarantine again where such a check
  fails, and an earlier one that is evaluated again is not.

Seen from outside (--status, 127.0.0.1:9464)
  /          a page for people: what is open, held, spent, alerting and wrong now, what the checks say over the last hours
             and days, and which groups fail most
  /metrics   for Prometheus, all names begin with seatrial_watch_ and no label is an id: sessions, verdicts, windows, alerts
             (alerts_firing), budgets (budget_spent, budget_limit), system checks (system_value, system_status)
  /healthz   200 while the process lives
  /readyz    200 when what was there before is taken up and what is over becomes verdicts; 503 with the reason otherwise
  --export URL tells the backend there (OTLP over HTTP, /v1/logs) of every verdict, at least once and in order, as an event
  `gen_ai.evaluation.result` below the span that was evaluated.

Control
  SIGHUP reads suites, judges, redaction and channels of alerts again; bad ones are refused, and the old ones go on. By what
  records name their session, or say that it has ended, is refused to change: it takes a new process.
  SIGTERM and an interrupt end it in order (exit 0): what is over is judged, what is going on stays on disk.
  --drain takes what is there and ends: every session is over. Nothing more is expected, so every window whose end lies in the
  past is settled, without waiting for `late`: system checks are asked about each, alerts are judged once, in the order of time,
  and notices are delivered for up to 30 seconds; what is not taken by then is kept for the next process. A window that goes on
  stays open. What a later process finds of a window that was settled corrects it, as everywhere: system checks are asked about
  it again (`corrected` in system.jsonl), and alerts are not judged again. Sessions that are older than what is in memory (see
  above) are judged and have rows, and no window.

When something goes wrong                      what happens                                  the metric that says so
  the process is killed                        the next one goes on; nothing is lost or twice
  the disk or the store takes nothing          agents are told to come again; turns are       turn_errors_total, refused_requests_total
                                               tried again; nothing is let go of
  the spool is half full                       what is over is let go of early                early_releases_total
  the spool is full                            agents are told to come again                  refused_requests_total
  the clock is set                             no session ends by it; windows are added up    clock_jumps_total
                                               anew; nothing is taken out for an hour
  a session never ends, or is huge             it is cut off                                  closed_total{by=\"age\"}, {by=\"size\"}
  spans from the future (by more than 5m)      the session counts when it arrived             future_sessions_total
  everything is sent again                     it is known, and changes nothing               sessions_total{outcome=\"known\"}
  more comes than can be put to a session      it is counted, and not taken for all of it     late_sessions_total
  many distinct values                         they are gathered in `(other)`                window_gathered_groups
  a judge is down                              an `error` of each verdict, and tried again   verdicts_total{status=\"error\"}
  whoever is told of alerts is down            told again for a day, under the same id       notices_total{result=\"again\"}
  a check panics                               an `error` of that verdict, nothing else       check_panics_total
  a source cannot be read                      it is tried again                              source_errors_total, troubles
  the backend takes no events                  they are told later                            exported_events_total{result=\"failed\"}
";
