//! The golden Llama in four bits, in groups of 32, and the containers that quantizers pack such weights in.

use half::{bf16, f16};
use serde_json::{Value, json};

use crate::Container;
use crate::mlc_writer::{Record, joined, list, packed};
use crate::packers::Quantized;
use crate::plain::{Golden, hub_folder, values};
use crate::writer::Tensor;

const GROUP_SIZE: usize = 32;

/// How weights become four bits.
#[derive(Clone, Copy)]
pub(crate) struct Quantization {
    pub(crate) zeros: Zeros,
    pub(crate) order: Order,
}

/// What stands for zero.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Zeros {
    /// 8 everywhere.
    Middle,
    /// What fits each group best.
    Any,
}

/// Which columns make a group.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Order {
    /// Neighbours.
    Sorted,
    /// Any; the same for all matrices that have the same input, as GPTQ computes it.
    ByInput,
    /// Any, and others in each matrix; but neighbours in v_proj.
    ByMatrix,
}

/// A model in four bits.
pub(crate) struct Model {
    quantization: Quantization,
    config: Value,
    /// As they are.
    vectors: Vec<Tensor>,
    /// By their names, without `.weight`.
    matrices: Vec<(String, Quantized)>,
}

impl Quantization {
    pub(crate) fn of(self, golden: &Golden) -> Model {
        let mut model = Model {
            quantization: self,
            config: golden.config.clone(),
            vectors: Vec::new(),
            matrices: Vec::new(),
        };
        for (index, tensor) in golden.tensors.iter().enumerate() {
            let [rows, columns] = tensor.shape[..] else {
                model.vectors.push(tensor.clone());
                continue;
            };
            let stem = tensor.name.trim_end_matches(".weight");
            let grouped = Quantized::random(rows, columns, GROUP_SIZE, 0);
            let grouped = match self.seed(stem, index as u64) {
                Some(seed) => grouped.shuffled(seed),
                None => grouped,
            };
            model.matrices.push((stem.to_owned(), self.quantize(&values(tensor), grouped)));
        }
        model
    }

    /// What the order of a matrix's columns follows from; none if they stay as they are.
    fn seed(self, stem: &str, index: u64) -> Option<u64> {
        match self.order {
            Order::Sorted => None,
            Order::ByMatrix if stem.ends_with("v_proj") => None,
            Order::ByMatrix => Some(index),
            Order::ByInput => {
                let inputs = [&["q_proj", "k_proj", "v_proj"][..], &["o_proj"], &["gate_proj", "up_proj"]];
                let ends = |names: &[&str]| names.iter().any(|name| stem.ends_with(name));
                Some(inputs.iter().position(|names| ends(names)).unwrap_or(inputs.len()) as u64)
            }
        }
    }

    /// Fills in weights, scales and zeros for the groups that are there.
    fn quantize(self, values: &[f32], mut matrix: Quantized) -> Quantized {
        for row in 0..matrix.rows {
            let weights = &values[row * matrix.columns..][..matrix.columns];
            for group in 0..matrix.groups {
                let columns: Vec<usize> =
                    (0..matrix.columns).filter(|column| matrix.group_of[*column] == group).collect();
                let (scale, zero) = self.scale_and_zero(columns.iter().map(|column| weights[*column]));
                let at = row * matrix.groups + group;
                (matrix.scales[at], matrix.zeros[at]) = (scale, zero);
                let least = if self.zeros == Zeros::Middle { 1.0 } else { 0.0 };
                for column in columns {
                    let q = (weights[column] / scale.to_f32()).round() + f32::from(zero);
                    matrix.q[row * matrix.columns + column] = q.clamp(least, 15.0) as u8;
                }
            }
        }
        matrix
    }

    /// A scale has no more digits than bfloat16, so that each container holds the same. Around the middle weights are
    /// 1 to 15, since MLC has no sixteenth.
    fn scale_and_zero(self, weights: impl Iterator<Item = f32>) -> (f16, u8) {
        let (low, high) = weights.fold((0f32, 0f32), |(low, high), w| (low.min(w), high.max(w)));
        let (scale, zero) = match self.zeros {
            Zeros::Middle => (high.max(-low) / 7.0, 8.0),
            Zeros::Any => ((high - low) / 15.0, (-low * 15.0 / (high - low)).round()),
        };
        (f16::from_f32(bf16::from_f32(scale).to_f32()), zero as u8)
    }
}

impl Model {
    /// Every weight as what its four bits mean.
    pub(crate) fn plain(&self) -> Container {
        let plain = self.matrices.iter().map(|(stem, matrix)| plain(stem, matrix));
        hub_folder("F32", &self.config, self.vectors.iter().cloned().chain(plain).collect())
    }

    pub(crate) fn awq(&self) -> Container {
        let config = json!({
            "quant_method": "awq", "bits": 4, "group_size": GROUP_SIZE, "version": "gemm", "zero_point": true,
        });
        self.layers_packed("AWQ", config, Quantized::awq)
    }

    pub(crate) fn gptq_v1(&self) -> Container {
        self.layers_packed("GPTQ", self.gptq_config("gptq"), |matrix, stem| matrix.gptq(stem, 1))
    }

    pub(crate) fn gptq_v2(&self) -> Container {
        self.layers_packed("GPTQ v2", self.gptq_config("gptq_v2"), |matrix, stem| matrix.gptq(stem, 0))
    }

    /// GPTQ without `g_idx`, as its first files are.
    pub(crate) fn gptq_without_index(&self) -> Container {
        self.layers_packed("GPTQ without an index", self.gptq_config("gptq"), |matrix, stem| {
            let tensors = matrix.gptq(stem, 1).into_iter();
            tensors.filter(|tensor| !tensor.name.ends_with(".g_idx")).collect()
        })
    }

    fn gptq_config(&self, checkpoint_format: &str) -> Value {
        let Quantization { zeros, order } = self.quantization;
        json!({
            "quant_method": "gptq", "bits": 4, "group_size": GROUP_SIZE, "sym": zeros == Zeros::Middle,
            "desc_act": order != Order::Sorted, "checkpoint_format": checkpoint_format,
        })
    }

    /// compressed-tensors, with the layers packed alone, as is usual.
    pub(crate) fn pack_quantized(&self) -> Container {
        self.layers_packed("compressed-tensors", self.pack_quantized_config(), |matrix, stem| {
            self.pack(matrix, stem)
        })
    }

    /// compressed-tensors, with embeddings and output packed too.
    pub(crate) fn all_pack_quantized(&self) -> Container {
        let packed = self.matrices.iter().flat_map(|(stem, matrix)| self.pack(matrix, stem));
        let tensors = self.vectors.iter().cloned().chain(packed).collect();
        let config = self.with_quantization(self.pack_quantized_config());
        hub_folder("compressed-tensors throughout", &config, tensors)
    }

    fn pack(&self, matrix: &Quantized, stem: &str) -> Vec<Tensor> {
        let has_zeros = self.quantization.zeros == Zeros::Any;
        let tensors = matrix.pack_quantized(stem).into_iter();
        tensors.filter(|tensor| has_zeros || !tensor.name.ends_with("zero_point")).collect()
    }

    fn pack_quantized_config(&self) -> Value {
        let weights = json!({
            "num_bits": 4, "type": "int", "symmetric": self.quantization.zeros == Zeros::Middle,
            "strategy": "group", "group_size": GROUP_SIZE,
        });
        json!({
            "quant_method": "compressed-tensors", "format": "pack-quantized",
            "config_groups": {"group_0": {"weights": weights}},
        })
    }

    /// Embeddings and output stay plain.
    fn layers_packed(
        &self,
        name: &str,
        quantization: Value,
        pack: impl Fn(&Quantized, &str) -> Vec<Tensor>,
    ) -> Container {
        let mut tensors = self.vectors.clone();
        for (stem, matrix) in &self.matrices {
            match stem.starts_with("model.layers.") {
                true => tensors.extend(pack(matrix, stem)),
                false => tensors.push(plain(stem, matrix)),
            }
        }
        hub_folder(name, &self.with_quantization(quantization), tensors)
    }

    fn with_quantization(&self, quantization: Value) -> Value {
        let mut config = self.config.clone();
        config["quantization_config"] = quantization;
        config
    }

    /// MLC's q4f16_1, where q, k and v (gate and up) are one tensor, and 7 stands for zero.
    pub(crate) fn mlc(&self) -> Container {
        let mut records: Vec<Record> = Vec::new();
        for stem in ["model.embed_tokens", "lm_head"] {
            records.extend(packed(0, stem, &self.around_seven(stem)));
        }
        for layer in 0..self.config["num_hidden_layers"].as_u64().unwrap() {
            for (fused, names) in [
                ("self_attn.qkv_proj", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"][..]),
                ("self_attn.o_proj", &["self_attn.o_proj"]),
                ("mlp.gate_up_proj", &["mlp.gate_proj", "mlp.up_proj"]),
                ("mlp.down_proj", &["mlp.down_proj"]),
            ] {
                let stem = |name: &str| format!("model.layers.{layer}.{name}");
                let matrices: Vec<Quantized> =
                    names.iter().map(|name| self.around_seven(&stem(name))).collect();
                records.extend(packed(1, &stem(fused), &joined(&matrices)));
            }
        }
        for Tensor { name, shape, bytes, .. } in &self.vectors {
            records.push((1, name.clone(), "float32", shape.clone(), bytes.clone()));
        }
        let (cache, shards) = list(&records);
        let [first, second] = shards.try_into().unwrap();
        Container::new(
            "MLC",
            [
                ("mlc-chat-config.json", self.mlc_config().to_string().into_bytes()),
                ("tensor-cache.json", cache.to_string().into_bytes()),
                ("params_shard_0.bin", first),
                ("params_shard_1.bin", second),
            ],
        )
    }

    fn mlc_config(&self) -> Value {
        let mut model = self.config.clone();
        model["position_embedding_base"] = model["rope_theta"].take();
        model["context_window_size"] = model["max_position_embeddings"].take();
        json!({"model_type": "llama", "quantization": "q4f16_1", "model_config": model})
    }

    fn around_seven(&self, stem: &str) -> Quantized {
        let mut matrix = self.matrices.iter().find(|(name, _)| name == stem).unwrap().1.clone();
        matrix.q.iter_mut().chain(&mut matrix.zeros).for_each(|nibble| *nibble -= 1);
        matrix
    }
}

fn plain(stem: &str, matrix: &Quantized) -> Tensor {
    let bytes = matrix.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape = vec![matrix.rows, matrix.columns];
    Tensor { file: 0, name: format!("{stem}.weight"), dtype: "F32", shape, bytes }
}
