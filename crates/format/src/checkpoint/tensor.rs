//! A tensor of a checkpoint: what it is, and where its bytes lie.

use crate::layout::WeightType;
use crate::packed::Packed;
use crate::{GgmlType, TensorName};

/// Where a tensor lies, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Which tensor.
    pub name: TensorName,
    /// How the rows are stored that [`RowReader`](crate::RowReader) gives, or what holds the same where they are laid out.
    pub dtype: GgmlType,
    /// Output features; 1 for vectors.
    pub rows: usize,
    /// Input features; a multiple of the type's block length.
    pub columns: usize,
    /// Where the bytes lie.
    pub stored: Stored,
}

/// How a tensor's bytes lie in the checkpoint's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Row behind row, in blocks of the tensor's `dtype`.
    Rows {
        /// Where.
        span: Span,
        /// In which order.
        order: RowOrder,
    },
    /// Split over several files, and plain in each.
    Merged(Merged),
    /// Quantized by another program than ggml's, with weights and scales apart.
    Packed(Packed),
    /// In the layout that shaders read, by a folder of Pronk's own.
    Laid(Laid),
    /// As this tensor of another type, never a `Quantized` one itself: rows are quantized as they are read.
    Quantized(Box<TensorInfo>),
}

/// A matrix in the layout of [`layout`](crate::layout), in parts of whole tiles, each with its scales before its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// The layout.
    pub dtype: WeightType,
    /// Rows of each part, multiples of 4 but for the last.
    pub part_rows: Vec<usize>,
    /// Where scales and words of each part lie; words alone if the type has no scales.
    pub spans: Vec<Span>,
}

/// A tensor of which each file has a part, all of the same size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The parts in the order in which they are put together.
    pub parts: Vec<Span>,
    /// Which way.
    pub along: Along,
}

/// Which way a tensor was split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Each part has some rows, whole.
    Rows,
    /// Each part has some columns of every row.
    Columns,
}

/// A stretch of one of the checkpoint's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which file, by its place among those that the checkpoint was read from.
    pub file: usize,
    /// Where the bytes begin, from the start of the file.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// The order of rows, which matters for `q_proj` and `k_proj`: RoPE turns pairs of their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// Pairs are neighbours, as in GGUF and in Meta's own files. All that leaves this crate is in this order.
    Neighbours,
    /// The two of a pair are half a head apart, as in Hugging Face's files.
    Halves {
        /// Rows of a head.
        head_dim: usize,
    },
}

impl Stored {
    /// Every stretch that belongs to the tensor.
    pub fn spans(&self) -> &[Span] {
        match self {
            Stored::Rows { span, .. } => std::slice::from_ref(span),
            Stored::Merged(merged) => &merged.parts,
            Stored::Packed(packed) => &packed.parts,
            Stored::Laid(laid) => &laid.spans,
            Stored::Quantized(source) => source.stored.spans(),
        }
    }
}

impl TensorInfo {
    /// `rows * columns`.
    pub fn weights(&self) -> u64 {
        self.rows as u64 * self.columns as u64
    }

    /// Bytes that the tensor takes in its files.
    pub fn stored_bytes(&self) -> u64 {
        self.stored.spans().iter().map(|span| span.len).sum()
    }

    /// The stretches in the order in which they are read; none if there is more than one that rows are taken from
    /// in turns.
    pub(super) fn spans_of_one_pass(&self) -> Option<Vec<Span>> {
        match &self.stored {
            Stored::Rows { span, .. } => Some(vec![*span]),
            Stored::Merged(merged) => (merged.along == Along::Rows).then(|| merged.parts.clone()),
            Stored::Packed(packed) => packed.spans_of_one_pass(self),
            Stored::Laid(laid) => Some(laid.spans.clone()),
            Stored::Quantized(source) => source.spans_of_one_pass(),
        }
    }

    /// The tensor as it lies in the files, which is another one where it is to be quantized.
    pub fn as_stored(&self) -> &TensorInfo {
        match &self.stored {
            Stored::Quantized(source) => source,
            _ => self,
        }
    }

    /// Bytes of a row in `dtype`.
    pub fn row_bytes(&self) -> usize {
        self.columns / self.dtype.block_len() * self.dtype.block_bytes()
    }
}
