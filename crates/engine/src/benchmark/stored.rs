//! What other implementations give for models that many have: so far for the demo.

use format::Checkpoint;

use crate::Quantize;

/// Logits and ids that are known for a model.
#[derive(Debug)]
pub(crate) struct Stored {
    name: &'static str,
    bytes: u64,
    /// The ids that it all follows.
    pub(super) prompt: &'static [u32],
    /// Ids with their logits after the prompt: the highest.
    pub(super) logits: &'static [(u32, f32)],
    /// `ln(Σ exp(logit))` over all of them.
    pub(super) log_sum_exp: f64,
    /// The likeliest ids, one after the other.
    pub(super) greedy: &'static [u32],
    /// How much higher each one's logit is than the next's.
    margins: &'static [f64],
}

impl Stored {
    /// What is known for a model as it is loaded, if anything. A file from disk is not hashed, so it goes by its name and its
    /// size to the byte: one that has both and other contents is damaged, and finding that out is what this is for.
    /// What is quantized on its way is another model.
    pub(crate) fn of(checkpoint: &Checkpoint, quantize: Quantize) -> Option<&'static Stored> {
        let is_known = checkpoint.name.as_deref() == Some(DEMO.name) && checkpoint.size() == DEMO.bytes;
        (is_known && quantize.quant(checkpoint).is_none()).then_some(&DEMO)
    }

    /// Tokens of the prompt and what follows.
    pub(super) fn tokens(&self) -> usize {
        self.prompt.len() + self.greedy.len()
    }

    /// The ids that follow for certain where logits are off by `error`: those before the first that another one is close to.
    pub(super) fn certain(&self, error: f64) -> &'static [u32] {
        let close = self.margins.iter().position(|margin| *margin < 2.0 * error);
        self.greedy.get(..close.unwrap_or(self.greedy.len())).unwrap_or_default()
    }
}

/// SmolLM2-135M-Instruct in Q4_1, asked for the capital of France: by transformers, in f32.
/// From `tests/golden/smollm2-golden.json`.
static DEMO: Stored = Stored {
    name: "Smollm2 135M 8k Lc100K Mix1 Ep2",
    bytes: 98_362_432,
    prompt: &[
        1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712,
        8182, 2, 198, 1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198,
    ],
    logits: &[
        (504, 25.3254),
        (60, 25.2433),
        (15319, 24.9424),
        (2219, 24.4017),
        (7026, 24.3147),
        (14925, 24.1343),
        (50, 24.0936),
        (3706, 24.0153),
        (30904, 23.4447),
        (39832, 23.3833),
        (33488, 23.1131),
        (38634, 23.1044),
        (51, 23.0907),
        (13793, 22.9254),
        (39614, 22.6051),
        (39571, 22.4833),
        (52, 22.4588),
        (5056, 22.4488),
        (57, 22.3815),
        (58, 22.3376),
        (39393, 22.2511),
        (67, 22.1036),
        (49, 21.9983),
        (142, 21.984),
        (74, 21.9396),
        (63, 21.9076),
        (56, 21.8705),
        (64, 21.8493),
        (13755, 21.7675),
        (788, 21.743),
        (11278, 21.7123),
        (54, 21.6787),
    ],
    log_sum_exp: 27.2081,
    greedy: &[504, 3575, 282, 4649, 314, 7042, 30, 2],
    margins: &[0.0821, 4.6617, 4.7483, 5.0446, 3.3734, 4.653, 0.2976, 2.9282],
};

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The case with the demo's prompt.
    fn golden() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/smollm2-golden.json");
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut cases = golden["cases"].as_array().unwrap().iter();
        cases.find(|case| case["prompt_ids"] == Value::from(DEMO.prompt.to_vec())).unwrap().clone()
    }

    #[test]
    fn the_demo_is_as_the_golden_file_has_it() {
        let case = golden();
        let top: Vec<(u32, f32)> = serde_json::from_value(case["first_logits_top64"].clone()).unwrap();
        assert_eq!(DEMO.logits, &top[..32]);
        assert_eq!(case["first_logits_logsumexp"], DEMO.log_sum_exp);
        assert_eq!(case["greedy_ids"], Value::from(DEMO.greedy.to_vec()));
        assert_eq!(case["greedy_margins"], Value::from(DEMO.margins.to_vec()));
    }

    #[test]
    fn ids_are_certain_up_to_the_first_close_choice() {
        for (error, expected) in [(0.0, 8), (0.041, 8), (0.0411, 0)] {
            assert_eq!(DEMO.certain(error).len(), expected, "{error}");
        }
        let later = Stored { margins: &[5.0, 4.0, 0.3, 5.0, 5.0, 5.0, 5.0, 5.0], ..DEMO };
        assert_eq!(later.certain(0.2), &DEMO.greedy[..2]);
    }
}
