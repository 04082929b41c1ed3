//! From a file's bytes, in order, to weights on the device.
//!
//! Bytes come in pieces of any size and are let go at once: what is kept is less than 4 rows of one tensor.

use format::{Checkpoint, GgmlType, TensorInfo, dequantize};
use gpu::Gpu;

use crate::weights::Destination;
use crate::{LlamaError, Weights};

/// Rows that must lie together to be put in place: a tile's scales share words.
const TILE: usize = 4;

/// A load in progress.
#[derive(Debug)]
pub struct Loader<'a> {
    gpu: &'a Gpu,
    checkpoint: &'a Checkpoint,
    weights: Weights,
    next_byte: u64,
    next_tensor: usize,
    next_row: usize,
    pending: Vec<u8>,
}

impl<'a> Loader<'a> {
    /// Makes room for every tensor.
    pub async fn new(gpu: &'a Gpu, checkpoint: &'a Checkpoint) -> Result<Loader<'a>, LlamaError> {
        let weights = Weights::allocate(gpu, checkpoint).await?;
        Ok(Loader {
            gpu,
            checkpoint,
            weights,
            next_byte: 0,
            next_tensor: 0,
            next_row: 0,
            pending: Vec::new(),
        })
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LlamaError> {
        let (start, end) = (self.next_byte, self.next_byte + bytes.len() as u64);
        self.next_byte = end;
        while let Some(info) = self.checkpoint.tensors.get(self.next_tensor) {
            let (from, to) = (info.offset.max(start), (info.offset + info.len).min(end));
            if from >= to {
                break;
            }
            // Both lie inside `bytes`, whose length is a usize.
            self.feed(info, &bytes[(from - start) as usize..(to - start) as usize])?;
            if to < info.offset + info.len {
                break;
            }
            (self.next_tensor, self.next_row) = (self.next_tensor + 1, 0);
        }
        Ok(())
    }

    /// The weights, once every tensor has come.
    pub fn finish(self) -> Result<Weights, LlamaError> {
        match self.checkpoint.tensors.get(self.next_tensor) {
            Some(info) => {
                Err(LlamaError::Incomplete { expected: info.offset + info.len, found: self.next_byte })
            }
            None => Ok(self.weights),
        }
    }

    /// Takes some more bytes of one tensor.
    fn feed(&mut self, info: &TensorInfo, bytes: &[u8]) -> Result<(), LlamaError> {
        let row_bytes = info.columns / info.dtype.block_len() * info.dtype.block_bytes();
        let mut rest = bytes;
        // What the last piece left over is filled up first: to 4 rows, or to the fewer that end the tensor.
        if !self.pending.is_empty() {
            let group = (TILE * row_bytes).min(self.left(info, row_bytes));
            let (more, after) = rest.split_at(rest.len().min(group - self.pending.len()));
            self.pending.extend_from_slice(more);
            rest = after;
            if self.pending.len() < group {
                return Ok(());
            }
            let rows = std::mem::take(&mut self.pending);
            self.place(info, row_bytes, &rows)?;
        }
        let group = if rest.len() == self.left(info, row_bytes) { row_bytes } else { TILE * row_bytes };
        let (whole, after) = rest.split_at(rest.len() / group * group);
        self.place(info, row_bytes, whole)?;
        self.pending.extend_from_slice(after);
        Ok(())
    }

    /// Bytes of the tensor that are not in place yet; on a 32-bit machine at least as many as a slice has.
    fn left(&self, info: &TensorInfo, row_bytes: usize) -> usize {
        let left = (info.rows - self.next_row) as u64 * row_bytes as u64;
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Puts whole rows where they belong.
    fn place(&mut self, info: &TensorInfo, row_bytes: usize, bytes: &[u8]) -> Result<(), LlamaError> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self.weights.destination(self.checkpoint, info.name) {
            Some(Destination::Rows(matrix, first_row)) => {
                matrix.write_rows(self.gpu, first_row + self.next_row, bytes, row_bytes);
            }
            Some(Destination::Vector(tensor)) => self.gpu.write_f32(tensor, 0, &values(info, bytes)?),
            Some(Destination::RopeFreqs) => self.weights.rope_freqs = Some(values(info, bytes)?),
            // The file has a layer that its config does not count; `Checkpoint` refuses such files.
            None => {}
        }
        self.next_row += bytes.len() / row_bytes;
        Ok(())
    }
}

fn values(info: &TensorInfo, bytes: &[u8]) -> Result<Vec<f32>, LlamaError> {
    let mut values = Vec::with_capacity(info.columns);
    let unsupported = |dtype: GgmlType| LlamaError::UnsupportedType { tensor: info.name, dtype };
    dequantize(info.dtype, bytes, &mut values).map_err(|_| unsupported(info.dtype))?;
    Ok(values)
}
