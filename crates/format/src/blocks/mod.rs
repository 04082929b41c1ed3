//! Quantized blocks to `f32` and back, one file per family, in ggml's bit layouts.
//!
//! A row of a matrix is stored as blocks of 32 or 256 weights, each with its own scales; all little-endian.
//! The arithmetic is in `f32`, in the order ggml has it, so that the values equal ggml's to the last bit.
//!
//! | type | weights | bytes | layout | value |
//! |---|---|---|---|---|
//! | `F32`, `F16`, `BF16` | 1 | 4, 2, 2 | | |
//! | `Q4_0` | 32 | 18 | f16 d; qs\[16\]: weight j in the low nibble of byte j, weight j + 16 in the high one | d (q - 8) |
//! | `Q4_1` | 32 | 20 | f16 d, m; qs as above | d q + m |
//! | `Q4_Z` | 32 | 20 | f16 d, z; qs as above; not ggml's, see [`GgmlType::Q4_Z`] | d (q - z) |
//! | `Q5_0` | 32 | 22 | f16 d; u32 qh: bit 4 of weight j is bit j; qs as above | d (q - 16) |
//! | `Q5_1` | 32 | 24 | f16 d, m; u32 qh; qs | d q + m |
//! | `Q8_0` | 32 | 34 | f16 d; i8\[32\] | d q |
//! | `Q2_K` | 256 | 84 | scales\[16\], qs\[64\], f16 d, dmin | d scale q - dmin min |
//! | `Q3_K` | 256 | 110 | hmask\[32\], qs\[64\], scales\[12\], f16 d | d (scale - 32) (q - 4) |
//! | `Q4_K` | 256 | 144 | f16 d, dmin, scales\[12\], qs\[128\] | d scale q - dmin min |
//! | `Q5_K` | 256 | 176 | f16 d, dmin, scales\[12\], qh\[32\], qs\[128\] | d scale q - dmin min |
//! | `Q6_K` | 256 | 210 | ql\[128\], qh\[64\], i8 scales\[16\], f16 d | d scale (q - 32) |
//! | `IQ4_NL` | 32 | 18 | f16 d; qs | d level(q) |
//! | `IQ4_XS` | 256 | 136 | f16 d; u16 scales_h; scales_l\[4\]; qs\[128\] | d (scale - 32) level(q) |
//! | `MXFP4` | 32 | 17 | u8 e; qs | 2^(e - 128) level(q) |
//!
//! The layouts are those of ggml's `ggml-common.h`, the arithmetic that of gguf-py's `quants.py`.

pub(crate) mod float;
pub(crate) mod iq4;
pub(crate) mod q2_k;
pub(crate) mod q3_k;
mod q4;
pub(crate) mod q4_k;
pub(crate) mod q5;
pub(crate) mod q6_k;
mod q8;
mod quantize;
mod range;
mod search;
pub(crate) mod super_block;

pub use quantize::{quantize, quantize_best};

use crate::{FormatError, GgmlType};

/// Appends the values of whole blocks to `out`.
///
/// # Errors
/// If the type is none of [`GgmlType::SUPPORTED`], or `bytes` ends inside a block; `out` is then as it was.
pub fn dequantize(dtype: GgmlType, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), FormatError> {
    let block_bytes = dtype.block_bytes();
    if !bytes.len().is_multiple_of(block_bytes) {
        return Err(FormatError::PartialBlock { dtype, block_bytes, found: bytes.len() });
    }
    match dtype {
        GgmlType::F32 => float::f32(bytes, out),
        GgmlType::F16 => float::f16(bytes, out),
        GgmlType::BF16 => float::bf16(bytes, out),
        GgmlType::Q4_0 => each_block(bytes, out, q4::q4_0),
        GgmlType::Q4_1 => each_block(bytes, out, q4::q4_1),
        GgmlType::Q4_Z => each_block(bytes, out, q4::q4_z),
        GgmlType::Q5_0 => each_block(bytes, out, q5::q5_0),
        GgmlType::Q5_1 => each_block(bytes, out, q5::q5_1),
        GgmlType::Q8_0 => each_block(bytes, out, q8::q8_0),
        GgmlType::Q2_K => each_block(bytes, out, |block, out| q2_k::q2_k(block).values(0.0, out)),
        GgmlType::Q3_K => each_block(bytes, out, |block, out| q3_k::q3_k(block).values(4.0, out)),
        GgmlType::Q4_K => each_block(bytes, out, |block, out| q4_k::q4_k(block).values(0.0, out)),
        GgmlType::Q5_K => each_block(bytes, out, |block, out| q4_k::q5_k(block).values(0.0, out)),
        GgmlType::Q6_K => each_block(bytes, out, |block, out| q6_k::q6_k(block).values(32.0, out)),
        GgmlType::IQ4_NL => each_block(bytes, out, iq4::iq4_nl),
        GgmlType::IQ4_XS => each_block(bytes, out, |block, out| iq4::iq4_xs(block).values(0.0, out)),
        GgmlType::MXFP4 => each_block(bytes, out, iq4::mxfp4),
        _ => return Err(FormatError::unsupported_type(dtype.to_string())),
    }
    Ok(())
}

/// Unpacks into an array of known length, which vectorizes, and appends that at once.
fn each_block<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut Vec<f32>,
    unpack: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let mut values = [0.0; LEN];
    for block in blocks {
        unpack(block, &mut values);
        out.extend_from_slice(&values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn bytes_of(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    pub(super) fn floats_of(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|le| f32::from_le_bytes(*le)).collect()
    }

    pub(super) fn squared_error(values: &[f32], rendered: &[f32]) -> f64 {
        values.iter().zip(rendered).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    }

    /// What the values of 256 weights may be like.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub(super) enum Distribution {
        Uniform,
        Gaussian,
        HeavyTailed,
        OneOutlier,
        Constant,
        NearlyConstant,
        Zeros,
        MostlyZeros,
        Positive,
        Negative,
        OnAGrid,
        Huge,
        /// So small that scales are halves of all bits, of a few, or none, and that inverses overflow an `f32`.
        Times(f32),
    }

    impl Distribution {
        pub(super) const ALL: [Distribution; 17] = {
            use Distribution::*;
            [
                Uniform,
                Gaussian,
                HeavyTailed,
                OneOutlier,
                Constant,
                NearlyConstant,
                Zeros,
                MostlyZeros,
                Positive,
                Negative,
                OnAGrid,
                Huge,
                Times(1e-3),
                Times(1e-5),
                Times(1e-9),
                Times(1e-38),
                Times(1e-41),
            ]
        };

        pub(super) fn values(self, seed: u64) -> Vec<f32> {
            let each = |value: &dyn Fn(f32) -> f32| uniform(seed).take(256).map(value).collect();
            match self {
                Distribution::Uniform => each(&|x| x),
                Distribution::Gaussian => {
                    let numbers: Vec<f32> = uniform(seed).take(256 * 8).collect();
                    numbers.chunks(8).map(|eight| eight.iter().sum::<f32>() * 0.01).collect()
                }
                Distribution::HeavyTailed => each(&|x| 0.01 * x / (1.001 - x.abs())),
                Distribution::OneOutlier => {
                    let mut values = Distribution::Gaussian.values(seed);
                    values[seed as usize % 256] = if seed.is_multiple_of(2) { 3.0 } else { -3.0 };
                    values
                }
                Distribution::Constant => vec![uniform(seed).take(256).sum(); 256],
                Distribution::NearlyConstant => each(&|x| 5.0 + x * 1e-4),
                Distribution::Zeros => each(&|_| 0.0),
                Distribution::MostlyZeros => each(&|x| if x > 0.9 { x } else { 0.0 }),
                Distribution::Positive => each(&|x| x.abs() + 0.01),
                Distribution::Negative => each(&|x| -x.abs() - 0.01),
                Distribution::OnAGrid => each(&|x| (x * 8.0).round() * 0.25),
                Distribution::Huge => each(&|x| x * 65_519.0),
                Distribution::Times(factor) => {
                    Distribution::Gaussian.values(seed).iter().map(|x| x * factor).collect()
                }
            }
        }
    }

    /// SplitMix64, as numbers of -1 to 1.
    fn uniform(seed: u64) -> impl Iterator<Item = f32> {
        let mut state = seed.wrapping_mul(0xd134_2543_de82_ef95);
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
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
            let values = floats_of(&bytes_of(&joined("f32_le_hex")));
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
        // The golden's other two are refused; `Q4_Z` is ours, and `floats` has the rest.
        let floats = [GgmlType::F32, GgmlType::F16, GgmlType::BF16];
        let expected: Vec<GgmlType> = GgmlType::SUPPORTED
            .into_iter()
            .filter(|dtype| !floats.contains(dtype) && *dtype != GgmlType::Q4_Z)
            .collect();
        assert_eq!(checked, expected);
    }

    #[test]
    fn floats() {
        let f32s: Vec<u8> = [1.5f32, -0.0, f32::MIN_POSITIVE].iter().flat_map(|v| v.to_le_bytes()).collect();
        check(GgmlType::F32, &f32s, &[1.5, -0.0, f32::MIN_POSITIVE]);
        // One, minus two, the smallest subnormal, infinity.
        let f16s: Vec<u8> =
            [0x3c00u16, 0xc000, 0x0001, 0x7c00].iter().flat_map(|v| v.to_le_bytes()).collect();
        check(GgmlType::F16, &f16s, &[1.0, -2.0, 5.960_464_5e-8, f32::INFINITY]);
        // One and a 128th, minus zero, the smallest subnormal.
        let bf16s: Vec<u8> = [0x3f81u16, 0x8000, 0x0001].iter().flat_map(|v| v.to_le_bytes()).collect();
        check(GgmlType::BF16, &bf16s, &[1.007_812_5, -0.0, f32::from_bits(0x0001_0000)]);
    }

    /// Sixteen bytes in which every nibble is different in each half.
    fn all_nibbles() -> impl Iterator<Item = u8> {
        (0..16).map(|low| low | (15 - low) << 4)
    }

    #[test]
    fn q4_z_takes_the_zero_point_off_before_it_scales() {
        // d = 0.75, and z = 11 where `Q4_0` has 8.
        let block: Vec<u8> = [0x00, 0x3a, 0x80, 0x49].into_iter().chain(all_nibbles()).collect();
        let levels = (0..16).chain((0..16).rev());
        let expected: Vec<f32> = levels.map(|q| 0.75 * (q as f32 - 11.0)).collect();
        check(GgmlType::Q4_Z, &block, &expected);
    }

    /// By the definition of the Open Compute Project: `e2m1` floats times a power of two, in `f64`.
    #[test]
    fn mxfp4_by_its_definition() {
        for e in [0u8, 1, 2, 127, 254] {
            let block: Vec<u8> = [e].into_iter().chain(all_nibbles()).collect();
            let e2m1 = |nibble: u32| {
                let (exponent, fraction) = ((nibble >> 1 & 3) as i32, f64::from(nibble & 1));
                let magnitude = match exponent {
                    0 => fraction / 2.0,
                    _ => (1.0 + fraction / 2.0) * 2f64.powi(exponent - 1),
                };
                // ggml has no negative zero here.
                if nibble > 8 { -magnitude } else { magnitude }
            };
            let nibbles = (0..16).chain((0..16).rev());
            let expected: Vec<f32> =
                nibbles.map(|q| (e2m1(q) * 2f64.powi(i32::from(e) - 127)) as f32).collect();
            check(GgmlType::MXFP4, &block, &expected);
        }
    }

    #[test]
    fn any_bytes_are_weights() {
        for dtype in GgmlType::SUPPORTED {
            let len = 8 * dtype.block_bytes();
            let random = uniform(3).map(|x| (x * 128.0) as i8 as u8);
            let rows: [Vec<u8>; 4] =
                [vec![0; len], vec![0xff; len], vec![0x7c; len], random.take(len).collect()];
            for bytes in rows {
                let mut values = Vec::new();
                dequantize(dtype, &bytes, &mut values).unwrap();
                assert_eq!(values.len(), 8 * dtype.block_len(), "{dtype}");
            }
        }
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
