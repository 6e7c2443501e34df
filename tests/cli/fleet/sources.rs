//! Streams and tables that sessions of production come from.

use async_nats::jetstream;
use serde_json::Value;

use crate::nats::Nats;
use crate::postgres;
use crate::project::{GOOD, Project, replies};
use crate::receive::recorder::run;
use crate::watching::process::rows;

/// Watches what is there, and how many sessions were evaluated, and known.
fn watch(project: &Project, from: &str) -> (u64, u64) {
    let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", from, "--drain", "--json"];
    let said = project.seatrial(&args).code(0);
    let line: Value = serde_json::from_str(said.out.trim()).expect("one line");
    let of = |what: &str| line["suites"][0]["sessions"][what].as_u64().expect("a number");
    (of("evaluated"), of("known"))
}

/// Puts messages into a stream, which is made where it is not there.
fn publish(nats: &Nats, retention: jetstream::stream::RetentionPolicy, messages: &[String]) {
    run(async {
        let client = async_nats::connect(nats.url("")).await.expect("a connection");
        let js = jetstream::new(client);
        let config = jetstream::stream::Config {
            name: "SESSIONS".to_owned(),
            subjects: vec!["sessions.>".to_owned()],
            retention,
            ..Default::default()
        };
        js.get_or_create_stream(config).await.expect("a stream");
        for message in messages {
            let sent = js.publish("sessions.a", message.clone().into()).await.expect("sent");
            sent.await.expect("stored");
        }
    });
}

#[test]
fn a_stream_is_read_on_where_it_was_and_each_message_counts_once() {
    let Some(mut nats) = Nats::start() else { return };
    let project = Project::with(GOOD, &["{}"]);
    let many: Vec<String> = (0..150).map(|i| replies(&format!("s{i}"), "good")).collect();
    let limits = jetstream::stream::RetentionPolicy::Limits;
    publish(&nats, limits, &many);
    let from = nats.url("SESSIONS");
    assert_eq!(watch(&project, &from), (150, 0));
    assert_eq!(watch(&project, &from), (0, 0), "nothing that was read is read again");
    nats.kill();
    nats.begin();
    // One that was there, one that says more, one that is none, and telemetry.
    let telemetry = String::from_utf8(crate::watching::turn("told", 1, "good")).expect("text");
    publish(&nats, limits, &[replies("s1", "good"), replies("s2", "bad"), "hello".to_owned(), telemetry]);
    assert_eq!(watch(&project, &from), (2, 1));
    let found = rows(&project, "s");
    assert_eq!(found.len(), 151);
    let second = found.iter().find(|(row, _)| row.watched.session == "s2").expect("its row");
    assert_eq!((second.0.version, second.1.worst().name()), (2, "fail"));
}

#[test]
fn a_work_queue_is_no_source_and_that_is_said() {
    let Some(nats) = Nats::start() else { return };
    let project = Project::with(GOOD, &["{}"]);
    publish(&nats, jetstream::stream::RetentionPolicy::WorkQueue, &[replies("a", "good")]);
    assert_eq!(watch(&project, &nats.url("SESSIONS")), (0, 0));
    let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--drain", "--from", "nats://127.0.0.1"];
    project.seatrial(&args).code(2).complains("name the stream");
}

#[test]
fn a_table_is_read_on_and_rows_that_become_visible_late_are_not_missed() {
    let Some(address) = postgres::database() else { return };
    let project = Project::with(GOOD, &["{}"]);
    postgres::sql(&address, "CREATE TABLE sessions (id bigserial, ended timestamptz, body jsonb)");
    let row = |ended: &str, session: &str| {
        let session = session.replace('\'', "''");
        postgres::sql(&address, &format!("INSERT INTO sessions (ended, body) VALUES ({ended}, '{session}')"));
    };
    for i in 0..450 {
        // Many of one time.
        row(
            &format!("TIMESTAMPTZ '2026-11-01 10:00:00.5Z' + {} * INTERVAL '1 s'", i / 300),
            &replies(&format!("s{i}"), "good"),
        );
    }
    let from = format!("{address}&table=sessions&time=ended&session=body");
    assert_eq!(watch(&project, &from), (450, 0));
    assert_eq!(watch(&project, &from).0, 0);
    // A transaction that began earlier, and ended later.
    row("TIMESTAMPTZ '2026-11-01 10:00:00.9Z'", &replies("late", "good"));
    row("TIMESTAMPTZ '2026-11-01 10:05:00Z'", &replies("s7", "bad"));
    row("now()", "null");
    assert_eq!(watch(&project, &from).0, 2);
    let found = rows(&project, "s");
    assert_eq!(found.len(), 451);
    let seventh = found.iter().find(|(row, _)| row.watched.session == "s7").expect("its row");
    assert_eq!((seventh.0.version, seventh.1.worst().name()), (2, "fail"));
    let wrong = format!("{address}&time=ended");
    let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--drain", "--from", &wrong];
    project.seatrial(&args).code(2).complains("no table is named");
}
