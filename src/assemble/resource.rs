//! Bounds on what every record carries along: the resource and scope that made it.
//!
//! A request of megabytes may name its resource once and then a million spans of as many sessions; each session keeps a
//! copy.

use crate::formats::telemetry::{Origin, Pairs, Value};
use crate::model::Text;

/// Most attributes of a resource.
const MOST: usize = 256;
/// Largest attribute, and all of them together, in bytes.
const LARGEST: usize = 4 << 10;
const ALL: usize = 32 << 10;

/// The origin with no more than what is allowed, and how many attributes that takes away.
pub(super) fn bounded<'a>(origin: &Origin<'a>) -> (Origin<'a>, usize) {
    let mut resource: Pairs<'a> = Vec::with_capacity(origin.resource.len().min(MOST));
    let mut left = ALL;
    for (name, value) in origin.resource.iter().take(MOST) {
        let limit = left.min(LARGEST);
        let cost = weight(value, limit.saturating_sub(name.len() + 2));
        if let Some(cost) = cost.map(|c| c + name.len() + 2).filter(|c| *c <= limit) {
            left -= cost;
            resource.push((name.clone(), value.clone()));
        }
    }
    let lost = origin.resource.len() - resource.len();
    (Origin { resource, scope: short(&origin.scope), version: short(&origin.version) }, lost)
}

fn short<'a>(text: &Text<'a>) -> Text<'a> {
    if text.len() <= LARGEST { text.clone() } else { text.chars().take(LARGEST / 4).collect::<String>().into() }
}

/// The bytes of a value, about; `None` when there are more than `limit`. Looks at no more than that.
fn weight(value: &Value<'_>, limit: usize) -> Option<usize> {
    let own = match value {
        Value::Text(t) => t.len() + 2,
        Value::Bytes(b) => b.len() + 2,
        _ => 9,
    };
    let mut sum = own;
    let mut add = |name: usize, value: &Value<'_>| {
        sum += name + weight(value, limit.checked_sub(sum + name)?)?;
        Some(())
    };
    match value {
        Value::Array(values) => values.iter().try_for_each(|v| add(0, v))?,
        Value::Map(pairs) => pairs.iter().try_for_each(|(name, v)| add(name.len() + 2, v))?,
        _ => {}
    }
    (sum <= limit).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(resource: Vec<(String, Value<'static>)>) -> Origin<'static> {
        Origin { resource: resource.into_iter().map(|(k, v)| (k.into(), v)).collect(), ..Origin::default() }
    }

    #[test]
    fn an_ordinary_resource_is_kept_whole() {
        let list = Value::Array(vec![Value::Text("a".into()), Value::Map(vec![("k".into(), Value::Int(1))])]);
        let usual = origin(vec![("service.name".into(), Value::Text("x".into())), ("process.args".into(), list)]);
        assert_eq!(bounded(&usual), (usual, 0));
    }

    #[test]
    fn what_is_too_large_or_too_many_is_left_out_and_counted() {
        let text = |n: usize| Value::Text("x".repeat(n).into());
        let nested = Value::Array(vec![text(3000), text(3000)]);
        let large = origin(vec![("a".into(), text(5000)), ("b".into(), text(10)), ("c".into(), nested)]);
        let (kept, lost) = bounded(&large);
        assert_eq!((kept.resource.len(), lost), (1, 2));
        let many = origin((0..1000).map(|i| (format!("k{i}"), Value::Bool(true))).collect());
        assert_eq!((bounded(&many).0.resource.len(), bounded(&many).1), (256, 744));
        let heavy = origin((0..20).map(|i| (format!("k{i}"), text(4000))).collect());
        assert_eq!(bounded(&heavy).0.resource.len(), 8);
        let scope = Origin { scope: "s".repeat(10_000).into(), ..Origin::default() };
        assert_eq!(bounded(&scope).0.scope.len(), 1024);
    }

    #[test]
    fn a_value_nested_without_end_is_not_followed() {
        let deep = (0..5000).fold(Value::Int(1), |v, _| Value::Array(vec![v]));
        assert_eq!(bounded(&origin(vec![("a".into(), deep)])).1, 1);
    }
}
