//! Who caused whom: the spans of a session as trees, whatever a recording says of parents.

use std::collections::HashMap;

/// A span, as far as the trees are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'s> {
    /// Its trace.
    pub(super) trace: &'s str,
    /// Its own id.
    pub(super) id: &'s str,
    /// The id of its parent.
    pub(super) parent: Option<&'s str>,
}

/// Trees over spans that are numbered in order of time.
#[derive(Debug, Default)]
pub(super) struct Forest {
    /// The parent of each span; `None` for a root.
    pub(super) parent: Vec<Option<usize>>,
    /// All spans, each after its parent, and siblings in order.
    pub(super) order: Vec<usize>,
    /// Spans whose parent is not in the recording. Normal for a call that came from another process.
    pub(super) dangling: usize,
    /// Parents that were cut off because the span was its own ancestor.
    pub(super) cycles: usize,
}

impl Forest {
    /// Ties the trees. Of a circle the first span becomes a root. Of spans with one id the last is the parent.
    pub(super) fn new(links: &[Link<'_>]) -> Self {
        let index: HashMap<(&str, &str), usize> = links.iter().enumerate().map(|(i, l)| ((l.trace, l.id), i)).collect();
        let mut forest = Self { parent: vec![None; links.len()], ..Self::default() };
        for (i, link) in links.iter().enumerate() {
            let Some(parent) = link.parent else { continue };
            match index.get(&(link.trace, parent)) {
                Some(p) => forest.parent[i] = Some(*p),
                None => forest.dangling += 1,
            }
        }
        forest.cut_cycles();
        forest.sort();
        forest
    }

    /// Walks up from every span, each link once.
    fn cut_cycles(&mut self) {
        // 0: not seen; otherwise the walk in which it was.
        let mut seen = vec![0usize; self.parent.len()];
        for start in 0..self.parent.len() {
            let walk = start + 1;
            let mut at = start;
            while seen[at] == 0 {
                seen[at] = walk;
                match self.parent[at] {
                    Some(up) => at = up,
                    None => break,
                }
            }
            // A walk that comes upon itself is in a circle; one that ended at a root is not.
            if seen[at] == walk && self.parent[at].is_some() {
                self.cycles += 1;
                let first = self.first_of_cycle(at);
                self.parent[first] = None;
            }
        }
    }

    fn first_of_cycle(&self, at: usize) -> usize {
        let (mut first, mut up) = (at, self.parent[at]);
        while let Some(next) = up {
            if next == at {
                break;
            }
            first = first.min(next);
            up = self.parent[next];
        }
        first
    }

    fn sort(&mut self) {
        let n = self.parent.len();
        let (mut child, mut sibling) = (vec![None; n], vec![None; n]);
        let mut stack = Vec::new();
        // Backwards, so that the first child and the first root come out first.
        for i in (0..n).rev() {
            if let Some(p) = self.parent[i] {
                sibling[i] = child[p].replace(i);
            }
        }
        let roots = (0..n).filter(|i| self.parent[*i].is_none());
        for root in roots {
            stack.push(root);
            while let Some(at) = stack.pop() {
                self.order.push(at);
                if at != root
                    && let Some(next) = sibling[at]
                {
                    stack.push(next);
                }
                if let Some(first) = child[at] {
                    stack.push(first);
                }
            }
        }
    }

    /// For every span, what `of` says of its nearest ancestor for which it says something.
    pub(super) fn nearest<T: Copy>(&self, of: impl Fn(usize) -> Option<T>) -> Vec<Option<T>> {
        self.down(|up, above| of(up).or(above))
    }

    /// For every span, what `step` makes of its parent and of what it made for that; nothing for a root.
    pub(super) fn down<T: Copy>(&self, step: impl Fn(usize, Option<T>) -> Option<T>) -> Vec<Option<T>> {
        let mut above = vec![None; self.parent.len()];
        for &at in &self.order {
            if let Some(up) = self.parent[at] {
                above[at] = step(up, above[up]);
            }
        }
        above
    }

    /// For every span, whether `of` holds for one of its descendants.
    pub(super) fn any_below(&self, of: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut below = vec![false; self.parent.len()];
        for &at in self.order.iter().rev() {
            if let Some(up) = self.parent[at]
                && (below[at] || of(at))
            {
                below[up] = true;
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forest(parents: &[Option<&'static str>], ids: &[&'static str]) -> Forest {
        let links = ids.iter().zip(parents).map(|(id, parent)| Link { trace: "t", id, parent: *parent });
        Forest::new(&links.collect::<Vec<_>>())
    }

    #[test]
    fn parents_come_before_their_children_and_siblings_in_order() {
        let f = forest(&[Some("d"), Some("d"), Some("a"), None, Some("gone")], &["a", "b", "c", "d", "e"]);
        assert_eq!(f.order, [3, 0, 2, 1, 4]);
        assert_eq!((f.dangling, f.cycles), (1, 0));
        assert_eq!(f.nearest(|i| (i == 3).then_some(i)), [Some(3), Some(3), Some(3), None, None]);
        assert_eq!(f.any_below(|i| i == 2), [true, false, false, true, false]);
    }

    #[test]
    fn circles_are_cut_at_their_first_span() {
        let f = forest(&[Some("a"), Some("d"), Some("b"), Some("c"), Some("d")], &["a", "b", "c", "d", "e"]);
        assert_eq!(f.parent, [None, None, Some(1), Some(2), Some(3)]);
        assert_eq!(f.cycles, 2);
        assert_eq!(f.order.len(), 5);
    }

    proptest! {
        #[test]
        fn every_span_is_in_the_order_once_and_after_its_parent(parents in proptest::collection::vec(0usize..40, 0..30)) {
            let ids: Vec<String> = (0..40).map(|i| i.to_string()).collect();
            let link = |(i, p): (usize, &usize)| Link { trace: "t", id: ids[i].as_str(), parent: Some(ids[*p].as_str()) };
            let links: Vec<Link<'_>> = parents.iter().enumerate().map(link).collect();
            let f = Forest::new(&links);
            let mut place = vec![None; links.len()];
            for (k, i) in f.order.iter().enumerate() {
                prop_assert!(place[*i].replace(k).is_none());
            }
            for (i, parent) in f.parent.iter().enumerate() {
                prop_assert!(place[i].is_some());
                prop_assert!(parent.is_none_or(|p| place[p] < place[i]));
            }
        }
    }
}
