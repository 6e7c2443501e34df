//! JSON as whoever reads it understands it: a name that is written `M\u00fcller` is there, whatever its letters are.

use crate::checks::TextCheck;
use crate::model::json::view::{self, MOST_LEVELS, View};
use crate::model::{Finding, Payload};

/// What a check says of a payload that is JSON, of which it said `written` as it was written: with its escapes resolved,
/// level by level, one finding may settle it. Evidence leads back into the payload.
pub(super) fn resolved(check: &impl TextCheck, payload: &Payload<'_>, written: Finding) -> Finding {
    let Some(settled) = check.settles().filter(|settled| *settled != written.status) else { return written };
    // In a text that is no JSON a backslash is a backslash.
    if payload.json().is_none() {
        return written;
    }
    let mut views: Vec<View> = Vec::new();
    while views.len() < MOST_LEVELS
        && let Some(view) = view::unescape(views.last().map_or(payload.as_str(), |view| &view.text))
    {
        let mut finding = check.check(&view.text);
        views.push(view);
        if finding.status != settled {
            continue;
        }
        for range in finding.evidence.iter_mut().filter_map(|evidence| evidence.range.as_mut()) {
            let within = range.0 as usize..range.1 as usize;
            let up = views.iter().rev().fold(within, |within, view| view.up(&within));
            *range = (up.start as u32, up.end as u32);
        }
        return finding;
    }
    written
}

#[cfg(test)]
mod tests {
    use crate::checks::probe::finding;
    use crate::checks::text::contains::Contains;
    use crate::checks::text::equals::Equals;
    use crate::checks::text::matches::Matches;
    use crate::checks::text::not_contains::NotContains;
    use crate::checks::text::not_matches::NotMatches;
    use crate::model::{Evidence, Field, Level, Status};

    /// A tool call whose arguments are written so.
    fn called(input: &str) -> String {
        format!(r#"{{"id":"s","turns":[{{"spans":[{{"kind":"tool","name":"t","input":{input}}}]}}]}}"#)
    }

    #[test]
    fn a_name_in_escapes_is_there_for_what_wants_it_and_for_what_forbids_it() {
        // Plainly; as a JSON text within JSON, as arguments are written; and with capitals in its escape.
        let inner = r#"{"name":"M\u00fcller"}"#;
        let within = serde_json::to_string(&serde_json::json!({ "args": inner })).unwrap();
        for input in [inner, &within, r#"{"name":"M\u00FCller"}"#] {
            let session = called(input);
            let said = |keys: &str| finding::<NotContains>(Level::Span, &format!("of = 'input'\n{keys}"), &session);
            assert_eq!(said("value = 'Müller'").status, Status::Fail, "{input}");
            assert_eq!(said("value = 'MÜLLER'\nignore_case = true").status, Status::Fail, "{input}");
            assert_eq!(said("value = 'Mueller'").status, Status::Pass, "{input}");
            let of = |value: &str| format!("of = 'input'\nvalue = '{value}'");
            assert_eq!(finding::<Contains>(Level::Span, &of("Müller"), &session).status, Status::Pass, "{input}");
            assert_eq!(finding::<Matches>(Level::Span, &of(r"M\wller"), &session).status, Status::Pass, "{input}");
            assert_eq!(finding::<NotMatches>(Level::Span, &of(r"M\wller"), &session).status, Status::Fail, "{input}");
        }
    }

    #[test]
    fn evidence_covers_the_escape_where_it_was_written() {
        let found =
            finding::<NotContains>(Level::Span, "of = 'input'\nvalue = 'Müller'", &called(r#"{"a":"M\u00fcller!"}"#));
        assert_eq!(found.evidence, [Evidence::span(0, Field::Input).within(6..17)]);
    }

    #[test]
    fn what_was_written_counts_too_and_a_text_that_is_no_json_is_only_that() {
        let said = |keys: &str, input: &str| {
            finding::<Contains>(Level::Span, &format!("of = 'input'\n{keys}"), &called(input)).status
        };
        assert_eq!(said(r"value = 'M\u00fcller'", r#"{"name":"M\u00fcller"}"#), Status::Pass);
        // The text `M\u00fc` of a tool that speaks no JSON.
        assert_eq!(said("value = 'Mü'", r#""M\\u00fc""#), Status::Fail);
        // A whole that is compared is compared as it was written.
        let same =
            finding::<Equals>(Level::Span, "of = 'input'\nvalue = '{\"a\":\"ü\"}'", &called(r#"{"a":"\u00fc"}"#));
        assert_eq!(same.status, Status::Fail);
    }
}
