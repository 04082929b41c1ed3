//! Quantized blocks to `f32`, one file per family, in ggml's bit layouts.
//!
//! A row of a matrix is stored as blocks of 32 or 256 weights, each with its own scales; all little-endian.
//! The arithmetic is in `f32`, in the order ggml has it, so that the values equal ggml's to the last bit.
//!
//! | type | weights | bytes | layout | value |
//! |---|---|---|---|---|
//! | `F32`, `F16` | 1 | 4, 2 | | |
//! | `Q4_0` | 32 | 18 | f16 d; qs\[16\]: weight j in the low nibble of byte j, weight j + 16 in the high one | d (q - 8) |
//! | `Q4_1` | 32 | 20 | f16 d, m; qs as above | d q + m |
//! | `Q8_0` | 32 | 34 | f16 d; i8\[32\] | d q |
//! | `Q6_K` | 256 | 210 | ql\[128\], qh\[64\], i8 scales\[16\], f16 d | d scale (q - 32) |

mod float;
mod q4;
mod q6_k;
mod q8;

use crate::{FormatError, GgmlType};

/// Appends the values of whole blocks to `out`.
///
/// # Errors
/// If the type is none of [`GgmlType::SUPPORTED`], or `bytes` ends inside a block; `out` is then as it was.
pub fn dequantize(dtype: GgmlType, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), FormatError> {
    let decode = match dtype {
        GgmlType::F32 => float::f32,
        GgmlType::F16 => float::f16,
        GgmlType::Q4_0 => q4::q4_0,
        GgmlType::Q4_1 => q4::q4_1,
        GgmlType::Q8_0 => q8::q8_0,
        GgmlType::Q6_K => q6_k::q6_k,
        _ => return Err(FormatError::unsupported_type(dtype.to_string())),
    };
    if !bytes.len().is_multiple_of(dtype.block_bytes()) {
        return Err(FormatError::PartialBlock {
            dtype,
            block_bytes: dtype.block_bytes(),
            found: bytes.len(),
        });
    }
    decode(bytes, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[track_caller]
    fn check(dtype: GgmlType, blocks: &[u8], expected: &[f32]) {
        let mut got = vec![7.0]; // What is there stays there.
        dequantize(dtype, blocks, &mut got).unwrap();
        assert_eq!(got.len(), 1 + expected.len(), "{dtype}");
        for (i, (got, expected)) in got[1..].iter().zip(expected).enumerate() {
            assert_eq!(got.to_bits(), expected.to_bits(), "{dtype}[{i}]: got {got}, expected {expected}");
        }
    }

    #[test]
    fn equal_gguf_py_to_the_bit() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/dequantize.json");
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut checked = Vec::new();
        for (name, vectors) in golden["types"].as_object().unwrap() {
            let joined = |key: &str| -> String {
                vectors[key].as_array().unwrap().iter().map(|hex| hex.as_str().unwrap()).collect()
            };
            let blocks = bytes_of(&joined("blocks_hex"));
            let value_bytes = bytes_of(&joined("f32_le_hex"));
            let values: Vec<f32> =
                value_bytes.chunks(4).map(|le| f32::from_le_bytes(le.try_into().unwrap())).collect();
            let dtype = GgmlType::from_id(vectors["ggml_type_id"].as_u64().unwrap() as u32).unwrap();
            if dtype.is_supported() {
                check(dtype, &blocks, &values);
                checked.push(dtype);
            } else {
                let error = dequantize(dtype, &blocks, &mut Vec::new()).unwrap_err().to_string();
                assert!(error.contains(&format!("Tensor type {name} is not supported")), "{error}");
            }
        }
        checked.sort();
        assert_eq!(checked, [GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q8_0, GgmlType::Q6_K]);
    }

    #[test]
    fn floats() {
        let f32s: Vec<u8> = [1.5f32, -0.0, f32::MIN_POSITIVE].iter().flat_map(|v| v.to_le_bytes()).collect();
        check(GgmlType::F32, &f32s, &[1.5, -0.0, f32::MIN_POSITIVE]);
        // One, minus two, the smallest subnormal, infinity.
        let f16s: Vec<u8> =
            [0x3c00u16, 0xc000, 0x0001, 0x7c00].iter().flat_map(|v| v.to_le_bytes()).collect();
        check(GgmlType::F16, &f16s, &[1.0, -2.0, 5.960_464_5e-8, f32::INFINITY]);
    }

    #[test]
    fn part_of_a_block_is_refused() {
        for dtype in GgmlType::SUPPORTED {
            let mut out = Vec::new();
            let error = dequantize(dtype, &vec![0; 2 * dtype.block_bytes() - 1], &mut out).unwrap_err();
            assert!(matches!(error, FormatError::PartialBlock { .. }), "{dtype}: {error}");
            assert!(out.is_empty(), "{dtype}");
        }
    }
}
