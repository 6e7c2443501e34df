//! What the filter language promises.

use proptest::prelude::*;

use super::pattern::Form;
use super::*;

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

fn error(text: &str) -> String {
    Filter::parse(text).expect_err(text).to_string()
}

fn tags(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// Asks about a check of a case of which everything is known.
fn full(text: &str) -> Tri {
    let own = tags(&["refund", "slow"]);
    filter(text).matches(&FilterSubject {
        suite: "airline/support",
        case: Some("cancel-17"),
        check: Some("no-card-numbers"),
        level: Some(Level::Turn),
        tags: &[&own],
        all_tags: true,
    })
}

#[test]
fn each_form_of_pattern_matches_as_documented() {
    for yes in [
        "suite(airline/support)",
        "suite(air*)",
        "suite( *port )",
        "suite(airline?support)",
        "suite(=airline/support)",
        "suite(~line/sup)",
        "suite(/^air.*\\/support$/)",
        "case(/\\d+/)",
        "level(turn)",
        "level(/span|turn/)",
        "tag(refund)",
        "tag(slo?)",
        "all()",
    ] {
        assert_eq!(full(yes), Tri::Yes, "{yes}");
    }
    for no in ["suite(airline)", "suite(=air*)", "suite(~air*)", "case(/^\\d+/)", "level(s*)", "tag(ref)", "none()"] {
        assert_eq!(full(no), Tri::No, "{no}");
    }
}

#[test]
fn not_binds_closer_than_and_which_binds_closer_than_or() {
    assert_eq!(full("all() or none() and none()"), Tri::Yes);
    assert_eq!(full("(all() or none()) and none()"), Tri::No);
    assert_eq!(full("not none() and none()"), Tri::No);
    assert_eq!(full("not (none() and none())"), Tri::Yes);
    assert_eq!(full("! none() && all() || none() | none() & none()"), Tri::Yes);
    assert_eq!(full("!!all()"), Tri::Yes);
}

#[test]
fn what_is_not_known_yet_is_unknown_until_the_rest_decides() {
    let own = tags(&["payments"]);
    let lists = [own.as_slice()];
    let ask = |text: &str| filter(text).matches(&FilterSubject::suite("airline", &lists));
    assert_eq!(ask("case(x)"), Tri::Unknown);
    assert_eq!(ask("not case(x)"), Tri::Unknown);
    assert_eq!(ask("suite(bank) and case(x)"), Tri::No);
    assert_eq!(ask("suite(airline) and case(x)"), Tri::Unknown);
    assert_eq!(ask("suite(airline) or case(x)"), Tri::Yes);
    assert_eq!(ask("tag(payments)"), Tri::Yes);
    assert_eq!(ask("tag(refund)"), Tri::Unknown);
    assert!(ask("tag(refund)").keeps() && !ask("none()").keeps());
}

#[test]
fn a_backslash_takes_the_next_character_as_it_is() {
    let ask = |text: &str, case: &str| {
        filter(text).matches(&FilterSubject { case: Some(case), ..FilterSubject::suite("s", &[]) }) == Tri::Yes
    };
    assert!(ask(r"case(f\(x\))", "f(x)"));
    assert!(ask(r"case(a\*b)", "a*b") && !ask(r"case(a\*b)", "axb"));
    assert!(ask(r"case(\=x)", "=x") && ask(r"case(=\\)", "\\") && ask(r"case(=x\ )", "x "));
    assert!(ask(r"case(test[1].{a})", "test[1].{a}"));
    assert!(ask("case(a*z)", "a\nz"));
}

#[test]
fn an_error_points_at_what_is_wrong_and_names_what_is_near() {
    insta::assert_snapshot!(error("sutie(air*) and case(x)"), @r"
    filter: unknown predicate `sutie`
      sutie(air*) and case(x)
      ^^^^^
      help: did you mean `suite`?
    ");
    insta::assert_snapshot!(error("suite(a) and refund"), @r"
    filter: `refund` is not a predicate
      suite(a) and refund
                   ^^^^^^
      help: write what it is the name of, such as `case(~refund)` or `suite(refund)`
    ");
    insta::assert_snapshot!(error("level(trun)"), @r"
    filter: no level matches this
      level(trun)
            ^^^^
      help: did you mean `turn`?
    ");
    insta::assert_snapshot!(error("(suite(a) or case(b"), @r"
    filter: this `(` is never closed
      (suite(a) or case(b
                       ^
      help: add a `)`
    ");
    insta::assert_snapshot!(error("case(/(/)"), @r"
    filter: bad regular expression: unclosed group
      case(/(/)
           ^^^
    ");
    insta::assert_snapshot!(error("suite(a) case(b)"), @r"
    filter: the expression should end here
      suite(a) case(b)
               ^^^^
      help: join predicates with `and` or `or`
    ");
}

#[test]
fn malformed_expressions_are_refused() {
    for bad in [
        "",
        "  ",
        "and",
        "suite",
        "suite()",
        "suite(~)",
        "suite(//)",
        "all(x)",
        "suite(a) and",
        "not",
        "()",
        "suite(a))",
        "suite(a",
        "case(/x)",
        "case(/x/y)",
        "case(x\\",
        "level(=Span)",
        "level(none)",
        "@",
        "orsuite(a)",
    ] {
        assert!(Filter::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn deep_nesting_is_refused_and_long_chains_are_not() {
    assert!(error(&format!("{}all(){}", "(".repeat(100_000), ")".repeat(100_000))).contains("nested deeper"));
    assert!(error(&format!("{}all()", "!".repeat(100_000))).contains("nested deeper"));
    assert_eq!(full(&vec!["all()"; 10_000].join(" and ")), Tri::Yes);
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let form = |form, text: &'static str| text.prop_filter_map("valid", move |s| Pattern::new(form, s).ok());
    prop_oneof![
        // A glob's own escapes are only those that mean something in it.
        form(Form::Glob, r"([a-z ()=~/\n-]|\*|\?|\\\*|\\\\){0,6}[a-z)/=]"),
        form(Form::Exact, r"[a-z ()=~/\\*]{0,6}"),
        form(Form::Substring, r"[a-z ()=~/\\*]{1,6}"),
        form(Form::Regex, r"([a-z /()|]|\\d|\\\\|\\\)){1,6}"),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let key = prop_oneof![Just(Key::Suite), Just(Key::Case), Just(Key::Check), Just(Key::Tag)];
    let leaf = prop_oneof![Just(Expr::All), Just(Expr::None), (key, pattern()).prop_map(|(k, p)| Expr::Is(k, p))];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|e| Expr::Not(Box::new(e))),
            list.clone().prop_map(Expr::And),
            list.prop_map(Expr::Or),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_survives_being_written_out(expr in expr()) {
        let text = expr.to_string();
        prop_assert_eq!(Filter::parse(&text).map_err(|e| TestCaseError::fail(e.to_string()))?, Filter(expr));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z()&|!/\\\\=~ é*]{0,40}") {
        if let Err(e) = Filter::parse(&text) {
            prop_assert!(e.span.start <= text.len() && !e.to_string().is_empty());
        }
    }

    #[test]
    fn knowing_more_never_turns_a_certain_answer_around(expr in expr(), case in "[a-z]{0,3}", check in "[a-z]{0,3}") {
        let filter = Filter(expr);
        let before = filter.matches(&FilterSubject::suite("s", &[]));
        let after = filter.matches(&FilterSubject {
            case: Some(&case), check: Some(&check), level: Some(Level::Span), all_tags: true,
            ..FilterSubject::suite("s", &[])
        });
        prop_assert_ne!(after, Tri::Unknown);
        prop_assert!(before == Tri::Unknown || before == after);
    }
}
