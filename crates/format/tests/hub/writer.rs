//! Writes a small Llama as a Hub folder, whole or damaged as a test wants it.
//!
//! Nothing here checks anything: each file can be set to what a healthy folder never has.

use format::{ChatTemplateFile, HubFiles, HubIndex, SafetensorsHeader, TokenizerConfig, TokenizerFile};
use serde_json::{Value, json};

pub(crate) const HIDDEN: usize = 192;
pub(crate) const FFN: usize = 256;
pub(crate) const VOCAB: usize = 333;

/// A tensor before it is written.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) file: usize,
    pub(crate) name: String,
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// A folder before it is written.
pub(crate) struct Folder {
    pub(crate) config: Value,
    pub(crate) generation_config: Option<Value>,
    pub(crate) tokenizer_config: Option<Value>,
    pub(crate) chat_template: Option<ChatTemplateFile>,
    /// The names in the index, if there is one: else it follows the tensors.
    pub(crate) weight_map: Option<Vec<(String, String)>>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) name: Option<String>,
}

impl Folder {
    /// One layer, six heads of 32 over three key/value heads, 333 tokens, all `F32`, in two files.
    /// Every weight tells which it is.
    pub(crate) fn tiny() -> Folder {
        let mut folder = Folder {
            config: json!({
                "architectures": ["LlamaForCausalLM"],
                "hidden_size": HIDDEN,
                "intermediate_size": FFN,
                "num_hidden_layers": 1,
                "num_attention_heads": 6,
                "num_key_value_heads": 3,
                "vocab_size": VOCAB,
                "rms_norm_eps": 1e-5,
                "eos_token_id": 2,
            }),
            generation_config: None,
            tokenizer_config: None,
            chat_template: None,
            weight_map: None,
            tensors: Vec::new(),
            name: None,
        };
        folder.push(0, "model.embed_tokens.weight", &[VOCAB, HIDDEN]);
        let layer = "model.layers.0";
        folder.push(0, &format!("{layer}.input_layernorm.weight"), &[HIDDEN]);
        folder.push(0, &format!("{layer}.self_attn.q_proj.weight"), &[192, HIDDEN]);
        folder.push(0, &format!("{layer}.self_attn.k_proj.weight"), &[96, HIDDEN]);
        folder.push(0, &format!("{layer}.self_attn.v_proj.weight"), &[96, HIDDEN]);
        folder.push(1, &format!("{layer}.self_attn.o_proj.weight"), &[HIDDEN, 192]);
        folder.push(1, &format!("{layer}.post_attention_layernorm.weight"), &[HIDDEN]);
        folder.push(1, &format!("{layer}.mlp.gate_proj.weight"), &[FFN, HIDDEN]);
        folder.push(1, &format!("{layer}.mlp.up_proj.weight"), &[FFN, HIDDEN]);
        folder.push(1, &format!("{layer}.mlp.down_proj.weight"), &[HIDDEN, FFN]);
        folder.push(1, "model.norm.weight", &[HIDDEN]);
        folder.push(1, "lm_head.weight", &[VOCAB, HIDDEN]);
        folder
    }

    /// Adds a tensor of `F32` whose weights count on from the tensor's place.
    pub(crate) fn push(&mut self, file: usize, name: &str, shape: &[usize]) {
        let first = self.tensors.len() as f32 * 1e6;
        let values = (0..shape.iter().product()).map(|i: usize| first + i as f32);
        let bytes = values.flat_map(f32::to_le_bytes).collect();
        self.tensors.push(Tensor { file, name: name.into(), dtype: "F32", shape: shape.into(), bytes });
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.unwrap_or_else(|| panic!("no tensor {name}"))
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.tensors.retain(|tensor| tensor.name != name);
    }

    pub(crate) fn file_name(file: usize) -> String {
        format!("model-{:05}-of-00002.safetensors", file + 1)
    }

    /// The weights' files.
    pub(crate) fn weights(&self) -> Vec<Vec<u8>> {
        let last = self.tensors.iter().map(|tensor| tensor.file).max().unwrap_or(0);
        (0..=last).map(|file| safetensors(self.tensors.iter().filter(|tensor| tensor.file == file))).collect()
    }

    /// What `Checkpoint::from_hub` reads, and the weights' files.
    pub(crate) fn files(&self) -> (HubFiles, Vec<Vec<u8>>) {
        let weights = self.weights();
        let headers =
            weights.iter().map(|bytes| SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap());
        let followed = || self.tensors.iter().map(|t| (t.name.clone(), Folder::file_name(t.file))).collect();
        let weight_map: Vec<(String, String)> = self.weight_map.clone().unwrap_or_else(followed);
        let weight_map: serde_json::Map<_, _> = weight_map.into_iter().map(|(k, v)| (k, json!(v))).collect();
        let index = json!({ "metadata": {"total_size": 0}, "weight_map": weight_map }).to_string();
        let text = |value: &Option<Value>| value.as_ref().map(|value| value.to_string().into_bytes());
        let files = HubFiles {
            config: self.config.to_string().into_bytes(),
            generation_config: text(&self.generation_config),
            tokenizer: TokenizerFile::HuggingFace { json: b"{}".into(), config: TokenizerConfig::default() },
            tokenizer_config: text(&self.tokenizer_config),
            chat_template: self.chat_template.clone(),
            index: Some(HubIndex::parse(index.as_bytes()).unwrap()),
            weights: headers.collect(),
            name: self.name.clone(),
        };
        (files, weights)
    }
}

/// A safetensors file with the tensors one behind the other.
pub(crate) fn safetensors<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    for tensor in tensors {
        let begin = data.len();
        data.extend(&tensor.bytes);
        let entry =
            json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, data.len()]});
        header.insert(tensor.name.clone(), entry);
    }
    let header = Value::from(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}
