//! A tensor is a matrix of 32-bit words on the device: f32 activations, u32 tokens, packed weights.

use std::ops::Range;

use crate::{Gpu, GpuError};

/// What one uniform binding covers on every device.
pub const UNIFORM_BYTES: u64 = 65_536;

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

    /// Some of its rows, to be bound by themselves. The first of them begins at a multiple of 64 words, since WebGPU binds
    /// from multiples of 256 bytes on. Panics unless it does, or if there are no such rows: a mistake of ours.
    pub fn rows(&self, rows: Range<usize>) -> View<'_> {
        assert!(rows.start < rows.end && rows.end <= self.shape[0], "{}: rows {rows:?}", self.label);
        assert_eq!(rows.start * self.shape[1] % 64, 0, "{}: rows {rows:?}", self.label);
        View { tensor: self, rows: Some(rows) }
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

/// What a dispatch binds: all of a tensor, or some of its rows.
#[derive(Clone, Debug)]
pub struct View<'a> {
    tensor: &'a Tensor,
    rows: Option<Range<usize>>,
}

impl<'a> From<&'a Tensor> for View<'a> {
    fn from(tensor: &'a Tensor) -> View<'a> {
        View { tensor, rows: None }
    }
}

impl View<'_> {
    pub(crate) fn resource(&self) -> wgpu::BindingResource<'_> {
        let Some(rows) = &self.rows else { return self.tensor.buffer.as_entire_binding() };
        let row_bytes = self.tensor.shape[1] as u64 * 4;
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.tensor.buffer,
            offset: rows.start as u64 * row_bytes,
            size: std::num::NonZeroU64::new(rows.len() as u64 * row_bytes),
        })
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
        self.make(label, shape, wgpu::BufferUsages::empty())
    }

    /// The same of one whose rows may be bound as [`Access::Uniform`](crate::Access::Uniform), too.
    pub fn uniform(&self, label: &str, shape: [usize; 2]) -> Result<Tensor, GpuError> {
        self.make(label, shape, wgpu::BufferUsages::UNIFORM)
    }

    fn make(&self, label: &str, shape: [usize; 2], besides: wgpu::BufferUsages) -> Result<Tensor, GpuError> {
        let bytes = (shape[0] as u64).saturating_mul(shape[1] as u64).saturating_mul(4).max(4);
        let limit = self.gpu.limits().binding_bytes;
        if bytes > limit {
            return Err(GpuError::TooLarge { label: label.to_string(), bytes, limit });
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.gpu.create_buffer(label, bytes, usage | besides);
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
