//! Writes on their way: wgpu copies what is written into staging memory, and frees that only some time after a submit.
//!
//! A load writes gigabytes before its first step, so submits are made meanwhile. Firefox stages in the same way, in its
//! GPU process.

use std::cell::{Cell, RefCell};

use crate::{Gpu, Tensor};

/// Bytes that may be staged before they are submitted. As many may be on their way.
const MOST_STAGED: u64 = 16 << 20;

/// What has been written and not been seen to arrive.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    staged: Cell<u64>,
    on_its_way: RefCell<Option<wgpu::SubmissionIndex>>,
}

impl Uploads {
    /// Notes that a submit has taken everything along.
    pub(crate) fn submitted(&self) {
        self.staged.set(0);
    }
}

impl Gpu {
    /// Writes `words` into `tensor` from word `offset` on. Panics past its end: a mistake of ours.
    pub fn write(&self, tensor: &Tensor, offset: usize, words: &[u32]) {
        let (start, bytes) = (offset as u64 * 4, bytemuck::cast_slice::<u32, u8>(words));
        assert!(start + bytes.len() as u64 <= tensor.bytes(), "{}: write past its end", tensor.label());
        self.counters.add(|counts| counts.bytes_written += bytes.len() as u64);
        self.queue.write_buffer(&tensor.buffer, start, bytes);
        self.uploads.staged.set(self.uploads.staged.get() + bytes.len() as u64);
        if self.uploads.staged.get() >= MOST_STAGED {
            self.send_staged();
        }
    }

    /// Writes f32 values, as [`Gpu::write`].
    pub fn write_f32(&self, tensor: &Tensor, offset: usize, values: &[f32]) {
        self.write(tensor, offset, bytemuck::cast_slice(values));
    }

    /// Submits what is staged, and waits for what was submitted before.
    fn send_staged(&self) {
        self.counters.add(|counts| counts.submits += 1);
        let index = self.queue.submit([]);
        self.uploads.submitted();
        if let Some(before) = self.uploads.on_its_way.replace(Some(index)) {
            // A device that was lost meanwhile says so to the next step.
            drop(self.wait(Some(before)));
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::TierChoice;

    #[test]
    fn large_writes_are_sent_on_and_small_ones_wait_for_the_step() {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        let words = vec![7; MOST_STAGED as usize / 8];
        let tensor = block_on(gpu.allocate("t", |make| make.tensor("t", [5, words.len()]))).unwrap();
        let submits = |write: &dyn Fn()| {
            let before = gpu.counts();
            write();
            (gpu.counts() - before).submits
        };
        let write = |row: usize| gpu.write(&tensor, row * words.len(), &words);
        assert_eq!([0, 1, 2, 3].map(|row| submits(&|| write(row))), [0, 1, 0, 1]);
        write(4);
        // The readback takes the half that was staged along.
        assert_eq!(block_on(gpu.read(&tensor)).unwrap(), vec![7; 5 * words.len()]);
        assert_eq!([0, 1].map(|row| submits(&|| write(row))), [0, 1]);
    }
}
