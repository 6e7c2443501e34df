//! What `contains` and `not_contains` look for: strings, or what detectors find.

use std::ops::Range;

use aho_corasick::{AhoCorasick, packed};
use memchr::memmem;
use regex::{Regex, RegexBuilder};

use super::quote;
use crate::checks::build::Build;
use crate::checks::detect::{Detector, mask};

/// The parameters that say what to look for, as both rules have them.
pub struct Wanted {
    /// `value`.
    pub value: Option<String>,
    /// `values`.
    pub values: Option<Vec<String>>,
    /// `detect`.
    pub detect: Option<Vec<String>>,
    /// `ignore_case`.
    pub ignore_case: bool,
}

/// Strings or detectors, compiled.
pub struct Needles {
    finder: Finder,
    /// The strings, or the detectors' names.
    names: Vec<String>,
}

enum Finder {
    /// One search each: fastest for a few.
    Few(Few),
    /// All in one pass.
    Many(AhoCorasick),
    /// Case folded.
    Folded(Vec<Regex>),
    Detectors(Vec<Detector>),
}

/// Up to how many strings are searched one by one.
const FEW: usize = 16;

impl Wanted {
    /// Compiles what is looked for, or reports why it cannot be.
    pub fn compile(self, build: &mut Build<'_>) -> Option<Needles> {
        match (self.value, self.values, self.detect) {
            (Some(value), None, None) => strings(build, vec![value], self.ignore_case, "value"),
            (None, Some(values), None) => strings(build, values, self.ignore_case, "values"),
            (None, None, Some(names)) => {
                if self.ignore_case {
                    build.problem(
                        &["ignore_case"],
                        "`ignore_case` has no effect on `detect`",
                        "leave it out".to_owned(),
                    );
                }
                detectors(build, names)
            }
            (None, None, None) => {
                build.problem(&[], "nothing to look for", "give `value`, `values` or `detect`".to_owned());
                None
            }
            _ => {
                let help = "write one check for each".to_owned();
                build.problem(&[], "`value`, `values` and `detect` exclude each other", help);
                None
            }
        }
    }
}

fn strings(build: &mut Build<'_>, names: Vec<String>, ignore_case: bool, key: &str) -> Option<Needles> {
    if names.is_empty() {
        build.problem(&[key], "an empty list looks for nothing", None);
        return None;
    }
    if names.iter().any(String::is_empty) {
        build.problem(&[key], "an empty string is contained in every text", None);
        return None;
    }
    let compiled = if ignore_case {
        let folded = |n: &String| RegexBuilder::new(&regex::escape(n)).case_insensitive(true).build();
        names.iter().map(folded).collect::<Result<_, _>>().map(Finder::Folded).map_err(|e| e.to_string())
    } else if names.len() <= FEW {
        Ok(Finder::Few(Few::new(&names)))
    } else {
        AhoCorasick::new(&names).map(Finder::Many).map_err(|e| e.to_string())
    };
    match compiled {
        Ok(finder) => Some(Needles { finder, names }),
        Err(why) => {
            build.problem(&[key], format!("cannot search for this: {why}"), None);
            None
        }
    }
}

fn detectors(build: &mut Build<'_>, names: Vec<String>) -> Option<Needles> {
    if names.is_empty() {
        build.problem(&["detect"], "an empty list looks for nothing", None);
        return None;
    }
    let all = &build.kit.detectors;
    let mut found = Vec::new();
    for (i, name) in names.iter().enumerate() {
        match all.get(name) {
            Some(detector) => found.push(detector),
            None => {
                let known = || all.iter().map(|d| format!("`{}`", d.name())).collect::<Vec<_>>().join(", ");
                let help = match all.nearest(name) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known detectors: {}; custom ones are declared in seatrial.toml", known()),
                };
                build.problem(&["detect", &i.to_string()], format!("there is no detector `{name}`"), help);
            }
        }
    }
    (found.len() == names.len()).then_some(Needles { finder: Finder::Detectors(found), names })
}

/// A few strings: most texts hold none of them, which one look for all of them together tells.
struct Few {
    /// Whether any is there; `None` where they cannot be looked for together.
    any: Option<packed::Searcher>,
    finders: Vec<memmem::Finder<'static>>,
}

impl Few {
    fn new(names: &[String]) -> Self {
        let together = || packed::Config::new().builder().extend(names).build();
        Self {
            any: if names.len() > 1 { together() } else { None },
            finders: names.iter().map(|n| memmem::Finder::new(n).into_owned()).collect(),
        }
    }

    fn find(&self, text: &str) -> Vec<Option<Range<usize>>> {
        if self.any.as_ref().is_some_and(|any| any.find(text).is_none()) {
            return vec![None; self.finders.len()];
        }
        self.finders.iter().map(|f| f.find(text.as_bytes()).map(|at| at..at + f.needle().len())).collect()
    }
}

impl Needles {
    /// Whether it is plain without looking for each of them that none of them is in a text.
    pub fn plainly_none(&self, text: &str) -> bool {
        matches!(&self.finder, Finder::Few(Few { any: Some(any), .. }) if any.find(text).is_none())
    }

    /// Where the first occurrence of each lies, in the order they were given.
    pub fn find(&self, text: &str) -> Vec<Option<Range<usize>>> {
        match &self.finder {
            Finder::Few(few) => few.find(text),
            Finder::Many(automaton) => {
                let mut found = vec![None; self.names.len()];
                let mut missing = found.len();
                for hit in automaton.find_overlapping_iter(text) {
                    let first = &mut found[hit.pattern().as_usize()];
                    if first.is_none() {
                        *first = Some(hit.range());
                        missing -= 1;
                    }
                    if missing == 0 {
                        break;
                    }
                }
                found
            }
            Finder::Folded(regexes) => regexes.iter().map(|r| r.find(text).map(|m| m.range())).collect(),
            Finder::Detectors(detectors) => detectors.iter().map(|d| d.find_iter(text).next()).collect(),
        }
    }

    /// The detectors' names, when it is detectors that are looked for.
    pub fn detectors(&self) -> Option<&[String]> {
        matches!(self.finder, Finder::Detectors(_)).then_some(&*self.names)
    }

    /// How a reason names the needle `index`: the string, or the detector.
    pub fn name(&self, index: usize) -> String {
        match self.finder {
            Finder::Detectors(_) => format!("any {}", self.names[index]),
            _ => quote(&self.names[index]),
        }
    }

    /// How a reason names an occurrence: the string, or the detector with what it found, masked.
    pub fn hit(&self, index: usize, found: &str) -> String {
        match self.finder {
            Finder::Detectors(_) => format!("{} {}", self.names[index], mask(found)),
            _ => quote(&self.names[index]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::build::Kit;
    use crate::checks::probe::Fixed;
    use crate::model::Level;
    use proptest::prelude::*;

    fn needles(values: Vec<String>, ignore_case: bool) -> Needles {
        let mut build = Build { level: Level::Turn, files: &Fixed(&[]), kit: &Kit::default(), problems: Vec::new() };
        let wanted = Wanted { value: None, values: Some(values), detect: None, ignore_case };
        wanted.compile(&mut build).unwrap()
    }

    #[test]
    fn case_is_folded_beyond_ascii() {
        let found = needles(vec!["STRASSE".into(), "ÄPFEL".into(), "ΣΟΦΟΣ".into(), "К".into()], true)
            .find("äpfel σοφός к σοφος");
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, true]);
    }

    #[test]
    fn special_characters_are_plain_text() {
        assert_eq!(needles(vec!["a.b*".into()], true).find("axb A.B*"), [Some(4..8)]);
    }

    proptest! {
        #[test]
        fn every_way_of_searching_finds_the_same(
            values in prop::collection::vec("[ab]{1,3}", FEW + 1..FEW + 6),
            text in "[ab ]{0,30}",
        ) {
            let many = needles(values.clone(), false).find(&text);
            let folded = needles(values.clone(), true).find(&text);
            let naive: Vec<_> = values.iter().map(|v| text.find(v.as_str()).map(|at| at..at + v.len())).collect();
            prop_assert_eq!(&many, &naive);
            prop_assert_eq!(&folded, &naive);
            prop_assert_eq!(needles(values[..FEW].to_vec(), false).find(&text), &naive[..FEW]);
        }
    }
}
