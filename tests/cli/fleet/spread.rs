//! Runs on workers against runs on one machine, and what workers refuse.

use std::sync::Arc;
use std::time::Duration;

use seatrial::eval::keep::Keep;
use seatrial::fleet::bundle::VERSION;
use seatrial::fleet::queue::{Note, Queue};
use seatrial::fleet::task::{Became, Task};
use seatrial::model::digest::Digest;
use seatrial::run::apart::{Portion, Room};
use seatrial::sources::recipe::Recipe;

use super::workers::Worker;
use crate::nats::Nats;
use crate::project::{GOOD, Project, replies};
use crate::receive::recorder::run;
use crate::shards;

#[test]
fn a_run_on_four_workers_is_to_the_byte_that_of_one_machine_and_of_eight_shards() {
    let Some(nats) = Nats::start() else { return };
    let project = shards::project();
    let url = nats.url("four");
    let workers: Vec<Worker> = (0..4).map(|_| Worker::start(&project, &url)).collect();
    for more in [&[][..], &["--keep", "all"], &["--keep-limit", "3"], &["--filter", "not case(c7)"]] {
        let _ = std::fs::remove_dir_all(project.path("shards"));
        project.seatrial(&[&["run", "suites", "--out", "whole"][..], more].concat()).code(1);
        project.seatrial(&[&["run", "suites", "--out", "fleet", "--on", &url][..], more].concat()).code(1);
        shards::same(&project, "fleet", "whole");
        shards::shards(&project, 8, more);
        let names: Vec<String> = (1..=8).map(|i| format!("shards/{i}")).collect();
        let args: Vec<&str> =
            ["merge", "--out", "merged"].into_iter().chain(names.iter().map(String::as_str)).collect();
        project.seatrial(&args).code(1);
        shards::same(&project, "fleet", "merged");
    }
    let metrics = workers[0].metrics();
    for wanted in ["seatrial_worker_queue_waiting 0", "seatrial_worker_sessions_total ", "outcome=\"done\""] {
        assert!(metrics.contains(wanted), "no `{wanted}`: {metrics}");
    }
    for worker in workers {
        let (code, said) = worker.terminate();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("0 given up, 0 refused"), "{said}");
    }
}

#[test]
fn recordings_of_every_format_are_judged_by_workers_as_here() {
    let Some(nats) = Nats::start() else { return };
    let project = Project::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/**/*").display().to_string();
    let suite = "[suite]\nname = \"all\"\n[recorded]\npaths = [PATHS]\n[gate]\nmax_left_out = 100000\n";
    project.file("suite.toml", format!("{}{GOOD}", suite.replace("PATHS", &format!("{fixtures:?}"))));
    let url = nats.url("formats");
    let _worker = Worker::start(&project, &url);
    let code = project.seatrial(&["run", "suite.toml", "--out", "whole"]).code;
    project.seatrial(&["run", "suite.toml", "--out", "fleet", "--on", &url]).code(code);
    shards::same(&project, "fleet", "whole");
    let read = shards::summary(&project, "fleet")["suites"][0]["sessions"]["evaluated"].as_u64();
    assert!(read.is_some_and(|n| n > 20), "{read:?}");
}

#[test]
fn what_settings_lend_a_suite_reaches_workers_and_what_is_larger_than_a_message_too() {
    let Some(nats) = Nats::start() else { return };
    let detects = "[[session]]\nid = \"booking\"\ncheck = \"not_contains\"\ndetect = [\"custom.booking\"]\n";
    let costs = "[[session]]\nid = \"cheap\"\ncheck = \"cost\"\nmax_usd = 1\n";
    // Random letters are not packed to less than a message may hold.
    let mut random = fastrand::Rng::with_seed(3);
    let large: String = (0..3 << 20).map(|_| random.alphanumeric()).collect();
    let sessions = [replies("a", "good, your code is AB12CD"), replies("b", &format!("good {large}"))];
    let project = Project::with(&format!("{GOOD}{detects}{costs}"), &sessions.each_ref().map(String::as_str));
    project.file(
        "seatrial.toml",
        "[detectors.booking]\npattern = 'AB12CD'\n[prices]\n\"m\" = { input = 1, output = 2 }\n[redact]\n\
         detectors = [\"custom.booking\"]\n",
    );
    let url = nats.url("lent");
    let _worker = Worker::start(&project, &url);
    let code = project.seatrial(&["run", "suite.toml", "--out", "whole", "--keep", "all"]).code;
    project.seatrial(&["run", "suite.toml", "--out", "fleet", "--keep", "all", "--on", &url]).code(code);
    shards::same(&project, "fleet", "whole");
    assert!(shards::events(&project, "fleet").contains("custom.booking"));
}

#[test]
fn what_workers_cannot_judge_is_said_before_anything_is_begun() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let nobody = "nats://127.0.0.1:9/x";
    for (flags, why) in [
        (&["--shard", "1/2"][..], "--shard cannot be used with --on"),
        (&["--tries", "0"], "invalid value '0'"),
        (&["--ack-wait", "1ms"], "at least 100ms"),
    ] {
        project.run_with(&[&["--on", nobody][..], flags].concat()).code(2).complains(why);
    }
    project.run_with(&["--on", "http://x"]).code(2).complains("an address such as nats://");
    project.run_with(&["--on", nobody]).code(5).complains("nats://127.0.0.1:9/x cannot be reached");
    assert!(!project.path("reports").exists());
    let judged = "[[turn]]\nid = \"j\"\ncheck = \"judge\"\njudge = \"j\"\nrubric = \"Is it polite?\"\n";
    let project = Project::with(&format!("{GOOD}{judged}"), &[&replies("a", "good")]);
    project.file("seatrial.toml", "[judge.j]\nendpoint = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n");
    project.run_with(&["--on", nobody]).code(2).complains("the check `j` asks a model");
}

#[test]
fn an_object_of_which_a_part_is_gone_is_an_error_and_not_waited_for() {
    let Some(nats) = Nats::start() else { return };
    let address: seatrial::fleet::address::Address = nats.url("parts").parse().expect("an address");
    run(async {
        let queue = Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue");
        let digest = queue.objects.keep(b"a suite", &|| false).await.expect("kept");
        assert_eq!(queue.objects.kept(&digest).await.expect("whole"), b"a suite");
        let client = async_nats::connect(address.url()).await.expect("a client");
        let objects = async_nats::jetstream::new(client).get_stream("OBJ_parts-blobs").await.expect("a stream");
        objects.purge().filter("$O.parts-blobs.C.>").await.expect("purged");
        assert!(queue.objects.kept(&digest).await.is_err());
    });
}

#[test]
fn a_worker_of_another_version_refuses_the_work_and_so_does_one_whose_suite_is_another() {
    let Some(nats) = Nats::start() else { return };
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let url = nats.url("versions");
    let worker = Worker::start(&project, &url);
    let answer = |version: &str, suite: &[u8]| {
        run(async {
            let address = url.parse().expect("an address");
            let queue = Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue");
            let stop = || false;
            let recipe = Recipe::Format { name: "seatrial".to_owned(), headers: Vec::new() };
            let room = Room { all: 0, passed: 0 };
            let session = replies("a", "good");
            let elements = vec![(0, session.as_bytes())];
            let portion = Portion { recipe: &recipe, stem: "s", file: 0, now_ns: 0, room, elements, given_up: None };
            let key = format!("0-{}", Digest::of(suite));
            let key = key.replace(':', "-");
            let task = Task {
                run: "r".to_owned(),
                key: key.clone(),
                version: version.to_owned(),
                suite: queue.objects.keep(suite, &stop).await.expect("kept"),
                index: 0,
                now_ns: 0,
                keep: Keep { failed: false, passed: 0, limit: 0 },
                tries: 3,
                reply: queue.done("r", &key),
                recipe: queue.objects.keep(b"no recipe", &stop).await.expect("kept"),
                stem: String::new(),
                file: 0,
                room,
                given_up: None,
                elements: vec![0],
            };
            let packed = task.pack(&portion).expect("packed");
            queue.put(&queue.work("r"), &key, &packed, Note::default(), &stop).await.expect("put");
            let consumer = queue.answers("r").await.expect("a consumer");
            let message = queue.next(&consumer, Duration::from_secs(60)).await.expect("answers").expect("an answer");
            let became = Became::unpack(&queue.content(&message).await.expect("content")).expect("an answer");
            queue.done_with(&message).await.expect("done");
            match became {
                Became::Refused(why) => why,
                Became::Done(_) => panic!("it was done"),
                Became::Dead(why) => panic!("it was given up: {why}"),
            }
        })
    };
    let why = answer("0.0.9", b"one");
    assert_eq!(why, format!("it asks for seatrial 0.0.9, and this is {VERSION}"));
    let why = answer(VERSION, b"two");
    assert!(why.contains("a message that is none of this version"), "{why}");
    let (_, said) = worker.terminate();
    assert!(said.contains("2 refused"), "{said}");
}
