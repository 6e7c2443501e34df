//! Pairing two sequences by an arbitrary relation: the largest assignment (maximum bipartite matching), the longest
//! common subsequence, the first subsequence. No recursion, and the work is bounded before it starts.
//!
//! Equal elements are one *class* with a count, so that a thousand repetitions of one call cost as much as one.

use std::cell::{Cell, OnceCell};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The most pairs that are ever compared, or cells that are ever filled, for one pair of sequences.
const LIMIT: usize = 8_000_000;

/// A sequence's elements, sorted into classes of equal ones.
pub struct Classes {
    /// The class of each element.
    of: Vec<usize>,
    /// The first element of each class.
    first: Vec<usize>,
}

impl Classes {
    /// Every element is its own class.
    pub fn each(n: usize) -> Self {
        Self { of: (0..n).collect(), first: (0..n).collect() }
    }

    /// Elements with equal keys are one class.
    pub fn by_key<K: Hash + Eq>(keys: impl Iterator<Item = K>) -> Self {
        let mut seen = HashMap::new();
        let (mut of, mut first) = (Vec::new(), Vec::new());
        for (i, key) in keys.enumerate() {
            let class = *seen.entry(key).or_insert_with(|| {
                first.push(i);
                first.len() - 1
            });
            of.push(class);
        }
        Self { of, first }
    }

    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.first.len()];
        self.of.iter().for_each(|&c| counts[c] += 1);
        counts
    }

    /// The elements of each class, in order.
    fn members(&self) -> Vec<VecDeque<usize>> {
        let mut members = vec![VecDeque::new(); self.first.len()];
        self.of.iter().enumerate().for_each(|(i, &c)| members[c].push_back(i));
        members
    }
}

/// Rows and columns with a relation between them, each pair of classes compared at most once.
pub struct Grid<'g> {
    rows: Classes,
    cols: Classes,
    /// Per pair of classes: not asked yet, or the answer.
    cells: Vec<Cell<Option<bool>>>,
    decide: Box<dyn Fn(usize, usize) -> bool + 'g>,
    /// A largest assignment, once somebody asked for it: the verdict does, and so do its reasons.
    assigned: OnceCell<Vec<Option<usize>>>,
}

impl<'g> Grid<'g> {
    /// A grid over a relation between elements; `None` when there are more distinct pairs than can be compared.
    pub fn new(rows: Classes, cols: Classes, decide: impl Fn(usize, usize) -> bool + 'g) -> Option<Self> {
        let cells = rows.first.len().checked_mul(cols.first.len()).filter(|n| *n <= LIMIT)?;
        let cells = vec![Cell::new(None); cells];
        Some(Self { rows, cols, cells, decide: Box::new(decide), assigned: OnceCell::new() })
    }

    fn class_matches(&self, row: usize, col: usize) -> bool {
        let cell = &self.cells[row * self.cols.first.len() + col];
        cell.get().unwrap_or_else(|| {
            let answer = (self.decide)(self.rows.first[row], self.cols.first[col]);
            cell.set(Some(answer));
            answer
        })
    }

    /// Whether a row and a column are related.
    pub fn matches(&self, row: usize, col: usize) -> bool {
        self.class_matches(self.rows.of[row], self.cols.of[col])
    }

    fn size(&self) -> (usize, usize) {
        (self.rows.of.len(), self.cols.of.len())
    }

    /// The columns that the rows take when each takes the first one after its predecessor's. As many as there are
    /// rows exactly when the rows are a subsequence of the columns, for any relation.
    pub fn subsequence(&self) -> Vec<usize> {
        let (rows, cols) = self.size();
        let mut taken = Vec::new();
        let mut col = 0;
        while taken.len() < rows && col < cols {
            if self.matches(taken.len(), col) {
                taken.push(col);
            }
            col += 1;
        }
        taken
    }

    /// The length of the longest common subsequence; `None` when it is too long to compute.
    pub fn longest_common(&self) -> Option<usize> {
        let (mut rows, mut cols) = self.size();
        // What both ends share belongs to some longest alignment, whatever the relation.
        let start = (0..rows.min(cols)).take_while(|&i| self.matches(i, i)).count();
        let mut end = 0;
        while rows > start && cols > start && self.matches(rows - 1, cols - 1) {
            (rows, cols, end) = (rows - 1, cols - 1, end + 1);
        }
        let width = cols - start;
        if width.checked_mul(rows - start)? > LIMIT {
            return None;
        }
        let mut above = vec![0usize; width + 1];
        for row in start..rows {
            let mut diagonal = 0;
            for col in 0..width {
                let up = above[col + 1];
                above[col + 1] = if self.matches(row, start + col) { diagonal + 1 } else { up.max(above[col]) };
                diagonal = up;
            }
        }
        Some(start + end + above[width])
    }

    /// A largest assignment of rows to distinct columns: the column of each row that got one.
    pub fn assign(&self) -> &[Option<usize>] {
        self.assigned.get_or_init(|| self.assignment())
    }

    fn assignment(&self) -> Vec<Option<usize>> {
        if let Some(plain) = self.first_come() {
            return plain;
        }
        let flow = Flow::maximum(self);
        let (mut members, mut out) = (self.cols.members(), vec![None; self.rows.of.len()]);
        let mut shares: Vec<VecDeque<(usize, usize)>> = flow.shares();
        for (row, &class) in self.rows.of.iter().enumerate() {
            let Some((col_class, count)) = shares[class].front_mut() else { continue };
            out[row] = members[*col_class].pop_front();
            *count -= 1;
            if *count == 0 {
                shares[class].pop_front();
            }
        }
        out
    }
}

/// Nearly always nobody has to make room for anybody.
impl Grid<'_> {
    /// Each row takes the first free column that it is related to. `None` where a row gets none and others have what it
    /// could have had: there may be a larger assignment. Of elements that are classes of their own, this is what the flow
    /// begins with.
    fn first_come(&self) -> Option<Vec<Option<usize>>> {
        let (rows, cols) = self.size();
        if rows != self.rows.first.len() || cols != self.cols.first.len() {
            return None;
        }
        let mut taken = vec![false; cols];
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut related = (0..cols).filter(|col| self.matches(row, *col)).peekable();
            let any = related.peek().is_some();
            let free = related.find(|col| !taken[*col]);
            if any && free.is_none() {
                return None;
            }
            if let Some(col) = free {
                taken[col] = true;
            }
            out.push(free);
        }
        Some(out)
    }
}

/// A flow from row classes to column classes, grown along shortest augmenting paths (Hopcroft and Karp's algorithm,
/// with counts: Dinic's on a bipartite network).
struct Flow {
    /// Elements of each row class that have no column yet.
    row_rest: Vec<usize>,
    /// Elements of each column class that are free.
    col_rest: Vec<usize>,
    /// Per row class, the column classes it is related to.
    edges: Vec<Vec<usize>>,
    /// How much flows along each edge.
    used: Vec<Vec<usize>>,
    /// Per column class, the edges that enter it: row class and position in its `edges`.
    entering: Vec<Vec<(usize, usize)>>,
}

/// A step of an augmenting path.
#[derive(Clone, Copy)]
enum Step {
    /// From a row along its edge.
    Forward(usize, usize),
    /// From a column back along an edge that has flow: row and position.
    Back(usize, usize),
}

/// Distances from the rows that still have something to place.
struct Levels {
    rows: Vec<usize>,
    cols: Vec<usize>,
    /// Whether a free column can be reached.
    open: bool,
}

const FAR: usize = usize::MAX;

impl Flow {
    fn maximum(grid: &Grid<'_>) -> Self {
        let mut flow = Self::greedy(grid);
        // Greedy is enough nearly always; what it left is settled by augmenting.
        while flow.row_rest.iter().any(|&n| n > 0) {
            let levels = flow.levels();
            if !levels.open {
                break;
            }
            flow.augment(&levels);
        }
        flow
    }

    /// Each row class takes what is free of the first columns it is related to.
    fn greedy(grid: &Grid<'_>) -> Self {
        let (row_rest, col_rest) = (grid.rows.counts(), grid.cols.counts());
        let mut entering = vec![Vec::new(); col_rest.len()];
        let edges: Vec<Vec<usize>> =
            (0..row_rest.len()).map(|r| (0..col_rest.len()).filter(|&c| grid.class_matches(r, c)).collect()).collect();
        let mut used: Vec<Vec<usize>> = edges.iter().map(|e| vec![0; e.len()]).collect();
        let (mut row_rest, mut col_rest) = (row_rest, col_rest);
        for (row, cols) in edges.iter().enumerate() {
            for (at, &col) in cols.iter().enumerate() {
                entering[col].push((row, at));
                let taken = row_rest[row].min(col_rest[col]);
                used[row][at] = taken;
                row_rest[row] -= taken;
                col_rest[col] -= taken;
            }
        }
        Self { row_rest, col_rest, edges, used, entering }
    }

    fn levels(&self) -> Levels {
        let mut levels =
            Levels { rows: vec![FAR; self.row_rest.len()], cols: vec![FAR; self.col_rest.len()], open: false };
        let mut queue: VecDeque<usize> = (0..self.row_rest.len()).filter(|&r| self.row_rest[r] > 0).collect();
        queue.iter().for_each(|&r| levels.rows[r] = 0);
        while let Some(row) = queue.pop_front() {
            for &col in &self.edges[row] {
                if levels.cols[col] != FAR {
                    continue;
                }
                levels.cols[col] = levels.rows[row] + 1;
                levels.open |= self.col_rest[col] > 0;
                for &(back, at) in &self.entering[col] {
                    if self.used[back][at] > 0 && levels.rows[back] == FAR {
                        levels.rows[back] = levels.cols[col] + 1;
                        queue.push_back(back);
                    }
                }
            }
        }
        levels
    }

    /// Uses up every shortest path. Each edge is given up at most once, as the pointers only move on.
    fn augment(&mut self, levels: &Levels) {
        let (mut next_edge, mut next_back) = (vec![0; self.row_rest.len()], vec![0; self.col_rest.len()]);
        for root in 0..self.row_rest.len() {
            while self.row_rest[root] > 0 && levels.rows[root] == 0 {
                let Some(path) = self.path(root, levels, &mut next_edge, &mut next_back) else { break };
                self.push(root, &path);
            }
        }
    }

    fn path(&self, root: usize, levels: &Levels, edge: &mut [usize], back: &mut [usize]) -> Option<Vec<Step>> {
        let mut path: Vec<Step> = Vec::new();
        let mut row = root;
        loop {
            // From a row: the next edge that leads one level on.
            let edges = &self.edges[row];
            while edge[row] < edges.len() && levels.cols[edges[edge[row]]] != levels.rows[row] + 1 {
                edge[row] += 1;
            }
            if edge[row] == edges.len() {
                // A dead end: give up the step that led here, and the column before it tries its next way.
                path.pop()?;
                let Some(Step::Forward(before, at)) = path.pop() else { return None };
                back[self.edges[before][at]] += 1;
                row = before;
                continue;
            }
            let col = edges[edge[row]];
            path.push(Step::Forward(row, edge[row]));
            if self.col_rest[col] > 0 {
                return Some(path);
            }
            // From a column that is full: back along an edge whose row could go elsewhere.
            let entering = &self.entering[col];
            let usable = |&(r, at): &(usize, usize)| self.used[r][at] > 0 && levels.rows[r] == levels.cols[col] + 1;
            while back[col] < entering.len() && !usable(&entering[back[col]]) {
                back[col] += 1;
            }
            match entering.get(back[col]) {
                Some(&(r, at)) => {
                    path.push(Step::Back(r, at));
                    row = r;
                }
                None => {
                    path.pop();
                    edge[row] += 1;
                }
            }
        }
    }

    fn push(&mut self, root: usize, path: &[Step]) {
        let mut amount = self.row_rest[root];
        let mut last = 0;
        for step in path {
            match *step {
                Step::Forward(row, at) => last = self.edges[row][at],
                Step::Back(row, at) => amount = amount.min(self.used[row][at]),
            }
        }
        amount = amount.min(self.col_rest[last]);
        for step in path {
            match *step {
                Step::Forward(row, at) => self.used[row][at] += amount,
                Step::Back(row, at) => self.used[row][at] -= amount,
            }
        }
        self.row_rest[root] -= amount;
        self.col_rest[last] -= amount;
    }

    /// Per row class, the column classes it got and how many of each.
    fn shares(&self) -> Vec<VecDeque<(usize, usize)>> {
        let pairs = self.edges.iter().zip(&self.used);
        pairs.map(|(e, u)| e.iter().copied().zip(u.iter().copied()).filter(|p| p.1 > 0).collect()).collect()
    }
}

#[cfg(test)]
#[path = "assign_tests.rs"]
mod tests;
