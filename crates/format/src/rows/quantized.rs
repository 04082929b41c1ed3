//! Rows that are quantized on their way: a few at a time, so that no tensor is ever held as floats.

use super::Rows;
use crate::{FormatError, TensorInfo, quantize_best};

/// Rows that are floats at once, a multiple of 4: half a megabyte of them in an 8B model.
const ROWS_AT_ONCE: usize = 32;

/// Gives `take` the same rows as blocks of `tensor`'s type, each weight in the column of its input feature.
pub(super) fn give_quantized<E: From<FormatError>>(
    tensor: &TensorInfo,
    rows: Rows,
    take: &mut dyn FnMut(Rows) -> Result<(), E>,
) -> Result<(), E> {
    let (mut values, mut blocks) = (Vec::new(), Vec::new());
    let count = rows.count();
    for from in (0..count).step_by(ROWS_AT_ONCE) {
        values.clear();
        blocks.clear();
        rows.append_values(from..count.min(from + ROWS_AT_ONCE), &mut values)?;
        quantize_best(tensor.dtype, &values, &mut blocks)?;
        let first_row = rows.first_row + from;
        take(Rows { tensor, first_row, bytes: &blocks, laid: None, column_order: None })?;
    }
    Ok(())
}
