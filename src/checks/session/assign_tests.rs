//! Pairings against every pairing there is.

use super::*;
use proptest::prelude::*;

fn grid(table: &[Vec<bool>], cols: usize) -> Grid<'_> {
    Grid::new(Classes::each(table.len()), Classes::each(cols), move |r, c| table[r][c]).unwrap()
}

/// The largest assignment by trying everything.
fn brute(table: &[Vec<bool>], row: usize, used: u32) -> usize {
    let Some(cells) = table.get(row) else { return 0 };
    let takes = (0..cells.len()).filter(|&c| cells[c] && used & (1 << c) == 0);
    takes.map(|c| 1 + brute(table, row + 1, used | (1 << c))).max().unwrap_or(0).max(brute(table, row + 1, used))
}

fn brute_common(table: &[Vec<bool>], r: usize, c: usize) -> usize {
    if r == table.len() || c == table[0].len() {
        return 0;
    }
    let skip = brute_common(table, r + 1, c).max(brute_common(table, r, c + 1));
    if table[r][c] { skip.max(1 + brute_common(table, r + 1, c + 1)) } else { skip }
}

fn tables() -> impl Strategy<Value = Vec<Vec<bool>>> {
    (1usize..6, 1usize..7).prop_flat_map(|(r, c)| prop::collection::vec(prop::collection::vec(any::<bool>(), c), r))
}

#[test]
fn a_first_come_assignment_is_mended() {
    // The first row could take either column, the second only the first.
    let table = vec![vec![true, true], vec![true, false]];
    assert_eq!(grid(&table, 2).assign(), [Some(1), Some(0)]);
}

#[test]
fn a_long_chain_of_displacements_is_followed() {
    // Row i takes column i or i + 1; the last row takes column 0 only.
    let n = 2000;
    let related = move |r: usize, c: usize| if r == n - 1 { c == 0 } else { c == r || c == r + 1 };
    let g = Grid::new(Classes::each(n), Classes::each(n), related).unwrap();
    assert_eq!(g.assign().iter().flatten().count(), n);
}

#[test]
fn repetitions_cost_as_much_as_one() {
    let n = 200_000;
    let g = Grid::new(Classes::by_key((0..n).map(|_| 0)), Classes::by_key((0..n).map(|i| i % 2)), |_, c| c % 2 == 1);
    assert_eq!(g.unwrap().assign().iter().flatten().count(), n / 2);
}

#[test]
fn too_many_distinct_pairs_are_refused_before_any_is_compared() {
    assert!(Grid::new(Classes::each(10_000), Classes::each(10_000), |_, _| unreachable!()).is_none());
}

proptest! {
    #[test]
    fn the_assignment_is_valid_and_the_largest(table in tables()) {
        let cols = table[0].len();
        let grid = grid(&table, cols);
        let assigned = grid.assign();
        let mut seen = vec![false; cols];
        for (r, c) in assigned.iter().enumerate().filter_map(|(r, c)| c.map(|c| (r, c))) {
            prop_assert!(table[r][c]);
            prop_assert!(!std::mem::replace(&mut seen[c], true));
        }
        prop_assert_eq!(assigned.iter().flatten().count(), brute(&table, 0, 0));
    }

    #[test]
    fn classes_change_nothing(table in tables(), row_of in prop::collection::vec(0usize..6, 0..14), col_of in prop::collection::vec(0usize..7, 0..14)) {
        let rows: Vec<usize> = row_of.into_iter().map(|r| r % table.len()).collect();
        let cols: Vec<usize> = col_of.into_iter().map(|c| c % table[0].len()).collect();
        let related = |r: usize, c: usize| table[rows[r]][cols[c]];
        let each = Grid::new(Classes::each(rows.len()), Classes::each(cols.len()), related).unwrap();
        let classed = Grid::new(Classes::by_key(rows.iter()), Classes::by_key(cols.iter()), related).unwrap();
        let assigned = classed.assign();
        let mut taken: Vec<usize> = assigned.iter().flatten().copied().collect();
        for (r, c) in assigned.iter().enumerate().filter_map(|(r, c)| c.map(|c| (r, c))) {
            prop_assert!(related(r, c));
        }
        prop_assert_eq!(taken.len(), each.assign().iter().flatten().count());
        taken.sort_unstable();
        taken.dedup();
        prop_assert_eq!(taken.len(), assigned.iter().flatten().count());
    }

    #[test]
    fn the_common_subsequence_is_the_longest(table in tables()) {
        prop_assert_eq!(grid(&table, table[0].len()).longest_common(), Some(brute_common(&table, 0, 0)));
    }

    #[test]
    fn a_subsequence_exists_exactly_when_it_is_found(table in tables()) {
        let g = grid(&table, table[0].len());
        prop_assert_eq!(g.subsequence().len() == table.len(), g.longest_common() == Some(table.len()));
    }
}
