//! Reading back: staging buffers that are made once, used in turn, and mapped without waiting.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use futures_channel::oneshot;

use crate::nudge::nudged;
use crate::{Gpu, GpuError, Pause, Tensor};

/// Staging buffers that no receipt holds at the moment.
#[derive(Debug, Default)]
pub(crate) struct ReadbackRing(RefCell<Vec<wgpu::Buffer>>);

type Mapped = oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>;

/// Words on their way back. Dropping it gives the staging buffer back unread.
#[derive(Debug)]
pub struct Receipt {
    ring: Rc<ReadbackRing>,
    staging: Option<wgpu::Buffer>,
    bytes: u64,
    mapped: Option<Mapped>,
    submission: Option<wgpu::SubmissionIndex>,
}

impl Gpu {
    /// Reads a whole tensor. For tests and for logits that someone asked for; the hot path reads 4 bytes.
    pub async fn read(&self, tensor: &Tensor) -> Result<Vec<u32>, GpuError> {
        self.read_words(tensor, 0, tensor.bytes() as usize / 4).await
    }

    /// Reads `words` words of a tensor, from word `offset` on.
    pub async fn read_words(
        &self,
        tensor: &Tensor,
        offset: usize,
        words: usize,
    ) -> Result<Vec<u32>, GpuError> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let receipt = self.copy_back(&mut encoder, tensor, offset, words)?;
        self.counters.add(|counts| counts.submits += 1);
        let index = self.queue.submit([encoder.finish()]);
        self.uploads.submitted();
        receipt.start(self, index)?.words(self).await
    }

    /// Reads f32 values, as [`Gpu::read`].
    pub async fn read_f32(&self, tensor: &Tensor) -> Result<Vec<f32>, GpuError> {
        Ok(self.read(tensor).await?.into_iter().map(f32::from_bits).collect())
    }

    pub(crate) fn copy_back(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &Tensor,
        offset: usize,
        words: usize,
    ) -> Result<Receipt, GpuError> {
        self.alive()?;
        let (start, bytes) = (offset as u64 * 4, words as u64 * 4);
        assert!(start + bytes <= tensor.bytes(), "{}: read past its end", tensor.label());
        let staging = self.readbacks.take(bytes).unwrap_or_else(|| {
            self.create_buffer("readback", bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)
        });
        encoder.copy_buffer_to_buffer(&tensor.buffer, start, &staging, 0, bytes);
        self.counters.add(|counts| counts.bytes_read += bytes);
        let ring = Rc::clone(&self.readbacks);
        Ok(Receipt { ring, staging: Some(staging), bytes, mapped: None, submission: None })
    }
}

impl ReadbackRing {
    /// The smallest free buffer that holds `bytes`.
    fn take(&self, bytes: u64) -> Option<wgpu::Buffer> {
        let mut free = self.0.borrow_mut();
        let fitting = free.iter().enumerate().filter(|(_, buffer)| buffer.size() >= bytes);
        let (index, _) = fitting.min_by_key(|(_, buffer)| buffer.size())?;
        Some(free.swap_remove(index))
    }
}

impl Receipt {
    /// Asks for the mapping, behind the submission that fills the buffer.
    pub(crate) fn start(mut self, gpu: &Gpu, submission: wgpu::SubmissionIndex) -> Result<Receipt, GpuError> {
        gpu.alive()?;
        let (sender, receiver) = oneshot::channel();
        if let Some(staging) = &self.staging {
            // The receiver is gone if the receipt was dropped; then nobody wants the answer.
            staging.map_async(wgpu::MapMode::Read, 0..self.bytes, move |answer| drop(sender.send(answer)));
        }
        (self.mapped, self.submission) = (Some(receiver), Some(submission));
        Ok(self)
    }

    /// Waits for the words.
    pub async fn words(mut self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        gpu.wait(self.submission.take())?;
        let refused = |found: String| GpuError::Refused { what: "a readback".to_string(), found };
        let (Some(mapped), Some(staging)) = (self.mapped.take(), self.staging.as_ref()) else {
            return Err(refused("it was never submitted".to_string()));
        };
        let answer = gpu.come_back(mapped).await;
        gpu.alive()?;
        match answer {
            Ok(Ok(())) => {}
            // A mapping that was granted fails only with its device, which may say so a moment later than this.
            Ok(Err(error)) => return Err(GpuError::Lost { reason: error.to_string() }),
            Err(_) => return Err(GpuError::Lost { reason: "a readback was given up".to_string() }),
        }
        let view = staging.get_mapped_range(0..self.bytes).map_err(|error| refused(error.to_string()))?;
        let words = view.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        Ok(words.collect())
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(staging) = self.staging.take() {
            staging.unmap();
            self.ring.0.borrow_mut().push(staging);
        }
    }
}

impl Gpu {
    /// Has the browser look whether something came back, whenever a pause is over, and not only when it does by itself.
    pub fn nudge_after(&mut self, pause: Pause) {
        self.pause = Some(pause);
    }

    async fn come_back<T>(&self, answer: impl Future<Output = T>) -> T {
        match &self.pause {
            Some(pause) => nudged(answer, pause, || self.nudge()).await,
            None => answer.await,
        }
    }

    fn nudge(&self) {
        self.queue.submit([]);
    }

    /// Natively somebody has to wait for the device; in a browser the event loop does.
    pub(crate) fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        let poll = self.device.poll(wgpu::PollType::Wait { submission_index, timeout: self.patience });
        self.alive()?;
        match (poll, self.patience) {
            (Ok(_), _) => Ok(()),
            (Err(wgpu::PollError::Timeout), Some(patience)) => {
                Err(GpuError::NoAnswer { seconds: patience.as_secs() })
            }
            (Err(error), _) => {
                Err(GpuError::Refused { what: "waiting".to_string(), found: error.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TierChoice;
    use pollster::block_on;

    #[test]
    fn words_come_back_and_staging_is_used_again() {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        let tensor = block_on(gpu.allocate("t", |make| make.tensor("t", [2, 5]))).unwrap();
        gpu.write(&tensor, 3, &[7, 8]);
        assert_eq!(block_on(gpu.read(&tensor)).unwrap(), [0, 0, 0, 7, 8, 0, 0, 0, 0, 0]);
        assert_eq!(block_on(gpu.read_words(&tensor, 4, 1)).unwrap(), [8]);
        let before = gpu.counts();
        for _ in 0..3 {
            assert_eq!(block_on(gpu.read_words(&tensor, 3, 2)).unwrap(), [7, 8]);
        }
        let spent = gpu.counts() - before;
        assert_eq!((spent.bytes_read, spent.submits, spent.objects_created), (24, 3, 0));
    }

    #[test]
    fn a_lost_device_is_an_error_of_its_own_everywhere() {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        let tensor = block_on(gpu.allocate("t", |make| make.tensor("t", [1, 4]))).unwrap();
        gpu.destroy();
        let lost = |error: GpuError| matches!(error, GpuError::Lost { .. });
        assert!(lost(block_on(gpu.read(&tensor)).unwrap_err()));
        assert!(lost(gpu.alive().unwrap_err()));
        assert!(lost(block_on(gpu.allocate("u", |make| make.tensor("u", [1, 4]))).unwrap_err()));
        assert!(lost(gpu.step(1, &0u32).submit().unwrap_err()));
    }

    #[test]
    fn a_tensor_that_cannot_be_bound_is_refused_by_its_size() {
        let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
        let limit = gpu.limits().binding_bytes;
        let columns = limit as usize / 4 + 1;
        let error = block_on(gpu.allocate("big", |make| make.tensor("lm_head", [1, columns]))).unwrap_err();
        assert_eq!(error, GpuError::TooLarge { label: "lm_head".to_string(), bytes: limit + 4, limit });
    }
}
