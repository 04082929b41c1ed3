//! The groups that columns fall into, and blocks of 32 weights that share one.

use half::f16;

use super::part::Parts;
use crate::error::FormatError;

/// Weights of a block of `Q4_0` and `Q4_Z`.
const BLOCK: usize = 32;

/// How a tensor's columns are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The group of each block of 32, `[columns / 32]`.
    groups: Vec<u32>,
    /// Which stored column stands where in a row that is given, `[columns]`; none if all stay where they are.
    pub(crate) order: Option<Vec<u32>>,
}

impl Columns {
    /// One group behind the other. `group_size` is a multiple of 32; the last group may be shorter.
    pub(crate) fn in_groups_of(group_size: usize, columns: usize) -> Columns {
        let groups = (0..columns / BLOCK).map(|block| (block * BLOCK / group_size.max(1)) as u32);
        Columns { groups: groups.collect(), order: None }
    }

    /// Sorted by the groups that a part, `i32 [columns]`, gives them; those of a group stay in their order.
    pub(crate) fn by_index(parts: &Parts, part: usize, group_size: usize) -> Result<Columns, FormatError> {
        let num_groups = parts.tensor.columns.div_ceil(group_size.max(1));
        let mut order = Vec::new();
        let mut of_columns = Vec::new();
        for (column, le) in parts.words(part).iter().enumerate() {
            let group = i32::from_le_bytes(*le);
            match u32::try_from(group) {
                Ok(group) if (group as usize) < num_groups => of_columns.push(group),
                _ => {
                    let what = format!("group of column {column}");
                    return Err(parts.invalid(what, format_args!("0 to {}", num_groups - 1), group));
                }
            }
            order.push(column as u32);
        }
        let order = (!of_columns.is_sorted()).then(|| {
            let group = |column: &u32| of_columns.get(*column as usize).copied();
            order.sort_by_key(group); // Stable.
            order
        });
        of_columns.sort_unstable();
        let mut groups = Vec::new();
        for (block, of_block) in of_columns.chunks(BLOCK).enumerate() {
            match of_block {
                [first, .., last] if first == last => groups.push(*first),
                _ => {
                    let what = format!("groups of columns, sorted, {} and on", block * BLOCK);
                    return Err(parts.invalid(what, "32 columns of one group", "several groups"));
                }
            }
        }
        Ok(Columns { groups, order })
    }

    /// Appends a row, `q [columns]` with a weight in each byte, as `Q4_0`, which takes 8 off.
    pub(crate) fn push_q4_0(
        &self,
        q: &[u8],
        out: &mut Vec<u8>,
        scale: impl Fn(usize) -> Result<f16, FormatError>,
    ) -> Result<(), FormatError> {
        for (block, group) in self.groups.iter().enumerate() {
            out.extend(scale(*group as usize)?.to_le_bytes());
            self.push_nibbles(q, block, out);
        }
        Ok(())
    }

    /// Appends a row as `Q4_Z`, which takes off what the row's group has as its zero.
    pub(crate) fn push_q4_z(
        &self,
        q: &[u8],
        out: &mut Vec<u8>,
        scale: impl Fn(usize) -> Result<f16, FormatError>,
        zero: impl Fn(usize) -> u8,
    ) -> Result<(), FormatError> {
        for (block, group) in self.groups.iter().enumerate() {
            out.extend(scale(*group as usize)?.to_le_bytes());
            out.extend(f16::from_f32(f32::from(zero(*group as usize))).to_le_bytes());
            self.push_nibbles(q, block, out);
        }
        Ok(())
    }

    /// Weight j in the low nibble of byte j, weight j + 16 in the high one.
    fn push_nibbles(&self, q: &[u8], block: usize, out: &mut Vec<u8>) {
        let mut weights = [0; BLOCK];
        let columns = block * BLOCK..(block + 1) * BLOCK;
        match &self.order {
            None => {
                if let Some(stored) = q.get(columns) {
                    weights.copy_from_slice(stored);
                }
            }
            Some(order) => {
                let columns = order.get(columns).unwrap_or_default();
                for (weight, column) in weights.iter_mut().zip(columns) {
                    *weight = q.get(*column as usize).copied().unwrap_or_default();
                }
            }
        }
        let (low, high) = weights.split_at(BLOCK / 2);
        out.extend(low.iter().zip(high).map(|(low, high)| low | high << 4));
    }
}
