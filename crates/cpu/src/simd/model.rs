//! The forward pass of Llama, for many tokens at once.

use format::Config;

use super::activations::Activations;
use super::elementwise::rms_norm;
use super::layers::{Layers, Wanted};
use super::matrix::Matrix;
use super::weights::Weights;
use crate::CpuError;

/// A model with its weights and the keys and values of the tokens it has seen.
#[derive(Debug)]
pub struct Model {
    config: Config,
    embed_tokens: Matrix,    // [vocab_size, hidden_size]
    layers: Layers,          // num_hidden_layers of them, or the first of those if others compute the rest
    norm: Vec<f32>,          // [hidden_size]
    lm_head: Option<Matrix>, // [vocab_size, hidden_size], none if tied to embed_tokens
    weight_bytes: u64,
}

impl Model {
    /// A model that has seen nothing. `weights` must come from a checkpoint with this `config`.
    pub fn new(config: Config, weights: Weights) -> Model {
        assert_eq!(weights.layers.len(), config.num_hidden_layers, "weights of another model");
        let weight_bytes = weights.bytes();
        let Weights { embed_tokens, layers, norm, lm_head, rope_freqs, .. } = weights;
        let layers = Layers::new(&config, layers, rope_freqs.as_deref());
        Model { config, embed_tokens, layers, norm, lm_head, weight_bytes }
    }

    /// Takes tokens from [`Model::position`] on, and gives the stream after its layers of those that are wanted:
    /// `[wanted, hidden_size]`. Whoever computes the layers behind them needs all tokens, and gets them.
    ///
    /// # Errors
    /// If there is no memory for the keys and values of so many more tokens; then none is taken.
    ///
    /// # Panics
    /// If an id is not below `vocab_size`: whoever takes ids from outside checks them there.
    pub fn forward(&mut self, ids: &[u32], wanted: Wanted) -> Result<Vec<f32>, CpuError> {
        let x = ids.iter().flat_map(|id| self.embed_tokens.row(*id as usize)).collect();
        let is_whole = self.layers.count() == self.config.num_hidden_layers;
        self.layers.forward(x, if is_whole { wanted } else { Wanted::Each })
    }

    /// Logits, `[tokens, vocab_size]`, of tokens of the stream after all layers, `[tokens, hidden_size]`.
    pub fn logits(&self, x: &[f32]) -> Vec<f32> {
        let normed = rms_norm(x, &self.norm, self.config.rms_norm_eps);
        // A tied model scores tokens by their own embeddings.
        let lm_head = self.lm_head.as_ref().unwrap_or(&self.embed_tokens);
        lm_head.product(&Activations::new(&normed, self.config.hidden_size))
    }

    /// Its dimensions.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many tokens have been taken.
    pub fn position(&self) -> usize {
        self.layers.position()
    }

    /// Bytes of weights in memory, with those of the layers that others compute.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Forgets the tokens from `position` on, if there are that many.
    pub fn rewind(&mut self, position: usize) {
        self.layers.rewind(position);
    }

    /// The later half of the layers, with what they have seen: from now on [`Model::forward`] goes through the others only.
    /// None if there is no later half.
    pub fn give_half(&mut self) -> Option<Layers> {
        let half = self.layers.count().div_ceil(2);
        (half < self.layers.count()).then(|| self.layers.split_off(half))
    }
}
