//! How fast a token should be on GPUs that are not here: bytes that it reads by the bandwidth that good kernels reach, and
//! a price for every dispatch. Both are assumed, near published measurements of other programs, which docs/performance.md
//! names; bytes and dispatches are counted here.

use serde_json::{Value, json};

/// What of a GPU's bandwidth good kernels reach.
const REACHED: f64 = 0.78;

/// What a dispatch costs beside its bytes, in one pass.
const SECONDS_A_DISPATCH: f64 = 5e-6;

/// Name, bytes a second, and tokens a second that 8B should reach.
const GPUS: [(&str, f64, f64); 2] = [("M3 Max", 400e9, 66.0), ("RTX 4090", 1008e9, 190.0)];

/// A row for each GPU, from the rows that `pronk bench --json` printed of a model.
pub(crate) fn rows(measured: &Value) -> Vec<Value> {
    let value = |name: &str| {
        let row = measured.as_array()?.iter().find(|row| row["name"] == name)?;
        row["value"].as_f64()
    };
    let Some((mib, dispatches)) = value("weights read a token").zip(value("dispatches a token")) else {
        return Vec::new();
    };
    let row = |(gpu, bandwidth, wanted): (&str, f64, f64)| {
        let speed = 1.0 / seconds(mib * f64::from(1 << 20), dispatches, bandwidth);
        json!({ "name": format!("decode, {gpu}, by the model of time"), "value": speed, "unit": "tok/s", "wanted": wanted })
    };
    GPUS.map(row).to_vec()
}

fn seconds(bytes: f64, dispatches: f64, bandwidth: f64) -> f64 {
    bytes / (REACHED * bandwidth) + dispatches * SECONDS_A_DISPATCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_dispatches_take_their_time() {
        for (bytes, dispatches, expected) in [(0.0, 100.0, 5e-4), (312e9, 0.0, 1.0), (312e9, 100.0, 1.0005)] {
            let got = seconds(bytes, dispatches, 400e9);
            assert!(
                (got - expected).abs() < 1e-9,
                "{bytes} bytes, {dispatches} dispatches: {got}, {expected}"
            );
        }
    }

    #[test]
    fn rows_need_both_counts() {
        let bytes = json!({ "name": "weights read a token", "value": 4000.0 });
        let dispatches = json!({ "name": "dispatches a token", "value": 163.0 });
        assert_eq!(rows(&json!([bytes])).len(), 0);
        assert_eq!(rows(&json!([bytes, dispatches])).len(), GPUS.len());
    }
}
