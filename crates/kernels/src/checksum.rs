//! Reading a whole buffer and little else: `sums[i]` is the sum, modulo 2³², of the words that invocation `i` reads.
//!
//! How long it takes says how many bytes a second a device reads, and so how fast a token can come at best. Neighbours
//! read neighbouring quads. Sums of integers do not depend on their order, so that what was read is known to the bit.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

const WORKGROUP_SIZE: u32 = 256;

/// Shapes: `words` `[1, words]`, u32, in whole quads; `sums` `[1, invocations]`, u32.
/// Panics if there is half a quad: that is a mistake in our code.
pub fn checksum<'a>(plan: &mut PlanBuilder<'a>, words: &'a Tensor, sums: &'a Tensor) {
    let ([_, len], [_, invocations]) = (words.shape(), sums.shape());
    assert!(len.is_multiple_of(4), "checksum: words");
    let invocations = invocations as u32;
    let kernel = Kernel {
        name: "checksum",
        wgsl: vec![include_str!("checksum.wgsl")],
        bindings: vec![Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("QUADS", len as u32 / 4),
        Constant::U32("INVOCATIONS", invocations),
    ];
    let (groups, one) = (Extent::Fixed(invocations.div_ceil(WORKGROUP_SIZE)), Extent::Fixed(1));
    plan.dispatch(kernel, &constants, &[words, sums], [groups, one, one]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepParams;
    use crate::check::{gpu, random_words, run, upload};

    fn reference(words: &[u32], invocations: usize) -> Vec<u32> {
        let mut sums = vec![0u32; invocations];
        for (quad, words) in words.chunks_exact(4).enumerate() {
            let sum = &mut sums[quad % invocations];
            *sum = words.iter().fold(*sum, |sum, word| sum.wrapping_add(*word));
        }
        sums
    }

    #[track_caller]
    fn check(quads: usize, invocations: usize) {
        let gpu = gpu();
        let words = random_words(1, 4 * quads);
        let words_gpu = upload(&gpu, "words", [1, words.len()], &[]);
        gpu.write(&words_gpu, 0, &words);
        let sums = upload(&gpu, "sums", [1, invocations], &vec![7.0; invocations]);
        let got = run(&gpu, StepParams::default(), &sums, |plan| checksum(plan, &words_gpu, &sums));
        let got: Vec<u32> = got.into_iter().map(f32::to_bits).collect();
        assert_eq!(got, reference(&words, invocations), "{quads} quads, {invocations} invocations");
    }

    #[test]
    fn every_word_is_read_once() {
        check(1, 1);
        check(3000, 512); // Some invocations read one quad more than others.
        check(2048, 512);
    }

    #[test]
    fn invocations_may_be_more_than_there_is_to_read() {
        check(5, 300); // Not a multiple of the workgroup.
    }
}
