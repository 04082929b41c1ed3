//! `f32` to quantized blocks: gguf-py's way, bit for bit.

use super::{float, q4, q5, q8, search};
use crate::{FormatError, GgmlType, Part};

/// Appends whole blocks of `values`, which may be any number of rows, to `out`, as gguf-py's `quantize` makes them.
///
/// Each block depends on its own values alone, so rows may be quantized apart, and at the same time.
/// Writes F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0.
///
/// # Errors
/// If the type is none of those, if `values` are not whole blocks, or if one of them is not finite or too large
/// for the type's half-precision scales; `out` is then as it was.
pub fn quantize(dtype: GgmlType, values: &[f32], out: &mut Vec<u8>) -> Result<(), FormatError> {
    check(dtype, values)?;
    match dtype {
        GgmlType::F32 => float::pack_f32(values, out),
        GgmlType::F16 => float::pack_f16(values, out),
        GgmlType::BF16 => float::pack_bf16(values, out),
        GgmlType::Q4_0 => each_block(values, out, q4::pack_q4_0),
        GgmlType::Q4_1 => each_block(values, out, q4::pack_q4_1),
        GgmlType::Q5_0 => each_block(values, out, q5::pack_q5_0),
        GgmlType::Q5_1 => each_block(values, out, q5::pack_q5_1),
        GgmlType::Q8_0 => each_block(values, out, q8::pack_q8_0),
        _ => return Err(not_written(dtype)),
    }
    Ok(())
}

/// As [`quantize`], but Q4_0, Q4_1 and Q6_K with the scales that lose least, which takes a search.
///
/// What is lost is the sum of the squared differences between a block's values and what its levels stand for.
/// No block loses more than [`quantize`] would; Q6_K is written here alone.
///
/// # Errors
/// As [`quantize`].
pub fn quantize_best(dtype: GgmlType, values: &[f32], out: &mut Vec<u8>) -> Result<(), FormatError> {
    match dtype {
        GgmlType::Q4_0 => {
            check(dtype, values)?;
            each_block(values, out, search::q4_0);
        }
        GgmlType::Q4_1 => {
            check(dtype, values)?;
            each_block(values, out, search::q4_1);
        }
        GgmlType::Q6_K => {
            check(dtype, values)?;
            each_block(values, out, search::q6_k);
        }
        _ => quantize(dtype, values, out)?,
    }
    Ok(())
}

/// That `values` are whole blocks, and that no scale made of them overflows.
fn check(dtype: GgmlType, values: &[f32]) -> Result<(), FormatError> {
    let block_len = dtype.block_len();
    if !values.len().is_multiple_of(block_len) {
        let expected = format_args!("a multiple of {block_len}, a {dtype} block");
        return Err(Part::TensorData.invalid("number of weights", expected, values.len()));
    }
    let limit = largest_magnitude(dtype);
    let fits = |value: &f32| value.abs() <= limit;
    // All are looked at, although one would do, since the comparisons then run side by side.
    if values.iter().fold(true, |all_fit, value| all_fit & fits(value)) {
        return Ok(());
    }
    let (at, found) = values.iter().enumerate().find(|(_, value)| !fits(value)).unwrap_or((0, &f32::NAN));
    let expected = format_args!("a number of magnitude {limit} at most, for {dtype}");
    Err(Part::TensorData.invalid(format!("weight {at}"), expected, found))
}

/// The largest magnitude whose scale, or minimum, is still finite when it is rounded to the type's own floats.
fn largest_magnitude(dtype: GgmlType) -> f32 {
    // The next numbers are rounded to infinity.
    let f16 = f32::from_bits(65_520f32.to_bits() - 1);
    let bf16 = f32::from_bits(0x7f7f_7fff);
    match dtype {
        GgmlType::F32 => f32::MAX,
        GgmlType::BF16 => bf16,
        GgmlType::Q4_0 => 8.0 * f16,
        GgmlType::Q5_0 => 16.0 * f16,
        GgmlType::Q8_0 => 127.0 * f16,
        _ => f16,
    }
}

fn not_written(dtype: GgmlType) -> FormatError {
    let expected = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0";
    Part::TensorData.invalid("type to quantize to", expected, dtype)
}

/// Packs arrays of known length, which vectorizes.
fn each_block<const LEN: usize, const BYTES: usize>(
    values: &[f32],
    out: &mut Vec<u8>,
    pack: impl Fn(&[f32; LEN]) -> [u8; BYTES],
) {
    let (blocks, _) = values.as_chunks::<LEN>();
    for block in blocks {
        out.extend_from_slice(&pack(block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::tests::{Distribution, bytes_of, floats_of, squared_error};
    use crate::dequantize;

    type Quantize = fn(GgmlType, &[f32], &mut Vec<u8>) -> Result<(), FormatError>;

    use GgmlType::*;

    const PLAIN: [GgmlType; 8] = [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0];
    const BEST: [GgmlType; 9] = [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q6_K];

    fn blocks_of(quantize: Quantize, dtype: GgmlType, values: &[f32]) -> Vec<u8> {
        let mut blocks = vec![7]; // What is there stays there.
        quantize(dtype, values, &mut blocks).unwrap();
        assert_eq!(blocks.remove(0), 7, "{dtype}");
        blocks
    }

    fn rendered(quantize: Quantize, dtype: GgmlType, values: &[f32]) -> Vec<f32> {
        let mut rendered = Vec::new();
        dequantize(dtype, &blocks_of(quantize, dtype, values), &mut rendered).unwrap();
        assert_eq!(rendered.len(), values.len(), "{dtype}");
        rendered
    }

    #[test]
    fn equal_gguf_py_to_the_bit() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/quantize_reference.json");
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let values = floats_of(&bytes_of(golden["input_f32_le_hex"].as_str().unwrap()));
        let mut checked = Vec::new();
        for (name, expected) in golden["quantized_hex"].as_object().unwrap() {
            let dtype = GgmlType::ALL.into_iter().find(|dtype| dtype.name() == name).unwrap();
            let got = blocks_of(quantize, dtype, &values);
            let expected = bytes_of(expected.as_str().unwrap());
            assert_eq!(got.len(), expected.len(), "{name}");
            for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert_eq!(got, expected, "{name}: byte {i} of blocks of {}", dtype.block_bytes());
            }
            checked.push(dtype);
        }
        checked.sort();
        assert_eq!(checked, [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, BF16]);
    }

    /// Values a hair below half way between levels. Five whose product is half way only if it is rounded to `f32`,
    /// and two where the sum is, which gguf-py does round.
    #[test]
    fn q4_0_rounds_once() {
        let rows = [
            (0xbf3b_3333, 1),
            (0xbec9_999a, 4),
            (0x3ec9_9997, 11),
            (0x3f01_9998, 12),
            (0x3f1e_6665, 13),
            (0xbec9_9999, 5),
            (0xbe90_0000, 6),
        ];
        let mut values = [-0.9; 32]; // Level 0, of a scale of 0.1125.
        for (value, (bits, _)) in values.iter_mut().zip(rows) {
            *value = f32::from_bits(bits);
        }
        let block = blocks_of(quantize, Q4_0, &values);
        for (i, ((bits, expected), byte)) in rows.iter().zip(&block[2..]).enumerate() {
            assert_eq!(byte & 15, *expected, "level {i}, of {}", f32::from_bits(*bits));
        }
    }

    #[test]
    fn bf16_goes_to_the_even_one() {
        let rows = [
            (0x3f80_7fff, 0x3f80),
            (0x3f80_8000, 0x3f80),
            (0x3f80_8001, 0x3f81),
            (0x3f81_8000, 0x3f82),
            (0xbfff_8000, 0xc000),
        ];
        for (bits, expected) in rows {
            let value = f32::from_bits(bits);
            let got = u16::from_le_bytes(blocks_of(quantize, BF16, &[value]).try_into().unwrap());
            assert_eq!(got, expected, "{value}: got {got:#06x}, expected {expected:#06x}");
        }
    }

    /// What a type may be off by, as a part of the largest magnitude among its block's values.
    ///
    /// Half a level by rounding, a whole one where levels end at 7 and the largest value lies at -8;
    /// and a 2048th for scales and minima that are rounded to halves, or half of the smallest half.
    #[test]
    fn what_comes_back_is_near() {
        let half = 1.0 / 2048.0;
        let rows: [(Quantize, GgmlType, f32); 12] = [
            (quantize, F32, 0.0),
            (quantize, F16, half),
            (quantize, BF16, 1.0 / 256.0),
            (quantize, Q4_0, 1.0 / 8.0 + half),
            (quantize, Q4_1, 1.0 / 15.0 + 2.0 * half),
            (quantize, Q5_0, 1.0 / 16.0 + half),
            (quantize, Q5_1, 1.0 / 31.0 + 2.0 * half),
            (quantize, Q8_0, 0.5 / 127.0 + half),
            // The searches cut off what they find good to cut off: nearly two levels of 15.
            (quantize_best, Q4_0, 1.9 / 7.0),
            (quantize_best, Q4_1, 1.9 / 7.0),
            (quantize_best, Q6_K, 1.9 / 28.0),
            (quantize_best, Q8_0, 0.5 / 127.0 + half),
        ];
        for (quantize, dtype, bound) in rows {
            for seed in 0..50 {
                let values = Distribution::Gaussian.values(seed);
                let got = rendered(quantize, dtype, &values);
                let block_len = dtype.block_len().min(values.len());
                for (i, (got, expected)) in got.iter().zip(&values).enumerate() {
                    let block = &values[i / block_len * block_len..][..block_len];
                    let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
                    assert!(
                        (got - expected).abs() <= bound * largest + 2f32.powi(-25),
                        "{dtype}[{i}] of seed {seed}: got {got}, expected {expected} to {bound} of {largest}"
                    );
                }
            }
        }
    }

    /// Whatever is finite and within the limit is written, and is finite when it comes back.
    #[test]
    fn what_comes_back_is_finite() {
        for dtype in BEST {
            let limit = largest_magnitude(dtype);
            let mut all = vec![limit, -limit, limit / 2.0, 1.0, -1e-7, 1e-30, f32::from_bits(1), -0.0];
            all.resize(256, limit);
            for distribution in Distribution::ALL {
                all.extend(distribution.values(1));
            }
            for value in [limit, -limit, f32::MIN_POSITIVE, -f32::from_bits(1)] {
                all.extend([value; 256]);
            }
            for (i, got) in rendered(quantize_best, dtype, &all).into_iter().enumerate() {
                assert!(got.is_finite(), "{dtype}[{i}]: got {got} for {}", all[i]);
            }
        }
    }

    #[track_caller]
    fn check_refused(quantize: Quantize, dtype: GgmlType, values: &[f32], expected: &str) {
        let mut out = vec![7];
        let error = quantize(dtype, values, &mut out).expect_err(expected).to_string();
        assert_eq!(error, expected);
        assert_eq!(out, [7], "{error}");
    }

    #[test]
    fn parts_of_blocks() {
        for quantize in [quantize, quantize_best] {
            let rows = [
                (Q4_0, 31, "a multiple of 32, a Q4_0 block, found 31"),
                (Q8_0, 65, "a multiple of 32, a Q8_0 block, found 65"),
                (Q6_K, 255, "a multiple of 256, a Q6_K block, found 255"),
            ];
            for (dtype, len, expected) in rows {
                let expected = format!("tensor data: number of weights: expected {expected}.");
                check_refused(quantize, dtype, &vec![0.0; len], &expected);
            }
        }
    }

    #[test]
    fn numbers_that_no_scale_can_carry() {
        let rows = [
            (F32, f32::NAN, "340282350000000000000000000000000000000 at most, for F32, found NaN"),
            (F32, f32::INFINITY, "340282350000000000000000000000000000000 at most, for F32, found inf"),
            (F16, 65_520.0, "65519.996 at most, for F16, found 65520"),
            (Q4_1, -65_520.0, "65519.996 at most, for Q4_1, found -65520"),
            (Q4_0, f32::NEG_INFINITY, "524159.97 at most, for Q4_0, found -inf"),
            (Q5_0, f32::NAN, "1048319.94 at most, for Q5_0, found NaN"),
            (Q8_0, 1e8, "8321039.5 at most, for Q8_0, found 100000000"),
        ];
        for (dtype, bad, expected) in rows {
            for quantize in [quantize, quantize_best] {
                let mut values = vec![1.0; 64];
                (values[37], values[50]) = (bad, bad);
                let expected = format!("tensor data: weight 37: expected a number of magnitude {expected}.");
                check_refused(quantize, dtype, &values, &expected);
            }
        }
        let mut values = vec![1.0; 256];
        values[255] = f32::NAN;
        let expected =
            "tensor data: weight 255: expected a number of magnitude 65519.996 at most, for Q6_K, found NaN.";
        check_refused(quantize_best, Q6_K, &values, expected);
    }

    #[test]
    fn types_that_are_not_written() {
        for dtype in GgmlType::ALL.into_iter().chain([Q4_Z]) {
            for (quantize, written) in [(quantize as Quantize, &PLAIN[..]), (quantize_best, &BEST)] {
                if !written.contains(&dtype) {
                    let expected = format!(
                        "tensor data: type to quantize to: \
                         expected F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0, found {dtype}."
                    );
                    check_refused(quantize, dtype, &[0.0; 256], &expected);
                }
            }
        }
    }

    /// Block by block, and without a tolerance.
    #[test]
    fn the_best_is_never_worse_than_the_plain() {
        for seed in 0..300 {
            for distribution in Distribution::ALL {
                let values = distribution.values(seed);
                for dtype in [Q4_0, Q4_1] {
                    let [best, plain] = [quantize_best, quantize]
                        .map(|quantize: Quantize| rendered(quantize, dtype, &values));
                    let blocks = values.chunks(32).zip(best.chunks(32)).zip(plain.chunks(32));
                    for (i, ((values, best), plain)) in blocks.enumerate() {
                        let [best, plain] = [best, plain].map(|rendered| squared_error(values, rendered));
                        assert!(
                            best <= plain,
                            "{dtype} of {distribution:?}, seed {seed}, block {i}: {best:e}, plain {plain:e}"
                        );
                    }
                }
            }
        }
    }

    /// What the search is for. The bounds are a hair above what was measured.
    #[test]
    fn the_best_loses_less() {
        for (dtype, bound) in [(Q4_0, 0.967), (Q4_1, 0.791)] {
            let values: Vec<f32> = (0..300).flat_map(|seed| Distribution::Gaussian.values(seed)).collect();
            let [best, plain] = [quantize_best, quantize]
                .map(|quantize: Quantize| squared_error(&values, &rendered(quantize, dtype, &values)));
            assert!(best < bound * plain, "{dtype}: {}", best / plain);
        }
    }
}
