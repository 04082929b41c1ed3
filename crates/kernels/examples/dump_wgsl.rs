//! Prints the WGSL of every variant as JSON, for the tests that compile it in browsers.
//!
//! `[{"name": …, "wgsl": …, "needs_subgroups": …, "needs_f16": …, "runs": …}]`, in the browsers' dialect. The sizes are Llama 3.1 8B's
//! where they shape a kernel; the rows of a weight do not, and are few. Of what `runs` a pipeline is to be made; of the
//! rest it is enough that a browser takes the text.

use std::collections::BTreeSet;

use gpu::{Allocator, Dialect, Gpu, GpuError, Needs, PlanBuilder, Tensor, TierChoice};
use kernels::{
    Attending, AttentionForm, Heads, KvCache, KvType, MatmulForm, Normed, Output, Quantized, SamplingTensors,
    SplitRoom, Stream, Weight, WeightType, adjust, argmax, argmax_each, attention, attention_of_many,
    attention_of_one, checksum, embed, embed_one, fills, gate_up, gather, log_probs, made_up, matmul, matvec,
    qkv, quantize, residual, rms_norm, rope, sample, sample_each, silu_mul, weigh,
};
use serde_json::{Value, json};

const HIDDEN_SIZE: usize = 4096;
const INTERMEDIATE_SIZE: usize = 14336;
const VOCAB_SIZE: usize = 128_256;
const HEADS: Heads = Heads { heads: 32, kv_heads: 8, head_dim: 128 };
const ROWS: usize = 1000;
const CHUNK: usize = 8;

/// One for each way of having scales. Of every other type a pipeline is made of one product only, since what reads weights is
/// the same text in all: to make one takes SwiftShader a second or three.
const MADE_WHOLE: [WeightType; 5] =
    [WeightType::Q4, WeightType::Q4M, WeightType::Q2K, WeightType::Q6, WeightType::F16];

/// Everything that a kernel binds.
struct Room {
    weights: Vec<Weight>,
    wide: Vec<Weight>,
    caches: Vec<KvCache>,
    tokens: Tensor,
    hidden: Tensor,
    normed: Tensor,
    weighted: Tensor,
    quantized: Quantized,
    wide_quantized: Quantized,
    squares: Tensor,
    norm: Tensor,
    out: Tensor,
    half: Tensor,
    qkv: Tensor,
    turns: Tensor,
    q: Tensor,
    attended: Tensor,
    gate_up: Tensor,
    act: Tensor,
    splits: SplitRoom,
    logits: Tensor,
    sampled: Tensor,
    choices: Tensor,
    sampling: SamplingTensors,
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn main() -> Result<(), GpuError> {
    let (mut sources, mut texts) = (Vec::new(), BTreeSet::new());
    for gpu in gpus()? {
        let room = pollster::block_on(gpu.allocate("the operands", Room::new))?;
        let [mut run, mut read] = [gpu.plan(), gpu.plan()];
        describe(&mut run, &room);
        for weight in &room.weights {
            describe_product(&mut run, &room, weight);
            describe_products(if is_made_whole(weight) { &mut run } else { &mut read }, &room, weight);
        }
        for weight in room.wide.iter() {
            describe_down_proj(if is_made_whole(weight) { &mut run } else { &mut read }, &room, weight);
        }
        for (runs, plan) in [(true, run), (false, read)] {
            for (name, needs, wgsl) in plan.sources(Dialect::Browser) {
                let needs_subgroups = needs == Needs::Subgroups;
                if texts.insert(wgsl.clone()) {
                    let needs_f16 = needs == Needs::F16;
                    sources.push(json!({
                        "name": name,
                        "wgsl": wgsl,
                        "needs_subgroups": needs_subgroups,
                        "needs_f16": needs_f16,
                        "runs": runs,
                    }));
                }
            }
        }
    }
    println!("{}", Value::from(sources));
    Ok(())
}

/// A device for each tier of floats as hardware has it, and one where the CPU stands for a GPU.
fn gpus() -> Result<[Gpu; 3], GpuError> {
    let open = |tier| pollster::block_on(Gpu::request(tier));
    let [subgroups, plain] = [open(TierChoice::Subgroups)?, open(TierChoice::Plain)?].map(Gpu::as_hardware);
    Ok([subgroups, plain, open(TierChoice::Plain)?])
}

fn is_made_whole(weight: &Weight) -> bool {
    MADE_WHOLE.contains(&weight.dtype())
}

/// What is the same whatever weights are stored as.
fn describe<'a>(plan: &mut PlanBuilder<'a>, room: &'a Room) {
    rms_norm(plan, &room.hidden, &room.norm, 1e-5, &room.normed);
    weigh(plan, &room.norm, room.stream());
    for cache in &room.caches {
        rope(plan, &room.qkv, &room.turns, &room.q, cache);
        attention(plan, &room.q, cache, &room.attended);
        for form in [AttentionForm::Together, AttentionForm::Each] {
            attention_of_many(plan, form, &room.q, cache, &room.attended);
            let attended = attention_of_one(plan, form, &room.q, cache, &room.splits, &room.attended);
            attended.combined(plan);
            attended.rounded(plan, &room.quantized);
        }
    }
    silu_mul(plan, &room.gate_up, &room.act);
    gather(plan, &room.hidden, &room.norm, &room.normed);
    argmax(plan, &room.logits, &room.sampled, &room.tokens);
    argmax_each(plan, &room.logits, &room.choices);
    adjust(plan, &room.logits, &room.tokens, &room.sampling);
    sample(plan, &room.logits, &room.sampling, &room.sampled, &room.tokens);
    sample_each(plan, &room.logits, &room.sampling, &room.choices);
    log_probs(plan, &room.logits, &room.sampling, &room.sampled);
    checksum(plan, &room.logits, &room.choices);
    quantize(plan, room.normed(), &room.quantized);
    quantize(plan, &room.hidden, &room.quantized);
    quantize(plan, &room.act, &room.wide_quantized);
    if let Some(weight) = room.weights.first() {
        made_up(plan, weight, 1);
    }
}

/// Rows as floats, and one product in each way of multiplying.
fn describe_product<'a>(plan: &mut PlanBuilder<'a>, room: &'a Room, weight: &'a Weight) {
    embed(plan, weight, 0, &room.tokens, &room.hidden);
    embed_one(plan, weight, 0, &room.tokens, &room.norm, room.stream());
    matvec(plan, weight, 0..ROWS, room.normed(), 0, &room.out);
    if weight.has_quants() {
        matvec(plan, weight, 0..ROWS, &room.quantized, 0, &room.out);
    }
    let output = Output::Columns(0);
    matmul(MatmulForm::Each, plan, weight, 0..ROWS, &room.hidden, output, &room.out);
    for form in [MatmulForm::Tiled, MatmulForm::TiledHalves] {
        matmul(form, plan, weight, 0..ROWS, &room.hidden, Output::Residual(0), &room.out);
    }
}

/// The others, of floats and of whole numbers.
fn describe_products<'a>(plan: &mut PlanBuilder<'a>, room: &'a Room, weight: &'a Weight) {
    let output = Output::Residual(0);
    matmul(MatmulForm::Few, plan, weight, 0..ROWS, &room.hidden, output, &room.out);
    residual(plan, weight, 0..ROWS, &room.hidden, 0, &room.norm, room.stream());
    gate_up(plan, weight, room.normed(), &room.half);
    let filled = || room.caches.iter().filter(|cache| fills(cache));
    for cache in filled() {
        let attending = Attending { turns: &room.turns, q: &room.q, cache };
        qkv(plan, weight, 0..ROWS, room.normed(), 0, attending);
    }
    if weight.has_quants() {
        let input = &room.quantized;
        matmul(MatmulForm::Each, plan, weight, 0..ROWS, input, Output::Columns(0), &room.out);
        residual(plan, weight, 0..ROWS, input, 0, &room.norm, room.stream());
        gate_up(plan, weight, input, &room.half);
        for cache in filled() {
            let attending = Attending { turns: &room.turns, q: &room.q, cache };
            qkv(plan, weight, 0..ROWS, input, 0, attending);
        }
    }
}

/// The widest product, for many tokens, for few and for one.
fn describe_down_proj<'a>(plan: &mut PlanBuilder<'a>, room: &'a Room, weight: &'a Weight) {
    let output = Output::Residual(0);
    for form in [MatmulForm::Each, MatmulForm::Tiled, MatmulForm::TiledHalves, MatmulForm::Few] {
        matmul(form, plan, weight, 0..ROWS, &room.act, output, &room.out);
    }
    residual(plan, weight, 0..ROWS, &room.act, 0, &room.norm, room.stream());
    if weight.has_quants() {
        matmul(MatmulForm::Each, plan, weight, 0..ROWS, &room.wide_quantized, output, &room.out);
        residual(plan, weight, 0..ROWS, &room.wide_quantized, 0, &room.norm, room.stream());
    }
}

impl Room {
    fn stream(&self) -> Stream<'_> {
        Stream { hidden: &self.hidden, weighted: &self.weighted, squares: &self.squares }
    }

    fn normed(&self) -> Normed<'_> {
        Normed { weighted: &self.weighted, squares: &self.squares, eps: 1e-5 }
    }

    fn new(make: &Allocator) -> Result<Room, GpuError> {
        let tensor = |columns| make.tensor("operand", [CHUNK, columns]);
        let row = |columns| make.tensor("operand", [1, columns]);
        let weights = |columns| {
            let weight = |dtype| Weight::new(make, "weight", dtype, [ROWS, columns]);
            WeightType::ALL.into_iter().map(weight).collect::<Result<Vec<_>, _>>()
        };
        let cache = |dtype| KvCache::new(make, HEADS, dtype, 4096, 1 << 30);
        Ok(Room {
            weights: weights(HIDDEN_SIZE)?,
            wide: weights(INTERMEDIATE_SIZE)?,
            caches: KvType::ALL.into_iter().map(cache).collect::<Result<_, _>>()?,
            tokens: row(CHUNK)?,
            hidden: tensor(HIDDEN_SIZE)?,
            normed: tensor(HIDDEN_SIZE)?,
            weighted: row(HIDDEN_SIZE)?,
            quantized: Quantized::new(make, [CHUNK, HIDDEN_SIZE])?,
            wide_quantized: Quantized::new(make, [CHUNK, INTERMEDIATE_SIZE])?,
            squares: make.uniform("squares", [1, HIDDEN_SIZE / 4])?,
            norm: row(HIDDEN_SIZE)?,
            out: tensor(ROWS)?,
            half: row(ROWS / 2)?,
            qkv: tensor(HEADS.qkv_columns())?,
            turns: tensor(HEADS.head_dim)?,
            q: make.uniform("q", [CHUNK, HEADS.q_columns()])?,
            attended: tensor(HEADS.q_columns())?,
            gate_up: tensor(2 * INTERMEDIATE_SIZE)?,
            act: tensor(INTERMEDIATE_SIZE)?,
            splits: SplitRoom::new(make, HEADS)?,
            logits: row(VOCAB_SIZE)?,
            sampled: row(32)?,
            choices: row(1)?,
            sampling: SamplingTensors::new(make, VOCAB_SIZE, 4096, 32)?,
        })
    }
}
