//! The name that was probably meant.

/// The name nearest to `word`, when one is near enough to be a misspelling of it, or else one of which `word` is the
/// beginning (or the other way round). Of equally near ones the first in alphabetical order, so that messages do not
/// depend on the order of registries.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word: String = word.chars().take(64).flat_map(char::to_lowercase).collect();
    let near = |name: &str| {
        let distance = strsim::damerau_levenshtein(&word, &name.to_lowercase());
        let begins = word.len() >= 3 && name.len() >= 3 && (name.starts_with(&word) || word.starts_with(name));
        (distance <= 1 + name.chars().count() / 4).then_some(distance).or(begins.then_some(usize::MAX))
    };
    names.into_iter().filter_map(|name| near(name).map(|distance| (distance, name))).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_a_misspelling_and_nothing_far() {
        assert_eq!(nearest("trajectroy", ["order", "trajectory"]), Some("trajectory"));
        assert_eq!(nearest("Jobs", ["jobs"]), Some("jobs"));
        assert_eq!(nearest("max", ["min", "max_ms"]), Some("max_ms"));
        assert_eq!(nearest("banana", ["jobs", "junit"]), None);
    }
}
