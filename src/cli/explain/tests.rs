//! What is explained, and how.

use super::*;
use crate::suite::schema::tests::SIZED;

#[test]
fn a_check_is_explained_from_its_parameters_and_examples() {
    insta::assert_snapshot!(check(&SIZED), @r#"
    sized (turn, session)

    The reply has a length.

    Counted in characters or words.

    Parameters
      max     integer, required
              At most this many.
      except  list of string, default []
              Tools that do not count.
      is      matcher
              What else must hold.
      min     integer
              At least this many.
      unit    "chars" or "words", default "chars"
              What is counted.
                "chars": Unicode characters.
                "words": What is between spaces.

    Beside them it takes the keys that every check has: `seatrial explain keys`.

    Example
      [[session]]
      id = "short"
      check = "sized"
      max = 3

      passes with
        {"id":"s","turns":[{"reply":"ok"}]}

      fails with
        {"id":"s","turns":[{"reply":"too long"}]}
    "#);
}

#[test]
fn the_reference_is_markdown() {
    insta::assert_snapshot!(reference::markdown([&SIZED]), @r#"
    ### `sized`

    *turn, session.* The reply has a length.

    Counted in characters or words.

    | parameter | type | default | meaning |
    | --- | --- | --- | --- |
    | `max` | integer | required | At most this many. |
    | `except` | list of string | `[]` | Tools that do not count. |
    | `is` | matcher |  | What else must hold. |
    | `min` | integer |  | At least this many. |
    | `unit` | one of | `"chars"` | What is counted. `"chars"`: Unicode characters. `"words"`: What is between spaces. |

    ```toml
    [[session]]
    id = "short"
    check = "sized"
    max = 3
    ```
    "#);
}

#[test]
fn a_long_meaning_is_written_once_and_pointed_at() {
    let text = reference_markdown();
    let of = |check: &str| {
        let section = text.split(&format!("### `{check}`")).nth(1).expect(check);
        section.lines().find(|l| l.starts_with("| `of` |")).expect(check).to_owned()
    };
    assert!(of("contains").contains("`\"replies\"`"), "{}", of("contains"));
    assert!(of("equals").ends_with("As of [`contains`](#contains). |"), "{}", of("equals"));
    assert!(of("tokens").contains("`\"total\"`"), "another `of` has a meaning of its own: {}", of("tokens"));
}

#[test]
fn the_contents_link_every_check() {
    let text = reference_markdown();
    for rule in RULES {
        let links = text.matches(&format!("[`{0}`](#{0})", rule.name)).count();
        assert!(links >= rule.levels.len(), "{}", rule.name);
        assert_eq!(text.matches(&format!("### `{}`\n", rule.name)).count(), 1, "{}", rule.name);
    }
}

#[test]
fn explanations_fit_a_terminal() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let long = "a word and `another` ".repeat(30);
    let lines = wrapped(&long, 4, 2);
    assert!(lines.lines().count() > 5 && lines.lines().all(|l| l.len() <= WIDTH), "{lines}");
    assert!(lines.lines().skip(1).all(|l| l.starts_with("      ")), "{lines}");
    assert_eq!(words(&lines), words(&long), "nothing is lost");
    assert_eq!(wrapped(&"x".repeat(200), 2, 0), format!("  {}", "x".repeat(200)), "a word is never cut");
}

#[test]
fn every_matcher_is_explained_and_every_matcher_of_the_explanation_is_one() {
    let text = explain("matchers").unwrap();
    let mut names = std::collections::BTreeSet::new();
    for example in text.lines().filter_map(|l| l.strip_prefix("  { ")) {
        let example = example.split("    ").next().expect("an example");
        for one in format!("{{ {example}").split("   ") {
            let value: toml::Value = toml::from_str(&format!("x = {one}")).unwrap_or_else(|e| panic!("{one}: {e}"));
            let value = value.get("x").cloned().expect("a value");
            value.clone().try_into::<crate::checks::matcher::Matcher>().unwrap_or_else(|e| panic!("{one}: {e}"));
            names.extend(value.as_table().expect("a table").keys().find(|k| k.starts_with('$')).cloned());
        }
    }
    assert_eq!(names.len(), 11, "{names:?}");
}

#[test]
fn every_table_of_a_suite_is_explained() {
    let text = explain("suite").unwrap();
    let lines = ["[suite]", "[subject]", "[recorded]", "[[case]]", "[[case.turn]]", "[case.reference]", "on", "[gate]"];
    let more = ["[[gate.group]]", "baseline", "[defaults.CHECK]", "[fragment]"];
    for name in lines.iter().chain(&more) {
        assert!(text.lines().any(|l| l == *name), "{name} in\n{text}");
    }
    let has = |key: &str| text.lines().any(|l| l.strip_prefix("  ").is_some_and(|l| l.split(' ').next() == Some(key)));
    assert!(text.contains("  name         Unique in a run. Required. (string)\n"), "{text}");
    assert_eq!(text.matches("A string is a glob").count(), 1, "{text}");
    for key in ["trials", "max_age", "index", "expected_fail", "facts", "max_left_out", "pass_rate"] {
        assert!(has(key), "{key} in\n{text}");
    }
}

#[test]
fn the_overview_names_every_check_at_each_of_its_levels_and_every_topic() {
    let text = overview(std::slice::from_ref(&SIZED));
    assert_eq!(text.matches("sized         The reply has a length.").count(), 2);
    let text = overview(RULES);
    for name in RULES.iter().map(|r| r.name).chain(TOPICS.iter().map(|t| t.name)) {
        assert!(text.contains(&format!("  {name} ")), "{name}");
    }
}

#[test]
fn a_summary_is_one_short_line() {
    assert_eq!(short("One thing. Another thing."), "One thing.");
    let long = short(&"word ".repeat(60));
    assert!(long.ends_with("word ...") && long.len() < 100, "{long}");
    assert_eq!(short(&"é".repeat(200)), format!("{} ...", "é".repeat(90)));
}

#[test]
fn the_metrics_are_those_of_the_registry() {
    let text = explain("metrics").unwrap();
    for metric in crate::checks::system::columns::METRICS {
        assert!(text.contains(&format!("  {} ", metric.name)), "{}", metric.name);
    }
}

#[test]
fn everything_that_is_listed_can_be_explained() {
    let formats = FORMATS.iter().map(|f| f.name());
    for name in RULES.iter().map(|r| r.name).chain(TOPICS.iter().map(|t| t.name)).chain(formats) {
        let args = Args { name: Some(name.to_owned()), markdown: false };
        assert!(text(&args).expect(name).len() > 40, "{name}");
    }
}

#[test]
fn no_name_is_both_a_topic_and_a_check() {
    for topic in TOPICS {
        assert!(
            crate::checks::rule(topic.name).is_none() && crate::formats::format(topic.name).is_none(),
            "{}",
            topic.name
        );
    }
}

#[test]
fn an_unknown_name_is_a_usage_error_that_names_the_nearest() {
    let error = explain("exit-code").expect_err("unknown");
    assert_eq!(error.code, exit::USAGE);
    assert_eq!(error.message, "seatrial: nothing is called `exit-code`\nhelp: did you mean `exit-codes`?\n");
    assert!(explain("zzzzzz").expect_err("unknown").message.contains("lists everything"));
}

#[test]
fn a_table_of_the_suite_language_is_explained_with_the_others() {
    for name in ["[gate]", "case", "[[case]]", "recorded", "case.reference", "fragment", "gate.group"] {
        assert_eq!(explain(name).expect(name), explain("suite").unwrap());
    }
    assert!(explain("[]").is_err());
    // What decides has more to it than its keys.
    let gate = explain("gate").unwrap();
    for key in ["Clopper", "Tango", "McNemar", "Holm", "\n[gate]\n", "\nbaseline\n"] {
        assert!(gate.contains(key), "{key} in\n{gate}");
    }
}

#[test]
fn settings_keys_and_exit_codes_are_complete() {
    let text = explain("settings").unwrap();
    for key in crate::suite::settings::KEYS {
        assert!(text.contains(&key.variable()), "{}", key.name);
    }
    let text = explain("keys").unwrap();
    for key in ["id", "on", "severity", "optional", "tags", "description", "owner", "link", "require", "runs_in"] {
        assert!(text.contains(&format!("  {key} ")), "{key}: {text}");
    }
}

#[test]
fn every_kind_of_agent_is_explained_also_where_a_check_has_its_name() {
    let overview = explain("agent").unwrap();
    for kind in KINDS {
        assert!(overview.contains(&format!("\n  {}", kind.name)), "{}", kind.name);
        let text = explain(kind.name).unwrap();
        assert!(text.contains(&format!("{} (kind of agent)", kind.name)) && text.contains("Example"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
    }
    let both = explain("command").unwrap();
    assert!(both.starts_with("command (") && both.contains("command (kind of agent)"), "{both}");
}
