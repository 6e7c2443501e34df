//! Sessions spread over workers: what goes where, and what happens when something goes wrong.

/// The topic `fleet`.
pub(super) fn fleet() -> String {
    TEXT.trim_start().to_owned()
}

const TEXT: &str = "
`seatrial worker nats://HOST[:PORT][/NAME]` judges what `seatrial run SUITES --on nats://...` reads. Any number of workers may
work side by side, come and go; they keep nothing, and need nothing but the queue: a NATS server with JetStream (`nats-server
-js`, 2.9 or later). NAME tells the fleets of one server apart (`seatrial` without
it).

What comes of it is what one machine says: record, summary, JUnit and kept sessions are the same to the byte, since whoever
reads commits the answers in the order of the recordings. System checks, cases and gates are decided there.

In the queue
  NAME.work.VERSION.RUN   stream NAME_WORK, a work queue: portions of a run's recordings, about 128 KiB of whole elements.
                          Workers of another version have another subject.
  NAME.done.RUN.KEY       stream NAME_DONE, a work queue: answers
  NAME.dead.RUN           stream NAME_DEAD, kept for 30 days: what nobody could judge, with the reason (header Seatrial-Reason)
  NAME-blobs              object store, kept for 7 days: suites with all their files under the digest of both, and what is
                          larger than a message may be
  Sessions stand there as they were recorded: [redact] is applied by the worker, before it answers. Let nobody else in.

What it takes
  Checks that ask models or an earlier run are not for workers: `run --on` says so and ends (2).
  Programs (`check = \"command\"`) run on the worker, in a folder with the suite's files. --shard, --resume and --rerun
  do not go with --on.

When something goes wrong                      what happens
  a worker is killed or cut off                after --ack-wait (30s) another gets its work; of two answers one is dropped
  the NATS server is killed or cut off         everybody tries again; it has what it acknowledged on disk
  whoever asked is killed                      its run is lost; what it left in the queue goes after a day
  a session ends every worker that takes it    after --tries (5) it is a dead letter and an `error` of its verdicts. Portions
                                               are taken apart first, and what was handed out before is worked on alone: no
                                               other session is lost with it
  a worker is of another version, or loads     it does not get the work, or refuses it: the run ends and says what differs
  the suite otherwise                          (5), and no verdicts mix
  nobody works                                 the one who asks says so, and waits

Scaling
  `seatrial worker --status ADDR` serves /metrics, /healthz and /readyz. seatrial_worker_queue_waiting is the lag: portions
  that wait for any worker of this version, which NATS calls num_pending of the consumer workers-VERSION.
";
