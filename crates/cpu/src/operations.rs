//! The formulas that a Llama is made of, each on one token.

use std::sync::LazyLock;
use std::thread;

/// One on wasm32, where threads can't be started.
static THREADS: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));

/// `matrix x`, where `matrix` is `[rows, columns]` and `x` is `[columns]`; the result is `[rows]`.
///
/// The rows are shared out over the machine's processors, which changes no sum.
pub(crate) fn matvec(matrix: &[f32], x: &[f32]) -> Vec<f32> {
    let columns = x.len();
    let mut out = vec![0.0; matrix.len() / columns];
    let rows_per_thread = out.len().div_ceil(*THREADS);
    let multiply = |out: &mut [f32], rows: &[f32]| {
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(columns)) {
            *out = dot(row, x);
        }
    };
    thread::scope(|scope| {
        let mut parts = out.chunks_mut(rows_per_thread).zip(matrix.chunks(rows_per_thread * columns));
        let first = parts.next();
        for (out, rows) in parts {
            scope.spawn(move || multiply(out, rows));
        }
        if let Some((out, rows)) = first {
            multiply(out, rows);
        }
    });
    out
}

/// `Σ a b`, in eight sums side by side: the compiler may then use vector instructions, and errors stay smaller.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// `x / sqrt(mean(x²) + eps) * weight`
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let mean_square = dot(x, x) / x.len() as f32;
    let scale = 1.0 / (mean_square + eps).sqrt();
    x.iter().zip(weight).map(|(x, weight)| x * scale * weight).collect()
}

/// `exp(x) / Σ exp(x)`; the largest is subtracted first, which changes nothing but keeps `exp` finite.
pub(crate) fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in &mut *x {
        *x = (*x - max).exp();
    }
    let sum: f32 = x.iter().sum();
    for x in x {
        *x /= sum;
    }
}

/// `silu(gate) * up`, where `silu(x) = x / (1 + exp(-x))`
pub(crate) fn swiglu(gate: &[f32], up: &[f32]) -> Vec<f32> {
    gate.iter().zip(up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect()
}

/// What one token attends to: for every head, the values of all positions, weighted by `softmax(q · k / sqrt(head_dim))`.
///
/// `q` and the result are `[num_attention_heads * head_dim]`, `keys` and `values` are `[positions, kv_size]`,
/// where `kv_size = num_key_value_heads * head_dim`. A key/value head serves as many query heads in a row as there
/// are more of them.
pub(crate) fn attention(
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    kv_size: usize,
    head_dim: usize,
) -> Vec<f32> {
    let heads_per_kv_head = q.len() / kv_size;
    let mut out = vec![0.0; q.len()];
    for (head, (q, out)) in q.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)).enumerate() {
        let kv_head = head / heads_per_kv_head;
        let columns = kv_head * head_dim..(kv_head + 1) * head_dim;
        let scores =
            keys.chunks_exact(kv_size).map(|key| dot(q, &key[columns.clone()]) / (head_dim as f32).sqrt());
        let mut weights: Vec<f32> = scores.collect(); // [positions]
        softmax(&mut weights);
        for (weight, value) in weights.iter().zip(values.chunks_exact(kv_size)) {
            for (out, value) in out.iter_mut().zip(&value[columns.clone()]) {
                *out += weight * value;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(what: &str, got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len(), "{what}");
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            assert!(
                (got - expected).abs() <= 1e-6 * expected.abs(),
                "{what}[{i}]: got {got}, expected {expected}"
            );
        }
    }

    #[test]
    fn formulas() {
        // The mean square is 12.5, so eps = 3.5 makes the root 4: left out, it shows.
        check("rms_norm", &rms_norm(&[3.0, 4.0], &[2.0, -1.0], 3.5), &[1.5, -1.0]);
        let ln = |x: f32| x.ln();
        let mut x = [ln(1.0) + 500.0, ln(2.0) + 500.0, ln(5.0) + 500.0];
        softmax(&mut x);
        assert!(
            (x[0] - 0.125).abs() < 1e-4 && (x[1] - 0.25).abs() < 1e-4 && (x[2] - 0.625).abs() < 1e-4,
            "{x:?}"
        );
        // silu(ln 3) = ln 3 * 3/4.
        check(
            "swiglu",
            &swiglu(&[ln(3.0), 0.0, -ln(3.0)], &[4.0, 9.0, 8.0]),
            &[3.0 * ln(3.0), 0.0, -2.0 * ln(3.0)],
        );
    }

    /// Column counts below, at and past the eight sums; rows that don't share out evenly.
    #[test]
    fn matvec_of_any_shape() {
        for (rows, columns) in [(1, 1), (1, 7), (3, 8), (5, 9), (7, 64), (330, 100)] {
            let matrix: Vec<f32> = (0..rows * columns).map(|i| (i * 7 % 13) as f32 - 6.0).collect();
            let x: Vec<f32> = (0..columns).map(|i| (i * 5 % 11) as f32 - 5.0).collect();
            let product = |row: &[f32]| row.iter().zip(&x).map(|(a, b)| a * b).sum();
            let expected: Vec<f32> = matrix.chunks(columns).map(product).collect();
            assert_eq!(matvec(&matrix, &x), expected, "{rows} x {columns}");
        }
    }

    /// Four heads over two of keys and values, two positions: each head sees its own columns.
    #[test]
    fn heads_share_keys_and_values() {
        let (head_dim, kv_size) = (2, 4);
        let keys = [1.0, 0.0, 0.0, 1.0, /* */ -1.0, 0.0, 0.0, -1.0];
        let values = [1.0, 2.0, 3.0, 4.0, /* */ 5.0, 6.0, 7.0, 8.0];
        // A score of ±100 / sqrt(2) picks one position; a score of zero takes the mean of both.
        let q = [100.0, 0.0, /* */ 0.0, 100.0, /* */ 0.0, -100.0, /* */ 100.0, 0.0];
        let expected = [1.0, 2.0, /* */ 3.0, 4.0, /* */ 7.0, 8.0, /* */ 5.0, 6.0];
        check("attention", &attention(&q, &keys, &values, kv_size, head_dim), &expected);
    }

    /// With scores of 0 and ln 3 after the division by `sqrt(4)`, the weights are 1/4 and 3/4.
    #[test]
    fn scores_are_divided_by_the_root_of_head_dim() {
        let q = [2.0 * 3f32.ln(), 0.0, 0.0, 0.0];
        let keys = [0.0, 1.0, 0.0, 0.0, /* */ 1.0, 0.0, 0.0, 0.0];
        let values = [4.0, 0.0, 0.0, 0.0, /* */ 0.0, 4.0, 0.0, 0.0];
        check("attention", &attention(&q, &keys, &values, 4, 4), &[1.0, 3.0, 0.0, 0.0]);
    }
}
