//! What of a model its kernels are chosen by: the shapes and types of a layer.

use format::{Checkpoint, Config, GgmlType, LayerPart, TensorName};
use gpu::Gpu;
use kernels::KvType;

use super::LayerWeights;
use super::room::Room;
use crate::LlamaError;

/// A layer from a model's middle, without its weights. Recipes that give some layers more bits do so at either end.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    pub(crate) config: Config,
    pub(crate) kv: KvType,
    /// How each part of the layer is stored.
    dtypes: Vec<(LayerPart, GgmlType)>,
}

impl Outline {
    /// Of a model whose keys and values are stored so.
    pub fn new(checkpoint: &Checkpoint, kv: KvType) -> Outline {
        let config = checkpoint.config;
        let index = config.num_hidden_layers / 2;
        let dtype = |part| checkpoint.tensor(TensorName::Layer { index, part }).map(|it| (part, it.dtype));
        Outline { config, kv, dtypes: LayerPart::ALL.into_iter().filter_map(dtype).collect() }
    }

    /// All that it is, in words: equal for models that kernels treat alike.
    pub fn description(&self) -> String {
        let Outline { config, kv, dtypes } = self;
        let Config { hidden_size, intermediate_size, head_dim, .. } = config;
        let heads = [config.num_attention_heads, config.num_key_value_heads];
        format!("{hidden_size} {intermediate_size} {heads:?} {head_dim} {kv:?} {dtypes:?}")
    }

    /// Zeroed room for the layer.
    pub(crate) async fn layer(&self, gpu: &Gpu) -> Result<LayerWeights, LlamaError> {
        let room = Room {
            config: &self.config,
            dtype: &|name| self.dtype(name),
            binding_bytes: gpu.limits().binding_bytes,
        };
        room.layer(gpu, 0).await
    }

    /// Every part has one, since the checkpoint has every part; F32 stands for one that it could not lack.
    fn dtype(&self, name: TensorName) -> GgmlType {
        let TensorName::Layer { part, .. } = name else { return GgmlType::F32 };
        let mut dtypes = self.dtypes.iter();
        dtypes.find(|(known, _)| *known == part).map_or(GgmlType::F32, |(_, dtype)| *dtype)
    }
}
