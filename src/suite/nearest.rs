//! The name that was probably meant.

/// The name nearest to `word`, when one is near enough to be a misspelling of it. Of equally near ones the first in
/// alphabetical order, so that messages do not depend on the order of registries.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word: String = word.chars().take(64).flat_map(char::to_lowercase).collect();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_a_misspelling_and_nothing_far() {
        assert_eq!(nearest("trajectroy", ["order", "trajectory"]), Some("trajectory"));
        assert_eq!(nearest("Jobs", ["jobs"]), Some("jobs"));
        assert_eq!(nearest("banana", ["jobs", "junit"]), None);
    }
}
