//! Plain floats: blocks of one weight.
//!
//! | type | bytes | bits |
//! |---|---|---|
//! | `F32` | 4 | IEEE binary32 |
//! | `F16` | 2 | IEEE binary16: 1 sign, 5 exponent, 10 fraction |
//! | `BF16` | 2 | the upper half of an `F32` |
//!
//! The conversions are written without branches, so that whole rows of them become vector code;
//! the `half` crate's branch where the processor's instructions may not be assumed. It is what the tests compare with.

/// Bits of an `f32` below its exponent.
const FRACTION: u32 = 23;
/// Bits of fraction that an `F16` lacks.
const LACKS: u32 = FRACTION - 10;
/// What an exponent gains on its way from `F16` to `F32`.
const REBIAS: u32 = (127 - 15) << FRACTION;
/// The exponents of the smallest normal `F16`, and of its infinity, where an `f32` has its exponent.
const NORMAL: u32 = 1 << FRACTION;
const INFINITE: u32 = 31 << FRACTION;
/// Where an `f32` is the smallest normal `F16`, where it is too large for one, and where it is infinite.
const SMALLEST: u32 = REBIAS + NORMAL;
const LARGEST: u32 = REBIAS + INFINITE;
const NAN_AFTER: u32 = 0x7f80_0000;

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

pub(super) fn pack_f32(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(super) fn pack_f16(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|value| narrow(*value)));
}

/// The nearest, the even one of two that are equally near.
pub(super) fn pack_bf16(values: &[f32], out: &mut Vec<u8>) {
    let nearest = |bits: u32| (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    out.extend(values.iter().flat_map(|value| (nearest(value.to_bits()) as u16).to_le_bytes()));
}

/// The value of a little-endian binary16.
pub(crate) fn widen(le: [u8; 2]) -> f32 {
    let half = u16::from_le_bytes(le);
    let magnitude = u32::from(half & 0x7fff) << LACKS;
    // A subnormal has no leading one: with that of the smallest normal, it is too large by just that.
    let one = f32::from_bits(SMALLEST);
    let subnormal = f32::from_bits(one.to_bits() + magnitude) - one;
    let bits = match magnitude {
        0..NORMAL => subnormal.to_bits(),
        NORMAL..INFINITE => magnitude + REBIAS,
        _ => magnitude + 2 * REBIAS,
    };
    f32::from_bits(bits | u32::from(half & 0x8000) << 16)
}

/// The nearest binary16, the even one of two that are equally near, as little-endian bytes.
pub(super) fn narrow(value: f32) -> [u8; 2] {
    let bits = value.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    // A half's last bit is that of a sum with a number between 1/2 and 1, if it is subnormal.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let odd = (magnitude >> LACKS) & 1;
    let normal = magnitude.wrapping_sub(REBIAS).wrapping_add((1 << (LACKS - 1)) - 1 + odd) >> LACKS;
    let half = match magnitude {
        0..SMALLEST => subnormal,
        SMALLEST..LARGEST => normal,
        LARGEST..=NAN_AFTER => INFINITE >> LACKS,
        _ => (INFINITE >> LACKS) + (1 << 9),
    };
    (half as u16 | (bits >> 16) as u16 & 0x8000).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_narrowed_as_the_half_crate_has_it() {
        // Every half, and what lies a little, or half way, towards the next.
        for half in 0..=u16::MAX {
            let bits = half::f16::from_bits(half).to_f32().to_bits();
            for add in [0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff] {
                let value = f32::from_bits(bits.wrapping_add(add));
                let (got, expected) = (narrow(value), half::f16::from_f32(value).to_le_bytes());
                assert!(
                    got == expected || value.is_nan() && widen(got).is_nan(),
                    "{value:e}: got {got:?}, expected {expected:?}"
                );
            }
        }
        for value in [1e-8, 2.9e-8, 3e-8, 1e-40, 65_519.0, 65_520.0, 1e6, f32::MAX] {
            for value in [value, -value] {
                assert_eq!(narrow(value), half::f16::from_f32(value).to_le_bytes(), "{value:e}");
            }
        }
    }

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
