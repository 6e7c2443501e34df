//! Token counts of dialects that do not agree on what the input includes.

use crate::formats::telemetry::Value;
use crate::model::Usage;

/// Token counts as they were recorded; `None` where they were not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tokens {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) reasoning: Option<u64>,
    /// The input is known to leave out what was read from or written to a cache.
    pub(super) input_excludes_cache: bool,
}

impl Tokens {
    /// Their one meaning; `None` when neither input nor output was recorded. An input that is smaller than its cached
    /// part cannot include it.
    pub(super) fn usage(self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let cached = [self.cache_read, self.cache_write].into_iter().flatten().try_fold(0, u64::checked_add);
        let input = match (self.input, cached) {
            (Some(input), Some(cached)) if self.input_excludes_cache || cached > input => input.checked_add(cached),
            (input, _) => input,
        };
        Some(Usage {
            input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            reasoning: self.reasoning,
        })
    }
}

/// The count that `value` holds, unless an earlier name told it.
pub(super) fn count(slot: &mut Option<u64>, value: &Value<'_>) {
    *slot = slot.or_else(|| value.count());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_without_its_cached_part_is_completed() {
        let tokens = Tokens {
            input: Some(4),
            output: Some(7),
            cache_read: Some(100),
            cache_write: Some(20),
            ..Tokens::default()
        };
        assert_eq!(tokens.usage().unwrap().input, Some(124));
        let tokens = Tokens { input: Some(200), input_excludes_cache: true, ..tokens };
        assert_eq!(tokens.usage().unwrap().input, Some(320));
        let tokens = Tokens { input_excludes_cache: false, ..tokens };
        assert_eq!(tokens.usage().unwrap().input, Some(200));
    }

    #[test]
    fn what_is_not_recorded_is_absent_and_not_zero() {
        assert_eq!(Tokens { cache_read: Some(1), ..Tokens::default() }.usage(), None);
        let usage = Tokens { output: Some(0), ..Tokens::default() }.usage().unwrap();
        assert_eq!((usage.input, usage.output, usage.reasoning), (None, Some(0), None));
        let absurd =
            Tokens { input: Some(u64::MAX), cache_read: Some(2), input_excludes_cache: true, ..Tokens::default() };
        assert_eq!(absurd.usage().unwrap().input, None);
    }
}
