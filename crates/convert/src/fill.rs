//! Shards in the making: rows come in the order of the plan, and a shard goes when its last row is there.

use format::Rows;
use safetensors::tensor::Dtype;

use crate::ConvertError;
use crate::lay_out::{Lost, lay_out};
use crate::plan::{Part, Plan};
use crate::shard::{Array, scales_name, words_name};
use format::layout::TILE;

/// A shard that is complete.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) shard: usize,
    pub(crate) arrays: Vec<Array>,
}

/// The shard that is being filled.
pub(crate) struct Filling<'a> {
    plan: &'a Plan<'a>,
    /// Whether each shard is there from an earlier run.
    kept: &'a [bool],
    arrays: Vec<Array>,
    /// Of the part that is being filled.
    words: Vec<u8>,
    scales: Vec<u8>,
}

impl<'a> Filling<'a> {
    pub(crate) fn new(plan: &'a Plan<'a>, kept: &'a [bool]) -> Filling<'a> {
        Filling { plan, kept, arrays: Vec::new(), words: Vec::new(), scales: Vec::new() }
    }

    fn is_kept(&self, part: &Part) -> bool {
        self.kept.get(part.shard).copied().unwrap_or(false)
    }

    /// Whether nothing of a tensor has to be read.
    pub(crate) fn has_all(&self, target: usize) -> bool {
        self.plan.parts_of(target).iter().all(|part| self.is_kept(part))
    }

    /// Takes rows of a tensor, and gives `send` each shard that is complete with them.
    pub(crate) fn take(
        &mut self,
        target: usize,
        rows: &Rows,
        lost: &mut Lost,
        send: &mut dyn FnMut(Filled) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        let plan = self.plan;
        let Some(of) = plan.targets.get(target) else { return Ok(()) };
        let (first, end) = (rows.first_row, rows.first_row + rows.count());
        for part in plan.parts_of(target) {
            let part_end = part.first_row + part.rows;
            let (from, to) = (first.max(part.first_row), end.min(part_end));
            if from >= to || self.is_kept(part) {
                continue;
            }
            let laid = lay_out(of, rows, [from - first, to - first])?;
            *lost += laid.lost;
            if self.words.is_empty() {
                let [words, scales] = of.bytes(part.rows).map(|bytes| usize::try_from(bytes).unwrap_or(0));
                self.words.reserve_exact(words);
                self.scales.reserve_exact(scales);
            }
            self.words.extend(laid.words);
            self.scales.extend(laid.scales);
            if to == part_end {
                self.complete(part, send)?;
            }
        }
        Ok(())
    }

    /// Makes arrays of a part that is whole, and a shard if it is the last of one.
    fn complete(
        &mut self,
        part: &Part,
        send: &mut dyn FnMut(Filled) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        let Some(target) = self.plan.targets.get(part.target) else { return Ok(()) };
        let (words, scales) = (std::mem::take(&mut self.words), std::mem::take(&mut self.scales));
        let (name, tiles) = (&target.name, part.rows.div_ceil(TILE));
        if target.info.rows == 1 {
            self.arrays.push(Array { name: name.clone(), dtype: Dtype::F32, rows: 1, bytes: words });
        } else {
            self.arrays.push(Array {
                name: words_name(name),
                dtype: Dtype::U32,
                rows: part.rows,
                bytes: words,
            });
            if !scales.is_empty() {
                let array = Array { name: scales_name(name), dtype: Dtype::U32, rows: tiles, bytes: scales };
                self.arrays.push(array);
            }
        }
        let next = self
            .plan
            .parts
            .partition_point(|other| (other.target, other.first_row) <= (part.target, part.first_row));
        if self.plan.parts.get(next).is_none_or(|next| next.shard != part.shard) {
            send(Filled { shard: part.shard, arrays: std::mem::take(&mut self.arrays) })?;
        }
        Ok(())
    }
}
