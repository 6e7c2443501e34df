//! Which price a model has, and what its tokens come to.

use super::*;

fn price(toml: &str) -> Price {
    toml::from_str::<WrittenPrice>(toml).unwrap().exact().unwrap()
}

fn usage(json: &str) -> Usage {
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_built_in_table_is_sound_and_dated() {
    let file: DefaultFile = toml::from_str(DEFAULT).unwrap();
    assert_eq!(file.as_of, Prices::as_of());
    assert!(file.as_of.len() == 10 && file.as_of.starts_with("20"));
    for (name, written) in &file.models {
        let price = written.exact().unwrap();
        assert!(price.input <= price.output, "{name}");
        assert!(price.cached_input.is_none_or(|c| c < price.input), "{name}");
        assert_eq!(*name, name.to_lowercase());
    }
    assert_eq!(Prices::built_in(), file.models.len());
}

#[test]
fn cached_and_reasoning_tokens_are_part_of_input_and_output_and_priced_apart() {
    let all = price("input = 2\noutput = 8\ncached_input = 0.5\ncache_write = 2.5\nreasoning = 4");
    let plain = price("input = 2\noutput = 8");
    let some = usage(r#"{"input":1000,"output":100,"cache_read":600,"cache_write":300,"reasoning":40}"#);
    // 100 * 2 + 600 * 0.5 + 300 * 2.5 + 60 * 8 + 40 * 4 dollars per million.
    assert_eq!(all.of(&some), Ok(NanoUsd(1_890_000)));
    assert_eq!(plain.of(&some), Ok(NanoUsd(2_800_000)));
    assert_eq!(all.of(&usage(r#"{"input":1000,"output":100}"#)), Ok(NanoUsd(2_800_000)));
}

#[test]
fn fractions_of_a_nanodollar_are_rounded_once_a_call() {
    let fine = price("input = 0.0375\noutput = 0.15");
    assert_eq!(fine.of(&usage(r#"{"input":1,"output":0}"#)), Ok(NanoUsd(38)));
    assert_eq!(fine.of(&usage(r#"{"input":1000000,"output":0}"#)), Ok(NanoUsd(37_500_000)));
    assert_eq!(price("input = 0\noutput = 0").of(&usage(r#"{"input":9,"output":9}"#)), Ok(NanoUsd(0)));
}

#[test]
fn counts_that_are_missing_or_do_not_fit_are_errors() {
    let some = price("input = 2\noutput = 8\nup_to = 100");
    for counts in [
        "{}",
        r#"{"input":1}"#,
        r#"{"output":1}"#,
        r#"{"input":1,"output":1,"cache_read":2}"#,
        r#"{"input":3,"output":1,"cache_read":2,"cache_write":2}"#,
        r#"{"input":1,"output":1,"reasoning":2}"#,
        r#"{"input":101,"output":1}"#,
        r#"{"input":1,"output":18446744073709551615}"#,
    ] {
        assert!(some.of(&usage(counts)).is_err(), "{counts}");
    }
}

#[test]
fn a_number_that_is_no_price_is_refused() {
    for (written, key) in [
        ("input = -1\noutput = 1", "input"),
        ("input = 1\noutput = nan", "output"),
        ("input = 1\noutput = 1\nreasoning = inf", "reasoning"),
        ("input = 0.0000001\noutput = 1", "input"),
        ("input = 1\noutput = 2000000", "output"),
    ] {
        assert_eq!(toml::from_str::<WrittenPrice>(written).unwrap().exact().unwrap_err().0, key, "{written}");
    }
}

#[test]
fn the_users_own_table_wins_and_in_it_a_name_over_a_glob() {
    let own =
        [("gpt-4o", "input = 1\noutput = 1"), ("*mini*", "input = 2\noutput = 2"), ("*", "input = 3\noutput = 3")];
    let own: Vec<_> = own.iter().map(|(name, p)| (Glob::new(name).unwrap(), price(p))).collect();
    let prices = Prices::new(own[..2].to_vec());
    let input = |model: &str| prices.find(model).map(|(p, from)| (p.input, from));
    for _ in 0..2 {
        assert_eq!(input("gpt-4o"), Some((1_000_000, Origin::Settings)));
        assert_eq!(input("openai/gpt-4o-2024-05-13"), Some((1_000_000, Origin::Settings)));
        assert_eq!(input("gpt-4.1-mini"), Some((2_000_000, Origin::Settings)));
        assert_eq!(input("gpt-4.1"), Some((2_000_000, Origin::Default)));
        assert_eq!(input("gpt-4o-audio-preview"), None);
    }
    assert_ne!(prices.digest(), Prices::default().digest());
    assert_eq!(Prices::new(own).find("anything").unwrap().0.input, 3_000_000);
}

#[test]
fn more_models_than_are_remembered_are_still_found() {
    let prices = Prices::default();
    for i in 0..2000 {
        assert_eq!(prices.find(&format!("model-{i}")), None);
    }
    assert!(prices.find("gpt-4o").is_some());
    assert!(prices.find(&"x".repeat(10_000)).is_none());
}

#[test]
fn an_unknown_model_is_named_with_how_to_add_it() {
    let span: Span<'_> =
        serde_json::from_str(r#"{"kind":"llm","name":"chat","model":"gpt-4p","usage":{"input":1,"output":1}}"#)
            .unwrap();
    assert_eq!(
        Prices::default().cost(&span).unwrap_err(),
        "no price is known of the model `gpt-4p` (there is one of `gpt-4`); add it to seatrial.toml: [prices] \"gpt-4p\" = { input = ..., output = ... }"
    );
}
