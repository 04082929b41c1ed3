//! The tensors of a Llama model, named once for all file formats.
//!
//! | name | Hugging Face | GGUF | Meta |
//! |---|---|---|---|
//! | `EmbedTokens` | `model.embed_tokens.weight` | `token_embd.weight` | `tok_embeddings.weight` |
//! | `QProj` of layer 0 | `model.layers.0.self_attn.q_proj.weight` | `blk.0.attn_q.weight` | `layers.0.attention.wq.weight` |
//!
//! Nothing outside of this crate sees a file's own names.

use crate::Config;

/// A tensor of a Llama model. Displayed as Hugging Face names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TensorName {
    /// `[vocab_size, hidden_size]`, a row for each token.
    EmbedTokens,
    /// `[1, hidden_size]`, the weight of the last RMSNorm.
    Norm,
    /// `[vocab_size, hidden_size]`. Absent if tied: `EmbedTokens` serves then.
    LmHead,
    /// `[1, head_dim / 2]`, what RoPE's frequencies are divided by. Only GGUF has it, and only for Llama 3.1 and later.
    RopeFreqs,
    /// A tensor that every layer has its own of.
    Layer {
        /// From 0 up to `num_hidden_layers`.
        index: usize,
        /// Which of the layer's tensors.
        part: LayerPart,
    },
}

/// The tensors of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LayerPart {
    /// `[1, hidden_size]`
    InputLayernorm,
    /// `[num_attention_heads * head_dim, hidden_size]`
    QProj,
    /// `[num_key_value_heads * head_dim, hidden_size]`
    KProj,
    /// `[num_key_value_heads * head_dim, hidden_size]`
    VProj,
    /// `[hidden_size, num_attention_heads * head_dim]`
    OProj,
    /// `[1, hidden_size]`
    PostAttentionLayernorm,
    /// `[intermediate_size, hidden_size]`
    GateProj,
    /// `[intermediate_size, hidden_size]`
    UpProj,
    /// `[hidden_size, intermediate_size]`
    DownProj,
}

impl TensorName {
    /// The tensors that a model with so many layers can't be without.
    pub(crate) fn required(num_hidden_layers: usize) -> impl Iterator<Item = TensorName> + use<> {
        let layers = (0..num_hidden_layers)
            .flat_map(|index| LayerPart::ALL.map(move |part| TensorName::Layer { index, part }));
        [TensorName::EmbedTokens, TensorName::Norm].into_iter().chain(layers)
    }

    /// Every tensor that a model has in files which keep RoPE's scaling in the config.
    pub fn of_model(config: &Config) -> impl Iterator<Item = TensorName> + use<> {
        let head = (!config.tie_word_embeddings).then_some(TensorName::LmHead);
        TensorName::required(config.num_hidden_layers).chain(head)
    }

    /// Whether it is one row of numbers rather than a matrix.
    pub(crate) fn is_vector(self) -> bool {
        use LayerPart::{InputLayernorm, PostAttentionLayernorm};
        let is_norm = |part| matches!(part, InputLayernorm | PostAttentionLayernorm);
        match self {
            TensorName::Norm | TensorName::RopeFreqs => true,
            TensorName::EmbedTokens | TensorName::LmHead => false,
            TensorName::Layer { part, .. } => is_norm(part),
        }
    }

    /// The tensor that a Hugging Face folder calls so; `None` if Llama has no such tensor.
    pub(crate) fn from_hugging_face(name: &str) -> Option<TensorName> {
        let name = match name {
            "model.embed_tokens.weight" => TensorName::EmbedTokens,
            "model.norm.weight" => TensorName::Norm,
            "lm_head.weight" => TensorName::LmHead,
            _ => {
                let (index, part) =
                    name.strip_prefix("model.layers.")?.strip_suffix(".weight")?.split_once('.')?;
                let part = LayerPart::ALL.into_iter().find(|known| known.hugging_face() == part)?;
                TensorName::Layer { index: layer_index(index)?, part }
            }
        };
        Some(name)
    }

    /// What Meta's files call it.
    pub(crate) fn meta(self) -> String {
        match self {
            TensorName::EmbedTokens => "tok_embeddings.weight".into(),
            TensorName::Norm => "norm.weight".into(),
            TensorName::LmHead => "output.weight".into(),
            TensorName::RopeFreqs => "rope.freqs".into(),
            TensorName::Layer { index, part } => format!("layers.{index}.{}.weight", part.meta()),
        }
    }

    /// What a GGUF file calls it.
    pub(crate) fn gguf(self) -> String {
        match self {
            TensorName::EmbedTokens => "token_embd.weight".into(),
            TensorName::Norm => "output_norm.weight".into(),
            TensorName::LmHead => "output.weight".into(),
            TensorName::RopeFreqs => "rope_freqs.weight".into(),
            TensorName::Layer { index, part } => format!("blk.{index}.{}.weight", part.gguf()),
        }
    }

    /// The tensor that a GGUF file calls so; `None` if Llama has no such tensor.
    pub(crate) fn from_gguf(name: &str) -> Option<TensorName> {
        let name = match name {
            "token_embd.weight" => TensorName::EmbedTokens,
            "output_norm.weight" => TensorName::Norm,
            "output.weight" => TensorName::LmHead,
            "rope_freqs.weight" => TensorName::RopeFreqs,
            _ => {
                let (index, part) = name.strip_prefix("blk.")?.strip_suffix(".weight")?.split_once('.')?;
                let part = LayerPart::ALL.into_iter().find(|known| known.gguf() == part)?;
                TensorName::Layer { index: layer_index(index)?, part }
            }
        };
        Some(name)
    }
}

/// A layer's number in its one spelling.
fn layer_index(digits: &str) -> Option<usize> {
    let index: u32 = digits.parse().ok().filter(|parsed: &u32| parsed.to_string() == digits)?;
    Some(index as usize)
}

impl LayerPart {
    /// In the order in which a layer needs them.
    pub const ALL: [LayerPart; 9] = [
        LayerPart::InputLayernorm,
        LayerPart::QProj,
        LayerPart::KProj,
        LayerPart::VProj,
        LayerPart::OProj,
        LayerPart::PostAttentionLayernorm,
        LayerPart::GateProj,
        LayerPart::UpProj,
        LayerPart::DownProj,
    ];

    fn gguf(self) -> &'static str {
        match self {
            LayerPart::InputLayernorm => "attn_norm",
            LayerPart::QProj => "attn_q",
            LayerPart::KProj => "attn_k",
            LayerPart::VProj => "attn_v",
            LayerPart::OProj => "attn_output",
            LayerPart::PostAttentionLayernorm => "ffn_norm",
            LayerPart::GateProj => "ffn_gate",
            LayerPart::UpProj => "ffn_up",
            LayerPart::DownProj => "ffn_down",
        }
    }

    fn meta(self) -> &'static str {
        match self {
            LayerPart::InputLayernorm => "attention_norm",
            LayerPart::QProj => "attention.wq",
            LayerPart::KProj => "attention.wk",
            LayerPart::VProj => "attention.wv",
            LayerPart::OProj => "attention.wo",
            LayerPart::PostAttentionLayernorm => "ffn_norm",
            LayerPart::GateProj => "feed_forward.w1",
            LayerPart::UpProj => "feed_forward.w3",
            LayerPart::DownProj => "feed_forward.w2",
        }
    }

    fn hugging_face(self) -> &'static str {
        match self {
            LayerPart::InputLayernorm => "input_layernorm",
            LayerPart::QProj => "self_attn.q_proj",
            LayerPart::KProj => "self_attn.k_proj",
            LayerPart::VProj => "self_attn.v_proj",
            LayerPart::OProj => "self_attn.o_proj",
            LayerPart::PostAttentionLayernorm => "post_attention_layernorm",
            LayerPart::GateProj => "mlp.gate_proj",
            LayerPart::UpProj => "mlp.up_proj",
            LayerPart::DownProj => "mlp.down_proj",
        }
    }
}

impl std::fmt::Display for TensorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TensorName::EmbedTokens => f.write_str("model.embed_tokens.weight"),
            TensorName::Norm => f.write_str("model.norm.weight"),
            TensorName::LmHead => f.write_str("lm_head.weight"),
            TensorName::RopeFreqs => f.write_str("rope_freqs.weight"),
            TensorName::Layer { index, part } => {
                write!(f, "model.layers.{index}.{}.weight", part.hugging_face())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_both_worlds() {
        let layer = |index, part| TensorName::Layer { index, part };
        let rows = [
            (TensorName::EmbedTokens, "token_embd.weight", "model.embed_tokens.weight"),
            (TensorName::Norm, "output_norm.weight", "model.norm.weight"),
            (TensorName::LmHead, "output.weight", "lm_head.weight"),
            (TensorName::RopeFreqs, "rope_freqs.weight", "rope_freqs.weight"),
            (layer(0, LayerPart::QProj), "blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"),
            (
                layer(31, LayerPart::DownProj),
                "blk.31.ffn_down.weight",
                "model.layers.31.mlp.down_proj.weight",
            ),
            (
                layer(10, LayerPart::PostAttentionLayernorm),
                "blk.10.ffn_norm.weight",
                "model.layers.10.post_attention_layernorm.weight",
            ),
        ];
        for (name, gguf, hugging_face) in rows {
            assert_eq!(TensorName::from_gguf(gguf), Some(name), "{gguf}");
            assert_eq!((name.gguf().as_str(), name.to_string().as_str()), (gguf, hugging_face));
            let expected = Some(name).filter(|name| *name != TensorName::RopeFreqs);
            assert_eq!(TensorName::from_hugging_face(hugging_face), expected, "{hugging_face}");
        }
        for name in TensorName::required(3) {
            assert_eq!(TensorName::from_gguf(&name.gguf()), Some(name));
        }
        assert_eq!(TensorName::required(3).count(), 2 + 3 * 9);
    }

    #[test]
    fn no_second_spelling() {
        let rows = [
            "",
            "blk.0.attn_q.bias",
            "blk.00.attn_q.weight",
            "blk.+1.attn_q.weight",
            "blk.-1.attn_q.weight",
            "blk.4294967296.attn_q.weight",
            "blk.0.attn_q.weight.weight",
            "blk..attn_q.weight",
            "blk.0.ffn_gate_exps.weight",
            "token_embd",
            "TOKEN_EMBD.weight",
        ];
        for name in rows {
            assert_eq!(TensorName::from_gguf(name), None, "{name}");
        }
        let rows = [
            "",
            "model.layers.0.self_attn.q_proj.bias",
            "model.layers.00.self_attn.q_proj.weight",
            "model.layers.+1.self_attn.q_proj.weight",
            "model.layers.4294967296.self_attn.q_proj.weight",
            "model.layers..self_attn.q_proj.weight",
            "layers.0.self_attn.q_proj.weight",
            "model.layers.0.mlp.q_proj.weight",
            "model.lm_head.weight",
        ];
        for name in rows {
            assert_eq!(TensorName::from_hugging_face(name), None, "{name}");
        }
    }
}
