//! The only crate that names wgpu: device, tensors, kernels, plans, steps.
//!
//! A forward pass is described once and run many times. A [`Plan`] holds pipelines and bind groups;
//! a [`Step`] runs plans in one compute pass and one submit, and creates nothing on the device.
//!
//! ```text
//! Kernel + constants + tensors -> Plan -> Step (parameters, tokens in, 4 bytes out) -> Receipt
//! ```
//!
//! WebGPU promises little, so the crate keeps within its defaults wherever it can: at most 8 storage
//! buffers a kernel, 16 KiB of workgroup memory, no feature required. Subgroups, dot products of bytes and halves are used
//! where a probe shows that they mean what we think they mean.

mod adapter;
mod counters;
mod device;
mod error;
mod features;
mod kernel;
mod nudge;
mod plan;
mod probe;
mod probe_f16;
mod probe_int8;
mod readback;
mod step;
mod tensor;
mod tier;
mod upload;

pub use counters::Counts;
pub use device::{Gpu, Limits, Report};
pub use error::GpuError;
pub use kernel::{Access, Constant, Dialect, Kernel, Needs};
pub use nudge::Pause;
pub use plan::{Extent, Plan, PlanBuilder};
pub use readback::Receipt;
pub use step::Step;
pub use tensor::{Allocator, Tensor, UNIFORM_BYTES, View};
pub use tier::{Arithmetic, Tier, TierChoice};
