//! The dimensions as `config.json` has them: what [`HubConfig`](super::HubConfig) reads, written.

use serde_json::{Value, json};

use crate::{Config, shortest};

impl Config {
    /// The dimensions under the names of `config.json`, as an object; RoPE's scaling and what names the architecture
    /// left out.
    pub fn dimensions(&self) -> Value {
        json!({
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab_size,
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": shortest(self.rms_norm_eps),
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_word_embeddings,
        })
    }
}
