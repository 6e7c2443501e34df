//! What settings promise: their order of strength, where they came from, and what is refused.

use std::fs;

use super::*;

/// A folder with a settings file, to which `sub/deep` belongs.
pub(super) fn folder(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("sub/deep")).unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    fs::write(dir.path().join(FILE_NAME), text).unwrap();
    dir
}

pub(super) fn resolve(dir: &Path, flags: &Flags, env: &[(&str, &str)]) -> Result<Settings, Vec<SettingsProblem>> {
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Settings::resolve(flags, &env, dir)
}

/// Problems as `text at fault: message (help)`; `-` where no file is at fault.
fn problems(text: &str, flags: &Flags, env: &[(&str, &str)]) -> String {
    let dir = folder(text);
    let list = resolve(dir.path(), flags, env).expect_err("problems");
    let at = |p: &SettingsProblem| match &p.file {
        Some(_) => format!("{:?}", text.get(p.span.clone()).unwrap_or("?")),
        None => "-".to_owned(),
    };
    let show = |p: &SettingsProblem| match &p.help {
        Some(help) => format!("{}: {} ({help})", at(p), p.message),
        None => format!("{}: {}", at(p), p.message),
    };
    list.iter().map(show).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_a_file_every_value_is_a_default() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    let s = resolve(dir.path(), &Flags::default(), &[("SEATRIAL_JOBS", "")]).unwrap();
    assert!(s.jobs.value >= 1);
    assert_eq!((s.keep.value, s.keep_limit.value, s.max_session_bytes.value), (Keep::Failed, 500, 64 << 20));
    assert!(s.rows().iter().all(|(.., origin)| origin == "default"));
}

#[test]
fn every_documented_key_is_shown() {
    let dir = folder("");
    let s = resolve(dir.path(), &Flags::default(), &[]).unwrap();
    let names: Vec<String> = s.rows().into_iter().map(|r| r.0).collect();
    assert_eq!(names, KEYS.iter().map(|k| k.name).chain(["prices"]).collect::<Vec<_>>());
}

#[test]
fn flags_beat_variables_beat_the_profile_beats_the_file() {
    let dir = folder(
        "jobs = 1\nkeep_limit = 1\nmax_depth = 1\nmax_expansion = 1\n\n[profile.ci]\nkeep_limit = 2\nmax_depth = 2\nmax_expansion = 2\n",
    );
    let flags = Flags { profile: Some("ci".into()), values: vec![("max_expansion", "4".into())], ..Flags::default() };
    let env = [("SEATRIAL_MAX_DEPTH", "3"), ("SEATRIAL_MAX_EXPANSION", "3")];
    let s = resolve(dir.path(), &flags, &env).unwrap();
    let mut out = Vec::new();
    s.write_table(&mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
    profile            ci                     --profile
    jobs               1                      seatrial.toml:1
    out                reports                default
    keep               failed                 default
    keep_limit         2                      profile.ci (seatrial.toml:7)
    keep_sample        50                     default
    fail_fast          false                  default
    junit              none                   default
    html               none                   default
    progress           auto                   default
    color              auto                   default
    max_session_bytes  64MiB                  default
    max_depth          3                      SEATRIAL_MAX_DEPTH
    max_expansion      4                      --max-expansion
    spill_dir          the temporary folder   default
    spill_after        128MiB                 default
    cache              .seatrial/cache.db     default
    store              .seatrial/seatrial.db  default
    keep_content       forever                default
    max_cost_usd       no limit               default
    max_tokens         no limit               default
    reviewer           git's user.name        default
    prices             as of 2025-12-01       default
    ");
}

#[test]
fn the_file_is_found_upwards_to_the_root_of_the_repository() {
    let dir = folder("jobs = 3\nout = \"runs\"\n");
    let deep = dir.path().join("sub/deep");
    let s = resolve(&deep, &Flags::default(), &[]).unwrap();
    assert_eq!((s.jobs.value, s.out.value), (3, dir.path().join("runs")));
    assert_eq!(resolve(dir.path(), &Flags::default(), &[]).unwrap().out.value, Path::new("runs"));
    fs::create_dir(dir.path().join("sub/.git")).unwrap();
    assert_eq!(resolve(&deep, &Flags::default(), &[]).unwrap().file, None);
    let config = Flags { config: Some("../../seatrial.toml".into()), ..Flags::default() };
    assert_eq!(resolve(&deep, &config, &[]).unwrap().jobs.value, 3);
    assert_eq!(resolve(&deep, &Flags::default(), &[("SEATRIAL_CONFIG", "../../seatrial.toml")]).unwrap().jobs.value, 3);
}

#[test]
fn a_config_file_that_is_not_there_is_a_problem() {
    let dir = folder("");
    let flags = Flags { config: Some("other.toml".into()), ..Flags::default() };
    let list = resolve(dir.path(), &flags, &[]).expect_err("a problem");
    assert!(list[0].message.contains("cannot be read"), "{list:?}");
}

#[test]
fn a_misspelled_setting_is_located_and_the_nearest_named() {
    insta::assert_snapshot!(problems("jbos = 2\nprofiles = 1\n[profile.ci]\nkeep-limit = 1\ndetectors = {}\n", &Flags::default(), &[]), @r#"
    "jbos": unknown setting `jbos` (did you mean `jobs`?)
    "profiles": unknown setting `profiles` (did you mean `profile`?)
    "keep-limit": unknown setting `keep-limit` (did you mean `keep_limit`?)
    "detectors": unknown setting `detectors` (detectors are the same in every profile: write `[detectors.NAME]`)
    "#);
}

#[test]
fn a_wrong_value_is_a_problem_wherever_it_comes_from_even_when_overridden() {
    let text = "jobs = 0\nkeep = \"some\"\nfail_fast = \"yes\"\nmax_depth = 5000\nout = [1]\njunit = \"\"\nmax_session_bytes = \"1 parsec\"\n";
    let flags = Flags { values: vec![("jobs", "2".into()), ("color", "blue".into())], ..Flags::default() };
    insta::assert_snapshot!(problems(text, &flags, &[("SEATRIAL_KEEP_LIMIT", "-1")]), @r#"
    "[1]": `out` is a path, not an array
    "0": `jobs` is a number from 1 to 4096, not 0
    "\"some\"": `keep` is `failed`, `all` or `none`, not "some"
    -: `SEATRIAL_KEEP_LIMIT` is a number, not "-1"
    "\"yes\"": `fail_fast` is true or false, not "yes"
    "\"\"": `junit` is a path, not ""
    -: `--color` is `auto`, `always` or `never`, not "blue"
    "\"1 parsec\"": `max_session_bytes` is a size such as 1048576 or `64MiB`, not "1 parsec"
    "5000": `max_depth` is a number from 1 to 120, not 5000
    "#);
}

#[test]
fn every_syntax_error_is_reported() {
    let dir = folder("jobs = \nkeep = \"all\"\nout = = 3\n");
    assert!(resolve(dir.path(), &Flags::default(), &[]).expect_err("problems").len() >= 2);
}

#[test]
fn an_unknown_profile_is_a_problem() {
    let flags = |name: &str| Flags { profile: Some(name.into()), ..Flags::default() };
    assert_eq!(
        problems("[profile.nightly]\njobs = 1", &flags("nihgtly"), &[]),
        "-: there is no profile `nihgtly` (--profile) (did you mean `nightly`?)"
    );
    assert!(problems("", &flags("ci"), &[]).contains("add a table `[profile.ci]`"));
}

#[test]
fn a_profile_that_is_not_in_use_is_checked_too() {
    assert!(problems("[profile.other]\njobz = 1", &Flags::default(), &[]).contains("did you mean `jobs`?"));
}

#[test]
fn custom_detectors_are_compiled() {
    let dir = folder("[detectors.booking]\npattern = '\\b[A-Z0-9]{6}\\b'\ndescription = 'A booking code'\n");
    let s = resolve(dir.path(), &Flags::default(), &[]).unwrap();
    let booking = &s.detectors["booking"];
    assert!(booking.pattern.is_match("code EHGLP3.") && !booking.pattern.is_match("none"));
    assert_eq!(
        (booking.description.as_str(), booking.origin.to_string().as_str()),
        ("A booking code", "seatrial.toml:1")
    );
}

#[test]
fn a_detector_that_cannot_work_is_refused() {
    let text = "[detectors.a]\npattern = '('\n[detectors.b]\n[detectors.c]\npatern = 'x'\n[detectors.d]\npattern = 'x*'\n[detectors.'e.f']\npattern = 'x'\n";
    insta::assert_snapshot!(problems(text, &Flags::default(), &[]), @r#"
    "'('": bad regular expression: unclosed group
    "b": the detector `b` has no pattern (add `pattern = '...'`, a regular expression)
    "patern": unknown key `patern` in a detector (did you mean `pattern`?)
    "'x*'": this pattern matches the empty text (a detector finds something; let the pattern require a character)
    "'e.f'": `e.f` is not a name for a detector (use letters, digits, `_` and `-`)
    "#);
}

#[test]
fn a_misspelled_variable_is_a_problem() {
    let list = unknown_variables(["PATH", "SEATRIAL_JOBS", "SEATRIAL_JBOS", "SEATRIAL_PROFILE"]);
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].help.as_deref(), Some("did you mean `SEATRIAL_JOBS`?"));
}

#[test]
fn a_settings_file_nested_too_deep_is_a_problem_and_no_crash() {
    let dir = folder(&format!("jobs = {}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert!(resolve(dir.path(), &Flags::default(), &[]).is_err());
}

#[test]
fn prices_are_read_in_the_order_in_which_they_are_written_and_shown_with_their_line() {
    let dir =
        folder("[prices]\n\"z*\" = { input = 1, output = 2.5 }\n\"a*\" = { input = 0.1, output = 1, up_to = 100 }\n");
    let s = resolve(dir.path(), &Flags::default(), &[]).unwrap();
    let shown: Vec<String> = s
        .rows()
        .into_iter()
        .filter(|r| r.0.starts_with("prices"))
        .map(|r| format!("{} {} {}", r.0, r.1, r.2))
        .collect();
    assert!(shown[0].contains(crate::checks::prices::Prices::as_of()) && shown[0].ends_with(" default"), "{shown:?}");
    assert_eq!(shown[1..], ["prices.z* 1 in, 2.5 out seatrial.toml:2", "prices.a* 0.1 in, 1 out seatrial.toml:3"]);
}

#[test]
fn what_is_no_price_is_refused_where_it_stands() {
    let text = "[prices]\na = 3\nb = { input = 1 }\nc = { input = \"1\", output = -1 }\nd = { input = 1, output = 1, cached = 1 }\ne = { input = 1, output = 1, up_to = 0.5 }\n\"[\" = { input = 1, output = 1 }\n[profile.ci.prices]\n";
    insta::assert_snapshot!(problems(text, &Flags::default(), &[]), @r#"
    "3": `prices.a` is a table, not an integer
    "b": the price of `b` has no `output` (a price has `input` and `output`, in US dollars per million tokens)
    "\"1\"": `input` is a number, not a string
    "-1": `output` is a price in US dollars per million tokens, from 0 to 1000000
    "cached": unknown key `cached` in a price (did you mean `cached_input`?)
    "0.5": `up_to` is a whole number of tokens, 1 or more
    "\"[\"": `[` is not a glob: unclosed character class; missing ']'
    "prices": unknown setting `prices` (prices are the same in every profile: write `[prices]`)
    "#);
}

#[test]
fn a_profile_inherits_another_and_every_value_says_where_it_stands() {
    let text = "jobs = 1\nkeep_limit = 1\n[profile.base]\njobs = 2\nkeep = \"all\"\n\
                [profile.ci]\ninherits = \"base\"\njobs = 3\n";
    let dir = folder(text);
    let flags = Flags { profile: Some("ci".to_owned()), ..Flags::default() };
    let settings = resolve(dir.path(), &flags, &[]).unwrap();
    assert_eq!((settings.jobs.value, settings.keep.value, settings.keep_limit.value), (3, Keep::All, 1));
    assert_eq!(settings.jobs.origin.to_string(), "profile.ci (seatrial.toml:8)");
    assert_eq!(settings.keep.origin.to_string(), "profile.base (seatrial.toml:5)");
    assert_eq!(settings.keep_limit.origin.to_string(), "seatrial.toml:2");
}

#[test]
fn profiles_that_inherit_nothing_or_themselves_are_problems() {
    let none = Flags::default();
    assert!(
        problems("[profile.a]\ninherits = \"bb\"\n[profile.b]\n", &none, &[]).contains("no profile `bb` to inherit")
    );
    let said = problems("[profile.a]\ninherits = \"b\"\n[profile.b]\ninherits = \"a\"\n", &none, &[]);
    assert!(said.contains("the profile `a` inherits itself") && said.contains("`b` inherits itself"), "{said}");
    assert!(problems("[profile.a]\ninherits = 1\n", &none, &[]).contains("the name of a profile"));
}

#[test]
fn every_documented_setting_can_be_set_in_a_profile() {
    for key in KEYS {
        let value = match key.name {
            "keep" => "\"all\"",
            "progress" | "color" => "\"never\"",
            "fail_fast" => "true",
            "keep_content" => "\"7d\"",
            "out" | "junit" | "html" | "spill_dir" => "\"x\"",
            _ if ["a number", "a size", "an amount"].iter().any(|takes| key.takes.starts_with(takes)) => "7",
            _ => "\"x\"",
        };
        let dir = folder(&format!("[profile.ci]\n{} = {value}\n", key.name));
        let flags = Flags { profile: Some("ci".to_owned()), ..Flags::default() };
        let settings = resolve(dir.path(), &flags, &[]).unwrap_or_else(|p| panic!("{}: {p:?}", key.name));
        let row = settings.rows().into_iter().find(|r| r.0 == key.name).expect(key.name);
        assert_eq!(row.2, "profile.ci (seatrial.toml:2)", "{}", key.name);
    }
}
