//! Files that are fine, and what is made of them.

use crate::Damage;
use crate::writer::{self, *};
use format::{
    Checkpoint, Config, GgmlType, Gguf, LayerPart, RowOrder, Span, Stored, TensorInfo, TensorName, dequantize,
};

fn read(bytes: &[u8]) -> Checkpoint {
    let gguf = Gguf::parse(bytes, bytes.len() as u64).unwrap();
    Checkpoint::from_gguf(gguf).unwrap()
}

#[test]
fn what_may_vary() {
    let variants: [(&str, Damage); 9] = [
        ("as it is", |_| ()),
        ("version 2", |file| file.version = 2),
        ("larger alignment", |file| {
            let mut aligned = File { alignment: 256, tensors: Vec::new(), ..File::tiny() };
            aligned.set("general.alignment", u32(256));
            for tensor in &file.tensors {
                aligned.push(str::from_utf8(&tensor.name).unwrap(), &tensor.ne, tensor.dtype, tensor.len);
            }
            *file = aligned;
        }),
        ("hole and disorder", |file| {
            file.tensor("token_embd.weight").offset = 1 << 16;
            file.tensors.reverse();
        }),
        ("counts as u64", |file| file.set("llama.block_count", u64(1))),
        ("an lm_head of its own", |file| file.push("output.weight", &[32, 5], F32, 640)),
        ("no token types", |file| file.remove("tokenizer.ggml.token_type")),
        ("RoPE scaled by one", |file| {
            file.set("llama.rope.scaling.type", string("linear"));
            file.set("llama.rope.scaling.factor", f32(1.0));
        }),
        ("a single split", |file| file.set("split.count", Value(2, vec![1, 0]))),
    ];
    for (what, vary) in variants {
        let mut file = File::tiny();
        vary(&mut file);
        let bytes = file.bytes();
        let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap_or_else(|error| panic!("{what}: {error}"));
        Checkpoint::from_gguf(gguf).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// Figures as gguf-py reports them.
#[test]
fn tiny_basic_quants() {
    let file =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf"));
    let file = file.unwrap();
    let checkpoint = read(&file);
    let config = Config {
        hidden_size: 256,
        intermediate_size: 448,
        num_hidden_layers: 3,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 64,
        vocab_size: 330,
        max_position_embeddings: 131_072,
        rms_norm_eps: 1e-5,
        rope_theta: 500_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
    };
    assert_eq!(checkpoint.config, config);
    assert_eq!((checkpoint.size(), checkpoint.file_sizes.as_slice()), (1_618_528, [1_618_528].as_slice()));
    assert_eq!(checkpoint.parameters(), 1_708_288);
    assert_eq!(checkpoint.quantization(), GgmlType::Q4_0);
    assert!(checkpoint.tensors.is_sorted_by_key(|tensor| tensor.stored.spans()[0]));
    assert_eq!(checkpoint.tensor(TensorName::LmHead), None);
    let v_proj = TensorInfo {
        name: TensorName::Layer { index: 0, part: LayerPart::VProj },
        dtype: GgmlType::Q8_0,
        rows: 128,
        columns: 256,
        stored: Stored::Rows {
            span: Span { file: 0, offset: 156_768, len: 34_816 },
            order: RowOrder::Neighbours,
        },
    };
    assert_eq!(checkpoint.tensor(v_proj.name), Some(&v_proj));

    let format::TokenizerFile::Gguf(tokenizer) = &checkpoint.tokenizer else { panic!("another tokenizer") };
    assert_eq!((tokenizer.model.as_str(), tokenizer.pre.as_str()), ("gpt2", "llama-bpe"));
    assert_eq!((tokenizer.tokens.len(), tokenizer.token_types.len(), tokenizer.merges.len()), (330, 330, 5));
    assert_eq!(
        (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.eot_token_id),
        (Some(261), Some(265), None)
    );
    assert!(tokenizer.add_bos_token);
    assert!(checkpoint.chat_template.as_deref().unwrap().starts_with("{{ '<|begin_of_text|>' }}"));

    let types = types_whose_weights_are_sane(&checkpoint, &file);
    assert_eq!(
        types,
        [GgmlType::F32, GgmlType::F16, GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q8_0, GgmlType::Q6_K]
    );
}

/// Every type that GGUF files have and that is read, in one model.
#[test]
fn tiny_mixed_quants() {
    let file =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-mixed-quants.gguf"));
    let file = file.unwrap();
    let checkpoint = read(&file);
    assert_eq!(checkpoint.parameters(), 2_394_368);
    assert!(!checkpoint.config.tie_word_embeddings);
    let of_a_file = |dtype: &GgmlType| !matches!(dtype, GgmlType::Q4_Z | GgmlType::MXFP4);
    let expected: Vec<GgmlType> = GgmlType::SUPPORTED.into_iter().filter(of_a_file).collect();
    assert_eq!(types_whose_weights_are_sane(&checkpoint, &file), expected);
}

/// The types of the tensors, in the order of [`GgmlType::SUPPORTED`], after a look at every weight.
#[track_caller]
fn types_whose_weights_are_sane(checkpoint: &Checkpoint, file: &[u8]) -> Vec<GgmlType> {
    for tensor in &checkpoint.tensors {
        let mut weights = Vec::new();
        let span = tensor.stored.spans()[0];
        let bytes = &file[span.offset as usize..][..span.len as usize];
        dequantize(tensor.dtype, bytes, &mut weights).unwrap();
        assert_eq!(weights.len() as u64, tensor.weights(), "{}", tensor.name);
        assert!(weights.iter().all(|weight| weight.abs() < 16.0), "{}", tensor.name);
    }
    let is_there = |dtype: &GgmlType| checkpoint.tensors.iter().any(|tensor| tensor.dtype == *dtype);
    GgmlType::SUPPORTED.into_iter().filter(is_there).collect()
}

#[test]
fn quantization_is_what_most_weights_have() {
    let mut file = File::tiny();
    assert_eq!(read(&file.bytes()).quantization(), GgmlType::Q4_0);
    // One tensor among twelve, and yet most of the weights.
    let tokens = vec!["t"; 1000];
    file.set("tokenizer.ggml.tokens", strings(&tokens));
    file.remove("tokenizer.ggml.token_type");
    file.remove_tensor("token_embd.weight");
    file.push("token_embd.weight", &[32, 1000], 8, 34_000);
    assert_eq!(read(&file.bytes()).quantization(), GgmlType::Q8_0);
}

#[test]
fn built_with_llama() {
    let rows = [
        ("general.name", "Llama 3.1 8B Instruct", true),
        ("general.basename", "Meta-Llama-3.1", true),
        ("general.license", "llama3.1", true),
        ("general.license.name", "llama3", true),
        ("general.base_model.0.name", "Llama 3.2 1B", true),
        ("general.license", "apache-2.0", false),
        ("general.description", "better than llama 3", false),
        ("general.name", "SmolLM2", false),
    ];
    for (key, value, expected) in rows {
        let mut file = File::tiny();
        file.set(key, string(value));
        assert_eq!(read(&file.bytes()).built_with_llama(), expected, "{key} = {value}");
    }
}

/// A Llama's 128,256 tokens and 280,147 merges arrive in the 16 MiB pieces they are fetched in, or in smaller ones.
#[test]
fn vocabulary_as_large_as_llama_3s() {
    let tokens: Vec<String> = (0..128_256).map(|id| format!("token {id}")).collect();
    let merges: Vec<String> = (0..280_147).map(|rank| format!("left{rank} right{rank}")).collect();
    let as_strs =
        |strings: &[String]| writer::strings(&strings.iter().map(String::as_str).collect::<Vec<_>>());
    let mut file = File::tiny();
    file.set("tokenizer.ggml.tokens", as_strs(&tokens));
    file.set("tokenizer.ggml.merges", as_strs(&merges));
    file.remove("tokenizer.ggml.token_type");
    file.remove_tensor("token_embd.weight");
    file.push("token_embd.weight", &[32, 128_256], F32, 128_256 * 128);
    let bytes = file.bytes();

    let mut have = 0;
    let gguf = loop {
        have = bytes.len().min(have + (1 << 20));
        match Gguf::parse(&bytes[..have], bytes.len() as u64) {
            Err(format::FormatError::NeedMore { need, .. }) => assert!(need > have as u64),
            result => break result.unwrap(),
        }
    };
    let checkpoint = Checkpoint::from_gguf(gguf).unwrap();
    let format::TokenizerFile::Gguf(tokenizer) = checkpoint.tokenizer else { panic!("another tokenizer") };
    assert_eq!(tokenizer.tokens, tokens);
    assert_eq!(tokenizer.merges, merges);
}

#[test]
fn a_llama_3_1_file_without_its_scaling_warns() {
    let warnings = |vary: Damage| {
        let mut file = File::tiny();
        vary(&mut file);
        read(&file.bytes()).warnings
    };
    assert_eq!(warnings(|_| ()), Vec::<String>::new());
    assert_eq!(warnings(|file| file.remove_tensor("rope_freqs.weight")), Vec::<String>::new());
    let by_name = warnings(|file| {
        file.remove_tensor("rope_freqs.weight");
        file.set("general.name", string("Meta Llama 3.1 8B Instruct"));
    });
    let by_shape = warnings(|file| {
        file.remove_tensor("rope_freqs.weight");
        file.set("llama.context_length", u32(131_072));
        file.set("llama.rope.freq_base", f32(500_000.0));
    });
    for warnings in [by_name, by_shape] {
        assert!(matches!(&warnings[..], [warning] if warning.contains("rope_freqs.weight")), "{warnings:?}");
    }
    let with_it = warnings(|file| file.set("general.name", string("Meta Llama 3.1 8B Instruct")));
    assert_eq!(with_it, Vec::<String>::new());
}
