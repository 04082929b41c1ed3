//! What the operations' tests share: devices of every tier, seeded numbers, one comparison.

use std::ops::Range;

use format::GgmlType;
use format::layout::Scales;
use gpu::{Gpu, Plan, PlanBuilder, Tensor, Tier, TierChoice};
use half::f16;
use pollster::block_on;

use crate::quantize::tests::rounded;
use crate::{Input, Normed, Quantized, StepParams, Weight, WeightType, quantize};

/// A device for each tier, and one that has the plain one as hardware has it. Opened anew for each test: a device belongs to
/// one thread.
pub(crate) fn gpus() -> Vec<Gpu> {
    let tiers = [TierChoice::Subgroups, TierChoice::Plain, TierChoice::Int8];
    let gpus = tiers.map(|choice| block_on(Gpu::request(choice)).unwrap());
    gpus.into_iter().chain([gpu().as_hardware()]).collect()
}

/// A device for operations of whole numbers.
pub(crate) fn gpu_int8() -> Gpu {
    block_on(Gpu::request(TierChoice::Int8)).unwrap()
}

/// The types that a tier has kernels of its own for, with a seed each.
pub(crate) fn types(gpu: &Gpu, types: &[WeightType]) -> Vec<(u32, WeightType)> {
    let has_own = |dtype: WeightType| gpu.tier() != Tier::Int8 || dtype.scales() != Scales::None;
    (1..).zip(types.iter().copied()).filter(|(_, dtype)| has_own(*dtype)).collect()
}

/// What products read: floats, or what they are rounded to on the tier of whole numbers.
pub(crate) struct Reads {
    room: Option<Quantized>,
}

impl Reads {
    pub(crate) fn new(gpu: &Gpu, tokens: usize, columns: usize) -> Reads {
        let new = || block_on(gpu.allocate("room", |make| Quantized::new(make, [tokens, columns]))).unwrap();
        Reads { room: (gpu.tier() == Tier::Int8).then(new) }
    }

    /// Adds to the plan what has to come before the product.
    pub(crate) fn input<'a>(&'a self, plan: &mut PlanBuilder<'a>, input: impl Into<Input<'a>>) -> Input<'a> {
        let Some(room) = &self.room else { return input.into() };
        quantize(plan, input, room);
        room.into()
    }

    /// What products see of `x`, whole blocks of it.
    pub(crate) fn plain(&self, x: &[f32]) -> Vec<f32> {
        if self.room.is_some() { rounded(x) } else { x.to_vec() }
    }

    /// What products see of a stream.
    pub(crate) fn normed(&self, stream: &Stream) -> Vec<f32> {
        let (weighted, factor) = stream.weighted_by();
        self.plain(weighted).into_iter().map(|x| x * factor).collect()
    }
}

/// A device, for operations that are the same on every tier.
pub(crate) fn gpu() -> Gpu {
    block_on(Gpu::request(TierChoice::Plain)).unwrap()
}

/// Numbers in -1..1, the same for the same seed.
pub(crate) fn random(seed: u32, len: usize) -> Vec<f32> {
    random_words(seed, len).into_iter().map(|word| word as f32 / 2f32.powi(31) - 1.0).collect()
}

/// xorshift32, started far from zero.
pub(crate) fn random_words(seed: u32, len: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    std::iter::repeat_with(next).skip(8).take(len).collect()
}

/// Rows of random blocks as GGUF has them, with scales that are sane numbers.
pub(crate) fn random_weights(seed: u32, source: GgmlType, [rows, columns]: [usize; 2]) -> Vec<u8> {
    let blocks = rows * columns / source.block_len();
    let mut bytes: Vec<u8> = random_words(seed, blocks * source.block_bytes())
        .into_iter()
        .map(|word| (word >> 11) as u8)
        .collect();
    for (block, value) in bytes.chunks_exact_mut(source.block_bytes()).zip(random(seed + 1, blocks)) {
        let mut put = |at: usize, value: f32| {
            block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
        };
        match source {
            GgmlType::Q4_0 | GgmlType::Q5_0 | GgmlType::Q8_0 => put(0, value * 0.1),
            GgmlType::Q4_1 | GgmlType::Q5_1 => {
                put(0, value * 0.1);
                put(2, 0.3 - value);
            }
            GgmlType::Q4_Z => {
                put(0, value * 0.1);
                put(2, (value * 7.0 + 8.0).round());
            }
            GgmlType::Q4_K | GgmlType::Q5_K => {
                put(0, value * 0.01);
                put(2, (0.5 - value) * 0.02);
            }
            GgmlType::Q2_K => {
                put(80, value * 0.1);
                put(82, (0.5 - value) * 0.1);
            }
            GgmlType::Q3_K => put(108, value * 0.1),
            GgmlType::Q6_K => put(208, value * 0.1),
            GgmlType::IQ4_XS => put(0, value * 0.01),
            GgmlType::F16 => put(0, value),
            GgmlType::BF16 => block.copy_from_slice(&value.to_le_bytes()[2..]),
            GgmlType::F32 => block.copy_from_slice(&value.to_le_bytes()),
            other => panic!("no random {other:?}"),
        }
    }
    bytes
}

/// The same matrix on the device and, unpacked by `format`, on the CPU.
pub(crate) fn weight(gpu: &Gpu, seed: u32, dtype: WeightType, shape: [usize; 2]) -> (Weight, Vec<f32>) {
    // Another source of the same type differs in bytes that `format` has packed, not in any that a shader reads.
    let mut sources = GgmlType::SUPPORTED.into_iter();
    let source = sources.find(|source| WeightType::holding(*source) == Some(dtype)).unwrap();
    let bytes = random_weights(seed, source, shape);
    let weight = block_on(gpu.allocate("weight", |make| Weight::new(make, "weight", dtype, shape))).unwrap();
    weight.write_rows(gpu, 0, source, &bytes);
    let mut values = Vec::new();
    format::dequantize(source, &bytes, &mut values).unwrap();
    (weight, values)
}

pub(crate) fn upload(gpu: &Gpu, label: &str, shape: [usize; 2], values: &[f32]) -> Tensor {
    let tensor = block_on(gpu.allocate(label, |make| make.tensor(label, shape))).unwrap();
    gpu.write_f32(&tensor, 0, values);
    tensor
}

/// The same of a tensor that is bound as a uniform, too.
pub(crate) fn upload_uniform(gpu: &Gpu, label: &str, shape: [usize; 2], values: &[f32]) -> Tensor {
    let tensor = block_on(gpu.allocate(label, |make| make.uniform(label, shape))).unwrap();
    gpu.write_f32(&tensor, 0, values);
    tensor
}

/// Runs what `describe` adds to a plan, as one step, and reads `out`.
pub(crate) fn run<'a>(
    gpu: &'a Gpu,
    params: StepParams,
    out: &Tensor,
    describe: impl FnOnce(&mut PlanBuilder<'a>),
) -> Vec<f32> {
    let mut builder = gpu.plan();
    describe(&mut builder);
    let plan: Plan = block_on(builder.finish()).unwrap();
    gpu.step(params.seq_len, &params).run(&plan).submit().unwrap();
    block_on(gpu.read_f32(out)).unwrap()
}

/// The residual stream of one token on the device, filled with seeded numbers, and on the CPU.
pub(crate) struct Stream {
    pub(crate) hidden: Tensor,
    pub(crate) weighted: Tensor,
    pub(crate) squares: Tensor,
    pub(crate) gain: Tensor,
    values: StreamValues,
    gains: Vec<f32>,
}

/// What is in a [`Stream`].
#[derive(Clone)]
pub(crate) struct StreamValues {
    pub(crate) hidden: Vec<f32>,
    pub(crate) weighted: Vec<f32>,
    pub(crate) squares: Vec<f32>,
}

/// Far above Llama's 1e-5, so that leaving it out shows.
const EPS: f32 = 0.5;

impl Stream {
    pub(crate) fn new(gpu: &Gpu, seed: u32, hidden_size: usize) -> Stream {
        let (hidden, gains) = (random(seed, hidden_size), random(seed + 1000, hidden_size));
        let weighted: Vec<f32> = hidden.iter().zip(&gains).map(|(x, gain)| x * gain).collect();
        let squares: Vec<f32> = hidden.chunks_exact(4).map(|quad| quad.iter().map(|x| x * x).sum()).collect();
        Stream {
            hidden: upload(gpu, "hidden", [1, hidden_size], &hidden),
            weighted: upload(gpu, "weighted", [1, hidden_size], &weighted),
            squares: upload_uniform(gpu, "squares", [1, hidden_size / 4], &squares),
            gain: upload(gpu, "gain", [1, hidden_size], &gains),
            values: StreamValues { hidden, weighted, squares },
            gains,
        }
    }

    pub(crate) fn borrowed(&self) -> crate::Stream<'_> {
        crate::Stream { hidden: &self.hidden, weighted: &self.weighted, squares: &self.squares }
    }

    pub(crate) fn normed(&self) -> Normed<'_> {
        Normed { weighted: &self.weighted, squares: &self.squares, eps: EPS }
    }

    /// `x * gain`, and what a product of it multiplies that with.
    pub(crate) fn weighted_by(&self) -> (&[f32], f32) {
        let StreamValues { hidden, weighted, .. } = &self.values;
        let mean_square = hidden.iter().map(|x| x * x).sum::<f32>() / hidden.len() as f32;
        (weighted, 1.0 / (mean_square + EPS).sqrt())
    }

    /// What it has to be after `y` was added to these columns, whose ends are multiples of 4.
    pub(crate) fn after(&self, columns: Range<usize>, y: &[f32]) -> StreamValues {
        let mut values = self.values.clone();
        for (column, y) in columns.clone().zip(y) {
            values.hidden[column] += y;
            values.weighted[column] = values.hidden[column] * self.gains[column];
        }
        for quad in columns.start / 4..columns.end / 4 {
            values.squares[quad] = values.hidden[4 * quad..][..4].iter().map(|x| x * x).sum();
        }
        values
    }
}

/// Every element within `bound` of the expected one, relative to the largest expected.
#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(0f32, |most, value| most.max(value.abs())).max(1e-20);
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / largest;
        assert!(error <= bound, "{what}: index {index}: got {got}, expected {expected}, error {error:e}");
    }
}
