//! Weights that are made up on the device, to try kernels before a model's own have come: the same for the same seed.
//!
//! Quants are any bits. Scales and floats are any bits but for their exponents: those are chosen so that a weight is a few
//! hundredths, whatever the type, and products of normalised activations come out near 1.

use format::layout::{Quants, Scales, WeightType};
use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::Weight;

const WORKGROUP_SIZE: u32 = 256;

/// As many as the largest GPUs keep busy at once; each takes every so-manieth word.
const INVOCATIONS: u32 = 1 << 16;

/// What the words of a tensor are. Of each `period` the first `head` are `first`, the others `rest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pattern {
    period: u32,
    head: u32,
    first: Bits,
    rest: Bits,
}

/// Which bits of a word are any, and which are set besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bits {
    kept: u32,
    set: u32,
}

/// Adds to the plan what fills a weight, by a seed of its own.
pub fn made_up<'a>(plan: &mut PlanBuilder<'a>, weight: &'a Weight, seed: u32) {
    fill(plan, &weight.words, Pattern::of_words(weight.dtype()), seed);
    if let Some(pattern) = Pattern::of_scales(weight.dtype()) {
        fill(plan, &weight.scales, pattern, !seed);
    }
}

fn fill<'a>(plan: &mut PlanBuilder<'a>, words: &'a Tensor, pattern: Pattern, seed: u32) {
    let Pattern { period, head, first, rest } = pattern;
    let kernel = Kernel {
        name: "made_up",
        wgsl: vec![include_str!("made_up.wgsl")],
        bindings: vec![Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("INVOCATIONS", INVOCATIONS),
        Constant::U32("LEN", (words.bytes() / 4) as u32),
        Constant::U32("SEED", seed),
        Constant::U32("PERIOD", period),
        Constant::U32("HEAD", head),
        Constant::U32("KEPT", rest.kept),
        Constant::U32("SET", rest.set),
        Constant::U32("HEAD_KEPT", first.kept),
        Constant::U32("HEAD_SET", first.set),
    ];
    let (groups, one) = (Extent::Fixed(INVOCATIONS / WORKGROUP_SIZE), Extent::Fixed(1));
    plan.dispatch(kernel, &constants, &[words], [groups, one, one]);
}

impl Pattern {
    /// Words that are all alike.
    fn of(bits: Bits) -> Pattern {
        Pattern { period: 1, head: 0, first: bits, rest: bits }
    }

    fn of_words(dtype: WeightType) -> Pattern {
        Pattern::of(match dtype.quants() {
            Quants::Q4 | Quants::Q6 | Quants::Q8 => Bits { kept: u32::MAX, set: 0 },
            Quants::F16 => Bits::halves(-6, -6),
            Quants::BF16 => Bits { kept: 0x807F_807F, set: 0x3C80_3C80 },
            Quants::F32 => Bits { kept: 0x807F_FFFF, set: 0x3C80_0000 },
        })
    }

    /// None where there are no scales.
    fn of_scales(dtype: WeightType) -> Option<Pattern> {
        let power = power(dtype);
        let two_levels = |levels: u32, parts: usize| Pattern {
            period: levels * (2 + 8 * parts as u32),
            head: levels * 2,
            first: Bits::halves(power, power),
            rest: Bits { kept: 0x0707_0707, set: 0 },
        };
        Some(match dtype.scales() {
            Scales::None => return None,
            Scales::One { .. } => Pattern::of(Bits::halves(power, power)),
            Scales::Minimum => Pattern::of(Bits::halves(power, -6)),
            Scales::Zero => Pattern::of(Bits::halves(power, 2)),
            Scales::Two { parts, .. } => two_levels(1, parts),
            Scales::TwoMinimum { parts } => two_levels(2, parts),
        })
    }
}

impl Bits {
    /// Two f16 of these powers of two up to the next, of either sign: the one in the lower bits, and the one in the upper.
    fn halves(lower: i32, upper: i32) -> Bits {
        let biased = |power: i32| ((15 + power) as u32) << 10;
        Bits { kept: 0x83FF_83FF, set: biased(upper) << 16 | biased(lower) }
    }
}

/// The power of two that scales begin at, by how large quants are, and the lower scales where there are two levels.
fn power(dtype: WeightType) -> i32 {
    match dtype {
        WeightType::Q4 => -8,
        WeightType::Q4M | WeightType::Q4Z => -9,
        WeightType::Q5 | WeightType::Q3K => -10,
        WeightType::Q5M | WeightType::Q2K | WeightType::Q4K => -11,
        WeightType::Q8 | WeightType::Q6 => -12,
        WeightType::Q5K => -13,
        WeightType::Q8K => -14,
        WeightType::F16 | WeightType::BF16 | WeightType::F32 => 0,
    }
}

#[cfg(test)]
mod tests {
    use format::layout::unpack_rows;
    use pollster::block_on;

    use super::*;
    use crate::StepParams;
    use crate::check::{gpu, run};

    fn hash(i: u32) -> u32 {
        let state = i.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
        (word >> 22) ^ word
    }

    fn reference(pattern: Pattern, len: usize, seed: u32) -> Vec<u32> {
        let word = |i: u32| {
            let bits = if i % pattern.period < pattern.head { pattern.first } else { pattern.rest };
            hash(i.wrapping_add(seed)) & bits.kept | bits.set
        };
        (0..len as u32).map(word).collect()
    }

    /// The words and scales of every type, and that they are weights as a model may have them.
    #[track_caller]
    fn check(rows: usize, columns: usize, seed: u32) {
        let gpu = gpu();
        for dtype in WeightType::ALL {
            let make = |make: &gpu::Allocator| Weight::new(make, "W", dtype, [rows, columns]);
            let weight = block_on(gpu.allocate("W", make)).unwrap();
            run(&gpu, StepParams::default(), &weight.words, |plan| made_up(plan, &weight, seed));
            let [words, scales] =
                [&weight.words, &weight.scales].map(|tensor| block_on(gpu.read(tensor)).unwrap());
            assert_eq!(words, reference(Pattern::of_words(dtype), words.len(), seed), "{dtype:?}");
            if let Some(pattern) = Pattern::of_scales(dtype) {
                assert_eq!(scales, reference(pattern, scales.len(), !seed), "{dtype:?}: scales");
            }
            check_sane(dtype, &unpack_rows(dtype, columns, &words, &scales));
        }
    }

    #[track_caller]
    fn check_sane(dtype: WeightType, values: &[f32]) {
        let mean = |sum: f64| sum / values.len() as f64;
        let square = mean(values.iter().map(|value| f64::from(*value).powi(2)).sum());
        assert!((0.01..0.06).contains(&square.sqrt()), "{dtype:?}: root mean square {}", square.sqrt());
        let average = mean(values.iter().map(|value| f64::from(*value)).sum());
        assert!(average.abs() < 0.01, "{dtype:?}: mean {average}");
    }

    #[test]
    fn every_type_is_filled_to_its_end() {
        check(64, 256, 7);
        check(516, 1024, u32::MAX); // More words than invocations, and not a multiple of them.
    }
}
