//! Tries dot products of bytes before they are trusted.
//!
//! `dot4I8Packed` is a later feature of WGSL: a compiler may not know it, and one that does may have to make it up.

use crate::{Access, Allocator, Constant, Extent, Gpu, GpuError, Kernel, Needs, Tier};

const PAIRS: u32 = 64;

/// The tier of bytes, or why it cannot be used.
pub(crate) async fn probe_int8(gpu: &Gpu) -> Result<Tier, String> {
    let words = words();
    let dots = run(gpu, &words).await.map_err(|error| error.to_string())?;
    for (pair, got) in words.as_chunks().0.iter().zip(dots) {
        check(*pair, got.cast_signed())?;
    }
    Ok(Tier::Int8)
}

/// The ends of what a byte holds against each other, then any bytes.
fn words() -> Vec<u32> {
    let ends = [0x8080_8080, 0x7F7F_7F7F, 0x8080_8080, 0x8080_8080, 0x807F_01FF, 0x7F80_FF01, 0, u32::MAX];
    let mut word = 1u32;
    let any = std::iter::repeat_with(|| {
        word = word.wrapping_mul(0x9E37_79B9).rotate_left(13) ^ 0x5bd1_e995;
        word
    });
    ends.into_iter().chain(any).take(2 * PAIRS as usize).collect()
}

async fn run(gpu: &Gpu, words: &[u32]) -> Result<Vec<u32>, GpuError> {
    let pairs = PAIRS as usize;
    let make = |make: &Allocator| Ok((make.tensor("words", [pairs, 2])?, make.tensor("dots", [1, pairs])?));
    let (pairs_of_words, dots) = gpu.allocate("the probe of bytes", make).await?;
    gpu.write(&pairs_of_words, 0, words);
    let kernel = Kernel {
        name: "probe_int8",
        wgsl: vec![include_str!("probe_int8.wgsl")],
        bindings: vec![Access::Read, Access::Write],
        needs: Needs::Int8Dot,
    };
    let mut plan = gpu.plan();
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &[Constant::U32("PAIRS", PAIRS)], &[&pairs_of_words, &dots], [one, one, one]);
    let plan = plan.finish().await?;
    gpu.step(1, &0u32).run(&plan).submit_and_read(&dots, 0, pairs)?.words(gpu).await
}

fn check(pair: [u32; 2], got: i32) -> Result<(), String> {
    let [a, b] = pair.map(|word| word.to_le_bytes().map(|byte| i32::from(byte.cast_signed())));
    let expected: i32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    match got == expected {
        true => Ok(()),
        false => Err(format!("it miscomputes: the bytes of {pair:x?} gave {got}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::{Arithmetic, TierChoice};

    #[test]
    fn products_of_a_sound_device_pass_and_of_a_broken_one_do_not() {
        let pair = [0x8080_8080, 0x7F01_FF80];
        // -128 times -128, -1, 1 and 127.
        assert_eq!(check(pair, 16384 + 128 - 128 - 16256), Ok(()));
        for (broken, name) in
            [(128 * (128 + 255 + 1 + 127), "bytes without a sign"), (127, "a sum that saturates")]
        {
            assert!(check(pair, broken).is_err(), "{name} passed");
        }
    }

    #[test]
    fn both_ends_meet() {
        let words = words();
        assert_eq!(words.len(), 2 * PAIRS as usize);
        assert!(check([words[0], words[1]], 4 * -128 * 127).is_ok());
        assert!(check([words[2], words[3]], 4 * 128 * 128).is_ok());
    }

    #[test]
    fn lavapipe_passes() {
        let gpu = block_on(Gpu::request(TierChoice::Int8)).unwrap();
        assert_eq!(gpu.tier(), Tier::Int8);
        let gpu = block_on(Gpu::request(TierChoice::Auto)).unwrap();
        assert_eq!(gpu.tier() == Tier::Int8, gpu.report().software);
        // Lavapipe has 8 lanes; SwiftShader, which has 4, reads prompts faster in floats.
        assert_eq!(gpu.arithmetic() == Arithmetic::WholeNumbers, gpu.report().software && !gpu.is_narrow());
        block_on(gpu.turn_to(TierChoice::Plain)).unwrap();
        assert_eq!(gpu.arithmetic(), Arithmetic::Floats);
        block_on(gpu.multiply_in(Arithmetic::WholeNumbers)).unwrap();
        assert_eq!((gpu.tier(), gpu.arithmetic()), (Tier::Plain, Arithmetic::WholeNumbers));
        let hardware = gpu.as_hardware();
        block_on(hardware.turn_to(TierChoice::Int8)).unwrap();
        assert_eq!(hardware.arithmetic(), Arithmetic::Floats);
    }
}
