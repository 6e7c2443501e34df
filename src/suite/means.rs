//! `means` of a baseline: metrics whose mean must not become worse, and by how much it may seem so.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::raw::{Pos, Sink};
use crate::checks::system::columns::{self, Shape};

/// A metric whose mean over the cases is compared with that of an earlier run, pair by pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanBar {
    /// The metric: one with a value per turn or session, `attr:NAME` included.
    pub metric: String,
    /// Where less is better: the mean may rise by less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rise: Option<Amount>,
    /// Where more is better: the mean may fall by less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fall: Option<Amount>,
}

/// How much a mean may change, above 0: `200` in the unit of the metric, or `"10%"` of the earlier mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// In the unit of the metric.
    Units(f64),
    /// A share of the earlier mean; 0.1 is written `"10%"`.
    Share(f64),
}

/// Which way a metric becomes worse, and by how much it may.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Worse {
    /// It rises.
    Up(Amount),
    /// It falls.
    Down(Amount),
}

impl MeanBar {
    /// Which way it becomes worse; `None` for a bar that a record was edited to have, with neither way or both.
    pub fn worse(&self) -> Option<Worse> {
        match (self.max_rise, self.max_fall) {
            (Some(amount), None) => Some(Worse::Up(amount)),
            (None, Some(amount)) => Some(Worse::Down(amount)),
            _ => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Units(units) => write!(f, "{units}"),
            // The rest of the digits is what binary fractions add.
            Amount::Share(share) => write!(f, "{}%", (share * 1e8).round() / 1e6),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Amount::Units(units) => s.serialize_f64(*units),
            Amount::Share(_) => s.collect_str(self),
        }
    }
}

struct AmountVisitor;

impl de::Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number above 0 in the unit of the metric, or a share of the earlier mean such as \"10%\"")
    }

    fn visit_f64<E: de::Error>(self, units: f64) -> Result<Amount, E> {
        if units > 0.0 && units.is_finite() {
            Ok(Amount::Units(units))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(units), &self))
        }
    }

    fn visit_i64<E: de::Error>(self, units: i64) -> Result<Amount, E> {
        self.visit_f64(units as f64)
    }

    fn visit_u64<E: de::Error>(self, units: u64) -> Result<Amount, E> {
        self.visit_f64(units as f64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
        match percent.filter(|p| *p > 0.0 && p.is_finite()) {
            Some(percent) => Ok(Amount::Share(percent / 100.0)),
            None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(AmountVisitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number in the unit of the metric, or a share of the earlier mean such as \"10%\".",
            "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string", "pattern": "^[0-9.]+ *%$" }]
        })
    }
}

/// Reports what is wrong with bars. `at` says where a key of the bar at a position stands.
pub(super) fn check(bars: &[MeanBar], at: &dyn Fn(usize, &str) -> Pos, sink: &mut Sink<'_>) {
    for (i, bar) in bars.iter().enumerate() {
        match columns::shape(&bar.metric) {
            Ok(Shape::Ratio) => {
                let message = format!("`{}` is a ratio of sums, of which a case has no mean", bar.metric);
                let help = "use a system check `metric` with `max_ratio` and `against = \"baseline\"`".to_owned();
                sink.error(&at(i, "metric"), message, help);
            }
            Ok(_) => {}
            Err((message, help)) => sink.error(&at(i, "metric"), message, help),
        }
        match (bar.max_rise, bar.max_fall) {
            (None, None) => {
                let help = "add `max_rise` where less is better, `max_fall` where more is".to_owned();
                sink.missing(&at(i, "metric"), "a mean needs a bar", help);
            }
            (Some(_), Some(_)) => {
                let help = "keep `max_rise` where less is better, `max_fall` where more is".to_owned();
                sink.error(&at(i, "max_fall"), "a mean becomes worse one way, not both", help);
            }
            _ => {}
        }
        if bars[..i].iter().any(|other| other.metric == bar.metric) {
            sink.error(&at(i, "metric"), format!("there is already a bar for the mean of `{}`", bar.metric), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MeanBar, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn an_amount_is_a_number_or_a_share_and_is_written_as_it_is_read() {
        for (text, amount) in
            [("200", Amount::Units(200.0)), ("0.5", Amount::Units(0.5)), ("\"7%\"", Amount::Share(0.07))]
        {
            let bar = read(&format!("metric = \"tokens\"\nmax_rise = {text}\n")).unwrap();
            assert_eq!(bar.worse(), Some(Worse::Up(amount)));
            let json = serde_json::to_string(&bar).unwrap();
            assert_eq!(serde_json::from_str::<MeanBar>(&json).unwrap(), bar, "{json}");
        }
        for wrong in ["0", "-1", "\"10\"", "\"x%\"", "\"-5%\"", "nan", "inf", "true"] {
            assert!(read(&format!("metric = \"tokens\"\nmax_fall = {wrong}\n")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bar_with_no_way_or_both_holds_nothing() {
        assert_eq!(read("metric = \"tokens\"\n").unwrap().worse(), None);
        assert_eq!(read("metric = \"tokens\"\nmax_rise = 1\nmax_fall = 1\n").unwrap().worse(), None);
    }
}
