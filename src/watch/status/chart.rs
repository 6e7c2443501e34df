//! Small charts: one line over time, drawn as SVG. What was not measured is a gap in the line, never a zero.

use std::fmt::Write;

/// Size of a chart.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 56.0;
/// Room for the line's own width.
const EDGE: f64 = 3.0;

/// Draws values at equal distances, the latest last. `ends` are the values at the bottom and the top; without them, the
/// chart reaches from 0 to the largest.
pub fn line(label: &str, values: &[Option<f64>], ends: Option<(f64, f64)>) -> String {
    let largest = values.iter().flatten().copied().fold(0.0, f64::max);
    let (low, high) = ends.unwrap_or((0.0, if largest > 0.0 { largest } else { 1.0 }));
    let step = (WIDTH - 2.0 * EDGE) / (values.len().max(2) - 1) as f64;
    let y = |value: f64| {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE)
    };
    let (mut path, mut dots, mut pen) = (String::new(), String::new(), false);
    for (i, value) in values.iter().enumerate() {
        let x = EDGE + i as f64 * step;
        let Some(value) = value.filter(|value| value.is_finite()) else {
            pen = false;
            continue;
        };
        let y = y(value);
        // Writing to a string does not fail.
        let _ = write!(path, "{}{x:.1} {y:.1}", if pen { "L" } else { "M" });
        let alone = !pen && values.get(i + 1).is_none_or(|next| next.is_none());
        if alone {
            let _ = write!(dots, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>");
        }
        pen = true;
    }
    let label = crate::report::html::embed::escape(label);
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\"><path d=\"{path}\"/>{dots}</svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_a_gap() {
        let drawn = line("x", &[Some(1.0), Some(2.0), None, Some(1.0), None], None);
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert_eq!(drawn.matches("<circle").count(), 1, "one alone is a dot");
        assert!(!drawn.contains("NaN"));
    }

    #[test]
    fn nothing_hostile_gets_into_a_chart() {
        let drawn = line("\"><script>", &[Some(f64::NAN), Some(f64::INFINITY)], Some((1.0, 1.0)));
        assert!(!drawn.contains("<script") && !drawn.contains("NaN"));
    }
}
