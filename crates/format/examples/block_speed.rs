//! How fast quantized blocks are read, type by type, on one core.
//!
//! ```text
//! cargo run --release -p format --example block_speed
//! ```

#![allow(clippy::print_stdout, reason = "Figures for a person to read are all that this program makes.")]

use std::time::{Duration, Instant};

use format::layout::repack_rows;
use format::{FormatError, GgmlType, dequantize};

/// As many weights as a few rows of a large model: what is read and written stays in the processor's cache.
const WEIGHTS: u64 = 1 << 16;
const COLUMNS: usize = 4096;
const PATIENCE: Duration = Duration::from_millis(200);

fn main() -> Result<(), FormatError> {
    println!("read      MB/s of blocks   M weights/s   repack, MB/s");
    for dtype in GgmlType::SUPPORTED {
        let bytes = random_bytes(dtype.bytes(WEIGHTS).unwrap_or_default());
        let mut values = Vec::new();
        let seconds = fastest(|| {
            values.clear();
            dequantize(dtype, &bytes, &mut values)
        })?;
        let repack = fastest(|| repack_rows(dtype, COLUMNS, &bytes).map(drop))?;
        let speed = |seconds| bytes.len() as f64 / seconds / 1e6;
        println!(
            "{:9}{:15.0}{:14.0}{:15.0}",
            dtype.name(),
            speed(seconds),
            WEIGHTS as f64 / seconds / 1e6,
            speed(repack)
        );
    }
    Ok(())
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
