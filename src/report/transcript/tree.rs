//! Operations below the ones that caused them, with starts that make sense beside each other.

use std::collections::HashMap;

use crate::model::Span;

/// An operation with its place.
#[derive(Debug)]
pub(super) struct Node<'s, 'a> {
    pub span: &'s Span<'a>,
    /// How many operations lie above it.
    pub depth: usize,
    /// Where it is drawn from: its start, or the start of the operation that caused it when that is later.
    pub start_ns: Option<u64>,
    /// By how much it is drawn later than recorded: what was moved takes along what lies below, which is by the same
    /// clock.
    moved_ns: u64,
    /// It starts before the operation that caused it, as far as that one was moved.
    pub skewed: bool,
}

impl Node<'_, '_> {
    /// Where it is drawn to: as long after its start as it took.
    pub fn end_ns(&self) -> Option<u64> {
        let end = self.span.end_ns?;
        Some(end.saturating_add(self.moved_ns).max(self.start_ns.unwrap_or(0)))
    }
}

/// The operations of a turn: each followed by those that it caused, all of them in the order of their starts. Every
/// operation is there exactly once, whatever the recording says of its parent: of one that is not in the turn, of
/// itself, or in a circle.
pub(super) fn ordered<'s, 'a>(spans: &'s [Span<'a>]) -> Vec<Node<'s, 'a>> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(spans.len());
    for (i, span) in spans.iter().enumerate() {
        if let Some(id) = &span.id {
            by_id.entry(id.as_str()).or_insert(i);
        }
    }
    let parent = |i: usize| spans[i].parent.as_ref().and_then(|p| by_id.get(p.as_str())).copied().filter(|p| *p != i);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut roots = Vec::new();
    for i in 0..spans.len() {
        match parent(i) {
            Some(parent) => children[parent].push(i),
            None => roots.push(i),
        }
    }
    for siblings in children.iter_mut().chain([&mut roots]) {
        // The recorded order is all there is where a time is not known.
        if siblings.iter().all(|i| spans[*i].start_ns.is_some()) {
            siblings.sort_by_key(|i| spans[*i].start_ns);
        }
    }
    let mut placed = Placed { spans, children, seen: vec![false; spans.len()], nodes: Vec::with_capacity(spans.len()) };
    // What is left after the roots hangs in a circle, which is cut where it is met.
    for root in roots.into_iter().chain(0..spans.len()) {
        placed.below(root);
    }
    placed.nodes
}

struct Placed<'s, 'a> {
    spans: &'s [Span<'a>],
    children: Vec<Vec<usize>>,
    seen: Vec<bool>,
    nodes: Vec<Node<'s, 'a>>,
}

impl Placed<'_, '_> {
    /// Places an operation and all below it. A loop with a stack of its own: hostile chains are long.
    fn below(&mut self, root: usize) {
        let mut waiting = vec![(root, 0, None, 0)];
        while let Some((index, depth, earliest, moved)) = waiting.pop() {
            if std::mem::replace(&mut self.seen[index], true) {
                continue;
            }
            let span = &self.spans[index];
            let own = span.start_ns.map(|own| own.saturating_add(moved));
            let start_ns = own.map(|own| own.max(earliest.unwrap_or(0)));
            let skewed = start_ns > own;
            let moved_ns = start_ns.zip(span.start_ns).map_or(moved, |(drawn, recorded)| drawn - recorded);
            self.nodes.push(Node { span, depth, start_ns, moved_ns, skewed });
            let children = std::mem::take(&mut self.children[index]);
            let below = start_ns.or(earliest);
            waiting.extend(children.into_iter().rev().map(|child| (child, depth + 1, below, moved_ns)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Id, parent, start and end.
    type Given = (&'static str, Option<&'static str>, Option<u64>, Option<u64>);

    fn spans(of: &[Given]) -> Vec<Span<'static>> {
        let span = |(id, parent, start, end): &Given| Span {
            id: Some((*id).into()),
            parent: parent.map(Into::into),
            name: (*id).into(),
            start_ns: *start,
            end_ns: *end,
            ..Span::default()
        };
        of.iter().map(span).collect()
    }

    fn drawn(spans: &[Span<'_>]) -> Vec<String> {
        let node = |n: Node<'_, '_>| {
            let skewed = if n.skewed { " skewed" } else { "" };
            format!("{}{} {:?}-{:?}{skewed}", "-".repeat(n.depth), n.span.name, n.start_ns, n.end_ns())
        };
        ordered(spans).into_iter().map(node).collect()
    }

    #[test]
    fn each_is_followed_by_what_it_caused_in_order_of_starts() {
        let spans = spans(&[
            ("tool", Some("agent"), Some(3), Some(4)),
            ("other", None, Some(9), None),
            ("llm", Some("agent"), Some(2), Some(3)),
            ("agent", Some("not here"), Some(1), Some(5)),
        ]);
        assert_eq!(
            drawn(&spans),
            ["agent Some(1)-Some(5)", "-llm Some(2)-Some(3)", "-tool Some(3)-Some(4)", "other Some(9)-None"]
        );
    }

    #[test]
    fn a_start_before_the_parents_is_moved_with_what_lies_below_and_keeps_its_length() {
        let spans = spans(&[
            ("a", None, Some(100), Some(200)),
            ("b", Some("a"), Some(90), Some(120)),
            ("c", Some("b"), Some(95), Some(96)),
            ("d", Some("b"), None, None),
            ("e", Some("d"), Some(92), Some(92)),
            ("f", Some("b"), Some(80), Some(90)),
        ]);
        assert_eq!(
            drawn(&spans),
            [
                "a Some(100)-Some(200)",
                "-b Some(100)-Some(130) skewed",
                "--c Some(105)-Some(106)",
                "--d None-None",
                "---e Some(102)-Some(102)",
                "--f Some(100)-Some(110) skewed"
            ]
        );
    }

    #[test]
    fn circles_and_long_chains_are_placed_once_each() {
        let circle =
            spans(&[("a", Some("b"), Some(1), None), ("b", Some("a"), Some(2), None), ("c", Some("c"), None, None)]);
        assert_eq!(drawn(&circle), ["c None-None", "a Some(1)-None", "-b Some(2)-None"]);
        let chain: Vec<Span<'_>> = (0..100_000)
            .map(|i: u32| Span {
                id: Some(i.to_string().into()),
                parent: Some((i + 1).to_string().into()),
                ..Span::default()
            })
            .collect();
        assert_eq!(ordered(&chain).len(), chain.len());
    }

    proptest! {
        #[test]
        fn every_operation_is_there_once_and_none_starts_before_its_parent(
            given in prop::collection::vec((0u8..12, 0u8..12, prop::option::of(any::<u64>()), prop::option::of(any::<u64>())), 0..30)
        ) {
            let spans: Vec<Span<'_>> = given
                .iter()
                .map(|(id, parent, start, end)| Span {
                    id: Some(id.to_string().into()),
                    parent: Some(parent.to_string().into()),
                    start_ns: *start,
                    end_ns: *end,
                    ..Span::default()
                })
                .collect();
            let nodes = ordered(&spans);
            prop_assert_eq!(nodes.len(), spans.len());
            let mut above: Vec<u64> = Vec::new();
            for node in &nodes {
                above.truncate(node.depth);
                let earliest = above.iter().copied().max().unwrap_or(0);
                prop_assert!(node.start_ns.is_none_or(|s| s >= earliest));
                above.resize(node.depth, 0);
                above.push(node.start_ns.unwrap_or(0));
            }
        }
    }
}
