//! Layers that follow each other: the forward pass but for its two ends.

use format::Config;

use super::activations::Activations;
use super::attention::LayerCache;
use super::elementwise::{add, rms_norm, swiglu};
use super::weights::{LayerWeights, make_room};
use crate::CpuError;
use crate::rope::{inv_freq, rope, rotation};

/// Which tokens of a step something is asked of afterwards. The last layer leaves the others once it has cached them.
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

/// Layers of a model, with their weights and the keys and values of the tokens they have seen.
#[derive(Debug, Default)]
pub struct Layers {
    pub(super) shape: Shape,
    pub(super) inv_freq: Vec<f32>, // [head_dim / 2]
    pub(super) layers: Vec<(LayerWeights, LayerCache)>,
    pub(super) position: usize,
}

/// What of a model's dimensions its layers do not show themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) rms_norm_eps: f32,
}

impl Layers {
    /// Layers that have seen nothing.
    pub(super) fn new(config: &Config, layers: Vec<LayerWeights>, rope_freqs: Option<&[f32]>) -> Layers {
        let Config { hidden_size, intermediate_size, rms_norm_eps, .. } = *config;
        let cache = LayerCache::new(config.num_key_value_heads, config.head_dim);
        Layers {
            shape: Shape { hidden_size, intermediate_size, rms_norm_eps },
            inv_freq: inv_freq(config, rope_freqs),
            layers: layers.into_iter().map(|layer| (layer, cache.clone())).collect(),
            position: 0,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.layers.len()
    }

    /// How many tokens they have taken.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Takes the stream before the first of them, `[tokens, hidden_size]`, and gives it after the last, of those tokens that
    /// are wanted: `[wanted, hidden_size]`.
    ///
    /// # Errors
    /// If there is no memory for the keys and values of so many more tokens; then none is taken.
    pub fn forward(&mut self, mut x: Vec<f32>, wanted: Wanted) -> Result<Vec<f32>, CpuError> {
        let tokens = x.len() / self.shape.hidden_size.max(1);
        if tokens == 0 {
            return Ok(Vec::new());
        }
        self.reserve(tokens)?;
        // The angles of a position are the same in every layer. [tokens][head_dim / 2]
        let positions = self.position..self.position + tokens;
        let rotations: Vec<_> = positions.map(|position| rotation(&self.inv_freq, position)).collect();
        if let Some((last, before)) = self.layers.split_last_mut() {
            before.iter_mut().for_each(|layer| forward(self.shape, layer, &rotations, Wanted::Each, &mut x));
            forward(self.shape, last, &rotations, wanted, &mut x);
        }
        self.position += tokens;
        Ok(x)
    }

    fn reserve(&mut self, tokens: usize) -> Result<(), CpuError> {
        make_room(self.layers.iter().map(|(_, cache)| cache.missing(tokens)).sum());
        self.layers.iter_mut().try_for_each(|(_, cache)| cache.reserve(tokens))
    }

    /// Forgets the tokens from `position` on, if there are that many.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
        self.layers.iter_mut().for_each(|(_, cache)| cache.truncate(self.position));
    }

    /// Those from number `at` on, which are these no longer.
    pub(super) fn split_off(&mut self, at: usize) -> Layers {
        let Layers { shape, ref inv_freq, position, .. } = *self;
        Layers { shape, inv_freq: inv_freq.clone(), layers: self.layers.split_off(at), position }
    }
}

/// One layer: `x += attention(norm(x))`, then `x += mlp(norm(x))`. `x` is `[tokens, hidden_size]` before, and afterwards
/// has the wanted tokens alone; the others leave their keys and values.
fn forward(
    shape: Shape,
    (layer, cache): &mut (LayerWeights, LayerCache),
    rotations: &[Vec<(f32, f32)>],
    wanted: Wanted,
    x: &mut Vec<f32>,
) {
    let Shape { hidden_size, intermediate_size, rms_norm_eps } = shape;
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
