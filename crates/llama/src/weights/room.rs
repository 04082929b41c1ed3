//! Room for weights on the device, by shapes and types alone.

use format::{Config, GgmlType, LayerPart, TensorName};
use gpu::{Allocator, Gpu, GpuError, Tensor};
use kernels::WeightType;

use super::LayerWeights;
use crate::LlamaError;
use crate::matrix::{Matrix, Stack};

/// What allocating needs to know.
pub(super) struct Room<'a> {
    pub(super) config: &'a Config,
    /// How the file, or what becomes of it, stores a tensor.
    pub(super) dtype: &'a dyn Fn(TensorName) -> GgmlType,
    pub(super) binding_bytes: u64,
}

impl Room<'_> {
    /// The stack that a tensor makes, if its type can be computed with.
    pub(super) fn stack(&self, name: TensorName) -> Result<(Stack, usize), LlamaError> {
        let dtype = (self.dtype)(name);
        let unsupported = LlamaError::UnsupportedType { tensor: name, dtype };
        let dtype = WeightType::holding(dtype).ok_or(unsupported)?;
        let [rows, columns] = self.config.shape(name);
        Ok((Stack { dtype, rows }, columns))
    }

    /// Room for matrices of equal columns, stacked.
    pub(super) fn matrix(
        &self,
        make: &Allocator,
        label: &str,
        stacks: &[(Stack, usize)],
    ) -> Result<Matrix, GpuError> {
        let columns = stacks.first().map_or(0, |(_, columns)| *columns);
        let stacks: Vec<Stack> = stacks.iter().map(|(stack, _)| *stack).collect();
        Matrix::new(make, label, columns, &stacks, self.binding_bytes)
    }

    /// Room for a vector.
    pub(super) fn vector(&self, make: &Allocator, name: TensorName) -> Result<Tensor, GpuError> {
        make.tensor(&name.to_string(), self.config.shape(name))
    }

    /// Room for a layer.
    pub(super) async fn layer(&self, gpu: &Gpu, index: usize) -> Result<LayerWeights, LlamaError> {
        use LayerPart::*;
        let name = |part| TensorName::Layer { index, part };
        let stack = |part| self.stack(name(part));
        let qkv = [stack(QProj)?, stack(KProj)?, stack(VProj)?];
        let o = [stack(OProj)?];
        let gate_up = [stack(GateProj)?, stack(UpProj)?];
        let down = [stack(DownProj)?];
        let what = format!("layer {index}");
        let layer = gpu.allocate(&what, |make| {
            Ok(LayerWeights {
                input_layernorm: self.vector(make, name(InputLayernorm))?,
                qkv_proj: self.matrix(make, "qkv_proj", &qkv)?,
                o_proj: self.matrix(make, "o_proj", &o)?,
                post_attention_layernorm: self.vector(make, name(PostAttentionLayernorm))?,
                gate_up_proj: self.matrix(make, "gate_up_proj", &gate_up)?,
                down_proj: self.matrix(make, "down_proj", &down)?,
            })
        });
        Ok(layer.await?)
    }
}
