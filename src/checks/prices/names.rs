//! The names under which a model's price is looked for: as recorded, then without what providers put around it.

/// What providers and proxies put before a `/`.
const PROVIDERS: &[&str] = &[
    "openai",
    "azure",
    "anthropic",
    "bedrock",
    "converse",
    "vertex_ai",
    "vertexai",
    "google",
    "gemini",
    "publishers",
    "models",
    "google-vertex",
    "google-gla",
    "amazon",
    "openrouter",
    "litellm_proxy",
];

/// What Bedrock puts before a `.`: where it is served, and whose model it is.
const DOTTED: &[&str] = &["us", "eu", "apac", "jp", "au", "us-gov", "global", "anthropic", "amazon", "openai"];

/// Every name to try, the most exact first.
pub(super) fn candidates(model: &str) -> Vec<String> {
    let mut names = vec![model.to_owned()];
    let mut name = model.trim().to_ascii_lowercase();
    add(&mut names, &name);
    // In front of the name.
    for (mark, known) in [('/', PROVIDERS), ('.', DOTTED)] {
        while let Some((_, rest)) = name.split_once(mark).filter(|(before, _)| known.contains(before)) {
            name = rest.to_owned();
            add(&mut names, &name);
        }
    }
    // Behind it: `@20240620`, `:0`, `-v1`, a date, `-latest`.
    for cut in [at, revision, version, date, latest, number] {
        if let Some(shorter) = cut(&name).map(str::to_owned).filter(|n| !n.is_empty()) {
            name = shorter;
            add(&mut names, &name);
        }
    }
    names
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|n| n == name) {
        names.push(name.to_owned());
    }
}

fn at(name: &str) -> Option<&str> {
    Some(name.split_once('@')?.0)
}

fn revision(name: &str) -> Option<&str> {
    name.rsplit_once(':').filter(|(_, rest)| digits(rest)).map(|(name, _)| name)
}

fn version(name: &str) -> Option<&str> {
    name.rsplit_once("-v").filter(|(_, rest)| digits(rest)).map(|(name, _)| name)
}

/// `-20240620` or `-2024-06-20`.
fn date(name: &str) -> Option<&str> {
    let split = |length: usize| {
        let (rest, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        Some((rest.strip_suffix('-')?, date))
    };
    let compact = split(8).filter(|(_, date)| digits(date) && date.starts_with("20"));
    let dashed = split(10).filter(|(_, date)| {
        let parts: Vec<&str> = date.split('-').collect();
        matches!(parts[..], [y, m, d] if y.len() == 4 && m.len() == 2 && d.len() == 2 && parts.iter().all(|p| digits(p)))
    });
    compact.or(dashed).map(|(rest, _)| rest)
}

fn latest(name: &str) -> Option<&str> {
    name.strip_suffix("-latest")
}

/// Google's `-001`.
fn number(name: &str) -> Option<&str> {
    name.rsplit_once('-').filter(|(_, n)| n.len() == 3 && n.starts_with("00") && digits(n)).map(|(name, _)| name)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::candidates;
    use proptest::prelude::*;

    #[test]
    fn what_providers_put_around_a_name_is_taken_off() {
        for (recorded, name) in [
            ("gpt-4o", "gpt-4o"),
            ("openai/gpt-4o-2024-08-06", "gpt-4o"),
            ("OpenAI/GPT-4o", "gpt-4o"),
            ("openrouter/anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"),
            ("bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
            ("amazon.nova-pro-v1:0", "nova-pro"),
            ("claude-3-5-haiku@20241022", "claude-3-5-haiku"),
            ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
            ("publishers/google/models/gemini-2.0-flash-001", "gemini-2.0-flash"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ] {
            assert_eq!(candidates(recorded).last().unwrap(), name, "{recorded}");
        }
    }

    #[test]
    fn a_name_is_never_taken_for_a_shorter_one() {
        for kept in ["gpt-4o-mini", "gpt-3.5-turbo-0613", "my-proxy/gpt-4o", "gpt-4o-audio-preview", "claude-opus-4-5"]
        {
            assert_eq!(candidates(kept), [kept]);
        }
    }

    #[test]
    fn the_most_exact_name_comes_first() {
        let names = candidates("azure/gpt-4o-2024-05-13");
        assert_eq!(names, ["azure/gpt-4o-2024-05-13", "gpt-4o-2024-05-13", "gpt-4o"]);
    }

    proptest! {
        #[test]
        fn any_name_has_a_few_candidates(name in "\\PC{0,40}") {
            let names = candidates(&name);
            prop_assert!(!names.is_empty() && names.len() < 60);
        }
    }
}
