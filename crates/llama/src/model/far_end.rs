//! The whole model at the far end of 131,072 tokens, where every one of them is in the cache: against a reference in
//! f64, and with the cache in parts against the cache in one.
//!
//! To read so many tokens takes attention a number of steps that grows with their square, hours on a CPU. The model has
//! but one layer here, whose keys and values follow from tokens and positions alone: they come into the cache as a
//! prefill would bring them, by the same kernels, without attention's part. And the tokens come again and again, so that
//! only the turning by their positions has to be done for all of them. The last tokens are read in full.

use format::{Config, LayerPart, Sampling, TensorName};
use gpu::{Gpu, TierChoice};
use kernels::KvType;
use pollster::block_on;

use super::{Model, Options};
use crate::plans::keys_and_values;
use crate::tiny_llama;
use crate::weights_of::{Weights, weights};
use crate::{Loader, Vacancy};

const CONTEXT: usize = 131_072;
const CHUNK: usize = 2048;

/// The tokens that are read in full: some in one step, so that it is a prefill, and the last by itself.
const READ: usize = 4;

/// The same in every chunk.
fn ids() -> Vec<u32> {
    let chunk: Vec<u32> = (0..CHUNK as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) % 1000).collect();
    chunk.into_iter().cycle().take(CONTEXT).collect()
}

/// golden/tiny-llama-3.1 without its upper layers.
fn open() -> (format::Checkpoint, Vec<Vec<u8>>) {
    let (mut checkpoint, files) = tiny_llama::open();
    checkpoint.config.num_hidden_layers = 1;
    (checkpoint, files)
}

/// With no part of the KV cache larger than `part_bytes`.
fn load(tier: TierChoice, kv: KvType, part_bytes: u64) -> Model {
    let (checkpoint, files) = open();
    let gpu = block_on(Gpu::request(tier)).unwrap();
    let options = Options { context: CONTEXT, chunk: CHUNK, kv };
    let vacancy = block_on(Vacancy::in_parts(gpu, &checkpoint, options, part_bytes)).unwrap();
    let mut loader = Loader::new(&vacancy, &checkpoint);
    for (file, bytes) in files.iter().enumerate() {
        loader.push(file, 0, bytes).unwrap();
    }
    loader.finish().unwrap();
    let forward = block_on(vacancy.forward(&Sampling::default())).unwrap();
    block_on(Model::new(vacancy, forward)).unwrap()
}

/// Brings the keys and values of all `ids` into the cache.
fn fill(model: &mut Model, ids: &[u32]) {
    let plans = keys_and_values(&model.gpu, &model.config, &model.weights, &model.caches, &model.buffers);
    let [project, turn] = block_on(plans).unwrap();
    let params = model.enter(&ids[..CHUNK]);
    model.gpu.step(params.seq_len, &params).run(&project).submit().unwrap();
    for ids in ids.chunks(CHUNK) {
        let params = model.params(ids.len());
        model.gpu.step(params.seq_len, &params).run(&turn).submit().unwrap();
        model.advance(ids.len());
    }
}

/// The logits after the last token but one, which ends a prefill, and after the last, `[2][vocab_size]`; and how many
/// dispatches that took.
fn last_logits(tier: TierChoice, kv: KvType, part_bytes: u64) -> (Vec<Vec<f32>>, u64) {
    let (mut model, ids) = (load(tier, kv, part_bytes), ids());
    let (before, read) = ids.split_at(CONTEXT - READ);
    fill(&mut model, before);
    let (prefilled, decoded) = read.split_at(READ - 1);
    let (mut logits, mut dispatches) = (Vec::new(), 0);
    for ids in [prefilled, decoded] {
        let counts = model.gpu.counts();
        drop(block_on(model.prefill_and_choose(ids).unwrap().words(&model.gpu)).unwrap());
        dispatches = (model.gpu.counts() - counts).dispatches;
        logits.push(block_on(model.logits()).unwrap());
    }
    assert_eq!(model.position(), CONTEXT);
    (logits, dispatches)
}

/// The model of one layer, for one token, by the formulas of `cpu`.
struct Reference {
    config: Config,
    weights: Weights,
    inv_freq: Vec<f64>, // [head_dim / 2]
}

impl Reference {
    fn new() -> Reference {
        let (checkpoint, files) = tiny_llama::open();
        let (config, weights) = (checkpoint.config, weights(&checkpoint, &files));
        let divisors = config.rope_freqs().unwrap();
        let inv_freq = divisors.iter().enumerate().map(|(i, divisor)| {
            let inv_freq = config.rope_theta.powf(-2.0 * i as f64 / config.head_dim as f64) as f32;
            f64::from(inv_freq / divisor)
        });
        let inv_freq = inv_freq.collect();
        Reference { config, weights, inv_freq }
    }

    /// The logits after the last of `ids`, whose queries see the tokens from `first` on.
    fn logits(&self, ids: &[u32], first: usize) -> Vec<f64> {
        use LayerPart::*;
        let last = ids.len() - 1;
        let mut x = self.embedding(ids[last]);
        let q = self.turned(self.product(QProj, &self.normed(InputLayernorm, &x)), last);
        add(&mut x, &self.product(OProj, &self.attended(&q, ids, first)));
        let normed = self.normed(PostAttentionLayernorm, &x);
        let (gate, up) = (self.product(GateProj, &normed), self.product(UpProj, &normed));
        let act: Vec<f64> = gate.iter().zip(up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
        add(&mut x, &self.product(DownProj, &act));
        matvec(&self.weights[&TensorName::LmHead], &self.norm(TensorName::Norm, &x))
    }

    /// What each head takes from the values of all tokens from `first` on: `[heads * head_dim]`.
    fn attended(&self, q: &[f64], ids: &[u32], first: usize) -> Vec<f64> {
        let Config { head_dim, vocab_size, num_attention_heads, num_key_value_heads, .. } = self.config;
        // Of each id its keys before they are turned, and its values.
        let of_ids: Vec<[Vec<f64>; 2]> = (0..vocab_size as u32)
            .map(|id| {
                let normed = self.normed(LayerPart::InputLayernorm, &self.embedding(id));
                [LayerPart::KProj, LayerPart::VProj].map(|part| self.product(part, &normed))
            })
            .collect();
        let mut out = vec![0.0; q.len()];
        let mut totals = vec![0.0; num_attention_heads];
        for (position, id) in ids.iter().enumerate().skip(first) {
            let [keys, values] = &of_ids[*id as usize];
            let keys = self.turned(keys.clone(), position);
            for head in 0..num_attention_heads {
                let kv = head / (num_attention_heads / num_key_value_heads) * head_dim..;
                let q = &q[head * head_dim..][..head_dim];
                let score: f64 = q.iter().zip(&keys[kv.clone()]).map(|(q, k)| q * k).sum();
                // Scores are far below 700, so `exp` is finite as it is.
                let weight = (score / (head_dim as f64).sqrt()).exp();
                totals[head] += weight;
                for (out, value) in out[head * head_dim..][..head_dim].iter_mut().zip(&values[kv]) {
                    *out += weight * value;
                }
            }
        }
        out.iter().enumerate().map(|(i, sum)| sum / totals[i / head_dim]).collect()
    }

    fn embedding(&self, id: u32) -> Vec<f64> {
        let hidden_size = self.config.hidden_size;
        let row = &self.weights[&TensorName::EmbedTokens][id as usize * hidden_size..][..hidden_size];
        row.iter().map(|value| f64::from(*value)).collect()
    }

    fn normed(&self, part: LayerPart, x: &[f64]) -> Vec<f64> {
        self.norm(TensorName::Layer { index: 0, part }, x)
    }

    fn norm(&self, name: TensorName, x: &[f64]) -> Vec<f64> {
        let mean_square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let scale = 1.0 / (mean_square + f64::from(self.config.rms_norm_eps)).sqrt();
        x.iter().zip(&self.weights[&name]).map(|(x, weight)| x * scale * f64::from(*weight)).collect()
    }

    fn product(&self, part: LayerPart, x: &[f64]) -> Vec<f64> {
        matvec(&self.weights[&TensorName::Layer { index: 0, part }], x)
    }

    /// All heads of `x`, each pair of neighbours turned as far as the position says.
    fn turned(&self, mut x: Vec<f64>, position: usize) -> Vec<f64> {
        let turns: Vec<(f64, f64)> = self.inv_freq.iter().map(|f| (position as f64 * f).sin_cos()).collect();
        for head in x.chunks_exact_mut(self.config.head_dim) {
            for ([a, b], (sin, cos)) in head.as_chunks_mut().0.iter_mut().zip(&turns) {
                (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
            }
        }
        x
    }
}

/// `matrix x`, where `matrix` is `[rows, columns]` and `x` is `[columns]`.
fn matvec(matrix: &[f32], x: &[f64]) -> Vec<f64> {
    let row = |row: &[f32]| row.iter().zip(x).map(|(weight, x)| f64::from(*weight) * x).sum();
    matrix.chunks_exact(x.len()).map(row).collect()
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// The largest difference and where it is, in standard deviations of what is expected.
fn largest_error(got: &[f64], expected: &[f64]) -> (usize, f64) {
    assert_eq!(got.len(), expected.len());
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / expected.len() as f64;
    let errors = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs() / variance.sqrt());
    errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

/// `bound` is a few times what the kind of KV cache costs; DESIGN.md's are wider.
#[track_caller]
fn check(tier: TierChoice, kv: KvType, bound: f64) {
    let (whole, dispatches) = last_logits(tier, kv, u64::MAX);
    let (cut, cut_dispatches) = last_logits(tier, kv, 1);
    // RoPE and attention take one dispatch for each of two parts, and RoPE is none of its own where one dispatch may fill
    // all of the cache.
    let more = if kv == KvType::I8 { 2 } else { 3 };
    assert_eq!(cut_dispatches, dispatches + more, "{kv:?}: dispatches of a cache in parts");

    let (reference, ids) = (Reference::new(), ids());
    let mut expected = Vec::new();
    for ((end, whole), cut) in (CONTEXT - 1..=CONTEXT).zip(&whole).zip(&cut) {
        let different = whole.iter().zip(cut).position(|(whole, cut)| whole.to_bits() != cut.to_bits());
        assert_eq!(different, None, "{kv:?} position {}: the first logit that differs in parts", end - 1);

        expected = reference.logits(&ids[..end], 0);
        let got: Vec<f64> = whole.iter().map(|logit| f64::from(*logit)).collect();
        let (at, error) = largest_error(&got, &expected);
        eprintln!("{kv:?} position {}: error {error:e} of the deviation", end - 1);
        assert!(
            error <= bound,
            "{kv:?} position {} logit {at}: got {}, expected {}, error {error:e}",
            end - 1,
            got[at],
            expected[at]
        );
    }
    // And what is far away counts: without the first half of the tokens, all is another.
    let (_, without) = largest_error(&reference.logits(&ids, CONTEXT / 2), &expected);
    assert!(without > 10.0 * bound, "without the first half the logits move by {without:e} only");
}

#[test]
fn in_floats() {
    // A prompt's attention adds up values position by position: half of this at the end of so many.
    check(TierChoice::Subgroups, KvType::F32, 3e-5);
}

#[test]
fn in_halves() {
    check(TierChoice::Plain, KvType::F16, 1e-3);
}

#[test]
fn in_bytes() {
    check(TierChoice::Subgroups, KvType::I8, 2e-2);
}
