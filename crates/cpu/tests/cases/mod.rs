//! The cases of a golden file, as transformers computed them.

#[derive(serde::Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

/// A prompt and what the model makes of it. A case has some of the fields.
#[derive(serde::Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input_ids: Vec<u32>,
    #[serde(default)]
    pub(crate) last_logits: Vec<f32>,
    #[serde(default)]
    pub(crate) argmax_per_position: Vec<u32>,
    #[serde(default)]
    pub(crate) greedy: Vec<u32>,
    #[serde(default)]
    pub(crate) margins: Vec<f32>,
}

pub(crate) fn parse(json: &[u8]) -> Vec<Case> {
    serde_json::from_slice::<Golden>(json).unwrap().cases
}

/// The likeliest id.
pub(crate) fn argmax(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    best.unwrap() as u32
}
