//! Agents of kind `command` with real processes, well-behaved and not.

use std::time::Duration;

use serde_json::json;

use crate::agents::testing::{SESSION, build, hello, open, problems, runs, say};
use crate::agents::{Exchange, Heard};
use crate::net::{Cause, Trouble};

fn shell(script: &str, keys: &str) -> String {
    format!("kind = 'command'\n{keys}\nrun = ['sh', '-c', '''\n{script}\n''']")
}

async fn once(script: &str) -> Result<Heard, Trouble> {
    hello(&shell(script, "")).await
}

#[test]
fn a_turn_is_a_line_and_what_is_known_of_it_is_in_the_line_and_the_environment() {
    runs(async {
        let script = r#"
            n=0
            while read -r line; do
                n=$((n + 1))
                printf '{"text": "one "}\n\n{"text": "two"}\n'
                printf '{"reply": "%s %s %s %s", "attributes": {"line": %s}, "calls": [{"name": "t"}], "usage": {"input_tokens": 3}}\n' "$n" "$KEY" "$TRACEPARENT" "$BAGGAGE" "$line"
            done"#;
        let agent = build(&shell(script, "env = { KEY = 'k-{{ env.KEY }}' }")).unwrap();
        let mut talk = open(&agent).await.unwrap();
        let first = say(&mut *talk, "a\nb", 0, &[]).await.unwrap();
        let before = [Exchange { user: "a\nb".to_owned(), reply: None }];
        let second = say(&mut *talk, "c", 1, &before).await.unwrap();
        talk.close().await;

        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let baggage = format!("session.id={SESSION}");
        assert_eq!(first.reply.unwrap(), format!("1 k-s3cret {trace} {baggage}"));
        assert!(second.reply.unwrap().starts_with("2 "), "it is the same process");
        assert!(first.first.is_some());
        assert_eq!((first.calls.unwrap()[0].name.as_str(), first.usage.unwrap().input), ("t", Some(3)));
        assert_eq!(
            second.attributes["line"],
            json!({"message": "c", "session": SESSION, "turn": 1, "trial": 1, "case": {"id": "c-1", "n": 7},
                "history": [{"user": "a\nb", "reply": null}], "traceparent": trace, "baggage": baggage})
        );
    });
}

#[test]
fn a_pool_is_asked_by_one_turn_at_a_time_and_used_again() {
    runs(async {
        let script = "while read -r line; do sleep 0.05; printf '{\"reply\": \"%s\"}\\n' $$; done";
        let agent = build(&shell(script, "process = 'pool'")).unwrap();
        let (mut a, mut b) = (open(&agent).await.unwrap(), open(&agent).await.unwrap());
        let (x, y) = tokio::join!(say(&mut *a, "x", 0, &[]), say(&mut *b, "y", 0, &[]));
        let (x, y) = (x.unwrap().reply, y.unwrap().reply);
        assert_ne!(x, y);
        let mut c = open(&agent).await.unwrap();
        let z = say(&mut *c, "z", 0, &[]).await.unwrap().reply;
        assert!(z == x || z == y);
        agent.shut().await;
        let gone = || !std::path::Path::new(&format!("/proc/{}", z.as_deref().unwrap())).exists();
        while !gone() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn every_bad_program_is_a_trouble_with_a_name() {
    let cases = [
        (
            "echo broken >&2; exit 3",
            Cause::Died,
            "ended without an answer (exit status: 3); on its standard error: broken",
        ),
        ("echo $KEY >&2; exec 1>&-; sleep 9", Cause::Died, "closed its standard output"),
        ("read l; echo '<html>'", Cause::Malformed, "no JSON"),
        ("read l; echo '{\"reply\": \"a'", Cause::Malformed, "no JSON"),
        ("read l; echo '{}'", Cause::Malformed, "no `reply` and no `text`"),
        ("read l; printf '\\377\\n'", Cause::Malformed, "not UTF-8"),
        ("read l; echo '{\"error\": \"no model\"}'", Cause::Agent, "failed: no model"),
        ("read l; head -c 10000000 /dev/zero | tr '\\0' a", Cause::TooLarge, "longer than 8388608 bytes"),
        ("yes '{\"text\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}'", Cause::TooLarge, "longer than 8388608 bytes"),
        ("head -c 3000000 /dev/zero | tr '\\0' e >&2; read l; exit 1", Cause::Died, "eeeee"),
    ];
    runs(async {
        for (script, cause, message) in cases {
            let trouble = once(script).await.expect_err(script);
            // A program that answers before it is asked may be found out either way.
            let early = trouble.message.contains("more often than it was asked");
            assert!(trouble.cause == cause || early, "{script}: {trouble:?}");
            assert!(trouble.message.contains(message) || early, "{script}: {}", trouble.message);
            assert!(trouble.message.len() < 3000, "{script}: {} bytes", trouble.message.len());
        }
        let trouble = hello("kind = 'command'\nrun = ['no-such-program-here']").await.unwrap_err();
        assert_eq!(trouble.cause, Cause::Misconfigured);
    });
}

#[test]
fn a_secret_in_what_a_program_says_is_not_shown() {
    let trouble = runs(hello(&shell("echo key $KEY >&2; exit 1", "env = { KEY = '{{ env.KEY }}' }"))).unwrap_err();
    assert!(trouble.message.contains("key [secret]"), "{}", trouble.message);
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_taken_for_another() {
    runs(async {
        let script = "read l; printf '{\"reply\": 1}\\n{\"reply\": 2}\\n'; read l; sleep 9";
        let agent = build(&shell(script, "")).unwrap();
        let mut talk = open(&agent).await.unwrap();
        assert_eq!(say(&mut *talk, "a", 0, &[]).await.unwrap().reply.as_deref(), Some("1"));
        // Both lines were written at once, and came at once.
        let trouble = say(&mut *talk, "b", 1, &[]).await.unwrap_err();
        assert_eq!(trouble.cause, Cause::Malformed);
        assert!(trouble.message.contains("more often than it was asked"));
    });
}

#[test]
fn a_program_that_does_not_answer_is_ended_with_what_it_started_and_its_session_is_over() {
    runs(async {
        let script = "read l; printf '{\"reply\": \"%s\"}\\n' $$; read l; sleep 999 & wait";
        let agent = build(&shell(script, "")).unwrap();
        let mut talk = open(&agent).await.unwrap();
        let pid = say(&mut *talk, "a", 0, &[]).await.unwrap().reply.unwrap();
        let group = || {
            let mine = |stat: String| {
                let rest: Vec<String> =
                    stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect();
                rest[0] != "Z" && rest[2] == pid
            };
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            processes
                .filter_map(|p| std::fs::read_to_string(p.path().join("stat")).ok())
                .filter(|s| mine(s.clone()))
                .count()
        };
        // Nobody waits any longer as soon as it has started what is to end with it.
        let started = async {
            while group() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            heard = say(&mut *talk, "b", 1, &[]) => panic!("{heard:?}"),
            () = started => {}
        }
        while group() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let trouble = say(&mut *talk, "b", 1, &[]).await.unwrap_err();
        assert_eq!((trouble.cause, trouble.message.contains("middle of the session")), (Cause::Died, true));
    });
}

#[test]
fn what_is_wrong_with_the_table_is_said_where_it_stands() {
    assert_eq!(problems("kind = 'command'\nrun = []"), ["run: no program is named"]);
    assert_eq!(
        problems("kind = 'command'\nrun = ['./agent.sh']\nenv = { A = '{{ message }}' }"),
        ["run: ./agent.sh is not there", "env.A: only `{{ env.NAME }}` may be used here"]
    );
}
