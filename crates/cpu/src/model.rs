//! The forward pass of Llama, for one token after the other.

use format::Config;

use crate::operations::{attention, matvec, rms_norm, swiglu};
use crate::rope::{inv_freq, rope, rotation};
use crate::weights::Weights;

/// A model with its weights and the keys and values of the tokens it has seen.
#[derive(Debug, Clone)]
pub struct Model {
    config: Config,
    weights: Weights,
    inv_freq: Vec<f32>,        // [head_dim / 2]
    kv_cache: Vec<LayerCache>, // num_hidden_layers of them
    position: usize,
}

/// What later tokens attend to in one layer.
#[derive(Debug, Clone, Default)]
struct LayerCache {
    keys: Vec<f32>,   // [position, num_key_value_heads * head_dim], rotated
    values: Vec<f32>, // [position, num_key_value_heads * head_dim]
}

impl Model {
    /// A model that has seen nothing. `weights` must come from a checkpoint with this `config`.
    pub fn new(config: Config, weights: Weights) -> Model {
        assert_eq!(weights.layers.len(), config.num_hidden_layers, "weights of another model");
        assert_eq!(
            weights.embed_tokens.len(),
            config.vocab_size * config.hidden_size,
            "weights of another model"
        );
        let inv_freq = inv_freq(&config, weights.rope_freqs.as_deref());
        let kv_cache = vec![LayerCache::default(); config.num_hidden_layers];
        Model { config, weights, inv_freq, kv_cache, position: 0 }
    }

    /// Takes the token at [`Model::position`], and gives the logits, `[vocab_size]`, for the one after it.
    ///
    /// # Panics
    /// If `id` is not below `vocab_size`: whoever takes ids from outside checks them there.
    pub fn forward(&mut self, id: u32) -> Vec<f32> {
        let Config { hidden_size, head_dim, rms_norm_eps, .. } = self.config;
        let kv_size = self.config.num_key_value_heads * head_dim;

        // The token's row of the embedding table is what the layers add to. [hidden_size]
        let mut x = self.weights.embed_tokens[id as usize * hidden_size..][..hidden_size].to_vec();

        // The angles of this position are the same in every layer. [head_dim / 2]
        let rotation = rotation(&self.inv_freq, self.position);

        for (layer, cache) in self.weights.layers.iter().zip(&mut self.kv_cache) {
            // Queries, keys and values from the normalized stream.
            let normed = rms_norm(&x, &layer.input_layernorm, rms_norm_eps);
            let mut q = matvec(&layer.q_proj, &normed); // [num_attention_heads * head_dim]
            let mut k = matvec(&layer.k_proj, &normed); // [kv_size]
            let v = matvec(&layer.v_proj, &normed); // [kv_size]

            // Queries and keys are turned by their position; values are not.
            rope(&mut q, &rotation);
            rope(&mut k, &rotation);

            // The token attends to itself too, so it is cached first.
            cache.keys.extend(k);
            cache.values.extend(v);
            let heads = attention(&q, &cache.keys, &cache.values, kv_size, head_dim);
            add(&mut x, &matvec(&layer.o_proj, &heads));

            // The MLP, from the stream that now holds the attention's output.
            let normed = rms_norm(&x, &layer.post_attention_layernorm, rms_norm_eps);
            let gate = matvec(&layer.gate_proj, &normed); // [intermediate_size]
            let up = matvec(&layer.up_proj, &normed); // [intermediate_size]
            add(&mut x, &matvec(&layer.down_proj, &swiglu(&gate, &up)));
        }
        self.position += 1;

        // A tied model scores tokens by their own embeddings.
        let x = rms_norm(&x, &self.weights.norm, rms_norm_eps);
        let lm_head = self.weights.lm_head.as_ref().unwrap_or(&self.weights.embed_tokens);
        matvec(lm_head, &x)
    }

    /// How many tokens have been taken.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Forgets the tokens from `position` on, if there are that many.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
        let kept = self.position * self.config.num_key_value_heads * self.config.head_dim;
        for cache in &mut self.kv_cache {
            cache.keys.truncate(kept);
            cache.values.truncate(kept);
        }
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
