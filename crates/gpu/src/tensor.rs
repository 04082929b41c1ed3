//! A tensor is a matrix of 32-bit words on the device: f32 activations, u32 tokens, packed weights.

use crate::{Gpu, GpuError};

/// A matrix on the device. Cloning is not offered: each tensor has one owner and is bound by reference.
#[derive(Debug)]
pub struct Tensor {
    pub(crate) buffer: wgpu::Buffer,
    label: String,
    shape: [usize; 2],
}

impl Tensor {
    /// `[rows, columns]`, in 32-bit words.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The name it was made under.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.buffer.size()
    }

    /// Frees its memory at once: a browser would wait for its garbage collector. No plan that binds it may run again.
    pub fn destroy(self) {
        self.buffer.destroy();
    }
}

/// Makes tensors inside [`Gpu::allocate`], where a failure to do so is caught.
#[derive(Debug)]
pub struct Allocator<'a> {
    pub(crate) gpu: &'a Gpu,
}

impl Allocator<'_> {
    /// A zeroed tensor of `shape` = `[rows, columns]` words. An empty one gets one word, since WebGPU binds none.
    /// Fails where the device cannot bind that many bytes at once.
    pub fn tensor(&self, label: &str, shape: [usize; 2]) -> Result<Tensor, GpuError> {
        let bytes = (shape[0] as u64).saturating_mul(shape[1] as u64).saturating_mul(4).max(4);
        let limit = self.gpu.limits().binding_bytes;
        if bytes > limit {
            return Err(GpuError::TooLarge { label: label.to_string(), bytes, limit });
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.gpu.create_buffer(label, bytes, usage);
        Ok(Tensor { buffer, label: label.to_string(), shape })
    }
}

impl Gpu {
    /// Runs `make` with error scopes around it. `what` names the batch if the device has no room for it.
    pub async fn allocate<T>(
        &self,
        what: &str,
        make: impl FnOnce(&Allocator) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        let out_of_memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = self.checked(what, || make(&Allocator { gpu: self })).await;
        if out_of_memory.pop().await.is_some() {
            return Err(GpuError::OutOfMemory { what: what.to_string() });
        }
        made?
    }

    /// Runs `make`, and turns what the device refuses meanwhile into an error.
    pub(crate) async fn checked<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T, GpuError> {
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let made = make();
        let refused = validation.pop().await.or(internal.pop().await);
        self.alive()?;
        match refused {
            Some(error) => Err(GpuError::Refused { what: what.to_string(), found: error.to_string() }),
            None => Ok(made),
        }
    }
}
