//! Token counts of the providers, brought to one meaning: input includes cached tokens, output includes reasoning.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Usage;

#[derive(Deserialize, Default)]
struct Tokens {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    // OpenAI chat, OpenAI Responses, LangChain; some proxies write two of them.
    prompt_tokens_details: Option<InputDetails>,
    input_tokens_details: Option<InputDetails>,
    input_token_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
    output_tokens_details: Option<OutputDetails>,
    output_token_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
struct InputDetails {
    #[serde(alias = "cache_read")]
    cached_tokens: Option<u64>,
    #[serde(alias = "cache_creation")]
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
struct OutputDetails {
    #[serde(alias = "reasoning")]
    reasoning_tokens: Option<u64>,
}

/// The usage that a message or session carries; `None` when it says neither input nor output, or says it in a way
/// that is not understood.
pub(super) fn read(raw: &RawValue) -> Option<Usage> {
    meaning(serde_json::from_str(raw.get()).ok()?)
}

/// The same of a value that is in memory already.
pub fn of_value(value: &serde_json::Value) -> Option<Usage> {
    meaning(Tokens::deserialize(value).ok()?)
}

fn meaning(t: Tokens) -> Option<Usage> {
    let cached = t.cache_read_input_tokens.is_some() || t.cache_creation_input_tokens.is_some();
    let input = match (t.prompt_tokens, t.input_tokens) {
        // Anthropic counts cached tokens beside the input; where it names one part only, the other is none.
        (None, Some(input)) if cached => {
            let parts = [t.cache_read_input_tokens, t.cache_creation_input_tokens];
            parts.into_iter().flatten().try_fold(input, u64::checked_add)
        }
        (prompt, input) => prompt.or(input),
    };
    let output = t.completion_tokens.or(t.output_tokens);
    let details = t.prompt_tokens_details.or(t.input_tokens_details).or(t.input_token_details).unwrap_or_default();
    let reasoning = t.completion_tokens_details.or(t.output_tokens_details).or(t.output_token_details);
    (input.is_some() || output.is_some()).then_some(Usage {
        input,
        output,
        cache_read: t.cache_read_input_tokens.or(details.cached_tokens),
        cache_write: t.cache_creation_input_tokens.or(details.cache_write_tokens),
        reasoning: reasoning.and_then(|d| d.reasoning_tokens),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Option<Usage> {
        read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn anthropic_input_excludes_the_cache_and_is_completed() {
        let u = of(
            r#"{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":7}"#,
        );
        let u = u.unwrap();
        assert_eq!((u.input, u.output, u.cache_read, u.cache_write), (Some(117), Some(5), Some(100), Some(7)));
    }

    #[test]
    fn openai_and_langchain_input_include_the_cache() {
        let chat = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"cache_read_input_tokens":4,
            "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}"#;
        let responses = r#"{"input_tokens":10,"output_tokens":5,"input_tokens_details":{"cached_tokens":4},
            "output_tokens_details":{"reasoning_tokens":3}}"#;
        let langchain = r#"{"input_tokens":10,"output_tokens":5,"input_token_details":{"cache_read":4},
            "output_token_details":{"reasoning":3}}"#;
        for json in [chat, responses, langchain] {
            let u = of(json).unwrap();
            assert_eq!((u.input, u.output, u.cache_read, u.reasoning), (Some(10), Some(5), Some(4), Some(3)), "{json}");
        }
    }

    #[test]
    fn what_is_not_understood_is_absent_and_not_zero() {
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"input_tokens":-1}"#), None);
        assert_eq!(of(r#"{"output_tokens":5}"#).unwrap().input, None);
        assert_eq!(of(&format!(r#"{{"input_tokens":{},"cache_read_input_tokens":1}}"#, u64::MAX)), None);
    }
}
