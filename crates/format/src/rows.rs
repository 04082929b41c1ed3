//! From the bytes of a checkpoint's files to the rows of its tensors, whatever the files' own way to lay them out.
//!
//! Bytes come in pieces of any size, file after file, and are let go at once: what is kept is less than 4 rows of one
//! tensor, or less than one head of it where the order of rows has to be changed.

use crate::{Checkpoint, FormatError, RowOrder, Span, Stored, TensorInfo};

/// Rows that are given together unless they end the tensor: kernels keep the scales of as many side by side.
const TILE: usize = 4;

/// Rows of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows<'a> {
    /// Which tensor.
    pub tensor: &'a TensorInfo,
    /// The first of the rows, a multiple of 4.
    pub first_row: usize,
    /// Whole rows in blocks of the tensor's `dtype`, a multiple of 4 of them unless they end the tensor.
    /// Those of `q_proj` and `k_proj` are in the order [`RowOrder::Neighbours`].
    pub bytes: &'a [u8],
}

/// Reads a checkpoint's tensors out of its files' bytes.
#[derive(Debug)]
pub struct RowReader<'a> {
    /// Every stretch that is wanted and the tensor it belongs to, in the order of the bytes.
    wanted: Vec<(Span, &'a TensorInfo)>,
    next: usize,
    /// Bytes of the next stretch that have come.
    received: u64,
    first_row: usize,
    /// Bytes that do not fill a group of rows yet.
    pending: Vec<u8>,
}

impl<'a> RowReader<'a> {
    /// Begins with the first tensor.
    pub fn new(checkpoint: &'a Checkpoint) -> RowReader<'a> {
        let spans = |tensor: &'a TensorInfo| tensor.stored.spans().iter().map(move |span| (*span, tensor));
        let mut wanted: Vec<_> = checkpoint.tensors.iter().flat_map(spans).collect();
        wanted.sort_by_key(|(span, _)| *span);
        RowReader { wanted, next: 0, received: 0, first_row: 0, pending: Vec::new() }
    }

    /// Takes the bytes at `offset` of a file, and gives `take` the rows that are whole with them.
    /// Bytes between tensors may be left out.
    ///
    /// # Errors
    /// If bytes of a tensor have been left out, or if `take` fails.
    pub fn push<E: From<FormatError>>(
        &mut self,
        file: usize,
        offset: u64,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(&(span, tensor)) = self.wanted.get(self.next) {
            let next = span.offset + self.received;
            if file < span.file {
                return Ok(());
            }
            let Some(skipped) = next.checked_sub(offset).filter(|_| file == span.file) else {
                let (tensor, file) = (tensor.name, span.file);
                return Err(FormatError::Skipped { tensor, file, expected: next, found: offset }.into());
            };
            let Some(rest) = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)) else {
                return Ok(()); // The tensor begins past these bytes.
            };
            let missing = usize::try_from(span.len - self.received).unwrap_or(usize::MAX);
            let (came, _) = rest.split_at(rest.len().min(missing));
            self.received += came.len() as u64;
            self.feed(tensor, came, take)?;
            if self.received < span.len {
                return Ok(());
            }
            (self.next, self.received, self.first_row) = (self.next + 1, 0, 0);
        }
        Ok(())
    }

    /// Fails unless every tensor is whole.
    pub fn finish(self) -> Result<(), FormatError> {
        match self.wanted.get(self.next) {
            None => Ok(()),
            Some((span, tensor)) => Err(FormatError::Incomplete {
                tensor: tensor.name,
                file: span.file,
                expected: span.offset + self.received,
            }),
        }
    }

    /// Takes some more bytes of one tensor.
    fn feed<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let Stored::Rows { order, .. } = &tensor.stored;
        let (row_bytes, mut rest) = (tensor.row_bytes(), bytes);
        let group = group_rows(*order) * row_bytes;
        // What the last bytes left over is filled up first: to a group, or to the fewer rows that end the tensor.
        if !self.pending.is_empty() {
            let left = (tensor.rows - self.first_row).saturating_mul(row_bytes);
            let wanted = group.min(left) - self.pending.len();
            let (more, after) = rest.split_at(rest.len().min(wanted));
            self.pending.extend_from_slice(more);
            rest = after;
            if more.len() < wanted {
                return Ok(());
            }
            let rows = std::mem::take(&mut self.pending);
            self.give(tensor, &rows, take)?;
        }
        let left = (tensor.rows - self.first_row).saturating_mul(row_bytes);
        let whole = if rest.len() == left { left } else { rest.len() / group * group };
        let (whole, after) = rest.split_at(whole);
        self.pending.extend_from_slice(after);
        self.give(tensor, whole, take)
    }

    /// Gives whole groups of rows, in the one order that all others know.
    fn give<E>(
        &mut self,
        tensor: &TensorInfo,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let (first_row, row_bytes) = (self.first_row, tensor.row_bytes());
        self.first_row += bytes.len() / row_bytes;
        let Stored::Rows { order, .. } = &tensor.stored;
        match order {
            _ if bytes.is_empty() => Ok(()),
            RowOrder::Neighbours => take(Rows { tensor, first_row, bytes }),
            RowOrder::Halves { head_dim } => {
                let mut ordered = Vec::with_capacity(bytes.len());
                for head in bytes.chunks(head_dim * row_bytes) {
                    push_neighbours(head, row_bytes, &mut ordered);
                }
                take(Rows { tensor, first_row, bytes: &ordered })
            }
        }
    }
}

/// Rows that must have come before any of them can be given.
fn group_rows(order: RowOrder) -> usize {
    match order {
        RowOrder::Neighbours => TILE,
        RowOrder::Halves { head_dim } => head_dim,
    }
}

/// Appends the rows of a head, `[head_dim, row_bytes]`, with the two of a pair side by side: 0, n / 2, 1, n / 2 + 1, …
fn push_neighbours(head: &[u8], row_bytes: usize, into: &mut Vec<u8>) {
    let (first, second) = head.split_at(head.len() / 2);
    for (a, b) in first.chunks(row_bytes).zip(second.chunks(row_bytes)) {
        into.extend_from_slice(a);
        into.extend_from_slice(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GgmlType, TensorName};

    /// Tensors of `rows` rows of 32 `F32`, one behind the other with a gap of 8 bytes, in two files.
    /// Every value tells its tensor and row.
    fn files(shapes: &[(usize, usize, RowOrder)]) -> (Vec<TensorInfo>, [Vec<u8>; 2]) {
        let mut files = [Vec::new(), Vec::new()];
        let mut tensors = Vec::new();
        for (index, &(file, rows, order)) in shapes.iter().enumerate() {
            files[file].extend([0xEE; 8]);
            let span = Span { file, offset: files[file].len() as u64, len: rows as u64 * 128 };
            for row in 0..rows {
                files[file].extend([(index * 1000 + row) as f32; 32].map(f32::to_le_bytes).as_flattened());
            }
            let stored = Stored::Rows { span, order };
            let name = TensorName::Layer { index, part: crate::LayerPart::QProj };
            tensors.push(TensorInfo { name, dtype: GgmlType::F32, rows, columns: 32, stored });
        }
        (tensors, files)
    }

    fn reader(tensors: &[TensorInfo]) -> RowReader<'_> {
        let wanted = tensors.iter().map(|tensor| (tensor.stored.spans()[0], tensor)).collect();
        RowReader { wanted, next: 0, received: 0, first_row: 0, pending: Vec::new() }
    }

    const HALVES: RowOrder = RowOrder::Halves { head_dim: 8 };

    #[test]
    fn rows_come_whole_and_in_order_whatever_the_pieces() {
        let shapes =
            [(0, 16, HALVES), (0, 3, RowOrder::Neighbours), (1, 9, RowOrder::Neighbours), (1, 8, HALVES)];
        let (tensors, files) = files(&shapes);
        // A head's rows 0 to 7 become 0, 4, 1, 5, 2, 6, 3, 7: golden/rope/qk_permutation.json.
        let order = |row: usize| row / 8 * 8 + [0, 4, 1, 5, 2, 6, 3, 7][row % 8];
        let expected: Vec<Vec<f32>> = vec![
            (0..16).map(|row| order(row) as f32).collect(),
            (0..3).map(|row| 1000.0 + row as f32).collect(),
            (0..9).map(|row| 2000.0 + row as f32).collect(),
            (0..8).map(|row| 3000.0 + order(row) as f32).collect(),
        ];
        for piece_len in [1, 7, 128, 500, 513, 1 << 20] {
            let mut got = vec![Vec::new(); 4];
            let mut reader = reader(&tensors);
            let mut take = |rows: Rows| {
                let TensorName::Layer { index, .. } = rows.tensor.name else { unreachable!() };
                assert_eq!(rows.first_row, got[index].len(), "pieces of {piece_len}");
                let count = rows.bytes.len() / 128;
                assert!(
                    rows.first_row.is_multiple_of(4) && count > 0 && rows.bytes.len().is_multiple_of(128)
                );
                assert!(
                    count.is_multiple_of(4) || rows.first_row + count == rows.tensor.rows,
                    "{count} rows"
                );
                for row in rows.bytes.as_chunks::<128>().0 {
                    let values = row.as_chunks().0.iter().map(|le| f32::from_le_bytes(*le));
                    let values: Vec<f32> = values.collect();
                    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
                    got[index].push(values[0]);
                }
                Ok::<_, FormatError>(())
            };
            for (file, bytes) in files.iter().enumerate() {
                for (index, piece) in bytes.chunks(piece_len).enumerate() {
                    reader.push(file, (index * piece_len) as u64, piece, &mut take).unwrap();
                }
            }
            reader.finish().unwrap();
            assert_eq!(got, expected, "pieces of {piece_len}");
        }
    }

    #[test]
    fn bytes_that_are_left_out_are_named() {
        let (tensors, [first, second]) = files(&[(0, 4, RowOrder::Neighbours), (1, 4, RowOrder::Neighbours)]);
        let take = &mut |_: Rows| Ok::<_, FormatError>(());
        let skipped = |tensor: usize, file, expected, found| {
            Err(FormatError::Skipped { tensor: tensors[tensor].name, file, expected, found })
        };
        let mut in_the_middle = reader(&tensors);
        in_the_middle.push(0, 0, &first[..100], take).unwrap();
        assert_eq!(in_the_middle.push(0, 101, &first[101..], take), skipped(0, 0, 100, 101));
        let mut a_whole_file = reader(&tensors);
        assert_eq!(a_whole_file.push(1, 0, &second, take), skipped(0, 0, 8, 0));
        let mut the_end = reader(&tensors);
        the_end.push(0, 0, &first, take).unwrap();
        the_end.push(1, 0, &second[..300], take).unwrap();
        let incomplete = FormatError::Incomplete { tensor: tensors[1].name, file: 1, expected: 300 };
        assert_eq!(the_end.finish(), Err(incomplete));
    }

    #[test]
    fn whoever_takes_rows_may_fail() {
        let (tensors, [first, _]) = files(&[(0, 4, RowOrder::Neighbours)]);
        let error = FormatError::NotGguf { found: "as planned".into() };
        let mut failing = reader(&tensors);
        assert_eq!(failing.push(0, 0, &first, &mut |_| Err(error.clone())), Err(error.clone()));
    }
}
