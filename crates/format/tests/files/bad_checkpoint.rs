//! Files that are sound as GGUF, and yet no Llama that runs.

use crate::check;
use crate::writer::*;

#[test]
fn architecture() {
    check(&[
        ("GGUF metadata: general.architecture is missing.", |file| file.remove("general.architecture")),
        ("GGUF metadata: general.architecture: expected a string, found 5 as u32.", |file| {
            file.set("general.architecture", u32(5))
        }),
        ("Architecture \"qwen2\" is not supported; Pronk runs llama.", |file| {
            file.set("general.architecture", string("qwen2"))
        }),
        ("Architecture \"llama\" with 8 experts is not supported; Pronk runs llama.", |file| {
            file.set("llama.expert_count", u32(8))
        }),
        ("This is one of 4 files of a split model", |file| file.set("split.count", Value(2, vec![4, 0]))),
        ("RoPE scaling \"yarn\" is not supported", |file| {
            file.set("llama.rope.scaling.type", string("yarn"))
        }),
        ("RoPE scaling \"linear\" by 4 is not supported", |file| {
            file.set("llama.rope.scaling.factor", f32(4.0))
        }),
        ("RoPE scaling \"linear\" by 2 is not supported", |file| {
            file.set("llama.rope.scale_linear", f32(2.0))
        }),
        ("RoPE scaling \"llama3\" without its tensor rope_freqs is not supported", |file| {
            file.remove_tensor("rope_freqs.weight");
            file.set("llama.rope.scaling.type", string("llama3"));
        }),
    ]);
}

#[test]
fn config() {
    check(&[
        ("GGUF metadata: llama.embedding_length is missing.", |file| file.remove("llama.embedding_length")),
        ("GGUF metadata: llama.attention.layer_norm_rms_epsilon is missing.", |file| {
            file.remove("llama.attention.layer_norm_rms_epsilon")
        }),
        ("llama.block_count: expected a whole number, found 1.0 as f32.", |file| {
            file.set("llama.block_count", f32(1.0))
        }),
        ("llama.block_count: expected a whole number, found -1 as i32.", |file| {
            file.set("llama.block_count", Value(I32, vec![255; 4]))
        }),
        ("llama.attention.head_count_kv: expected a whole number, found an array of 1 i32.", |file| {
            file.set("llama.attention.head_count_kv", array(I32, 1, &[1, 0, 0, 0]))
        }),
        ("llama.embedding_length: expected less than 2^32, found 4294967328.", |file| {
            file.set("llama.embedding_length", u64((1 << 32) + 32))
        }),
        ("model config: num_attention_heads: expected 1 to 1024, found 0.", |file| {
            file.set("llama.attention.head_count", u32(0))
        }),
        ("model config: num_key_value_heads: expected 1 to 1024, found 0.", |file| {
            file.set("llama.attention.head_count_kv", u32(0))
        }),
        ("model config: llama.rope.dimension_count: expected head_dim, 16, found 8.", |file| {
            file.set("llama.rope.dimension_count", u32(8))
        }),
        ("model config: llama.attention.value_length: expected head_dim, 16, found 32.", |file| {
            file.set("llama.attention.value_length", u32(32))
        }),
        ("model config: vocab_size: expected as many as there are tokens, 5, found 6.", |file| {
            file.set("llama.vocab_size", u32(6))
        }),
    ]);
}

#[test]
fn tensors_that_are_not_llamas() {
    check(&[
        ("blk.0.attn_q.bias: expected a tensor of Llama's, found another.", |file| {
            file.push("blk.0.attn_q.bias", &[32], F32, 128)
        }),
        ("blk.1.attn_norm.weight: expected a layer below 1, found layer 1.", |file| {
            file.push("blk.1.attn_norm.weight", &[32], F32, 128)
        }),
        ("blk.0.attn_k.weight (model.layers.0.self_attn.k_proj.weight) is missing.", |file| {
            file.remove_tensor("blk.0.attn_k.weight")
        }),
        ("token_embd.weight (model.embed_tokens.weight) is missing.", |file| file.tensors.clear()),
        ("blk.1.attn_norm.weight (model.layers.1.input_layernorm.weight) is missing.", |file| {
            file.set("llama.block_count", u32(2))
        }),
        ("blk.0.attn_q.weight: expected shape [32, 32, 1, 1], found shape [32, 16, 1, 1].", |file| {
            file.tensor("blk.0.attn_q.weight").ne = vec![32, 16]
        }),
        ("blk.0.attn_q.weight: expected shape [32, 32, 1, 1], found shape [32, 16, 2, 1].", |file| {
            file.tensor("blk.0.attn_q.weight").ne = vec![32, 16, 2]
        }),
        // Rows and columns changed over.
        ("blk.0.ffn_down.weight: expected shape [64, 32, 1, 1], found shape [32, 64, 1, 1].", |file| {
            file.tensor("blk.0.ffn_down.weight").ne = vec![32, 64]
        }),
        ("output_norm.weight: expected F32, as all vectors are, found Q4_0.", |file| {
            file.tensor("output_norm.weight").dtype = Q4_0
        }),
        (
            "Tensor type I8 of blk.0.attn_v.weight is not supported; \
             Pronk runs F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, \
             IQ4_NL, IQ4_XS, BF16, MXFP4, Q4_Z.",
            |file| file.tensor("blk.0.attn_v.weight").dtype = 24,
        ),
    ]);
}

#[test]
fn tokenizer() {
    check(&[
        ("GGUF metadata: tokenizer.ggml.model is missing.", |file| file.remove("tokenizer.ggml.model")),
        ("Tokenizer \"llama\" is not supported", |file| file.set("tokenizer.ggml.model", string("llama"))),
        ("GGUF metadata: tokenizer.ggml.tokens is missing.", |file| file.remove("tokenizer.ggml.tokens")),
        ("tokenizer: tokens: expected at least one, found none.", |file| {
            file.set("tokenizer.ggml.tokens", strings(&[]))
        }),
        ("tokenizer.ggml.tokens: expected an array of strings, found an array of i32.", |file| {
            file.set("tokenizer.ggml.tokens", array(I32, 1, &[0; 4]))
        }),
        ("tokenizer.ggml.tokens: expected an array, found \"a\".", |file| {
            file.set("tokenizer.ggml.tokens", string("a"))
        }),
        ("token_embd.weight: expected shape [32, 4, 1, 1], found shape [32, 5, 1, 1].", |file| {
            file.set("tokenizer.ggml.tokens", strings(&["a", "b", "c", "d"]));
            file.remove("tokenizer.ggml.token_type");
            file.remove("tokenizer.ggml.eos_token_id");
        }),
        ("tokenizer: token_type: expected one for each of 5 tokens, found 4.", |file| {
            file.set("tokenizer.ggml.token_type", array(I32, 4, &[0; 16]))
        }),
        ("tokenizer.ggml.token_type: expected an array of i32, found an array of u8.", |file| {
            file.set("tokenizer.ggml.token_type", array(0, 5, &[1; 5]))
        }),
        ("tokenizer.ggml.token_type: expected an array of i32, found an array of f32.", |file| {
            file.set("tokenizer.ggml.token_type", array(6, 5, &[0; 20]))
        }),
        ("tokenizer: token_type of token 1: expected 0 to 6, found -1.", |file| {
            file.set(
                "tokenizer.ggml.token_type",
                array(I32, 5, &[1, -1, 1, 3, 3].map(i32::to_le_bytes).concat()),
            )
        }),
        ("GGUF metadata: tokenizer.ggml.merges is missing.", |file| file.remove("tokenizer.ggml.merges")),
        ("tokenizer: merge 1: expected two tokens with a space between, found \"ab\".", |file| {
            file.set("tokenizer.ggml.merges", strings(&["a b", "ab"]))
        }),
        ("tokenizer: merge 0: expected two tokens with a space between, found \" a\".", |file| {
            file.set("tokenizer.ggml.merges", strings(&[" a"]))
        }),
        ("tokenizer: merge 0: expected two tokens with a space between, found \"a \".", |file| {
            file.set("tokenizer.ggml.merges", strings(&["a "]))
        }),
        ("tokenizer: eos_token_id: expected less than 5, the vocabulary's size, found 5.", |file| {
            file.set("tokenizer.ggml.eos_token_id", u32(5))
        }),
        ("tokenizer: bos_token_id: expected less than 5, the vocabulary's size, found 4294967296.", |file| {
            file.set("tokenizer.ggml.bos_token_id", u64(1 << 32))
        }),
        ("tokenizer.ggml.eot_token_id: expected a whole number, found -1 as i32.", |file| {
            file.set("tokenizer.ggml.eot_token_id", Value(I32, vec![255; 4]))
        }),
        ("tokenizer.chat_template: expected a string, found an array of 1 strings.", |file| {
            file.set("tokenizer.chat_template", strings(&["x"]))
        }),
    ]);
}
