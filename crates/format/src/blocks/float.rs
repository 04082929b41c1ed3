//! Plain floats: blocks of one weight.
//!
//! | type | bytes | bits |
//! |---|---|---|
//! | `F32` | 4 | IEEE binary32 |
//! | `F16` | 2 | IEEE binary16: 1 sign, 5 exponent, 10 fraction |
//! | `BF16` | 2 | the upper half of an `F32` |
//!
//! The conversions are written without branches, so that whole rows of them become vector code;
//! `half`'s own go bit by bit where the processor's instructions for it may not be assumed.

const EXPONENT_OF_ONE: u32 = 23;
/// What an exponent gains on its way from binary16 to binary32: 127 - 15.
const REBIAS: u32 = (127 - 15) << EXPONENT_OF_ONE;
/// Where binary16's infinity comes to lie, with the fractions under one another.
const INFINITY: u32 = 31 << EXPONENT_OF_ONE;

pub(super) fn f32(bytes: &[u8], out: &mut Vec<f32>) {
    let (values, _) = bytes.as_chunks();
    out.extend(values.iter().map(|le| f32::from_le_bytes(*le)));
}

pub(super) fn f16(bytes: &[u8], out: &mut Vec<f32>) {
    let (values, _) = bytes.as_chunks();
    out.extend(values.iter().map(|le| widen(*le)));
}

pub(super) fn bf16(bytes: &[u8], out: &mut Vec<f32>) {
    let (values, _) = bytes.as_chunks();
    out.extend(values.iter().map(|[low, high]| f32::from_le_bytes([0, 0, *low, *high])));
}

/// The value of a little-endian binary16.
pub(super) fn widen(le: [u8; 2]) -> f32 {
    let half = u16::from_le_bytes(le);
    let magnitude = u32::from(half & 0x7fff) << (EXPONENT_OF_ONE - 10);
    // A subnormal has no leading one: with the smallest normal's, it is that much too large.
    let smallest_normal = f32::from_bits(REBIAS + (1 << EXPONENT_OF_ONE));
    let subnormal = f32::from_bits(smallest_normal.to_bits() + magnitude) - smallest_normal;
    let bits = match magnitude {
        0..0x0080_0000 => subnormal.to_bits(),
        INFINITY.. => magnitude + 2 * REBIAS,
        _ => magnitude + REBIAS,
    };
    f32::from_bits(bits | u32::from(half & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_widens_as_the_half_crate_has_it() {
        for bits in 0..=u16::MAX {
            let (got, expected) = (widen(bits.to_le_bytes()), half::f16::from_bits(bits).to_f32());
            assert!(
                got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(),
                "{bits:#06x}: got {got}, expected {expected}"
            );
        }
    }
}
