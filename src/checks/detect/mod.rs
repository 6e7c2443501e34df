//! Detectors of card numbers, secrets and the like, for `detect = [...]`.
//!
//! Where a kind of number carries a checksum, a hit is validated by it. Detectors work on text in one pass and keep no
//! state. What redaction left behind (`[redacted:<detector>]`) is a hit of that detector: redaction never turns a
//! failure into a pass.

mod card;
mod email;
mod iban;
mod ip;
mod phone;
mod scan;
mod secret;
mod ssn;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::Regex;

use crate::checks::nearest::nearest;

/// Finds byte ranges in a text.
type Find = fn(&str) -> Vec<Range<usize>>;

/// The built-in detectors: name, what it finds, how.
const BUILTIN: &[(&str, &str, Find)] = &[
    ("credit_card", "payment card numbers of known issuers and lengths, valid by Luhn", card::find),
    ("iban", "IBANs of the right length for their country, valid by mod 97", iban::find),
    ("email", "e-mail addresses", email::find),
    ("phone", "telephone numbers: E.164 and national forms with separators", phone::find),
    ("ssn", "US social security numbers outside of the ranges never issued", ssn::find),
    ("ip", "IPv4 and IPv6 addresses", ip::find),
    ("secret", "keys and tokens of well-known services, private keys, and tokens of high entropy", secret::find),
];

/// The detectors that a suite may name: the built-in ones and those of `seatrial.toml`.
#[derive(Debug, Clone)]
pub struct Detectors {
    list: Arc<Vec<Detector>>,
}

impl Default for Detectors {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Detectors {
    /// The built-in detectors: `credit_card`, `iban`, `email`, `phone`, `ssn`, `ip`, `secret`.
    pub fn builtin() -> Self {
        let list = BUILTIN.iter().map(|(name, about, find)| Detector::new(name, about, Finder::Builtin(*find)));
        Self { list: Arc::new(list.collect()) }
    }

    /// Adds `custom.<name>`, which finds what the regular expression matches. A later one replaces an earlier one.
    #[must_use]
    pub fn with_custom(mut self, name: &str, regex: Regex) -> Self {
        let name = format!("custom.{name}");
        let list = Arc::make_mut(&mut self.list);
        list.retain(|d| d.name() != name);
        list.push(Detector::new(&name, "what its regular expression matches", Finder::Custom(regex)));
        self
    }

    /// The detector called `name`, such as `credit_card` or `custom.order_id`.
    pub fn get(&self, name: &str) -> Option<Detector> {
        self.list.iter().find(|d| d.name() == name).cloned()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Detector> {
        self.list.iter()
    }

    /// The name nearest to one that does not exist, when it is near enough to be meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.list.iter().map(Detector::name))
    }
}

/// One detector. Cheap to clone.
#[derive(Clone)]
pub struct Detector(Arc<Inner>);

struct Inner {
    name: String,
    about: &'static str,
    marker: memchr::memmem::Finder<'static>,
    finder: Finder,
}

enum Finder {
    Builtin(Find),
    Custom(Regex),
}

impl Detector {
    fn new(name: &str, about: &'static str, finder: Finder) -> Self {
        let marker = memchr::memmem::Finder::new(&format!("[redacted:{name}]")).into_owned();
        Self(Arc::new(Inner { name: name.to_owned(), about, marker, finder }))
    }

    /// Its name in `detect`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it finds.
    pub fn about(&self) -> &'static str {
        self.0.about
    }

    /// Byte ranges of what it finds in a text, in order, redaction markers included.
    pub fn find_iter(&self, text: &str) -> impl Iterator<Item = Range<usize>> + use<> {
        let marker = &self.0.marker;
        let mut found: Vec<_> =
            marker.find_iter(text.as_bytes()).map(|start| start..start + marker.needle().len()).collect();
        match &self.0.finder {
            Finder::Builtin(find) => found.extend(find(text)),
            Finder::Custom(regex) => {
                found.extend(regex.find_iter(text).map(|m| m.range()).filter(|range| !range.is_empty()));
            }
        }
        found.sort_by_key(|range| (range.start, range.end));
        found.into_iter()
    }

    /// Whether it finds anything.
    pub fn is_match(&self, text: &str) -> bool {
        self.find_iter(text).next().is_some()
    }
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Detector").field(&self.0.name).finish()
    }
}

/// A found text as it may be shown: at most its first and last sixth, four characters each, and nothing of a text
/// shorter than six characters. A redaction marker is shown whole.
pub fn mask(found: &str) -> String {
    if found.starts_with("[redacted:") {
        return found.to_owned();
    }
    let chars: Vec<char> = found.chars().collect();
    let keep = (chars.len() / 6).min(4);
    chars[..keep].iter().chain(&['…']).chain(&chars[chars.len() - keep..]).collect()
}

#[cfg(test)]
pub(crate) fn hits(find: Find, text: &str) -> Vec<&str> {
    find(text).into_iter().map(|range| &text[range]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_redaction_marker_is_a_hit_of_its_own_detector_only() {
        let detectors = Detectors::default().with_custom("order", Regex::new(r"ORD-\d+").unwrap());
        for detector in detectors.iter() {
            let text = format!("was [redacted:{}].", detector.name());
            let hit = detector.find_iter(&text).next().unwrap();
            assert_eq!(&text[hit], format!("[redacted:{}]", detector.name()));
            assert!(!detector.is_match("was [redacted:other]."), "{}", detector.name());
        }
    }

    #[test]
    fn custom_detectors_are_named_and_found() {
        let detectors = Detectors::builtin().with_custom("order", Regex::new(r"ORD-\d+").unwrap());
        let custom = detectors.get("custom.order").unwrap();
        assert_eq!(custom.find_iter("see ORD-12 and ORD-3").collect::<Vec<_>>(), [4..10, 15..20]);
        assert!(detectors.get("order").is_none());
        assert_eq!(detectors.nearest("custom.ordr"), Some("custom.order"));
        assert_eq!(detectors.nearest("creditcard"), Some("credit_card"));
        assert_eq!(detectors.nearest("zzzzzzzz"), None);
    }

    #[test]
    fn a_mask_shows_little() {
        assert_eq!(mask("4111111111111111"), "41…11");
        assert_eq!(mask("a@b.c"), "…");
        assert_eq!(mask(&"k".repeat(100)), "kkkk…kkkk");
        assert_eq!(mask("[redacted:email]"), "[redacted:email]");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn hits_lie_in_the_text_on_character_boundaries(
            text in "(\\PC|[0-9 +@.:/()\u{2011}\u{a0}-]|sk-|AKIA|DE89|eyJ|://|[A-Za-z0-9]{9}){0,40}",
        ) {
            for detector in Detectors::builtin().iter() {
                for range in detector.find_iter(&text) {
                    prop_assert!(text.get(range.clone()).is_some_and(|t| !t.is_empty()), "{:?} {:?}", detector, range);
                }
            }
        }
    }
}
