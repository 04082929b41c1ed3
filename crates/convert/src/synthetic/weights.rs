//! Random weights, any stretch of them at any time: a weight follows from the seed, its tensor and its place alone.

use std::ops::Range;

use format::{Config, SafetensorsHeader, TensorName};

use crate::Source;

/// The fraction of the golden ratio in 64 bits, by which SplitMix64 counts.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A weight is a sum of four bytes, nearly a Gaussian: its mean and its standard deviation.
const MEAN: f32 = 510.0;
const DEVIATION: f32 = 147.8;

/// How far the weights of RMSNorm lie from one, about.
const NORM_DEVIATION: f32 = 0.1;

/// The one file of a synthetic model, which is never in memory.
#[derive(Debug, Clone)]
pub struct RandomWeights(Vec<Tensor>);

/// A tensor in bfloat16.
#[derive(Debug, Clone)]
struct Tensor {
    span: Range<u64>,
    key: u64,
    mean: f32,
    deviation: f32,
}

impl RandomWeights {
    pub(super) fn new(config: &Config, header: &SafetensorsHeader, seed: u64) -> RandomWeights {
        let placed = TensorName::of_model(config).zip(&header.tensors);
        let tensors = (1u64..).zip(placed).map(|(number, (name, tensor))| {
            let [rows, columns] = config.shape(name);
            // Matrices keep the size of what they are multiplied with, so that numbers stay those of a trained model.
            let (mean, deviation) =
                if rows == 1 { (1.0, NORM_DEVIATION) } else { (0.0, 1.0 / (columns as f32).sqrt()) };
            let span = tensor.offset..tensor.offset.saturating_add(tensor.len);
            Tensor { span, key: mix(mix(seed).wrapping_add(number)), mean, deviation }
        });
        RandomWeights(tensors.collect())
    }
}

impl Source for RandomWeights {
    fn read(&self, file: usize, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), String> {
        let mut at = range.start;
        while at < range.end {
            let tensor = self.0.partition_point(|tensor| tensor.span.end <= at);
            let ends = || format!("file {file} ends before byte {}", range.end);
            let tensor = self.0.get(tensor).ok_or_else(ends)?;
            let end = range.end.min(tensor.span.end);
            tensor.write(at - tensor.span.start..end - tensor.span.start, into);
            at = end;
        }
        Ok(())
    }
}

impl Tensor {
    /// Appends some of its bytes.
    fn write(&self, range: Range<u64>, into: &mut Vec<u8>) {
        let pairs = range.start / 4..range.end.div_ceil(4);
        let (before, skipped) = (into.len(), (range.start % 4) as usize);
        into.resize(before + 4 * (pairs.end - pairs.start) as usize, 0);
        let (_, new) = into.split_at_mut(before);
        for (pair, bytes) in pairs.zip(new.as_chunks_mut().0) {
            *bytes = self.pair(pair).to_le_bytes();
        }
        into.drain(before..before + skipped);
        into.truncate(before + (range.end - range.start) as usize);
    }

    /// Two weights that lie side by side.
    fn pair(&self, pair: u64) -> u32 {
        let random = mix(self.key.wrapping_add(pair.wrapping_mul(GOLDEN)));
        let twos = (random & 0x00ff_00ff_00ff_00ff) + (random >> 8 & 0x00ff_00ff_00ff_00ff);
        let fours = twos + (twos >> 16);
        let weight = |sum: u64| {
            let value = (sum & 0xffff) as f32 - MEAN;
            (self.mean + value * (self.deviation / DEVIATION)).to_bits() >> 16
        };
        weight(fours) | weight(fours >> 32) << 16
    }
}

/// SplitMix64's last step: every bit of what comes out depends on every bit of what goes in.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(seed: u64) -> RandomWeights {
        let config = Config { num_hidden_layers: 2, vocab_size: 512, ..Config::LLAMA_3_2_1B };
        RandomWeights::new(&config, &super::super::header(&config), seed)
    }

    fn read(weights: &RandomWeights, range: Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        weights.read(0, range, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_stretch_is_the_same_whatever_is_read_with_it() {
        let weights = weights(7);
        // Across the end of the embeddings.
        let end = weights.0[0].span.end;
        let all = read(&weights, end - 1000..end + 1000);
        for (from, to) in [(0, 2000), (1, 2), (998, 1003), (999, 1000), (1001, 1999), (5, 5)] {
            let some = read(&weights, end - 1000 + from..end - 1000 + to);
            assert_eq!(some, all[from as usize..to as usize], "{from} to {to}");
        }
        let past = weights.0.last().unwrap().span.end;
        let error = weights.read(0, past - 1..past + 1, &mut Vec::new()).unwrap_err();
        assert_eq!(error, format!("file 0 ends before byte {}", past + 1));
    }

    #[test]
    fn seeds_and_tensors_differ() {
        let (one, other) = (weights(0), weights(1));
        let starts = one.0.iter().map(|tensor| tensor.span.start);
        let mut all: Vec<Vec<u8>> =
            starts.flat_map(|at| [&one, &other].map(|w| read(w, at..at + 64))).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn mean_and_deviation_are_those_of_a_trained_model() {
        let weights = weights(3);
        for tensor in &weights.0 {
            let bytes = read(&weights, tensor.span.start..tensor.span.end.min(tensor.span.start + (1 << 18)));
            let value =
                |bytes: &[u8; 2]| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16));
            let values: Vec<f64> = bytes.as_chunks().0.iter().map(value).collect();
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let [expected, deviation] = [tensor.mean, tensor.deviation].map(f64::from);
            assert!((mean - expected).abs() < 6.0 * deviation / count.sqrt() + 0.004 * expected, "{mean}");
            assert!((variance.sqrt() / deviation - 1.0).abs() < 0.1, "{} {deviation}", variance.sqrt());
        }
    }
}
