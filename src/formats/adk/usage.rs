//! Token counts of an event, brought to one meaning: input includes cached tokens, output includes reasoning.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Usage;

#[derive(Deserialize)]
struct Tokens {
    #[serde(default, alias = "promptTokenCount")]
    prompt_token_count: Option<u64>,
    #[serde(default, alias = "candidatesTokenCount", alias = "response_token_count", alias = "responseTokenCount")]
    candidates_token_count: Option<u64>,
    #[serde(default, alias = "thoughtsTokenCount")]
    thoughts_token_count: Option<u64>,
    #[serde(default, alias = "toolUsePromptTokenCount")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(default, alias = "cachedContentTokenCount")]
    cached_content_token_count: Option<u64>,
    #[serde(default, alias = "totalTokenCount")]
    total_token_count: Option<u64>,
}

/// The usage of an event; `None` when it says neither input nor output, or says it in a way that is not understood.
pub(super) fn read(raw: &RawValue) -> Option<Usage> {
    let t: Tokens = serde_json::from_str(raw.get()).ok()?;
    let input = t.prompt_token_count.and_then(|p| p.checked_add(t.tool_use_prompt_token_count.unwrap_or(0)));
    // All that is not input, where the total is known.
    let rest = t.total_token_count.zip(input).and_then(|(total, input)| total.checked_sub(input));
    let output = match (t.candidates_token_count, t.thoughts_token_count) {
        // Gemini counts thoughts beside the answer. Other models, behind an adapter, count them within it: the total
        // tells which.
        (Some(answer), Some(_)) if rest == Some(answer) => Some(answer),
        (Some(answer), thoughts) => answer.checked_add(thoughts.unwrap_or(0)),
        (None, _) => rest,
    };
    (input.is_some() || output.is_some()).then_some(Usage {
        input,
        output,
        cache_read: t.cached_content_token_count,
        cache_write: None,
        reasoning: t.thoughts_token_count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Option<Usage> {
        read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn thoughts_are_output_and_prompts_of_built_in_tools_are_input() {
        let u = of(r#"{"prompt_token_count":10,"candidates_token_count":5,"thoughts_token_count":3,
            "tool_use_prompt_token_count":2,"cached_content_token_count":4,"total_token_count":20}"#);
        let expected =
            Usage { input: Some(12), output: Some(8), cache_read: Some(4), reasoning: Some(3), cache_write: None };
        assert_eq!(u, Some(expected));
    }

    #[test]
    fn thoughts_within_the_answer_are_not_counted_twice() {
        let u = of(r#"{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":3,"totalTokenCount":15}"#);
        let u = u.unwrap();
        assert_eq!((u.output, u.reasoning), (Some(5), Some(3)));
    }

    #[test]
    fn an_answer_that_is_not_counted_is_what_the_total_leaves_else_unknown() {
        assert_eq!(
            of(r#"{"promptTokenCount":10,"thoughtsTokenCount":3,"totalTokenCount":13}"#).unwrap().output,
            Some(3)
        );
        assert_eq!(of(r#"{"promptTokenCount":10,"thoughtsTokenCount":3}"#).unwrap().output, None);
        assert_eq!(of(r#"{"promptTokenCount":10,"totalTokenCount":3}"#).unwrap().output, None);
        assert_eq!(of(r#"{"totalTokenCount":3}"#), None);
        assert_eq!(of(r#"{"promptTokenCount":-1,"candidatesTokenCount":1}"#), None);
        assert_eq!(of("[]"), None);
    }
}
