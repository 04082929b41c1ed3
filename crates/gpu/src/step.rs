//! A step: some plans in one compute pass and one submit, with their parameters in a uniform arena.

use std::cell::Cell;

use crate::{Gpu, GpuError, Plan, Receipt, Tensor};

/// Offsets of dynamic uniforms must be multiples of this, on every device.
const SLOT_BYTES: u64 = 256;

/// More than the steps that are ever in flight, so that no slot is rewritten before it was read.
const SLOTS: u32 = 64;

/// One buffer of parameter slots. Group 0 of every pipeline is a slot of it.
#[derive(Debug)]
pub(crate) struct UniformArena {
    pub(crate) layout: wgpu::BindGroupLayout,
    buffer: wgpu::Buffer,
    group: wgpu::BindGroup,
    next: Cell<u32>,
}

/// A step being recorded. Nothing happens before [`Step::submit`].
#[derive(Debug)]
pub struct Step<'a> {
    gpu: &'a Gpu,
    seq_len: u32,
    splits: u32,
    offset: u32,
    plans: Vec<&'a Plan>,
}

impl UniformArena {
    pub(crate) fn new(device: &wgpu::Device) -> UniformArena {
        let label = Some("step parameters");
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label,
            size: SLOT_BYTES * u64::from(SLOTS),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let slot = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: true,
            min_binding_size: None,
        };
        let visibility = wgpu::ShaderStages::COMPUTE;
        let entries = [wgpu::BindGroupLayoutEntry { binding: 0, visibility, ty: slot, count: None }];
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let size = std::num::NonZeroU64::new(SLOT_BYTES);
        let resource =
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &buffer, offset: 0, size });
        let entries = [wgpu::BindGroupEntry { binding: 0, resource }];
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label,
            layout: &layout,
            entries: &entries,
        });
        UniformArena { layout, buffer, group, next: Cell::new(0) }
    }
}

impl Gpu {
    /// Starts a step of `seq_len` tokens. `params` is what the kernels see as group 0, at most 256 bytes.
    pub fn step<P: bytemuck::Pod>(&self, seq_len: u32, params: &P) -> Step<'_> {
        let bytes = bytemuck::bytes_of(params);
        assert!(bytes.len() as u64 <= SLOT_BYTES, "step parameters: {} bytes", bytes.len());
        let slot = self.uniforms.next.get();
        self.uniforms.next.set((slot + 1) % SLOTS);
        let offset = slot * SLOT_BYTES as u32;
        self.counters.add(|counts| counts.bytes_written += bytes.len() as u64);
        self.queue.write_buffer(&self.uniforms.buffer, u64::from(offset), bytes);
        Step { gpu: self, seq_len, splits: 0, offset, plans: Vec::with_capacity(5) }
    }
}

impl<'a> Step<'a> {
    /// Says how many workgroups an [`Extent::Splits`](crate::Extent::Splits) is, and that there are any.
    pub fn splits(mut self, splits: u32) -> Step<'a> {
        self.splits = splits;
        self
    }

    /// Adds a plan's dispatches behind those already there.
    pub fn run(mut self, plan: &'a Plan) -> Step<'a> {
        self.plans.push(plan);
        self
    }

    /// Hands the step to the device.
    pub fn submit(self) -> Result<(), GpuError> {
        let encoder = self.encode();
        self.finish(encoder);
        self.gpu.alive()
    }

    /// Hands the step to the device and has `words` words of `tensor`, from word `offset` on, sent back.
    pub fn submit_and_read(self, tensor: &Tensor, offset: usize, words: usize) -> Result<Receipt, GpuError> {
        let mut encoder = self.encode();
        let receipt = self.gpu.copy_back(&mut encoder, tensor, offset, words)?;
        let index = self.finish(encoder);
        receipt.start(self.gpu, index)
    }

    fn encode(&self) -> wgpu::CommandEncoder {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let mut dispatches = 0;
        pass.set_bind_group(0, &self.gpu.uniforms.group, &[self.offset]);
        for dispatch in self.plans.iter().flat_map(|plan| &plan.dispatches) {
            let [x, y, z] = dispatch.workgroups.map(|extent| extent.workgroups(self.seq_len, self.splits));
            if x.min(y).min(z) == 0 {
                continue;
            }
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(1, &dispatch.tensors, &[]);
            pass.dispatch_workgroups(x, y, z);
            dispatches += 1;
        }
        drop(pass);
        self.gpu.counters.add(|counts| counts.dispatches += dispatches);
        encoder
    }

    fn finish(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.gpu.counters.add(|counts| counts.submits += 1);
        self.gpu.uploads.submitted();
        self.gpu.queue.submit([encoder.finish()])
    }
}
