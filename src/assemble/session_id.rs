//! Which session a record belongs to: the places where SDKs write a session's id, in order of precedence.

use crate::formats::telemetry::{Origin, Pairs, Value, find};
use crate::model::Text;

/// Attributes of spans and log records, the most reliable first. `mcp.session.id` is none of them: it names a
/// connection.
pub const ATTRIBUTES: &[&str] = &[
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "gcp.vertex.agent.session_id",
    "ai.telemetry.metadata.sessionId",
];

/// How much a session's id is to be trusted: smaller is better. A trace whose spans name several sessions belongs to
/// the one of the smallest rank, and among those to the one that arrived first.
pub type Rank = u8;

/// The session that the attributes of a record name, and the rank of the place where they do. `attribute` is the place that the user
/// named, which comes before all others. `None` when they name none: then its trace may.
pub fn told<'a>(attributes: &Pairs<'a>, origin: &Origin<'a>, attribute: Option<&str>) -> Option<(Rank, Text<'a>)> {
    let places = attribute.into_iter().chain(ATTRIBUTES.iter().copied());
    let first = Rank::from(attribute.is_none());
    // One pass: most spans have dozens of attributes and an id in the best place.
    let mut best: Option<(Rank, &Value<'a>)> = None;
    for (name, value) in attributes {
        let place = places.clone().zip(first..).find(|(place, _)| name == *place);
        if let Some((_, rank)) = place
            && best.is_none_or(|(other, _)| rank <= other)
        {
            best = Some((rank, value));
        }
    }
    let in_resource = |name: &str, rank| Some((rank, id(find(&origin.resource, name)?)?));
    let named = best.and_then(|(rank, value)| Some((rank, id(value)?)));
    match (named, attribute.and_then(|name| in_resource(name, 0))) {
        (Some((0, id)), _) | (_, Some((_, id))) => Some((0, id)),
        (Some(named), None) => Some(named),
        (None, None) => in_resource("session.id", first + ATTRIBUTES.len() as Rank),
    }
}

/// An id that is not empty; also one written as a number.
fn id<'a>(value: &Value<'a>) -> Option<Text<'a>> {
    match value {
        Value::Text(t) if !t.trim().is_empty() => Some(t.clone()),
        Value::Int(n) => Some(n.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given = [(&'static str, &'static str)];

    fn told_by(span: &Given, resource: &Given, flag: Option<&str>) -> Option<(Rank, String)> {
        let pairs = |given: &Given| given.iter().map(|(k, v)| ((*k).into(), Value::Text((*v).into()))).collect();
        let origin = Origin { resource: pairs(resource), ..Origin::default() };
        told(&pairs(span), &origin, flag).map(|(rank, id)| (rank, id.to_string()))
    }

    #[test]
    fn the_best_place_counts_wherever_it_stands() {
        let both = [("gen_ai.conversation.id", "c"), ("session.id", "s"), ("langfuse.session.id", "l")];
        assert_eq!(told_by(&both, &[("session.id", "r")], None), Some((1, "s".into())));
        assert_eq!(told_by(&both[..1], &[("session.id", "r")], None), Some((2, "c".into())));
        assert_eq!(told_by(&[], &[("session.id", "r")], None), Some((7, "r".into())));
        assert_eq!(told_by(&[("mcp.session.id", "m"), ("session.id", " ")], &[], None), None);
    }

    #[test]
    fn the_place_that_the_user_names_comes_first() {
        let both = [("session.id", "s"), ("thread", "t")];
        assert_eq!(told_by(&both, &[], Some("thread")), Some((0, "t".into())));
        assert_eq!(told_by(&both[..1], &[("thread", "t")], Some("thread")), Some((0, "t".into())));
        assert_eq!(told_by(&both[..1], &[], Some("thread")), Some((1, "s".into())));
        assert_eq!(told_by(&[], &[("thread", "t")], Some("thread")), Some((0, "t".into())));
    }
}
