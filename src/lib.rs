//! seatrial: sea trials for AI agents.
//!
//! A suite (TOML) says what an agent must do; recordings say what it did; a run holds the one against the other and
//! its exit code gates a deployment. The whole flow, and where each step lives:
//!
//! 1. [`suite`] reads TOML into a resolved [`suite::Suite`]: checks compiled by their rules ([`checks`]), cases, the
//!    gate. Everything wrong is reported at once, with file, line and help.
//! 2. [`sources`] finds the recorded files and cuts them into batches of whole elements, in bounded memory;
//!    [`formats`] decode an element into a [`model::Session`] of turns of spans, borrowing from the batch. Telemetry
//!    has no such element: its spans and log records are taken in first, and [`assemble`] puts them together by
//!    session, on disk where memory does not hold them; [`formats::telemetry::dialect`] says what each SDK meant.
//!
//!    A live agent is driven before: [`drive`] says through [`agents`] what the users of the cases say, [`receive`] joins
//!    the telemetry that the agent sends, and what comes of it is a recording like any other.
//! 3. [`eval`] binds a session to its case and what is expected of it, applies every check to every subject that it
//!    selects, and rolls the findings up into verdicts. A check is pure: it sees its subject and answers with a
//!    [`model::Finding`]. What could not be measured is an `error`, never a pass and never a zero. A check that needs
//!    to know more than its subject asks for it ([`checks::asking`]), and [`evidence`] fetches the answer: models
//!    ([`endpoints`]) are asked in passes of their own before the one that judges.
//! 4. [`run`] does 2 and 3 on all cores and commits the results in ordinal order: every event, without what must not be
//!    written ([`redact`]), to the record ([`store`]), every row to the fold ([`eval::fold`]).
//! 5. System checks see the folded columns; [`eval::gate`] decides from the fold alone; [`eval::exit`] turns decisions
//!    into the exit code.
//! 6. [`report`] draws terminal, JUnit, HTML, JSON, markdown and annotations from what is written to the record, session
//!    by session, while it is written ([`report::live`]); transcripts come from the sessions that were kept beside it
//!    ([`store::kept`]). `seatrial report` draws the same later, from the record ([`report::replay`]).
//! 7. What goes to people ([`suite::review`] says which verdicts do) is sent to the queue of the store ([`review::enqueue`])
//!    when the record is whole; what they decide is laid over the record ([`eval::overlay`]) whenever it is decided again.
//!
//! Because a decision is made from the record alone, `seatrial gate` can make it again, `seatrial merge` can put the
//! shards of a run together ([`eval::shard`], [`run::merge`]), and `run --resume` goes on where a record ends
//! ([`run::past`]). What a decision needs of an earlier run is read once and embedded ([`eval::baseline`]); so is what people said of the
//! judge behind it ([`eval::calibration`]). [`calibrate`] tells from such labels how far a judge can be left alone.
//!
//! What was decided may be evidence: [`promote`] takes it from the record, binds it by digests, and keeps who let which
//! version of an agent go where, in a log that cannot be changed unseen.
//!
//! In production nothing ends: [`watch`] takes sessions one by one when they are over, [`sampling`] says which of them are
//! looked at, step 3 judges them as in a run ([`run::alone`]), and what comes of each is a row of the store. Windows are
//! added up from rows, [`alerts`] are rules over windows, and [`notify`] delivers what they say. Where one machine is not
//! enough, a run as well as a watch hands sessions to a [`fleet`] of workers ([`run::apart`]) and takes back what it would
//! have said itself.
//!
//! The folders are rooms on floors, and imports go downwards only:
//!
//! | floor | room | what it owns |
//! | --- | --- | --- |
//! | 0 | [`model`] | the nouns: sessions, verdicts, evidence, problems, digests |
//! | 1 | [`stats`], [`formats`], [`checks`], [`redact`] | pure functions: numbers, bytes to sessions, rules, what must not be written |
//! | 1 | [`net`], [`process`], [`agents`], [`endpoints`] | speaking HTTP, programs that are started, live agents and models, whatever their protocol |
//! | 1 | [`ledger`] | the nouns of review, and what people's answers add up to |
//! | 1 | [`alerts`] | what is told of production: rules over windows, by kind |
//! | 2 | [`suite`], [`assemble`], [`eval`] | TOML to suites; telemetry to sessions; sessions to verdicts to a decision |
//! | 2 | [`sampling`] | which sessions of production are looked at |
//! | 3 | [`sources`], [`receive`], [`evidence`], [`store`], [`report`] | files in, telemetry in, what checks ask for, the record and the database, reports out |
//! | 4 | [`run`], [`drive`] | the engine; live agents, driven |
//! | 4 | [`watch`] | production, watched: sources, sessions that are over, windows, what is seen from outside |
//! | 4 | [`fleet`] | sessions spread over workers: the queue, the one who asks, those who judge |
//! | 4 | [`calibrate`] | judges held against people |
//! | 4 | [`review`] | people in the loop: what is asked of them, and what they say |
//! | 4 | [`notify`] | alerts, delivered: webhooks, chats, pagers, programs |
//! | 4 | [`promote`] | promotions: the evidence of runs, decided over by people, signed and logged |
//! | 5 | [`cli`] | one file per command; text, exit codes, clock, environment |
//!
//! Beside the house stands [`demo`], an agent to try things with: nothing else knows of it but its command.
//!
//! A check, a trace format, a dialect of telemetry, a way to ask a model or a report is one file and one line in its
//! registry: [`checks::RULES`], [`formats::FORMATS`], [`formats::telemetry::dialect::DIALECTS`],
//! [`endpoints::PROTOCOLS`], [`report`]. So is a way to speak with an agent: [`agents::KINDS`], a
//! kind of alert: [`alerts::KINDS`], and a place where alerts go: [`alerts::channels::CHANNELS`].

pub mod agents;
pub mod alerts;
pub mod assemble;
pub mod calibrate;
pub mod checks;
pub mod cli;
pub mod demo;
pub mod drive;
pub mod endpoints;
pub mod eval;
pub mod evidence;
pub mod fleet;
pub mod formats;
pub mod ledger;
pub mod model;
pub mod net;
pub mod notify;
pub mod process;
pub mod promote;
pub mod receive;
pub mod redact;
pub mod report;
pub mod review;
pub mod run;
pub mod sampling;
pub mod sources;
pub mod stats;
pub mod store;
pub mod suite;
pub mod watch;
