//! Tries arithmetic in halves before it is trusted.
//!
//! Only numbers are tried whose products and sums a half holds exactly: whatever a device does where it has to round,
//! there it has no choice.

use crate::features::has_f16;
use crate::{Access, Allocator, Constant, Extent, Gpu, GpuError, Kernel, Needs};

const PAIRS: u32 = 64;

/// Why halves cannot be used, if so.
pub(crate) async fn probe_f16(gpu: &Gpu) -> Result<(), String> {
    if !has_f16(&gpu.device) {
        return Err("this device or browser has none".to_string());
    }
    let pairs = pairs();
    let dots = run(gpu, &pairs).await.map_err(|error| error.to_string())?;
    pairs.iter().zip(dots).try_for_each(|(pair, got)| check(pair, f32::from_bits(got)))
}

/// The largest half, the smallest that is normal, then whole numbers whose products and their sums are at most 2,048.
fn pairs() -> Vec<[f32; 8]> {
    let largest = [65504.0, 0.0, 0.0, 1.0, 1.0, 9.0, 9.0, 0.0];
    let smallest = [0.0, 2f32.powi(-14), 0.0, 0.0, 5.0, 1.0, 7.0, -3.0];
    let mut word = 1u32;
    let mut any = || {
        word = word.wrapping_mul(0x9E37_79B9).rotate_left(13) ^ 0x5bd1_e995;
        (word % 33) as f32 - 16.0
    };
    let any = std::iter::repeat_with(|| std::array::from_fn(|_| any()));
    [largest, smallest].into_iter().chain(any).take(PAIRS as usize).collect()
}

async fn run(gpu: &Gpu, pairs: &[[f32; 8]]) -> Result<Vec<u32>, GpuError> {
    let count = pairs.len();
    let make = |make: &Allocator| Ok((make.tensor("quads", [count, 8])?, make.tensor("dots", [1, count])?));
    let (quads, dots) = gpu.allocate("the probe of halves", make).await?;
    gpu.write_f32(&quads, 0, pairs.as_flattened());
    let kernel = Kernel {
        name: "probe_f16",
        wgsl: vec![include_str!("probe_f16.wgsl")],
        bindings: vec![Access::Read, Access::Write],
        needs: Needs::F16,
    };
    let mut plan = gpu.plan();
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &[Constant::U32("PAIRS", PAIRS)], &[&quads, &dots], [one, one, one]);
    let plan = plan.finish().await?;
    gpu.step(1, &0u32).run(&plan).submit_and_read(&dots, 0, count)?.words(gpu).await
}

fn check(pair: &[f32; 8], got: f32) -> Result<(), String> {
    let (a, b) = pair.split_at(4);
    let expected: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    match got == expected {
        true => Ok(()),
        false => Err(format!("it miscomputes: the halves {pair:?} gave {got}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::{Arithmetic, TierChoice};

    #[test]
    fn products_of_a_sound_device_pass_and_of_a_broken_one_do_not() {
        let pair = [65504.0, 2.0, -3.0, 0.5, 1.0, 0.0, 16.0, 4.0];
        assert_eq!(check(&pair, 65504.0 - 48.0 + 2.0), Ok(()));
        for (broken, name) in [(f32::INFINITY, "a sum too large"), (f32::NAN, "no number"), (0.0, "nothing")]
        {
            assert!(check(&pair, broken).is_err(), "{name} passed");
        }
    }

    #[test]
    fn halves_hold_all_that_is_tried() {
        let pairs = pairs();
        assert_eq!(pairs.len(), PAIRS as usize);
        for [a, b, c, d, e, f, g, h] in pairs.into_iter().skip(2) {
            let sums = [a * e, b * f, a * e + c * g, b * f + d * h];
            assert!(sums.iter().all(|sum| sum.abs() <= 2048.0 && sum.fract() == 0.0), "{sums:?}");
        }
    }

    #[test]
    fn lavapipe_passes_and_multiplies_in_floats_unless_told_otherwise() {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        assert_eq!(gpu.arithmetic(), Arithmetic::Floats);
        block_on(gpu.multiply_in(Arithmetic::Halves)).unwrap();
        assert_eq!(gpu.arithmetic(), Arithmetic::Halves);
        assert!(gpu.report().features.contains(&"shader-f16"));
    }
}
