//! Choosing a token from logits, as [`format::sampling`] defines it. The GPU's kernels are held to this.

use format::sampling::{DISTANCE_UNIT, FARTHEST, LogProbs, MASKED, MOST, Penalties, Sampling, TOO_FAR};

/// The id that follows `seen`, all the ids before it, given its `logits`: `[vocab_size]`.
/// `None` if a logit is not a number, or if there is none that is allowed.
pub fn choose(logits: &[f32], sampling: &Sampling, seen: &[u32]) -> Option<u32> {
    let scores = scores(logits, sampling, seen);
    let best = argmax(&scores).filter(|best| scores.get(*best as usize) != Some(&MASKED))?;
    if sampling.is_greedy() {
        return Some(best);
    }
    let distances = distances(&scores, sampling);
    let farthest = farthest(&distances, sampling);
    let leads = leads(&distances, farthest, noise_key(sampling.seed_words(), seen.len() as u32));
    leads.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(id, _)| id)
}

/// The id of the highest, the lower one of two equals. `None` if one is not a number, or if there is none.
pub fn argmax(scores: &[f32]) -> Option<u32> {
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let best = (0..).zip(scores).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(id, _)| id)
}

/// Logits as the settings change them: `[vocab_size]`.
pub fn scores(logits: &[f32], sampling: &Sampling, seen: &[u32]) -> Vec<f32> {
    let mut scores = logits.to_vec();
    for (id, bias) in &sampling.logit_bias {
        if let Some(score) = scores.get_mut(*id as usize) {
            *score += bias;
        }
    }
    penalize(&mut scores, &sampling.penalties, seen);
    if let Some(mask) = &sampling.mask {
        for (id, score) in scores.iter_mut().enumerate().filter(|(_, score)| !score.is_nan()) {
            let allowed = mask.get(id / 32).is_some_and(|word| word >> (id % 32) & 1 == 1);
            // However low an allowed one is, it is higher than one that is not.
            *score = if allowed { score.max(-MOST) } else { MASKED };
        }
    }
    scores
}

fn penalize(scores: &mut [f32], penalties: &Penalties, seen: &[u32]) {
    let window = &seen[seen.len() - penalties.looks_at(seen.len())..];
    let mut counts = vec![0u32; scores.len()];
    for id in window {
        if let Some(count) = counts.get_mut(*id as usize) {
            *count += 1;
        }
    }
    let Penalties { repetition, frequency, presence, .. } = *penalties;
    for (score, count) in scores.iter_mut().zip(counts).filter(|(_, count)| *count > 0) {
        let repeated = if *score > 0.0 { *score * (1.0 / repetition) } else { *score * repetition };
        *score = repeated - frequency * count as f32 - presence;
    }
}

/// How much less likely than the likeliest each token is: `(highest - score) / temperature`, in [`DISTANCE_UNIT`]s.
pub fn distances(scores: &[f32], sampling: &Sampling) -> Vec<u32> {
    let (inverse_temperature, reach) = (sampling.inverse_temperature(), sampling.reach());
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max).clamp(-MOST, MOST);
    let distance = |score: &f32| {
        let behind = highest - score.clamp(-MOST, MOST);
        match *score == MASKED || behind >= reach {
            true => TOO_FAR,
            false => ((behind * inverse_temperature / DISTANCE_UNIT) as u32).min(FARTHEST),
        }
    };
    scores.iter().map(distance).collect()
}

/// The farthest distance that may be drawn, after `top_k`, `top_p` and `min_p`.
pub fn farthest(distances: &[u32], sampling: &Sampling) -> u32 {
    let top_p = u64::from(sampling.top_p_parts());
    let mut farthest = sampling.min_p_distance();
    if sampling.top_k == 0 && top_p == 0 {
        return farthest;
    }
    let mut nearest: Vec<u32> = distances.iter().copied().filter(|distance| *distance != TOO_FAR).collect();
    nearest.sort_unstable();
    if let Some(last) = (sampling.top_k as usize).checked_sub(1).and_then(|last| nearest.get(last)) {
        farthest = farthest.min(*last);
        let last = *last;
        nearest.retain(|distance| *distance <= last);
    }
    if top_p > 0 {
        let mass: u64 = nearest.iter().map(|distance| weight(*distance)).sum();
        // Rounded up: what is below this is below `top_p` of the mass.
        let wanted = (u128::from(top_p) * u128::from(mass)).div_ceil(1 << 32) as u64;
        let mut nearer = 0;
        let last = nearest.iter().find(|distance| {
            nearer += weight(**distance);
            nearer >= wanted
        });
        farthest = farthest.min(last.copied().unwrap_or(FARTHEST));
    }
    farthest
}

/// `exp(-distance)` in parts of `2^-31`: sums of whole numbers are the same in any order.
pub fn weight(distance: u32) -> u64 {
    let parts = (-(distance as f32) * DISTANCE_UNIT).exp() * (1u32 << 31) as f32;
    u64::from(parts as u32)
}

/// The ids within `farthest`, each with what its noise exceeds its distance by: the highest is drawn, the lower id of two
/// equals.
pub fn leads(distances: &[u32], farthest: u32, key: [u32; 2]) -> impl Iterator<Item = (u32, f32)> {
    let allowed = (0..).zip(distances.iter().copied()).filter(move |(_, distance)| *distance <= farthest);
    allowed.map(move |(id, distance)| (id, gumbel(noise(key, id)) - distance as f32 * DISTANCE_UNIT))
}

/// What the noise of all tokens at a position follows from.
pub fn noise_key([low, high]: [u32; 2], position: u32) -> [u32; 2] {
    let first = scramble(scramble(scramble(low).wrapping_add(high)).wrapping_add(position));
    let second = scramble(scramble(position ^ 0x9E37_79B9).wrapping_add(high)).wrapping_add(low);
    [first, scramble(second)]
}

/// Evenly distributed words, one for each id.
fn noise([first, second]: [u32; 2], id: u32) -> u32 {
    scramble(scramble(id.wrapping_add(first)) ^ second)
}

/// Every bit of the result depends on every bit of `word`, and no two words have the same result.
fn scramble(word: u32) -> u32 {
    let word = (word ^ word >> 16).wrapping_mul(0x7FEB_352D);
    let word = (word ^ word >> 15).wrapping_mul(0x846C_A68B);
    word ^ word >> 16
}

/// Gumbel's distribution: `-ln(wait)`, where `wait = -ln(1 - u)` and `u` is `word` as a number between 0 and 1.
///
/// The highest of many follows from the least `u`, so those are resolved as finely as words are: by the series of
/// `ln(1 - u)` below 1/16, and by the logarithm itself above.
fn gumbel(word: u32) -> f32 {
    let part = |word: u32| (word as f32 + 0.5) / 2f32.powi(32);
    let u = part(word);
    let series = 1.0 + u * (0.5 + u * (1.0 / 3.0 + u * (0.25 + u * (0.2 + u / 6.0))));
    let wait = if word < 1 << 28 { u * series } else { -part(!word).ln() };
    -wait.ln()
}

/// Log-probabilities of `id` and of the `top` likeliest, the lower id first of two equals. Not-a-numbers give such.
pub fn log_probs(logits: &[f32], id: u32, top: u32) -> LogProbs {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max).clamp(-MOST, MOST);
    let above = |logit: f32| f64::from(logit.clamp(-MOST, MOST)) - f64::from(highest);
    let total = logits.iter().map(|logit| above(*logit).exp()).sum::<f64>().ln();
    let log_prob = |logit: f32| (above(logit) - total) as f32;
    let mut order: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    // The two zeros are equals.
    order.sort_by(|(_, a), (_, b)| (b + 0.0).total_cmp(&(a + 0.0)));
    let top = order.into_iter().take(top as usize).map(|(id, logit)| (id, log_prob(logit))).collect();
    LogProbs { chosen: logits.get(id as usize).map_or(f32::NAN, |logit| log_prob(*logit)), top }
}

#[cfg(test)]
mod tests;
