//! Where the sessions that a live run drove are saved, in the folder of the run.

use crate::model::digest::Digest;

/// The folder of saved sessions in that of the run.
pub const FOLDER: &str = "sessions";

/// The file of a suite's sessions in the folder of a run, relative to it. Names that are no names of files are made ones.
pub fn file_name(suite: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = suite.chars().map(|c| if plain(c) { c } else { '_' }).take(100).collect();
    let same = name == suite && !name.starts_with('.');
    let name = name.trim_start_matches('.');
    if same {
        format!("{FOLDER}/{name}.jsonl")
    } else {
        let digest = Digest::of(suite.as_bytes()).to_string();
        let short: String = digest.chars().filter(char::is_ascii_hexdigit).rev().take(8).collect();
        format!("{FOLDER}/{name}-{short}.jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_name_of_a_file_becomes_one_of_its_own() {
        assert_eq!(file_name("airline-support"), "sessions/airline-support.jsonl");
        let odd = ["../x", "a/b", "a b", ".hidden", "ä", ""];
        let names: std::collections::BTreeSet<String> = odd.iter().map(|name| file_name(name)).collect();
        assert_eq!(names.len(), odd.len());
        assert!(names.iter().all(|name| name.matches('/').count() == 1 && !name.contains("..")), "{names:?}");
    }
}
