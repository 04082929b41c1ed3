//! How fast quantized blocks are read and written, type by type, on one core, and what writing loses.
//!
//! ```text
//! cargo run --release -p format --example block_speed [-- --json]
//! ```
//!
//! With `--json` only how fast they are read into a GPU's layout, as rows for `cargo xtask bench`.

#![allow(clippy::print_stdout, reason = "Figures for a person to read are all that this program makes.")]

use std::time::{Duration, Instant};

use format::layout::repack_rows;
use format::{
    FormatError, GgmlType, RowOrder, RowReader, Span, Stored, TensorInfo, TensorName, dequantize, quantize,
    quantize_best,
};
use serde_json::{Value, json};

/// As many weights as a few rows of a large model: what is read and written stays in the processor's cache.
const WEIGHTS: u64 = 1 << 16;
const COLUMNS: usize = 4096;

/// A piece of a download, about: whole rows of every type.
const PIECE_WEIGHTS: u64 = 1 << 24;

/// Rows that are laid out at once when a model is loaded.
const ROWS_AT_ONCE: usize = 64;

/// Blocks are wanted in a GPU's layout at so many GB/s.
const WANTED: f64 = 1.0;
const PATIENCE: Duration = Duration::from_millis(500);

type Quantize = fn(GgmlType, &[f32], &mut Vec<u8>) -> Result<(), FormatError>;

const WRITERS: [(&str, Quantize); 2] = [("quantize", quantize), ("quantize_best", quantize_best)];

fn main() -> Result<(), FormatError> {
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", Value::from(rows()?));
        return Ok(());
    }
    println!("dequantize    MB/s of blocks   M weights/s   to layout, MB/s");
    for dtype in GgmlType::SUPPORTED {
        let bytes = random_bytes(dtype.bytes(WEIGHTS).unwrap_or_default());
        let mut values = Vec::new();
        let seconds = fastest(|| {
            values.clear();
            dequantize(dtype, &bytes, &mut values)
        })?;
        let [rate, weights] = [bytes.len() as f64, WEIGHTS as f64].map(|count| count / seconds / 1e6);
        println!("{:13}{rate:15.0}{weights:14.0}{:18.0}", dtype.name(), 1e3 * to_layout(dtype)?);
    }
    let weights = random_weights();
    for (name, quantize) in WRITERS {
        println!("\n{name:13} MB/s of bf16 in   M weights/s   squared error / Σ x²");
        let written = |dtype: &GgmlType| quantize(*dtype, &[], &mut Vec::new()).is_ok();
        for dtype in GgmlType::SUPPORTED.into_iter().filter(written) {
            let mut blocks = Vec::new();
            let seconds = fastest(|| {
                blocks.clear();
                quantize(dtype, &weights, &mut blocks)
            })?;
            let mut rendered = Vec::new();
            dequantize(dtype, &blocks, &mut rendered)?;
            let rate = WEIGHTS as f64 / seconds / 1e6;
            println!("{:13}{:16.0}{rate:14.0}{:23.3e}", dtype.name(), 2.0 * rate, lost(&weights, &rendered));
        }
    }
    Ok(())
}

/// The types that most files have, and the slowest of all.
fn rows() -> Result<Vec<Value>, FormatError> {
    use GgmlType::{Q4_0, Q4_K, Q5_K, Q6_K, Q8_0};
    let mut slowest = (GgmlType::Q4_0, f64::INFINITY);
    let mut rows = Vec::new();
    let row =
        |name: String, speed: f64| json!({ "name": name, "value": speed, "unit": "GB/s", "wanted": WANTED });
    for dtype in GgmlType::SUPPORTED.into_iter().filter(|dtype| dtype.block_len() > 1) {
        let speed = to_layout(dtype)?;
        if speed < slowest.1 {
            slowest = (dtype, speed);
        }
        if [Q4_0, Q4_K, Q5_K, Q6_K, Q8_0].contains(&dtype) {
            rows.push(row(format!("{dtype} to the GPU's layout, one core"), speed));
        }
    }
    rows.push(row(format!("the slowest type to it, {}", slowest.0), slowest.1));
    Ok(rows)
}

/// GB a second of a piece in rows of blocks, as they go through the reader and come to lie as on a device.
fn to_layout(dtype: GgmlType) -> Result<f64, FormatError> {
    let piece = random_bytes(dtype.bytes(PIECE_WEIGHTS).unwrap_or_default());
    let (rows, len) = (PIECE_WEIGHTS as usize / COLUMNS, piece.len() as u64);
    let stored = Stored::Rows { span: Span { file: 0, offset: 0, len }, order: RowOrder::Neighbours };
    let tensor = TensorInfo { name: TensorName::EmbedTokens, dtype, rows, columns: COLUMNS, stored };
    let seconds = fastest(|| {
        RowReader::of_tensor(&tensor).push(0, 0, &piece, &mut |rows| {
            rows.bytes.chunks(ROWS_AT_ONCE * tensor.row_bytes()).try_for_each(|rows| {
                std::hint::black_box(repack_rows(dtype, COLUMNS, rows)?);
                Ok::<_, FormatError>(())
            })
        })
    })?;
    Ok(len as f64 / seconds / 1e9)
}

/// The squared error that is left, as a part of all.
fn lost(weights: &[f32], rendered: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>();
    let errors = &mut weights.iter().zip(rendered).map(|(weight, rendered)| weight - rendered);
    squares(errors) / squares(&mut weights.iter().copied())
}

/// About what a layer holds: sums of eight uniform numbers, which is nearly a Gaussian.
fn random_weights() -> Vec<f32> {
    let bytes = random_bytes(WEIGHTS * 16);
    let (sixteens, _) = bytes.as_chunks::<16>();
    let uniform = |pair: &[u8; 2]| f32::from(i16::from_le_bytes(*pair)) / 65_536.0;
    sixteens.iter().map(|bytes| bytes.as_chunks().0.iter().map(uniform).sum::<f32>() * 0.03).collect()
}

/// Seconds of the fastest of many runs: what disturbs a run can only slow it.
fn fastest(mut run: impl FnMut() -> Result<(), FormatError>) -> Result<f64, FormatError> {
    let (begin, mut fastest) = (Instant::now(), f64::INFINITY);
    while begin.elapsed() < PATIENCE {
        let begin = Instant::now();
        run()?;
        fastest = fastest.min(begin.elapsed().as_secs_f64());
    }
    Ok(fastest)
}

/// SplitMix64, from its first number on.
fn random_bytes(len: u64) -> Vec<u8> {
    let words = (1..=len.div_ceil(8)).map(|count: u64| {
        let z = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.flatten().collect();
    bytes.truncate(len as usize);
    bytes
}
