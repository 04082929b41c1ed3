//! A buffer that is read from end to end, over and over: what decoding is held to, since a token reads all weights.

use gpu::{Gpu, Plan, Tensor};
use kernels::{StepParams, checksum};

use crate::LlamaError;

/// As many as the largest GPUs keep busy at once.
const INVOCATIONS: usize = 1 << 18;

/// Words that are made up; the buffer repeats them, which no cache notices.
const MADE_UP: usize = 1 << 18;

/// A buffer with what reads it.
#[derive(Debug)]
pub struct Sweep {
    words: Tensor, // [1, bytes / 4]
    sums: Tensor,  // [1, INVOCATIONS]
    plan: Plan,
}

impl Sweep {
    /// A buffer of `bytes`, rounded down to a multiple of 16.
    pub async fn new(gpu: &Gpu, bytes: u64) -> Result<Sweep, LlamaError> {
        let len = bytes as usize / 16 * 4;
        let [words, sums] = gpu
            .allocate("measuring", |make| {
                Ok([make.tensor("words", [1, len])?, make.tensor("sums", [1, INVOCATIONS])?])
            })
            .await?;
        // Not left empty: there are devices that do not fetch what they know to be zero.
        let made_up = made_up();
        for start in (0..len).step_by(MADE_UP) {
            gpu.write(&words, start, &made_up[..MADE_UP.min(len - start)]);
        }
        let mut plan = gpu.plan();
        checksum(&mut plan, &words, &sums);
        let plan = plan.finish().await?;
        Ok(Sweep { words, sums, plan })
    }

    /// Bytes that are read each time.
    pub fn bytes(&self) -> u64 {
        self.words.bytes()
    }

    /// Reads the buffer so many times in one submit, and waits for the last.
    pub async fn run(&self, gpu: &Gpu, times: usize) -> Result<(), LlamaError> {
        let params = StepParams::default();
        let step = (0..times).fold(gpu.step(1, &params), |step, _| step.run(&self.plan));
        step.submit_and_read(&self.sums, 0, 1)?.words(gpu).await?;
        Ok(())
    }

    /// Frees the buffer at once.
    pub fn destroy(self) {
        self.words.destroy();
        self.sums.destroy();
    }
}

/// By a linear congruential generator with the constants of Numerical Recipes.
fn made_up() -> Vec<u32> {
    let next = |word: &u32| Some(word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1), next).take(MADE_UP).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gpu::{GpuError, TierChoice};
    use pollster::block_on;

    use super::*;

    fn sum(words: &[u32]) -> u32 {
        words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
    }

    /// A buffer of more than what is made up, and of no power of two.
    #[test]
    fn all_of_the_buffer_is_filled_and_read() {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        let sweep = block_on(Sweep::new(&gpu, 4 * MADE_UP as u64 + 1000)).unwrap();
        assert_eq!(sweep.bytes(), 4 * MADE_UP as u64 + 992);
        block_on(sweep.run(&gpu, 3)).unwrap();
        let [words, sums] = [&sweep.words, &sweep.sums].map(|tensor| block_on(gpu.read(tensor)).unwrap());
        assert!(words.chunks(16).all(|words| sum(words) != 0), "a part was not filled");
        assert_eq!(sum(&sums), sum(&words));
        sweep.destroy();
    }

    #[test]
    fn a_device_that_takes_too_long_is_not_waited_for() {
        let mut gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        let sweep = block_on(Sweep::new(&gpu, 16 << 20)).unwrap();
        block_on(sweep.run(&gpu, 1)).unwrap();
        gpu.answer_within(Duration::from_millis(1));
        let error = block_on(sweep.run(&gpu, 256)).unwrap_err();
        assert_eq!(error, LlamaError::Gpu(GpuError::NoAnswer { seconds: 0 }));
    }
}
