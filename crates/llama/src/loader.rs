//! From the bytes of a model's files, in order, to weights on the device.
//!
//! Bytes come in pieces of any size and are let go at once: what is kept is less than a few rows of one tensor.

use format::{Checkpoint, RowReader, Rows, Span, dequantize};
use gpu::Gpu;

use crate::weights::Destination;
use crate::{LlamaError, Vacancy, Weights};

/// A load in progress, into a [`Vacancy`].
#[derive(Debug)]
pub struct Loader<'a> {
    gpu: &'a Gpu,
    checkpoint: &'a Checkpoint,
    weights: &'a Weights,
    reader: RowReader<'a>,
}

impl<'a> Loader<'a> {
    /// Of the checkpoint that the room was made for.
    pub fn new(vacancy: &'a Vacancy, checkpoint: &'a Checkpoint) -> Loader<'a> {
        let Vacancy { gpu, weights, .. } = vacancy;
        Loader { gpu, checkpoint, weights, reader: RowReader::new(checkpoint) }
    }

    /// Takes the bytes at `offset` of a file, as [`RowReader::push`] does.
    pub fn push(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), LlamaError> {
        let Loader { gpu, checkpoint, weights, reader } = self;
        reader.push(file, offset, bytes, &mut |rows| place(gpu, checkpoint, weights, rows))
    }

    /// The bytes that are needed next, as [`RowReader::wants`] says.
    pub fn wants(&self) -> Option<Span> {
        self.reader.wants()
    }

    /// Fails unless every tensor has come.
    pub fn finish(self) -> Result<(), LlamaError> {
        Ok(self.reader.finish()?)
    }
}

/// Puts rows where they belong.
fn place(gpu: &Gpu, checkpoint: &Checkpoint, weights: &Weights, rows: Rows) -> Result<(), LlamaError> {
    match weights.destination(checkpoint, rows.tensor.name) {
        Some(Destination::Rows(matrix, first_row)) => {
            let first_row = first_row + rows.first_row;
            match rows.laid {
                Some(laid) => matrix.write_laid(gpu, first_row, laid),
                None => matrix.write_rows(gpu, first_row, rows.tensor.dtype, rows.bytes),
            }
            if let Some(order) = rows.column_order {
                matrix.note_order(first_row..first_row + rows.bytes.len() / rows.tensor.row_bytes(), order);
            }
        }
        Some(Destination::Vector(tensor)) => gpu.write_f32(tensor, 0, &values(rows)?),
        Some(Destination::RopeFreqs) => *weights.rope_freqs.borrow_mut() = Some(values(rows)?),
        // The file has a layer that its config does not count; `Checkpoint` refuses such files.
        None => {}
    }
    Ok(())
}

fn values(rows: Rows) -> Result<Vec<f32>, LlamaError> {
    let mut values = Vec::with_capacity(rows.tensor.columns);
    dequantize(rows.tensor.dtype, rows.bytes, &mut values)?;
    Ok(values)
}
