//! Numbers and names in the reasons of system checks.

/// A number in at most six significant decimals, without trailing zeros.
pub fn number(x: f64) -> String {
    if x == x.trunc() && x.abs() < 1e15 {
        return format!("{x:.0}");
    }
    let size = x.abs();
    if !(1e-4..1e15).contains(&size) {
        let text = format!("{x:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    let decimals = if size >= 100.0 { 3 } else { 6 };
    let text = format!("{x:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Both ends of an interval, in four digits: "10.2 to 15.33".
pub fn range([low, high]: [f64; 2]) -> String {
    let brief = |x: f64| number(format!("{x:.3e}").parse().unwrap_or(x));
    format!("{} to {}", brief(low), brief(high))
}

/// "1 sample", "3 samples".
pub fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// At most 80 characters of a name.
pub fn clip(name: &str) -> String {
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// At most eight names, and how many more.
pub fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(8).map(|n| clip(n)).collect();
    let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_what_matters() {
        let cases = [
            (612.0, "612"),
            (0.035, "0.035"),
            (1.0 / 3.0, "0.333333"),
            (1234.5678, "1234.568"),
            (1e-9, "1e-9"),
            (-0.5, "-0.5"),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn ranges_have_four_digits() {
        for (ends, text) in [
            ([0.0, 7.8531023], "0 to 7.853"),
            ([-0.0123456, 12345.6], "-0.01235 to 12350"),
            ([1.8811553e-7, 1e300], "1.881e-7 to 1e300"),
            ([0.252737, 0.367622], "0.2527 to 0.3676"),
        ] {
            assert_eq!(range(ends), text);
        }
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(listed(&["a"; 10]), "a, a, a, a, a, a, a, a and 2 more");
    }
}
