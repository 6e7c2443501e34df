//! The name that was probably meant.

/// The name nearest to `word`, when one is near enough to be a misspelling of it, or else one of which `word` is the
/// beginning (or the other way round). Of equally near ones the first in alphabetical order, so that messages do not
/// depend on the order of registries.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word: String = word.chars().take(64).flat_map(char::to_lowercase).collect();
    let letters = word.chars().count();
    let near = |name: &str| {
        let (length, begins) = (name.chars().count(), name.starts_with(&word) || word.starts_with(name));
        let allowed = 1 + length / 4;
        // The distance is at least the difference in length: names of any length may come from a recording.
        let distance = (length.abs_diff(letters) <= allowed)
            .then(|| strsim::damerau_levenshtein(&word, &name.to_lowercase()))
            .filter(|distance| *distance <= allowed);
        distance.or((begins && word.len() >= 3 && name.len() >= 3).then_some(usize::MAX))
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

    #[test]
    fn a_name_of_any_length_is_passed_over_or_recognised_by_its_beginning() {
        let long = "x".repeat(10_000_000);
        assert_eq!(nearest("banana", [long.as_str()]), None);
        assert_eq!(nearest("xxx", [long.as_str()]), Some(long.as_str()));
    }
}
