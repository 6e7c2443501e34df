//! What is written of models in `seatrial.toml`, and what is wrong with it.

use std::path::Path;
use std::time::Duration;

use super::super::file::parse;
use super::*;

fn read(text: &str) -> (OwnModels, Vec<String>) {
    let mut problems = Vec::new();
    let file = parse(text, Path::new("/x/seatrial.toml"), Path::new("/x"), &mut problems);
    let told = problems.into_iter().map(|p| {
        let help = p.help.map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{}: {}{help}", &text[p.span.clone()], p.message)
    });
    (file.models, told.collect())
}

#[test]
fn a_judge_is_read_with_all_its_keys() {
    let (models, problems) = read(
        r#"
        [judge.default]
        endpoint = "openai"
        model = "m"
        url = "https://{{ env.HOST }}/v1"
        api_key = "{{ env.KEY }}"
        headers = { x-team = "a" }
        body = { seed = 1 }
        timeout = "5s"
        concurrency = 32
        requests_per_minute = 60
        temperature = 1
        max_tokens = 100
        structured = "object"
        logprobs = true
        [judge.other]
        endpoint = "anthropic"
        model = "c"
        [judge.both]
        panel = ["default", "other"]
        [embedding.default]
        endpoint = "openai"
        model = "e"
        "#,
    );
    assert_eq!(problems, [] as [&str; 0]);
    let judge = models.judge("default").unwrap();
    assert_eq!(
        judge.identity().to_string(),
        r#"{"endpoint":"openai","url":"https://{{ env.HOST }}/v1","model":"m","region":null,"temperature":1.0,"max_tokens":100,"structured":"object","logprobs":true,"body":{"seed":1}}"#
    );
    assert_eq!((judge.timeout, judge.concurrency), (Duration::from_secs(5), 32));
    assert!(models.judge("other").unwrap().prompt_cache && !judge.prompt_cache);
    let both = crate::checks::askable::Asked::Judge("both".to_owned());
    assert_eq!(models.askable().behind(&both).len(), 1);
    assert!(models.judge("both").is_none() && models.embedding("default").is_some());
    assert_eq!(models.rows()[0].1, "panel of default, other");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_where_it_stands() {
    let (_, problems) = read(
        r#"
        [judge.a]
        endpoint = "opanai"
        modle = "m"
        url = "localhost"
        api_key = "sk-1"
        temperature = 3
        timeout = "soon"
        concurrency = 0
        headers = { "a b" = "x", ok = 1 }
        structured = "yes"
        [judge.p]
        panel = ["a", "b", "q"]
        model = "m"
        [judge.q]
        panel = ["a"]
        [embedding.e]
        endpoint = "anthropic"
        model = "m"
        temperature = 1
        "#,
    );
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn a_header_that_holds_a_secret_is_warned_of_and_used() {
    let text = "[judge.j]\nendpoint = \"openai\"\nmodel = \"m\"\n\
        headers = { Api-Key = \"sk-1\", x-team = \"a\", authorization = \"Bearer {{ env.KEY }}\" }\n";
    let mut problems = Vec::new();
    let file = parse(text, Path::new("/x/seatrial.toml"), Path::new("/x"), &mut problems);
    assert!(problems.is_empty() && file.models.judge("j").unwrap().headers.len() == 3);
    let told: Vec<_> = file.warnings.iter().map(|w| (&text[w.span.clone()], w.message.as_str())).collect();
    assert_eq!(told, [("\"sk-1\"", "`Api-Key` is written out here, and looks like a secret")]);
}

#[test]
fn what_answers_depend_on_is_in_the_digest_and_secrets_are_not() {
    let judge = |more: &str| {
        let (models, problems) = read(&format!("[judge.j]\nendpoint = \"openai\"\nmodel = \"m\"\n{more}"));
        assert_eq!(problems, [] as [&str; 0]);
        models.judge("j").unwrap().digest()
    };
    for more in
        ["api_key = \"{{ env.A }}\"", "headers = { x = \"{{ env.A }}\" }", "concurrency = 2", "timeout = \"1s\""]
    {
        assert_eq!(judge(more), judge(""), "{more}");
    }
    for more in ["temperature = 0", "max_tokens = 99", "body = { seed = 1 }", "url = \"http://h\"", "logprobs = true"] {
        assert_ne!(judge(more), judge(""), "{more}");
    }
}
