//! The forward pass of Llama, for many tokens at once.

use format::Config;

use super::activations::Activations;
use super::attention::LayerCache;
use super::elementwise::{add, rms_norm, swiglu};
use super::weights::{LayerWeights, Weights};
use crate::rope::{inv_freq, rope, rotation};

/// Which tokens of a step something is asked of afterwards. The last layer leaves the others once they are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// None: the step is not the prompt's last.
    Nothing,
    /// The last one.
    Last,
    /// All of them.
    Each,
}

impl Wanted {
    /// How many of a step's last tokens that are.
    fn count(self, tokens: usize) -> usize {
        match self {
            Wanted::Nothing => 0,
            Wanted::Last => tokens.min(1),
            Wanted::Each => tokens,
        }
    }
}

/// A model with its weights and the keys and values of the tokens it has seen.
#[derive(Debug)]
pub struct Model {
    config: Config,
    weights: Weights,
    inv_freq: Vec<f32>,        // [head_dim / 2]
    kv_cache: Vec<LayerCache>, // num_hidden_layers of them
    position: usize,
}

impl Model {
    /// A model that has seen nothing. `weights` must come from a checkpoint with this `config`.
    pub fn new(config: Config, weights: Weights) -> Model {
        assert_eq!(weights.layers.len(), config.num_hidden_layers, "weights of another model");
        let inv_freq = inv_freq(&config, weights.rope_freqs.as_deref());
        let cache = LayerCache::new(config.num_key_value_heads, config.head_dim);
        let kv_cache = vec![cache; config.num_hidden_layers];
        Model { config, weights, inv_freq, kv_cache, position: 0 }
    }

    /// Takes tokens from [`Model::position`] on, and gives the stream after all layers of those that are wanted:
    /// `[wanted, hidden_size]`.
    ///
    /// # Panics
    /// If an id is not below `vocab_size`: whoever takes ids from outside checks them there.
    pub fn forward(&mut self, ids: &[u32], wanted: Wanted) -> Vec<f32> {
        if ids.is_empty() {
            return Vec::new();
        }
        let embed_tokens = &self.weights.embed_tokens;
        let mut x: Vec<f32> = ids.iter().flat_map(|id| embed_tokens.row(*id as usize)).collect();

        // The angles of a position are the same in every layer. [tokens][head_dim / 2]
        let positions = self.position..self.position + ids.len();
        let rotations: Vec<_> = positions.map(|position| rotation(&self.inv_freq, position)).collect();
        let last = self.weights.layers.len().saturating_sub(1);
        for (index, (layer, cache)) in self.weights.layers.iter().zip(&mut self.kv_cache).enumerate() {
            let wanted = if index == last { wanted } else { Wanted::Each };
            forward(&self.config, layer, cache, &rotations, wanted, &mut x);
        }
        self.position += ids.len();
        x
    }

    /// Logits, `[tokens, vocab_size]`, of tokens of the stream, `[tokens, hidden_size]`: all that is read of a prompt
    /// but its last token needs none.
    pub fn logits(&self, x: &[f32]) -> Vec<f32> {
        let normed = rms_norm(x, &self.weights.norm, self.config.rms_norm_eps);
        // A tied model scores tokens by their own embeddings.
        let lm_head = self.weights.lm_head.as_ref().unwrap_or(&self.weights.embed_tokens);
        lm_head.product(&Activations::new(&normed, self.config.hidden_size))
    }

    /// Its dimensions.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many tokens have been taken.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.bytes()
    }

    /// Forgets the tokens from `position` on, if there are that many.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
        self.kv_cache.iter_mut().for_each(|cache| cache.truncate(self.position));
    }
}

/// One layer: `x += attention(norm(x))`, then `x += mlp(norm(x))`. `x` is `[tokens, hidden_size]` before, and afterwards
/// has the wanted tokens alone; the others leave their keys and values.
fn forward(
    config: &Config,
    layer: &LayerWeights,
    cache: &mut LayerCache,
    rotations: &[Vec<(f32, f32)>],
    wanted: Wanted,
    x: &mut Vec<f32>,
) {
    let Config { hidden_size, intermediate_size, rms_norm_eps, .. } = *config;
    let normed = rms_norm(x, &layer.input_layernorm, rms_norm_eps);
    let all = Activations::new(&normed, hidden_size);
    let mut k = layer.k_proj.product(&all); // [tokens, num_key_value_heads * head_dim]
    let v = layer.v_proj.product(&all); // [tokens, num_key_value_heads * head_dim]

    // Keys and queries are turned by their position; values are not. A token attends to itself too, so all are cached first.
    turn(&mut k, rotations);
    cache.push(&k, &v);

    // Only what is wanted goes on from here.
    let tokens = wanted.count(rotations.len());
    let left = rotations.len() - tokens;
    x.drain(..left * hidden_size);
    if tokens == 0 {
        return;
    }
    let mut q = match left {
        0 => layer.q_proj.product(&all), // [tokens, num_attention_heads * head_dim]
        _ => layer.q_proj.product(&Activations::new(&normed[left * hidden_size..], hidden_size)),
    };
    turn(&mut q, &rotations[left..]);
    let attended = cache.attention(&q, tokens);
    let heads_size = attended.len() / tokens;
    add(x, &layer.o_proj.product(&Activations::new(&attended, heads_size)));

    // The MLP, from the stream that now holds the attention's output.
    let normed = rms_norm(x, &layer.post_attention_layernorm, rms_norm_eps);
    let normed = Activations::new(&normed, hidden_size);
    let mut gate = layer.gate_proj.product(&normed); // [tokens, intermediate_size]
    swiglu(&mut gate, &layer.up_proj.product(&normed));
    add(x, &layer.down_proj.product(&Activations::new(&gate, intermediate_size)));
}

/// Rotates each token, `[heads * head_dim]`, by its position.
fn turn(x: &mut [f32], rotations: &[Vec<(f32, f32)>]) {
    let features = x.len() / rotations.len();
    x.chunks_exact_mut(features).zip(rotations).for_each(|(x, rotation)| rope(x, rotation));
}
