//! From the bytes of a checkpoint's files to the rows of its tensors, whatever the files' own way to lay them out.
//!
//! Where a tensor is stored row by row, bytes come in pieces of any size, in the order of the files, and are let go at
//! once: what is kept is less than 4 rows, or less than one head where the order of rows has to be changed.
//!
//! Other tensors have to be brought together from several places: quantizers for PyTorch keep weights and scales
//! apart, and safetensors sorts by type, so that all scales of a file may lie behind all weights.
//! [`RowReader::wants`] then says which bytes are next, and whoever has the files at hand (they have been downloaded
//! and kept) reads just those: [`Checkpoint::in_one_pass`] tells beforehand whether that is needed.
//! What is kept then is one packed matrix (30 MB in an 8B model), or 4 MiB of it where its rows can be taken singly.
//!
//! Rows that lie as shaders read them are given so, in [`Rows::laid`]; of them the scales of one part are kept.
//! Those of a tensor that is to be quantized are given so, some at a time.

mod laid;
mod merged;
mod packed;
mod quantized;
mod stream;
mod values;

pub use values::put_in_place;

use quantized::give_quantized;

use crate::checkpoint::Along;
use crate::layout::WeightType;
use crate::packed::Prepared;
use crate::{Checkpoint, FormatError, RowOrder, Span, Stored, TensorInfo};

/// Rows that are given together unless they end the tensor: kernels keep the scales of as many side by side.
const TILE: usize = 4;

/// About how many bytes of a tensor are brought together at a time, where rows can be taken singly.
const CHUNK_BYTES: usize = 4 << 20;

/// Rows of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows<'a> {
    /// Which tensor.
    pub tensor: &'a TensorInfo,
    /// The first of the rows, a multiple of 4.
    pub first_row: usize,
    /// Whole rows in blocks of the tensor's `dtype`, a multiple of 4 of them unless they end the tensor.
    /// Those of `q_proj` and `k_proj` are in the order [`RowOrder::Neighbours`]. Empty where `laid` is not.
    pub bytes: &'a [u8],
    /// The same rows where they are laid out already, in place of `bytes`.
    pub laid: Option<LaidRows<'a>>,
    /// Which input feature each weight of a row belongs to, `[columns]`, if not the one at its own place:
    /// weight `k` is to be multiplied with `x[column_order[k]]`. The same for all rows of a tensor.
    /// Only models that GPTQ quantized in the order of importance ("act-order") have it.
    pub column_order: Option<&'a [u32]>,
}

/// Rows in the layout of [`layout`](crate::layout), a multiple of 4 of them unless they end the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaidRows<'a> {
    /// The layout.
    pub dtype: WeightType,
    /// `[rows, columns / 32, words of a block]`
    pub words: &'a [u32],
    /// `[rows / 4, columns / 32, 4 scales]` or as the type has them.
    pub scales: &'a [u32],
}

/// Reads a checkpoint's tensors out of its files' bytes.
#[derive(Debug)]
pub struct RowReader<'a> {
    /// Those that are not done, in the order of their bytes.
    tensors: &'a [TensorInfo],
    /// Bytes of the wanted stretch that have come.
    received: u64,
    /// Rows that have been given.
    first_row: usize,
    /// Bytes that do not fill a group of rows yet.
    pending: Vec<u8>,
    /// What has come of a tensor in several parts, by its parts.
    parts: Vec<Vec<u8>>,
    /// How many of the parts, in the order in which they are wanted, have come.
    came: usize,
    /// What all rows of the tensor have in common, once it is known.
    prepared: Option<Prepared>,
}

impl<'a> RowReader<'a> {
    /// Begins with the first tensor.
    pub fn new(checkpoint: &'a Checkpoint) -> RowReader<'a> {
        RowReader::of(&checkpoint.tensors)
    }

    /// Reads one tensor alone, which the checkpoint must have.
    pub fn of_tensor(tensor: &'a TensorInfo) -> RowReader<'a> {
        RowReader::of(std::slice::from_ref(tensor))
    }

    fn of(tensors: &'a [TensorInfo]) -> RowReader<'a> {
        RowReader {
            tensors,
            received: 0,
            first_row: 0,
            pending: Vec::new(),
            parts: Vec::new(),
            came: 0,
            prepared: None,
        }
    }

    /// The bytes that are needed next; none when every tensor is whole.
    /// They may be given in several calls, and with others around them.
    pub fn wants(&self) -> Option<Span> {
        let (span, _) = self.wanted()?;
        let Span { file, offset, len } = span;
        Some(Span { file, offset: offset + self.received, len: len - self.received })
    }

    /// Takes the bytes at `offset` of a file, and gives `take` the rows that are whole with them.
    /// Bytes between tensors may be left out.
    ///
    /// # Errors
    /// If bytes of a tensor have been left out, if packed weights are damaged, or if `take` fails.
    pub fn push<E: From<FormatError>>(
        &mut self,
        file: usize,
        offset: u64,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut took_some = false;
        while let Some((span, tensor)) = self.wanted() {
            let next = span.offset + self.received;
            if file < span.file {
                return Ok(());
            }
            let Some(skipped) = next.checked_sub(offset).filter(|_| file == span.file) else {
                // After a part, the next may lie before it: these bytes are used up then, nothing has been left out.
                if took_some {
                    return Ok(());
                }
                let (tensor, file) = (tensor.name, span.file);
                return Err(FormatError::Skipped { tensor, file, expected: next, found: offset }.into());
            };
            let Some(rest) = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)) else {
                return Ok(()); // The tensor begins past these bytes.
            };
            let missing = usize::try_from(span.len - self.received).unwrap_or(usize::MAX);
            let (came, _) = rest.split_at(rest.len().min(missing));
            self.received += came.len() as u64;
            took_some |= !came.is_empty();
            let is_whole = self.received == span.len;
            match &tensor.stored {
                Stored::Quantized(source) => {
                    let take = &mut |rows: Rows| give_quantized(tensor, rows, take);
                    self.take_bytes(source, came, is_whole, take)?;
                }
                _ => self.take_bytes(tensor, came, is_whole, take)?,
            }
            if !is_whole {
                return Ok(());
            }
            self.received = 0;
            if self.first_row >= tensor.rows {
                *self = RowReader::of(self.tensors.get(1..).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Takes some bytes of a tensor as it is stored, the last of their stretch or not.
    fn take_bytes<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        bytes: &[u8],
        is_whole: bool,
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        match &tensor.stored {
            Stored::Rows { order, .. } => self.stream(tensor, *order, bytes, take)?,
            Stored::Merged(merged) if merged.along == Along::Rows => {
                self.stream(tensor, RowOrder::Neighbours, bytes, take)?
            }
            Stored::Laid(laid) => self.take_laid(tensor, laid, bytes, take)?,
            Stored::Merged(_) | Stored::Packed(_) => self.pending.extend_from_slice(bytes),
            // A tensor is quantized once.
            Stored::Quantized(_) => {}
        }
        if is_whole { self.complete(tensor, take) } else { Ok(()) }
    }

    /// Fails unless every tensor is whole.
    pub fn finish(self) -> Result<(), FormatError> {
        match self.wanted() {
            None => Ok(()),
            Some((span, tensor)) => Err(FormatError::Incomplete {
                tensor: tensor.name,
                file: span.file,
                expected: span.offset + self.received,
            }),
        }
    }

    /// The stretch that is being read, as a whole, and its tensor.
    fn wanted(&self) -> Option<(Span, &'a TensorInfo)> {
        let tensor = self.tensors.first()?;
        let source = tensor.as_stored();
        let span = match &source.stored {
            Stored::Rows { span, .. } => *span,
            Stored::Merged(merged) => self.wanted_of_merged(source, merged),
            Stored::Packed(packed) => self.wanted_of_packed(source, packed),
            Stored::Laid(laid) => self.wanted_of_laid(laid),
            Stored::Quantized(_) => return None,
        };
        Some((span, tensor))
    }

    /// Goes on to what comes after a stretch that is whole.
    fn complete<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        match &tensor.stored {
            Stored::Rows { .. } => self.first_row = tensor.rows,
            Stored::Merged(merged) => self.complete_merged(tensor, merged, take)?,
            Stored::Packed(packed) => self.complete_packed(tensor, packed, take)?,
            Stored::Laid(laid) => self.complete_laid(tensor, laid),
            Stored::Quantized(_) => {}
        }
        Ok(())
    }
}

/// Rows that must have come before any of them can be given.
fn group_rows(order: RowOrder) -> usize {
    match order {
        RowOrder::Neighbours => TILE,
        RowOrder::Halves { head_dim } => head_dim,
    }
}

/// Rows of which a chunk is made, whole groups of them.
fn chunk_rows(order: RowOrder, row_bytes: usize) -> usize {
    let group = group_rows(order);
    (CHUNK_BYTES / row_bytes.max(1) / group).max(1) * group
}

#[cfg(test)]
mod tests;
