use super::*;
use crate::checkpoint::Merged;
use crate::layout::WeightType;
use crate::{GgmlType, Laid, TensorName};

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
        let mut reader = RowReader::of(&tensors);
        let mut take = |rows: Rows| {
            let TensorName::Layer { index, .. } = rows.tensor.name else { unreachable!() };
            assert_eq!(rows.first_row, got[index].len(), "pieces of {piece_len}");
            let count = rows.bytes.len() / 128;
            assert!(rows.first_row.is_multiple_of(4) && count > 0 && rows.bytes.len().is_multiple_of(128));
            assert!(count.is_multiple_of(4) || rows.first_row + count == rows.tensor.rows, "{count} rows");
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

/// Halves of 40,000 rows of 64 `F32` in two files: 10 MB, which are put together in three chunks.
#[test]
fn columns_of_several_files_come_together() {
    const ROWS: usize = 40_000;
    let part = |first: usize| -> Vec<u8> {
        let value = move |row: usize, column: usize| (row * 64 + first + column) as f32;
        (0..ROWS).flat_map(|row| (0..32).flat_map(move |column| value(row, column).to_le_bytes())).collect()
    };
    let files = [part(0), part(32)];
    let parts = [0, 1].map(|file| Span { file, offset: 0, len: ROWS as u64 * 128 });
    let merged = Merged { parts: parts.into(), along: Along::Columns };
    let (name, stored) = (TensorName::EmbedTokens, Stored::Merged(merged));
    let tensors = [TensorInfo { name, dtype: GgmlType::F32, rows: ROWS, columns: 64, stored }];
    let mut reader = RowReader::of(&tensors);
    let (mut next, mut chunks) = (0, 0);
    while let Some(span) = reader.wants() {
        assert!(span.len <= CHUNK_BYTES as u64);
        let bytes = &files[span.file][span.offset as usize..][..span.len as usize];
        let take = &mut |rows: Rows| {
            assert_eq!(rows.first_row * 64, next);
            for le in rows.bytes.as_chunks().0 {
                assert_eq!(f32::from_le_bytes(*le), next as f32);
                next += 1;
            }
            chunks += 1;
            Ok::<_, FormatError>(())
        };
        reader.push(span.file, span.offset, bytes, take).unwrap();
    }
    reader.finish().unwrap();
    assert_eq!((next, chunks), (ROWS * 64, 3));
}

#[test]
fn bytes_that_are_left_out_are_named() {
    let (tensors, [first, second]) = files(&[(0, 4, RowOrder::Neighbours), (1, 4, RowOrder::Neighbours)]);
    let take = &mut |_: Rows| Ok::<_, FormatError>(());
    let skipped = |tensor: usize, file, expected, found| {
        Err(FormatError::Skipped { tensor: tensors[tensor].name, file, expected, found })
    };
    let mut in_the_middle = RowReader::of(&tensors);
    in_the_middle.push(0, 0, &first[..100], take).unwrap();
    assert_eq!(in_the_middle.push(0, 101, &first[101..], take), skipped(0, 0, 100, 101));
    let mut a_whole_file = RowReader::of(&tensors);
    assert_eq!(a_whole_file.push(1, 0, &second, take), skipped(0, 0, 8, 0));
    let mut the_end = RowReader::of(&tensors);
    the_end.push(0, 0, &first, take).unwrap();
    the_end.push(1, 0, &second[..300], take).unwrap();
    let incomplete = FormatError::Incomplete { tensor: tensors[1].name, file: 1, expected: 300 };
    assert_eq!(the_end.finish(), Err(incomplete));
}

#[test]
fn whoever_takes_rows_may_fail() {
    let (tensors, [first, _]) = files(&[(0, 4, RowOrder::Neighbours)]);
    let error = FormatError::NotGguf { found: "as planned".into() };
    let mut failing = RowReader::of(&tensors);
    assert_eq!(failing.push(0, 0, &first, &mut |_| Err(error.clone())), Err(error.clone()));
}

/// Two parts of a matrix, 8 rows and 3, whose words and scales tell their places, with a gap before each.
#[test]
fn laid_rows_come_in_whole_tiles_with_their_scales() {
    for dtype in [WeightType::Q4, WeightType::BF16] {
        let (mut file, mut spans) = (Vec::new(), Vec::new());
        let mut put = |values: std::ops::Range<u32>| {
            file.extend([0xEE; 8]);
            spans.push(Span { file: 0, offset: file.len() as u64, len: 4 * values.len() as u64 });
            file.extend(values.flat_map(u32::to_le_bytes));
        };
        let [words, scales] = [dtype.row_words(64) as u32, dtype.tile_scale_words(64) as u32];
        for [first, end] in [[0, 8], [8, 11]] {
            if scales > 0 {
                put(1000 + first / 4 * scales..1000 + u32::div_ceil(end, 4) * scales);
            }
            put(first * words..end * words);
        }
        let laid = Laid { dtype, part_rows: vec![8, 3], spans };
        let name = TensorName::EmbedTokens;
        let stored = Stored::Laid(laid);
        let tensor = TensorInfo { name, dtype: dtype.blocks(), rows: 11, columns: 64, stored };
        for piece_len in [1, 7, 128, 1 << 20] {
            let mut reader = RowReader::of_tensor(&tensor);
            let (mut got, mut scales_of_tile) = (Vec::new(), vec![Vec::new(); 3]);
            let mut take = |rows: Rows| {
                let laid = rows.laid.unwrap();
                let count = laid.words.len() / words as usize;
                assert_eq!((rows.first_row, laid.dtype), (got.len() / words as usize, dtype));
                assert!(rows.bytes.is_empty() && rows.column_order.is_none() && count > 0);
                assert!(count.is_multiple_of(4) || rows.first_row + count == 11, "{count} rows");
                got.extend_from_slice(laid.words);
                for (tile, scales) in laid.scales.chunks(scales.max(1) as usize).enumerate() {
                    scales_of_tile[rows.first_row / 4 + tile] = scales.to_vec();
                }
                Ok::<_, FormatError>(())
            };
            for (index, piece) in file.chunks(piece_len).enumerate() {
                reader.push(0, (index * piece_len) as u64, piece, &mut take).unwrap();
            }
            reader.finish().unwrap();
            assert_eq!(got, (0..11 * words).collect::<Vec<_>>(), "{dtype:?} in pieces of {piece_len}");
            let scales: Vec<u32> = (1000..1000 + 3 * scales).collect();
            assert_eq!(scales_of_tile.concat(), scales, "{dtype:?} in pieces of {piece_len}");
        }
    }
}

/// From floats in the order of the Hub, in pieces of any size: what quantizing all rows at once gives.
#[test]
fn rows_are_quantized_on_their_way() {
    const ROWS: usize = 72; // Two times what is quantized at once, and a head more.
    let (mut tensors, [mut file, _]) = files(&[(0, ROWS, HALVES), (0, 3, RowOrder::Neighbours)]);
    let values: Vec<f32> = (0..(file.len() - 8) / 4).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect();
    for (bytes, value) in file[8..].as_chunks_mut::<4>().0.iter_mut().zip(&values) {
        *bytes = value.to_le_bytes();
    }
    let as_stored = RowReader::of_tensor(&tensors[0]).read_values(&file);
    let mut expected = Vec::new();
    crate::quantize_best(GgmlType::Q4_0, &as_stored, &mut expected).unwrap();

    let source = tensors[0].clone();
    (tensors[0].dtype, tensors[0].stored) = (GgmlType::Q4_0, Stored::Quantized(Box::new(source)));
    for piece_len in [1, 500, 1 << 20] {
        let mut got = Vec::new();
        let mut reader = RowReader::of(&tensors);
        let mut take = |rows: Rows| {
            if rows.tensor.name == tensors[0].name {
                assert_eq!((rows.first_row, rows.tensor.dtype), (got.len() / 18, GgmlType::Q4_0));
                got.extend_from_slice(rows.bytes);
            } else {
                assert_eq!(rows.tensor.dtype, GgmlType::F32);
            }
            Ok::<_, FormatError>(())
        };
        for (index, piece) in file.chunks(piece_len).enumerate() {
            reader.push(0, (index * piece_len) as u64, piece, &mut take).unwrap();
        }
        reader.finish().unwrap();
        assert_eq!(got, expected, "pieces of {piece_len}");
    }
}

impl RowReader<'_> {
    /// All values that are in `file`, the first of the checkpoint's.
    fn read_values(mut self, file: &[u8]) -> Vec<f32> {
        let mut values = Vec::new();
        self.push(0, 0, file, &mut |rows| rows.append_values(0..rows.count(), &mut values)).unwrap();
        values
    }
}
