//! Writes the smallest Llama that there can be as GGUF, whole or damaged as a test wants it.
//!
//! Nothing here checks anything: each number can be set to what a healthy file never has.

/// A GGUF file before it is written.
pub(crate) struct File {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    /// What the header says, if not how many there are.
    pub(crate) n_tensors: Option<u64>,
    pub(crate) n_kv: Option<u64>,
    pub(crate) metadata: Vec<(Vec<u8>, Value)>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) alignment: usize,
}

/// A type id and the bytes that follow it.
pub(crate) struct Value(pub(crate) u32, pub(crate) Vec<u8>);

pub(crate) struct Tensor {
    pub(crate) name: Vec<u8>,
    /// What the table says, if not how many there are in `ne`.
    pub(crate) n_dims: Option<u32>,
    pub(crate) ne: Vec<u64>,
    pub(crate) dtype: u32,
    pub(crate) offset: u64,
    /// How many zeros are written for it.
    pub(crate) len: usize,
}

pub(crate) const F32: u32 = 0;
pub(crate) const Q4_0: u32 = 2;

impl File {
    /// One layer, two heads of 16 over one key/value head, five tokens, tied, with Llama 3's RoPE scaling.
    pub(crate) fn tiny() -> File {
        let tokens = ["a", "b", "ab", "<|begin|>", "<|end|>"];
        let mut file = File {
            magic: *b"GGUF",
            version: 3,
            n_tensors: None,
            n_kv: None,
            metadata: Vec::new(),
            tensors: Vec::new(),
            alignment: 32,
        };
        file.set("general.architecture", string("llama"));
        file.set("general.name", string("tiny"));
        file.set("llama.context_length", u32(64));
        file.set("llama.embedding_length", u32(32));
        file.set("llama.feed_forward_length", u32(64));
        file.set("llama.block_count", u32(1));
        file.set("llama.attention.head_count", u32(2));
        file.set("llama.attention.head_count_kv", u32(1));
        file.set("llama.attention.layer_norm_rms_epsilon", f32(1e-5));
        file.set("tokenizer.ggml.model", string("gpt2"));
        file.set("tokenizer.ggml.pre", string("llama-bpe"));
        file.set("tokenizer.ggml.tokens", strings(&tokens));
        file.set("tokenizer.ggml.token_type", array(I32, 5, &[1, 1, 1, 3, 3].map(i32::to_le_bytes).concat()));
        file.set("tokenizer.ggml.merges", strings(&["a b"]));
        file.set("tokenizer.ggml.bos_token_id", u32(3));
        file.set("tokenizer.ggml.eos_token_id", u32(4));
        file.push("token_embd.weight", &[32, 5], Q4_0, 90);
        file.push("output_norm.weight", &[32], F32, 128);
        file.push("rope_freqs.weight", &[8], F32, 32);
        file.push("blk.0.attn_norm.weight", &[32], F32, 128);
        file.push("blk.0.attn_q.weight", &[32, 32], Q4_0, 576);
        file.push("blk.0.attn_k.weight", &[32, 16], Q4_0, 288);
        file.push("blk.0.attn_v.weight", &[32, 16], F32, 2048);
        file.push("blk.0.attn_output.weight", &[32, 32], Q4_0, 576);
        file.push("blk.0.ffn_norm.weight", &[32], F32, 128);
        file.push("blk.0.ffn_gate.weight", &[32, 64], Q4_0, 1152);
        file.push("blk.0.ffn_up.weight", &[32, 64], Q4_0, 1152);
        file.push("blk.0.ffn_down.weight", &[64, 32], Q4_0, 1152);
        file
    }

    /// Replaces a key's value, or adds the key.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        match self.metadata.iter_mut().find(|(at, _)| at == key.as_bytes()) {
            Some((_, old)) => *old = value,
            None => self.metadata.push((key.into(), value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.metadata.retain(|(at, _)| at != key.as_bytes());
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors
            .iter_mut()
            .find(|tensor| tensor.name == name.as_bytes())
            .unwrap_or_else(|| panic!("no {name}"))
    }

    pub(crate) fn remove_tensor(&mut self, name: &str) {
        self.tensors.retain(|tensor| tensor.name != name.as_bytes());
    }

    /// Adds a tensor after the others.
    pub(crate) fn push(&mut self, name: &str, ne: &[u64], dtype: u32, len: usize) {
        let end = self.tensors.iter().map(|tensor| tensor.offset as usize + tensor.len).max().unwrap_or(0);
        let offset = end.next_multiple_of(self.alignment) as u64;
        self.tensors.push(Tensor { name: name.into(), n_dims: None, ne: ne.into(), dtype, offset, len });
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.n_tensors.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.n_kv.unwrap_or(self.metadata.len() as u64).to_le_bytes());
        for (key, Value(type_id, value)) in &self.metadata {
            out.extend((key.len() as u64).to_le_bytes());
            out.extend(key);
            out.extend(type_id.to_le_bytes());
            out.extend(value);
        }
        for tensor in &self.tensors {
            out.extend((tensor.name.len() as u64).to_le_bytes());
            out.extend(&tensor.name);
            out.extend(tensor.n_dims.unwrap_or(tensor.ne.len() as u32).to_le_bytes());
            out.extend(tensor.ne.iter().flat_map(|n| n.to_le_bytes()));
            out.extend(tensor.dtype.to_le_bytes());
            out.extend(tensor.offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        // An offset that a test has set far out writes nothing there.
        let ends = self.tensors.iter().map(|tensor| tensor.offset.saturating_add(tensor.len as u64));
        let data_len = ends.filter(|end| *end < 1 << 26).max().unwrap_or(0);
        out.resize(out.len() + data_len as usize, 0);
        out
    }
}

pub(crate) const I32: u32 = 5;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;

pub(crate) fn u32(value: u32) -> Value {
    Value(4, value.to_le_bytes().into())
}

pub(crate) fn f32(value: f32) -> Value {
    Value(6, value.to_le_bytes().into())
}

pub(crate) fn u64(value: u64) -> Value {
    Value(10, value.to_le_bytes().into())
}

pub(crate) fn string(value: &str) -> Value {
    Value(STRING, [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat())
}

pub(crate) fn strings(values: &[&str]) -> Value {
    let bytes: Vec<u8> = values.iter().flat_map(|value| string(value).1).collect();
    array(STRING, values.len() as u64, &bytes)
}

pub(crate) fn array(element: u32, len: u64, bytes: &[u8]) -> Value {
    Value(ARRAY, [&element.to_le_bytes(), len.to_le_bytes().as_slice(), bytes].concat())
}
