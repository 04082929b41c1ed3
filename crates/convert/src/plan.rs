//! Which rows of which tensor go to which shard, from types and shapes alone.
//!
//! Vectors come first, then matrices, each by their names: the order in which the library writes arrays into a file, so
//! that a folder is read from the first byte to the last. A matrix that does not fit a shard goes on in the next, from
//! a tile of 4 rows on.

use format::layout::{TILE, WeightType};
use format::{Checkpoint, FormatError, GgmlType, Packed, Quant, Span, Stored, TensorInfo};

use crate::{ConvertError, Source};

/// What a tensor becomes.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) info: &'a TensorInfo,
    /// Its name in the folder.
    pub(crate) name: String,
    pub(crate) blocks: GgmlType,
    pub(crate) dtype: WeightType,
}

/// Rows of a tensor in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which of the targets.
    pub(crate) target: usize,
    pub(crate) shard: usize,
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
}

/// Everything that is to be written.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) targets: Vec<Target<'a>>,
    /// In the order in which they are written.
    pub(crate) parts: Vec<Part>,
    pub(crate) shards: usize,
}

impl Target<'_> {
    /// Words and scales of so many rows, in bytes.
    pub(crate) fn bytes(&self, rows: usize) -> [u64; 2] {
        if self.info.rows == 1 {
            return [4 * self.info.columns as u64, 0];
        }
        let (row_words, tile_words) =
            (self.dtype.row_words(self.info.columns), self.dtype.tile_scale_words(self.info.columns));
        [4 * rows as u64 * row_words as u64, 4 * rows.div_ceil(TILE) as u64 * tile_words as u64]
    }
}

/// Bytes of a file before any array: a length, braces, and what fills them up to a multiple of 8.
const EMPTY_HEADER: u64 = 64;

/// Bytes that an array takes in a header besides its name, at the most.
const ENTRY_BYTES: u64 = 128;

impl<'a> Plan<'a> {
    pub(crate) fn new(
        checkpoint: &'a Checkpoint,
        source: &dyn Source,
        quant: Option<Quant>,
        shard_size: u64,
    ) -> Result<Plan<'a>, ConvertError> {
        let mut targets = Vec::with_capacity(checkpoint.tensors.len());
        for info in &checkpoint.tensors {
            let blocks = target(info, column_order(info, source)?, quant);
            // `Checkpoint` has only types that are computed with.
            let unsupported = || FormatError::Unsupported {
                what: "Tensor type",
                found: format!("{blocks} of {}", info.name),
                supported: "what it can lay out".into(),
            };
            let dtype = WeightType::holding(blocks).ok_or_else(unsupported)?;
            // MXFP4 and others share a layout; in the folder they are one type.
            targets.push(Target { info, name: info.name.to_string(), blocks, dtype });
        }
        targets.sort_by_cached_key(|target| (target.info.rows > 1, target.name.clone()));
        let mut plan = Plan { targets, parts: Vec::new(), shards: 0 };
        plan.fill(shard_size)?;
        Ok(plan)
    }

    /// Gives each shard as many rows as fit.
    fn fill(&mut self, shard_size: u64) -> Result<(), ConvertError> {
        let mut room = 0;
        for (at, target) in self.targets.iter().enumerate() {
            let header = 2 * (target.name.len() as u64 + ENTRY_BYTES);
            let mut first_row = 0;
            while first_row < target.info.rows {
                let left = target.info.rows - first_row;
                let tile: u64 = header + target.bytes(TILE.min(left)).iter().sum::<u64>();
                if room < tile {
                    room = shard_size.saturating_sub(EMPTY_HEADER);
                    self.shards += 1;
                }
                if room < tile {
                    let (tensor, needed) = (target.name.clone(), EMPTY_HEADER + tile);
                    return Err(ConvertError::ShardSize { found: shard_size, needed, tensor });
                }
                let tiles = (room - header) / target.bytes(TILE).iter().sum::<u64>().max(1);
                // The last tile may have fewer rows, and then fit where a full one does not.
                let rows = match left {
                    ..TILE => left,
                    _ => usize::try_from(tiles).unwrap_or(usize::MAX).saturating_mul(TILE).min(left),
                };
                room -= header + target.bytes(rows).iter().sum::<u64>();
                self.parts.push(Part { target: at, shard: self.shards - 1, first_row, rows });
                first_row += rows;
            }
        }
        Ok(())
    }

    /// The parts of a target, by their rows.
    pub(crate) fn parts_of(&self, target: usize) -> &[Part] {
        let start = self.parts.partition_point(|part| part.target < target);
        let end = self.parts.partition_point(|part| part.target <= target);
        self.parts.get(start..end).unwrap_or_default()
    }

    /// The name of a shard.
    pub(crate) fn shard_name(&self, shard: usize) -> String {
        format!("model-{:05}-of-{:05}.safetensors", shard + 1, self.shards)
    }
}

/// The order of a tensor's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnOrder {
    /// As the model has them.
    Natural,
    /// By the importance that GPTQ saw in them ("act-order"), which a folder has no place for.
    ByImportance,
}

/// The blocks that a tensor of the source becomes.
fn target(tensor: &TensorInfo, order: ColumnOrder, quant: Option<Quant>) -> GgmlType {
    match quant {
        _ if tensor.rows == 1 => GgmlType::F32,
        Some(quant) => quant.blocks(tensor),
        None if order == ColumnOrder::ByImportance => GgmlType::Q8_0,
        None => tensor.dtype,
    }
}

/// Whether a tensor's columns come in another order than the model's, which an index in the file says.
fn column_order(info: &TensorInfo, source: &dyn Source) -> Result<ColumnOrder, ConvertError> {
    let Stored::Packed(packed) = &info.stored else { return Ok(ColumnOrder::Natural) };
    let Some(Span { file, offset, len }) = packed.column_index() else { return Ok(ColumnOrder::Natural) };
    let mut index = Vec::new();
    let read = source.read(file, offset..offset.saturating_add(len), &mut index);
    read.map_err(|detail| ConvertError::Source { detail })?;
    Ok(if Packed::reorders_columns(&index) { ColumnOrder::ByImportance } else { ColumnOrder::Natural })
}
