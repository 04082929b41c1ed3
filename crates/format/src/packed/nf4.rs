//! bitsandbytes' NF4: sixteen values that fit a normal distribution, by the largest weight of each 64.
//!
//! ```text
//! weight        u8, flat and row by row: element 2k in the high nibble of byte k, 2k + 1 in the low one
//! value         quant_map[nibble] absmax[element / blocksize]
//! absmax        f32, or quantized in its turn: nested_quant_map[u8] nested_absmax[index / nested_blocksize] + nested_offset
//! quant_state   JSON in bytes: quant_type, blocksize, shape, nested_blocksize, nested_offset
//! ```
//!
//! Becomes `Q8_0`: [`EIGHT_BITS`] are the integers that are proportional to the sixteen values best, each off by 0.33 %
//! of the values' root mean square (rounding to 127ths of the largest, as `Q8_0` does otherwise: 0.41 %).
//! `F16` would be off by 0.02 %, and take 16 GB for 8 billion weights rather than 8.5. NF4's own error is some 9 %,
//! so either is lost in it. Where the largest weight of a block is below 0.007, the half that scales it loses bits, and
//! weights are off by up to 3e-6.

use std::ops::Range;

use half::f16;

use super::Extent;
use super::part::Parts;
use crate::error::{FormatError, Part, quote};
use crate::json::{Fields, Json};

/// The sixteen values of NF4, by their codes.
pub const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// The same values by [`SCALE`].
const EIGHT_BITS: [i8; 16] = [-112, -78, -59, -44, -32, -21, -10, 0, 9, 18, 28, 38, 49, 63, 81, 112];
const SCALE: f32 = 0.008_926_163;

/// Weights of a block of `Q8_0`.
const BLOCK: usize = 32;

const WEIGHT: usize = 0;
const ABSMAX: usize = 1;
const QUANT_MAP: usize = 2;
const QUANT_STATE: usize = 3;
const NESTED_ABSMAX: usize = 4;
const NESTED_QUANT_MAP: usize = 5;

/// Parts: weight, absmax, quant_map, quant_state, and if nested, nested_absmax and nested_quant_map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nf4 {
    pub(crate) nested: bool,
}

/// What holds for all rows.
#[derive(Debug)]
pub(crate) struct State {
    blocksize: usize,
    /// `[rows * columns / blocksize]`
    absmax: Vec<f32>,
}

impl Nf4 {
    pub(super) fn extents(&self, columns: usize) -> Vec<Extent> {
        let mut extents = vec![Extent::Row(columns / 2)];
        extents.resize(if self.nested { 6 } else { 4 }, Extent::Whole);
        extents
    }

    pub(super) fn state(&self, parts: &Parts) -> Result<State, FormatError> {
        if floats(parts, QUANT_MAP).ne(NF4) {
            return Err(parts.invalid("quant_map", "NF4's sixteen values", "others"));
        }
        let json = Json::parse(Part::QuantState, parts.bytes(QUANT_STATE))?;
        let fields = Fields::of(Part::QuantState, &json)?;
        let quant_type = fields.required_string("quant_type")?;
        if quant_type != "nf4" {
            return Err(fields.invalid("quant_type", "\"nf4\"", quote(quant_type)));
        }
        check_shape(&fields, parts)?;
        let absmax: Vec<f32> = match self.nested {
            true => unnested(&fields, parts)?,
            false => floats(parts, ABSMAX).collect(),
        };
        let blocksize = block_size(&fields, "blocksize", BLOCK)?;
        let blocks = parts.tensor.weights().div_ceil(blocksize as u64);
        if absmax.len() as u64 != blocks {
            let expected = format!("one for each {blocksize} weights, {blocks}");
            return Err(parts.invalid("absmax", expected, absmax.len()));
        }
        match absmax.iter().find(|absmax| !f16::from_f32(*absmax * SCALE).is_finite()) {
            Some(absmax) => Err(parts.invalid("absmax", "a number below 7 million", absmax)),
            None => Ok(State { blocksize, absmax }),
        }
    }
}

fn check_shape(fields: &Fields, parts: &Parts) -> Result<(), FormatError> {
    let [rows, columns] = [parts.tensor.rows, parts.tensor.columns];
    let shape = fields.array("shape")?.ok_or_else(|| fields.missing("shape"))?;
    let expected = [Json::Whole(rows as u64), Json::Whole(columns as u64)];
    if shape != expected {
        let found: Vec<String> = shape.iter().take(4).map(Json::to_string).collect();
        let expected = format!("[{rows}, {columns}] of {}", parts.tensor.name);
        return Err(fields.invalid("shape", expected, format_args!("[{}]", found.join(", "))));
    }
    Ok(())
}

/// A power of two that blocks of so many weights fit into.
fn block_size(fields: &Fields, key: &str, least: usize) -> Result<usize, FormatError> {
    let size = fields.required_size(key)?;
    if size < least || !size.is_power_of_two() {
        return Err(fields.invalid(key, format_args!("a power of two from {least} on"), size));
    }
    Ok(size)
}

fn unnested(fields: &Fields, parts: &Parts) -> Result<Vec<f32>, FormatError> {
    let nested_blocksize = block_size(fields, "nested_blocksize", 1)?;
    let offset = fields.required_number("nested_offset")? as f32;
    let map: Vec<f32> = floats(parts, NESTED_QUANT_MAP).collect();
    let nested: Vec<f32> = floats(parts, NESTED_ABSMAX).collect();
    let codes = parts.bytes(ABSMAX);
    let blocks = codes.len().div_ceil(nested_blocksize);
    if (map.len(), nested.len()) != (256, blocks) {
        let expected = format!("{blocks} by 256 values");
        let found = format!("{} by {}", nested.len(), map.len());
        return Err(parts.invalid("nested_absmax and nested_quant_map", expected, found));
    }
    let of_block =
        |(code, nested): (&u8, &f32)| map.get(usize::from(*code)).map(|value| value * nested + offset);
    let blocks = codes.chunks(nested_blocksize).zip(&nested);
    Ok(blocks
        .flat_map(|(codes, nested)| codes.iter().filter_map(move |code| of_block((code, nested))))
        .collect())
}

fn floats<'a>(parts: &Parts<'a>, part: usize) -> impl Iterator<Item = f32> + use<'a> {
    parts.words(part).iter().map(|le| f32::from_le_bytes(*le))
}

pub(super) fn unpack(parts: &Parts, state: &State, rows: Range<usize>, out: &mut Vec<u8>) {
    let columns = parts.tensor.columns;
    let skipped = (rows.start - parts.first_row) * (columns / 2);
    let packed = parts.bytes(WEIGHT).get(skipped..).unwrap_or_default();
    let blocks_of_row = columns / BLOCK;
    let first = rows.start * blocks_of_row;
    let blocks = packed.as_chunks::<{ BLOCK / 2 }>().0.iter().take(rows.len() * blocks_of_row);
    for (block, nibbles) in (first..).zip(blocks) {
        let absmax = state.absmax.get(block / (state.blocksize / BLOCK)).copied().unwrap_or_default();
        out.extend(f16::from_f32(absmax * SCALE).to_le_bytes());
        let pairs = nibbles.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        out.extend(pairs.map(|q| EIGHT_BITS[usize::from(q)].cast_unsigned()));
    }
}
