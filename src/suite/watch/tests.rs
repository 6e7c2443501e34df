//! What `[watch]` and `[[alert]]` say, and what is refused of them.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::alerts::Urgency;
use crate::suite::load::{Env, load};
use crate::suite::{RunsIn, Suite};

const HEAD: &str = "[suite]\nname = \"s\"\n[recorded]\npaths = [\"x.jsonl\"]\n[[session]]\nid = \"good\"\ncheck = \"turns\"\nmin = 1\n";

fn read(text: &str) -> Result<Suite, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("s.toml");
    std::fs::write(&file, format!("{HEAD}{text}")).unwrap();
    let env = Env {
        kit: &std::sync::Arc::default(),
        vars: &|_| None,
        subject: None,
        redact: &Default::default(),
        sessions: None,
        place: RunsIn::Gate,
        every: None,
    };
    match load(&[file], &env) {
        Ok(loaded) => Ok(loaded.suites.into_iter().next().unwrap()),
        Err(problems) => {
            let line = |p: &crate::suite::problems::ProblemLine<'_>| {
                // Lines are those of the text behind the head.
                let line = p.line.unwrap_or(0) as i64 - 9 + 1;
                format!("{line}: {} [{}]", p.message, p.help.unwrap_or_default())
            };
            Err(problems.lines().iter().map(line).collect())
        }
    }
}

fn watch(text: &str) -> Watch {
    read(text).unwrap_or_else(|problems| panic!("{problems:#?}")).watch
}

fn faults(text: &str) -> Vec<String> {
    read(text).err().unwrap_or_default()
}

#[test]
fn without_the_table_production_is_watched_as_documented() {
    let watch = watch("");
    assert_eq!((watch.idle, watch.every), (Duration::from_secs(900), Duration::from_secs(300)));
    assert_eq!((watch.sample.rate, watch.alerts.len()), (1.0, 0));
}

#[test]
fn every_key_is_read() {
    let watch = watch(
        r#"[watch]
idle = "5m"
max_age = "12h"
max_spans = 10
max_bytes = 4096
end = ["session.end"]
timezone = "Europe/Berlin"
every = "1m"
late = "0s"
by = ["agent", "attr:tier"]
max_groups = 7
[watch.sample]
rate = 0.1
floor = 20
max_sessions_per_hour = 500
max_usd_per_day = 2.5
keep = { errors = true, slow_ms = 60000, expensive_usd = 0.5, denied = true, flagged = ["complaint"] }
[[watch.sample.stratum]]
name = "vip"
rate = 1
on = { user = "vip*" }
version = "2.*"
[[watch.sample.stratum]]
name = "gold"
rate = 0.5
floor = 3
filters = [{ key = "tier", operator = "Equals", value = "gold" }]
[[alert]]
name = "bad"
kind = "threshold"
of = "good"
max = 0.05
by = "agent"
for = "10m"
severity = "critical"
to = ["ops"]
silence = [{ from = "2026-11-27T00:00:00Z", until = "2026-11-28T00:00:00Z", reason = "moving" }]
"#,
    );
    assert_eq!((watch.max_age, watch.max_spans, watch.late), (Duration::from_secs(43_200), 10, Duration::ZERO));
    assert_eq!((watch.by.len(), watch.max_groups, watch.ends.len()), (2, 7, 1));
    assert_eq!(watch.timezone.iana_name(), Some("Europe/Berlin"));
    let sample = &watch.sample;
    assert_eq!((sample.sessions.per_hour, sample.sessions.per_day), (Some(500.0), None));
    assert_eq!((sample.usd.per_hour, sample.usd.per_day), (None, Some(2.5)));
    assert!(sample.keep.errors && sample.keep.denied && sample.keep.flagged == ["complaint"]);
    let strata: Vec<_> = sample.strata.iter().map(|s| (s.name.as_str(), s.rate, s.floor)).collect();
    assert_eq!(strata, [("vip", 1.0, 20), ("gold", 0.5, 3)]);
    let alert = &watch.alerts[0];
    assert_eq!(
        (alert.severity, alert.hold, alert.resolve_after),
        (Urgency::Critical, Duration::from_secs(600), Duration::from_secs(600))
    );
    assert_eq!((alert.silences.len(), alert.min_count), (1, 20));
}

#[test]
fn everything_wrong_is_told_at_once_where_it_stands() {
    let found = faults(
        "[watch]\nidle = \"0s\"\nevery = \"7m\"\ntimezone = \"Atlantis\"\nby = [\"agnt\"]\n[watch.sample]\nrate = 10\n\
         [[watch.sample.stratum]]\nname = \"a\"\nrate = 1.0\n[[watch.sample.stratum]]\nname = \"b\"\nrate = 1.0\n\
         on = { case = \"c\" }\nfilters = [{ key = \"n\", operator = \"LessThan\", value = \"x\" }]\n",
    );
    for part in [
        "2: `idle` is more than nothing",
        "3: `every` divides a day",
        "4: no timezone is called `Atlantis`",
        "5: cannot group by `agnt` [did you mean `agent`?",
        "7: `rate` is from 0.0 to 1.0",
        "a stratum says which sessions are in it",
        "there are no cases here",
        "only numbers are larger or smaller",
    ] {
        assert!(found.iter().any(|f| f.contains(part)), "{part}: {found:#?}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
}

#[test]
fn an_alert_that_can_never_fire_or_is_unknown_is_refused_where_it_stands() {
    let alert = |keys: &str| faults(&format!("[[alert]]\nname = \"a\"\n{keys}"));
    let found =
        alert("kind = \"burn_rate\"\nof = \"good\"\nobjective = 0.9\nburns = [{ budget = 0.02, over = \"1h\" }]\n");
    assert!(found.len() == 1 && found[0].starts_with("6: this can never fire"), "{found:?}");
    assert!(alert("kind = \"treshold\"\n")[0].contains("did you mean `threshold`?"));
    assert!(alert("kind = \"threshold\"\nof = \"good\"\nmx = 0.1\n").iter().any(|f| f.contains("did you mean `max`?")));
    assert!(alert("kind = \"threshold\"\nof = \"good\"\nmax = 0.1\nlambda = 1\n")[0].contains("of the kind drift"));
    let found = alert("kind = \"threshold\"\nof = \"good\"\nmax = 0.1\nby = \"user\"\n");
    assert!(found[0].contains("not divided by `user`") && found[0].contains("`by` of [watch]"), "{found:?}");
    assert!(alert("kind = \"threshold\"\nof = \"good\"\nmax = 0.1\nfor = \"soon\"\n")[0].contains("not a duration"));
    let twice = "[[alert]]\nname = \"a\"\nkind = \"threshold\"\nof = \"good\"\nmax = 0.1\n".repeat(2);
    assert!(faults(&twice)[0].contains("already an alert"));
}

#[test]
fn an_alert_may_be_about_a_check_that_only_watches() {
    let only = "[[session]]\nid = \"later\"\ncheck = \"turns\"\nmax = 9\nruns_in = [\"watch\"]\n";
    let gate = "[[session]]\nid = \"first\"\ncheck = \"turns\"\nmax = 9\nruns_in = [\"gate\"]\n";
    let of =
        |id: &str| format!("{only}{gate}[[alert]]\nname = \"a\"\nkind = \"threshold\"\nof = \"{id}\"\nmax = 0.1\n");
    assert_eq!(watch(&of("later")).alerts.len(), 1);
    assert!(faults(&of("first"))[0].contains("no check of this suite that is watched"));
}

#[test]
fn every_kind_has_an_example_that_is_read() {
    for kind in crate::alerts::KINDS {
        let goal = "[[session]]\nid = \"goal\"\ncheck = \"turns\"\nmin = 1\n";
        assert_eq!(watch(&format!("{goal}{}", kind.example)).alerts[0].kind, kind.name);
    }
}

#[test]
fn an_alert_that_looks_back_further_than_is_kept_is_refused() {
    let ratio =
        |keys: &str| format!("[[alert]]\nname = \"a\"\nkind = \"ratio\"\nmetric = \"tokens\"\nstat = \"sum\"\n{keys}");
    let found = faults(&ratio("baseline = \"31d\"\n"));
    assert!(found.len() == 1 && found[0].starts_with("3: it looks back 31d1h"), "{found:?}");
    assert_eq!(watch(&ratio("baseline = \"29d\"\nby = \"agent\"\n")).alerts.len(), 1);
    // A week of seconds, of fifty agents each.
    let found = faults(&format!("[watch]\nevery = \"1s\"\n{}", ratio("against = \"last_week\"\nby = \"agent\"\n")));
    assert!(found.len() == 1 && found[0].contains("would be kept in memory"), "{found:?}");
    // Percentiles of many windows need all their values.
    let p95 = |over: &str| {
        format!(
            "[[alert]]\nname = \"a\"\nkind = \"threshold\"\nmetric = \"ttft_ms\"\nstat = \"p95\"\nmax = 1\nby = \"agent\"\nover = \"{over}\"\n"
        )
    };
    assert_eq!(watch(&p95("1d")).alerts.len(), 1);
    assert!(faults(&p95("7d"))[0].contains("would be kept in memory"));
}
