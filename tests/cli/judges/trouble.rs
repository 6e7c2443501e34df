//! Judges that are down, slow, babbling or hostile: each an error that says what they said, never a pass and never a 0.

use super::stub::{Response, Stub, completion, ok, refuse, verdict};
use super::{CHECK, counts, project};
use std::sync::atomic::{AtomicUsize, Ordering};

/// One session, judged by a server that always answers the same.
fn told(response: Response, judge: &str) -> (String, usize) {
    let stub = Stub::new(move |_| response.clone());
    let project = project(&stub, 1, CHECK, judge);
    let said = project.run().code(4);
    assert_eq!(counts(&project), [0, 0, 1]);
    let count = stub.count();
    // What was no answer is not remembered as one.
    project.run().code(4);
    assert_eq!(stub.count(), 2 * count);
    (said.out, count)
}

#[test]
fn whatever_is_no_answer_is_an_error_that_says_what_was_said() {
    for (response, words) in [
        (ok("<html>Sign in</html>"), "<html>Sign in</html>"),
        (ok("{\"choices\":[{\"mess"), "no chat completion"),
        (ok("{\"error\":{\"message\":\"no such deployment\"}}"), "no such deployment"),
        (ok("{\"choices\":[]}"), "without a choice"),
        (ok(b"\xff\xfe\x00".to_vec()), "no chat completion"),
        (ok(vec![b' '; 100 << 20]), "longer than"),
        (refuse(401, "{\"error\":\"bad key\"}"), "HTTP 401"),
        (refuse(301, ""), "HTTP 301"),
    ] {
        let (said, count) = told(response, "");
        assert!(said.contains(words), "{words}: {said}");
        assert_eq!(count, 1, "asking again does not help: {words}");
    }
}

#[test]
fn a_judge_that_cannot_stick_to_the_form_is_asked_once_more_and_then_an_error() {
    let (pass, fail) = (verdict(1.0), verdict(0.0));
    let twice = pass.replace("\"verdict\":\"pass\"", "\"verdict\":\"pass\",\"verdict\":\"fail\"");
    for babble in [
        "It passes.",
        "{\"verdict\":\"pass\"}",
        &pass.replace("1.0", "7"),
        "",
        &format!("{pass}\n{fail}"),
        &format!("[{pass},{fail}]"),
        &twice,
    ] {
        let (said, count) = told(completion(babble), "");
        assert!(said.contains("asked twice"), "{babble}: {said}");
        assert_eq!(count, 2, "{babble}");
    }
}

#[test]
fn what_is_cut_or_refused_says_so() {
    let choice = |rest: &str| ok(format!(r#"{{"choices":[{{"message":{{{rest}}}}}]}}"#));
    let cut = ok(r#"{"choices":[{"message":{"content":"{\"reason\":"},"finish_reason":"length"}]}"#);
    assert!(told(cut, "").0.contains("cut at 1024 tokens"));
    assert!(told(choice(r#""content":null,"refusal":"I cannot judge.""#), "").0.contains("I cannot judge."));
    assert!(told(choice(r#""content":null"#), "").0.contains("without a text"));
}

#[test]
fn a_judge_that_is_slow_is_given_up() {
    let stub = Stub::new(|_| {
        std::thread::sleep(std::time::Duration::from_secs(3));
        completion(&verdict(1.0))
    });
    let project = project(&stub, 1, CHECK, "timeout = \"100ms\"\n");
    project.run().code(4).says("no answer within 100 ms").says("4 tries");
    assert_eq!(counts(&project), [0, 0, 1]);
}

#[test]
fn one_that_is_busy_is_asked_again_when_it_says() {
    let tries = AtomicUsize::new(0);
    let stub = Stub::new(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Response { headers: vec![("retry-after", "1".to_owned())], ..refuse(429, "slow down") },
        1 => refuse(503, "still starting"),
        2 => Response { cut: true, ..completion(&verdict(1.0)) },
        _ => completion(&verdict(1.0)),
    });
    let project = project(&stub, 1, CHECK, "");
    project.run().code(0);
    assert_eq!((counts(&project), stub.count()), ([1, 0, 0], 4));
}

#[test]
fn one_that_fails_at_everything_is_not_asked_for_ever() {
    let stub = Stub::new(|_| refuse(403, "this key may not"));
    let project = project(&stub, 60, CHECK, "concurrency = 1\n");
    project.run().code(4).says("this key may not");
    assert_eq!((counts(&project), stub.count()), ([0, 0, 60], 5));
    let record = project.report("run.jsonl");
    assert!(record.contains("it failed 5 times in a row and is not asked any more: HTTP 403"), "{record}");
}

#[test]
fn nobody_there_is_an_error() {
    let stub = Stub::says("");
    let project = project(&stub, 1, CHECK, "");
    let settings = std::fs::read_to_string(project.path("seatrial.toml")).expect("settings");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    project.file("seatrial.toml", settings.replace(&stub.url, &format!("http://{nobody}")));
    project.run().code(4).says("4 tries");
    assert_eq!(counts(&project), [0, 0, 1]);
}

#[test]
fn a_cache_that_is_broken_or_newer_is_refused_in_words() {
    let stub = Stub::says(&verdict(1.0));
    let project = project(&stub, 1, CHECK, "");
    project.file(".seatrial/cache.db", "this is no database, however long it may be: ".repeat(100));
    project.run().code(2).complains("cache.db cannot be used").complains("--cache off");
    assert_eq!(stub.count(), 0);
}
