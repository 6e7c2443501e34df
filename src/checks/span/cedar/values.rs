//! JSON as Cedar values.

use cedar_policy::RestrictedExpression;
use serde_json::{Number, Value};

use super::Nulls;
use super::reads::Reads;

/// The most digits after the point of Cedar's decimals.
const PLACES: usize = 4;

/// Turns JSON into Cedar values.
pub(super) struct Converter<'c> {
    pub reads: &'c Reads,
    pub nulls: Nulls,
}

impl Converter<'_> {
    /// The value of a key of the context; `None` when it is left out.
    pub fn member(&self, name: &str, value: &Value) -> Result<Option<RestrictedExpression>, String> {
        self.value(value, &mut vec![name])
    }

    /// A value at a path. One without a Cedar form is left out where no policy looks at it.
    fn value<'v>(&self, value: &'v Value, path: &mut Vec<&'v str>) -> Result<Option<RestrictedExpression>, String> {
        let converted = match value {
            Value::Null if self.nulls == Nulls::Absent => return Ok(None),
            Value::Object(map) => {
                let mut members = Vec::with_capacity(map.len());
                for (key, value) in map {
                    path.push(key);
                    let member = self.value(value, path);
                    path.pop();
                    members.extend(member?.map(|member| (key.clone(), member)));
                }
                RestrictedExpression::new_record(members).map_err(|e| e.to_string())
            }
            other => element(other),
        };
        match converted {
            Ok(value) => Ok(Some(value)),
            Err(why) if self.reads.look_at(path) => {
                Err(format!("`context.{}` has no Cedar value: {why}", path.join(".")))
            }
            Err(_) => Ok(None),
        }
    }
}

/// A value without regard to who looks at it: policies cannot look at one element of a set. JSON is not nested deeper
/// than its parser allows.
fn element(value: &Value) -> Result<RestrictedExpression, String> {
    Ok(match value {
        Value::Null => return Err("it is null".to_owned()),
        Value::Bool(b) => RestrictedExpression::new_bool(*b),
        Value::String(s) => RestrictedExpression::new_string(s.clone()),
        Value::Number(n) => number(n)?,
        Value::Array(items) => RestrictedExpression::new_set(items.iter().map(element).collect::<Result<Vec<_>, _>>()?),
        Value::Object(map) => {
            let member = |(key, value): (&String, &Value)| Ok((key.clone(), element(value)?));
            let members = map.iter().map(member).collect::<Result<Vec<_>, String>>()?;
            RestrictedExpression::new_record(members).map_err(|e| e.to_string())?
        }
    })
}

fn number(number: &Number) -> Result<RestrictedExpression, String> {
    if let Some(whole) = number.as_i64() {
        return Ok(RestrictedExpression::new_long(whole));
    }
    let float = number.as_f64().filter(|f| f.is_finite() && !number.is_u64());
    let float = float.ok_or_else(|| format!("{number} is too large"))?;
    // Without an exponent, and no longer than it must be.
    let text = float.to_string();
    let text = if text.contains('.') { text } else { format!("{text}.0") };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if fraction.len() > PLACES {
        return Err(format!("{number} has more than {PLACES} decimal places"));
    }
    // Cedar keeps a decimal as ten-thousandths in 64 bits.
    let scaled = format!("{whole}{fraction:0<PLACES$}");
    if scaled.parse::<i64>().is_err() {
        return Err(format!("{number} is too large"));
    }
    Ok(RestrictedExpression::new_decimal(text))
}
