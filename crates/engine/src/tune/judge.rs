//! Whether an output is right, and which kernels are the fastest of those whose outputs are.

use protocol::{Kernels, TuningRow, Verdict};

/// By how much others must be faster than what the device would get untried.
const TIE: f64 = 0.03;

/// How far an output may be off: whole numbers round activations, halves both factors.
fn bound(kernels: Kernels) -> f64 {
    if matches!(kernels, Kernels::Int8 | Kernels::Halves) { 1e-2 } else { 1e-3 }
}

/// Compares an output with the one that it should be.
pub(super) fn judge(kernels: Kernels, output: &[f32], reference: &[f32]) -> Verdict {
    let bound = bound(kernels);
    match deviation(output, reference) {
        Some(deviation) if deviation <= bound => Verdict::Right { deviation },
        deviation => Verdict::Wrong { deviation, bound },
    }
}

/// The largest error, in standard deviations of what is right; none if something is not a number, or not there.
fn deviation(output: &[f32], reference: &[f32]) -> Option<f64> {
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / reference.len() as f64;
    let average = mean(&mut reference.iter().map(|value| f64::from(*value)));
    let variance = mean(&mut reference.iter().map(|value| (f64::from(*value) - average).powi(2)));
    let errors = output.iter().zip(reference).map(|(got, right)| f64::from((got - right).abs()));
    // `max` would pass over what is not a number.
    let largest = errors
        .fold(0.0, |largest: f64, error| if error > largest || error.is_nan() { error } else { largest });
    let deviation = largest / variance.sqrt();
    (output.len() == reference.len() && deviation.is_finite()).then_some(deviation)
}

/// The fastest, unless what the device would get untried is as good as that.
pub(super) fn choose(rows: &[TuningRow], untried: Kernels) -> Kernels {
    let timed = |row: &TuningRow| row.microseconds.map(|time| (time, row.kernels));
    let fastest = rows.iter().filter_map(timed).min_by(|(a, _), (b, _)| a.total_cmp(b));
    let own = rows.iter().filter_map(timed).find(|(_, kernels)| *kernels == untried);
    match (own, fastest) {
        (Some((own, _)), Some((time, kernels))) if time < own * (1.0 - TIE) => kernels,
        (None, Some((_, kernels))) => kernels,
        _ => untried,
    }
}
