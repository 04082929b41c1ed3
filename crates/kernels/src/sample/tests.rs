//! Draws on the GPU against the CPU's, and against their probabilities.

use cpu::sampler;
use format::Sampling;
use format::sampling::{MASKED, MOST};
use gpu::Gpu;
use pollster::block_on;

use super::*;
use crate::check::{gpu, random, upload};
use crate::{NOT_A_NUMBER, StepParams};

/// The ids that are drawn at `draws` positions in a row.
fn draw(gpu: &Gpu, scores: &[f32], sampling: &Sampling, draws: usize) -> Vec<u32> {
    let scores_gpu = upload(gpu, "scores", [1, scores.len()], scores);
    let sampled = upload(gpu, "sampled", [1, draws], &vec![0.0; draws]);
    let tokens = upload(gpu, "tokens", [1, 3], &[0.0; 3]);
    let tensors =
        block_on(gpu.allocate("sampling", |make| SamplingTensors::new(make, scores.len(), 8, 4))).unwrap();
    tensors.write(gpu, sampling, &[]);
    let mut plan = gpu.plan();
    sample(&mut plan, &scores_gpu, &tensors, &sampled, &tokens);
    let plan = block_on(plan.finish()).unwrap();
    for slot in 0..draws as u32 {
        let params = StepParams { position: slot, seq_len: 1, slot, ..Default::default() };
        gpu.step(1, &params).run(&plan).submit().unwrap();
    }
    let ids = block_on(gpu.read(&sampled)).unwrap();
    assert_eq!(block_on(gpu.read(&tokens)).unwrap(), [ids[draws - 1], 0, 0], "what is fed back");
    ids
}

fn drawing(temperature: f32, top_k: u32, top_p: f32, min_p: f32) -> Sampling {
    Sampling { temperature, top_k, top_p, min_p, ..Sampling::default() }
}

fn logits(seed: u32, len: usize, scale: f32) -> Vec<f32> {
    random(seed, len).into_iter().map(|logit| logit * scale).collect()
}

/// Every draw is one that the CPU allows, and the one that it would draw: or one whose lead is as good, to the rounding of
/// two logarithms.
#[track_caller]
fn check(gpu: &Gpu, scores: &[f32], sampling: &Sampling, draws: usize) {
    let distances = sampler::distances(scores, sampling);
    let farthest = sampler::farthest(&distances, sampling);
    for (position, id) in (1..).zip(draw(gpu, scores, sampling, draws)) {
        let key = sampler::noise_key(sampling.seed_words(), position);
        let leads: Vec<(u32, f32)> = sampler::leads(&distances, farthest, key).collect();
        let best = leads.iter().map(|(_, lead)| *lead).fold(f32::NEG_INFINITY, f32::max);
        let what = format!("position {position} of {} tokens, {sampling:?}", scores.len());
        let own = leads.iter().find(|(allowed, _)| *allowed == id).map(|(_, lead)| *lead);
        let own = own.unwrap_or_else(|| panic!("{what}: got {id}, which is not allowed"));
        assert!(own >= best - 1e-4, "{what}: got {id} with {own}, expected {best}");
    }
}

const FILTERS: [(u32, f32, f32); 9] = [
    (0, 1.0, 0.0),
    (1, 1.0, 0.0),
    (40, 1.0, 0.0),
    (0, 0.9, 0.0),
    (0, 1.0, 0.05),
    (40, 0.8, 0.0),
    (40, 0.95, 0.02),
    (7, 0.3, 0.5),
    (300_000, 1e-9, 0.0),
];

#[test]
fn draws_are_the_cpus_whatever_the_size_of_the_vocabulary() {
    let gpu = gpu();
    for (len, scale, draws) in [(1, 1.0, 3), (2, 1.0, 20), (255, 3.0, 20), (333, 9.0, 20), (5001, 12.0, 10)] {
        for (seed, (top_k, top_p, min_p)) in (0..).zip(FILTERS) {
            let sampling = Sampling { seed: seed << 31, ..drawing(0.8, top_k, top_p, min_p) };
            check(&gpu, &logits(len as u32, len, scale), &sampling, draws);
        }
    }
}

/// More tokens are left than there is room for in workgroup memory, with logits that differ much, little, and not at all.
#[test]
fn draws_from_a_large_vocabulary_that_is_nearly_flat() {
    let gpu = gpu();
    for scale in [9.0, 0.01, 0.0] {
        let scores = logits(3, 128_256, scale);
        for (top_k, top_p, min_p) in
            [(0, 1.0, 0.0), (50_000, 1.0, 0.0), (40, 0.9, 0.0), (0, 0.5, 0.0), (3000, 0.7, 0.01)]
        {
            check(&gpu, &scores, &drawing(1.0, top_k, top_p, min_p), 2);
        }
    }
}

/// Sets of a known size, of tokens about equally likely: with 40 draws for each of them, all of them come and no other.
#[test]
fn all_that_is_allowed_is_drawn() {
    let gpu = gpu();
    // Falling in steps too small to make one much likelier, in an order that is no order of ids.
    let scores: Vec<f32> = (0..1003).map(|id| -((id * 45 % 1003) as f32) * 1e-3).collect();
    let mut order: Vec<u32> = (0..1003).collect();
    order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
    for (sampling, size) in [
        (drawing(1.0, 1, 1.0, 0.0), 1),
        (drawing(1.0, 37, 1.0, 0.0), 37),
        // e^-0.02 is 0.9802.
        (drawing(1.0, 0, 1.0, 0.9801), 21),
        // About half of 60 that are about equal.
        (drawing(10.0, 60, 0.5, 0.0), 30),
    ] {
        let mut got = draw(&gpu, &scores, &sampling, 40 * size);
        got.sort_unstable();
        got.dedup();
        let mut expected = order[..size].to_vec();
        expected.sort_unstable();
        assert_eq!(got, expected, "{sampling:?}");
    }
}

/// Each filter by itself, two together, all, and none.
const OFTEN: [(u32, f32, f32); 7] = [
    (0, 1.0, 0.0),
    (9, 1.0, 0.0),
    (0, 0.6, 0.0),
    (0, 1.0, 0.25),
    (12, 0.9, 0.0),
    (0, 0.95, 0.12),
    (14, 0.97, 0.15),
];

/// As `cpu`'s test of the same name does, with as many draws: by the chi-square statistic, which exceeds its mean by 5 of
/// its deviations about once in ten thousand settings.
#[test]
fn tokens_come_as_often_as_their_probabilities_say() {
    const DRAWS: usize = 20_000;
    let gpu = gpu();
    let scores = logits(8, 20, 2.0);
    for (seed, (top_k, top_p, min_p)) in (1..).zip(OFTEN) {
        let sampling = Sampling { seed, ..drawing(1.3, top_k, top_p, min_p) };
        let distances = sampler::distances(&scores, &sampling);
        let farthest = sampler::farthest(&distances, &sampling);
        let weight =
            |distance: u32| if distance <= farthest { sampler::weight(distance) as f64 } else { 0.0 };
        let mass: f64 = distances.iter().map(|distance| weight(*distance)).sum();
        let mut counts = vec![0.0; scores.len()];
        for id in draw(&gpu, &scores, &sampling, DRAWS) {
            counts[id as usize] += 1.0;
        }
        let (mut statistic, mut freedom) = (0f64, -1f64);
        for (id, (distance, count)) in distances.iter().zip(counts).enumerate() {
            let expected = weight(*distance) / mass * DRAWS as f64;
            if expected == 0.0 {
                assert_eq!(count, 0.0, "id {id} may not be drawn, {sampling:?}");
                continue;
            }
            statistic += (count - expected).powi(2) / expected;
            freedom += 1.0;
        }
        let bound = freedom + 5.0 * (2.0 * freedom).sqrt();
        eprintln!("{sampling:?}: {statistic:.1} of {freedom} degrees of freedom, bound {bound:.1}");
        assert!(statistic <= bound, "{sampling:?}: {statistic} of {freedom}");
    }
}

#[test]
fn infinite_logits_and_those_that_are_no_numbers() {
    let gpu = gpu();
    let with = |changes: &[(usize, f32)]| {
        let mut scores = logits(1, 600, 2.0);
        for (id, value) in changes {
            scores[*id] = *value;
        }
        scores
    };
    for (top_k, top_p, min_p) in FILTERS {
        let sampling = drawing(1.0, top_k, top_p, min_p);
        let drawn = |scores: &[f32]| draw(&gpu, scores, &sampling, 1)[0];
        assert_eq!(drawn(&with(&[(599, f32::NAN), (3, f32::INFINITY)])), NOT_A_NUMBER, "{sampling:?}");
        assert_eq!(drawn(&with(&[(3, f32::INFINITY)])), 3, "{sampling:?}");
        check(&gpu, &with(&[(3, f32::NEG_INFINITY), (9, -3.4e38)]), &sampling, 5);
        check(&gpu, &[f32::NEG_INFINITY; 7], &sampling, 5);
    }
}

#[test]
fn what_is_masked_is_never_drawn() {
    let gpu = gpu();
    for (top_k, top_p, min_p) in FILTERS {
        for len in [1, 600] {
            let sampling = drawing(1.0, top_k, top_p, min_p);
            let mut scores = vec![MASKED; len];
            assert_eq!(draw(&gpu, &scores, &sampling, 2), [NOT_A_NUMBER; 2], "{sampling:?}");
            scores[len - 1] = -MOST;
            assert_eq!(draw(&gpu, &scores, &sampling, 2), [len as u32 - 1; 2], "{sampling:?}");
        }
    }
}

#[test]
fn a_temperature_near_zero_takes_the_likeliest() {
    let gpu = gpu();
    let scores = logits(2, 333, 5.0);
    let best = sampler::argmax(&scores).unwrap();
    for temperature in [1e-3, 1e-9, 1e-38] {
        assert_eq!(draw(&gpu, &scores, &drawing(temperature, 0, 1.0, 0.0), 10), [best; 10], "{temperature}");
    }
}

/// What is drawn after each of several tokens is what would be drawn one by one.
#[test]
fn each_row_is_drawn_from_as_if_it_were_alone() {
    let (gpu, vocab_size, rows, position) = (gpu(), 700, 5, 11);
    let scores = logits(9, (rows + 1) * vocab_size, 3.0);
    for (top_k, top_p, min_p) in [(0, 1.0, 0.0), (20, 0.9, 0.01)] {
        let sampling = Sampling { seed: 77, ..drawing(0.9, top_k, top_p, min_p) };
        let tensors =
            block_on(gpu.allocate("sampling", |make| SamplingTensors::new(make, vocab_size, 8, 4))).unwrap();
        tensors.write(&gpu, &sampling, &[]);
        let all = upload(&gpu, "scores", [rows + 1, vocab_size], &scores);
        let choices = upload(&gpu, "choices", [1, rows + 1], &vec![0.0; rows + 1]);
        let mut plan = gpu.plan();
        sample_each(&mut plan, &all, &tensors, &choices);
        let plan = block_on(plan.finish()).unwrap();
        let params = StepParams { position, seq_len: rows as u32, row: 3, ..Default::default() };
        gpu.step(rows as u32, &params).run(&plan).submit().unwrap();
        let got = block_on(gpu.read(&choices)).unwrap();

        let mut expected: Vec<u32> = (0..rows)
            .map(|row| {
                let scores =
                    upload(&gpu, "scores", [1, vocab_size], &scores[row * vocab_size..][..vocab_size]);
                let [sampled, tokens] = ["sampled", "tokens"].map(|name| upload(&gpu, name, [1, 1], &[0.0]));
                let mut plan = gpu.plan();
                sample(&mut plan, &scores, &tensors, &sampled, &tokens);
                let plan = block_on(plan.finish()).unwrap();
                let params =
                    StepParams { position, seq_len: row as u32 + 1, row: row as u32, ..Default::default() };
                gpu.step(row as u32 + 1, &params).run(&plan).submit().unwrap();
                block_on(gpu.read(&sampled)).unwrap()[0]
            })
            .collect();
        expected.push(0);
        assert_eq!(got, expected, "{sampling:?}");
        assert!(expected[..rows].windows(2).any(|pair| pair[0] != pair[1]), "{expected:?}");
    }
}
