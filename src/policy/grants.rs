//! Grants: the rows that have each cell, as bitsets over rows.

use crate::vocabulary::CellId;

use super::ids::RowId;
use super::model::Row;

/// Grants: the transposed matrix: a bitset over rows for each cell.
#[derive(Debug, Clone)]
pub struct Grants {
    words: usize,
    bits: Box<[u64]>,
}

impl Grants {
    pub(super) fn build(cells: usize, rows: &[Row]) -> Self {
        let words = words_for(rows.len());
        let mut bits = vec![0; cells * words];
        for (row, cell) in (0..).zip(rows).flat_map(|(at, row)| row.cells.iter().map(move |cell| (RowId(at), cell))) {
            let start = usize::try_from(cell.0).unwrap_or(usize::MAX).saturating_mul(words);
            if let Some(set) = bits.get_mut(start..start.saturating_add(words)) {
                insert(set, row);
            }
        }
        Self { words, bits: bits.into() }
    }

    /// The rows that have `cell`.
    pub fn rows_with(&self, cell: CellId) -> &[u64] {
        let start = usize::try_from(cell.0).unwrap_or(usize::MAX).saturating_mul(self.words);
        self.bits.get(start..start.saturating_add(self.words)).unwrap_or_default()
    }
}

/// The number of 64-bit words that hold a bit for each of `rows` rows.
pub(super) fn words_for(rows: usize) -> usize {
    rows.div_ceil(64).max(1)
}

/// Adds a row to a bitset.
pub(super) fn insert(set: &mut [u64], row: RowId) {
    let at = usize::try_from(row.0).unwrap_or(usize::MAX);
    if let Some(word) = set.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// The rows of a bitset, in order.
pub fn rows_of(set: &[u64]) -> impl Iterator<Item = RowId> {
    set.iter()
        .zip(0_u32..)
        .flat_map(|(&word, at)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| RowId(at * 64 + bit)))
}
