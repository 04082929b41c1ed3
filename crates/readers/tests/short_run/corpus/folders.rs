//! The small files of folders.

use super::{Case, case};

/// `config.json` as the readers' healthy folder has it, with one thing replaced.
fn config_with(from: &str, to: &str) -> String {
    let text = r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 40,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "eos_token_id": [1, 2]}"#;
    text.replace(from, to)
}

/// Damage that any file of JSON may have.
fn any_json(healthy: &str) -> Vec<Case> {
    vec![
        case("healthy", healthy, ""),
        case("nothing", "", "can't be read"),
        case("a list", "[]", "expected an object, found an array"),
        case("a web page", "<html>", "it is a web page"),
        case("not UTF-8", b"{\"a\": \"\xff\"}".as_slice(), "invalid unicode code point"),
        case("depth", "[".repeat(10_000), "recursion limit exceeded"),
        case("a key twice", healthy.replacen('{', "{\"x\": 1, \"x\": 2, ", 1), "the key \"x\" stands twice"),
        case("a number too large", healthy.replacen('{', "{\"x\": 1e999, ", 1), "number out of range"),
        case(
            "a name that turns text",
            healthy.replacen('{', "{\"\\u202e\": 1, \"\\u202e\": 2, ", 1),
            "\\u{202e}",
        ),
    ]
}

pub(super) fn config() -> Vec<Case> {
    let mut cases = any_json(&config_with("", ""));
    cases.extend([
        case(
            "another architecture",
            config_with("LlamaFor", "MistralFor"),
            "Architecture \"MistralForCausalLM\"",
        ),
        case(
            "no heads",
            config_with("heads\": 2", "heads\": 0"),
            "num_attention_heads: expected 1 to 1024, found 0",
        ),
        case("a size below 0", config_with("64", "-64"), "hidden_size: expected a whole number, found -64.0"),
        case(
            "a size as a float",
            config_with("64", "64.0"),
            "hidden_size: expected a whole number, found 64.0",
        ),
        case("a size past 32 bits", config_with("40", "4294967336"), "vocab_size: expected less than 2^32"),
        case(
            "a size past 64 bits",
            config_with("40", "18446744073709551656"),
            "vocab_size: expected a whole number",
        ),
        case("another shape", config_with("64", "128"), "expected shape"),
        case(
            "a million layers",
            config_with("layers\": 1", "layers\": 1000000"),
            "num_hidden_layers: expected 1 to 1024",
        ),
        case("more layers", config_with("layers\": 1", "layers\": 1024"), "is missing"),
        case(
            "an end that is text",
            config_with("[1, 2]", "\"</s>\""),
            "eos_token_id: expected an id or a list of them",
        ),
        case(
            "RoPE of another kind",
            config_with("\"eos", "\"rope_scaling\": {\"rope_type\": \"yarn\"}, \"eos"),
            "yarn",
        ),
        case(
            "RoPE by nothing",
            config_with(
                "\"eos",
                "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 0, \"low_freq_factor\": 1, \
                 \"high_freq_factor\": 1, \"original_max_position_embeddings\": 0}, \"eos",
            ),
            "factor",
        ),
    ]);
    cases
}

pub(super) fn quantization_config() -> Vec<Case> {
    vec![
        case("AWQ", r#"{"quant_method": "awq", "bits": 4, "group_size": 128}"#, ""),
        case("GPTQ", r#"{"quant_method": "gptq", "bits": 4, "group_size": -1, "sym": true}"#, ""),
        case(
            "compressed-tensors",
            r#"{"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"g": {"weights": {"num_bits": 4, "group_size": 32}}}}"#,
            "",
        ),
        case(
            "NF4",
            r#"{"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}"#,
            "",
        ),
        case("none", "null", ""),
        case("another", r#"{"quant_method": "aqlm"}"#, "Quantization \"aqlm\" is not supported"),
        case("3 bits", r#"{"quant_method": "gptq", "bits": 3, "group_size": 128}"#, "\"gptq\" with 3 bits"),
        case(
            "groups of 0",
            r#"{"quant_method": "awq", "bits": 4, "group_size": 0}"#,
            "group_size: expected a multiple of 32",
        ),
        case(
            "groups of 2^63",
            r#"{"quant_method": "awq", "bits": 4, "group_size": 9223372036854775808}"#,
            "group_size",
        ),
        case("a field of its own", r#"1, "x": 2"#, "expected an object"),
    ]
}

/// The first byte is the packing; each three put a byte somewhere. Vectors and embeddings come first: 5248 bytes.
pub(super) fn packed_rows() -> Vec<Case> {
    let put = |packing: u8, changes: &[(u16, u8)]| {
        let changes =
            changes.iter().flat_map(|(at, value)| [at.to_le_bytes()[0], at.to_le_bytes()[1], *value]);
        [packing].into_iter().chain(changes).collect::<Vec<u8>>()
    };
    vec![
        case("AWQ", put(0, &[]), ""),
        case("GPTQ", put(1, &[]), ""),
        case("compressed-tensors", put(2, &[]), ""),
        case("NF4", put(3, &[]), ""),
        case("MLC", put(4, &[]), ""),
        case("a scale that is no number", put(0, &[(5376 + 2049 + 16 + 63, 0x7e)]), ""),
        case("embeddings that are no numbers", put(0, &[(0, 0xff), (1, 0xff)]), ""),
    ]
}

pub(super) fn hub_index() -> Vec<Case> {
    let index = |file: &str| format!("{{\"weight_map\": {{\"model.norm.weight\": \"{file}\"}}}}");
    let plain = "expected the plain name of a file in the same folder, found";
    let mut cases = any_json(&index("model.safetensors"));
    cases.extend([
        case("a folder above", index("../m.safetensors"), plain),
        case("the root", index("/m.safetensors"), plain),
        case("a Windows path", index("a\\\\m.safetensors"), plain),
        case("another host", index("https://x/m.safetensors"), plain),
        case("a coded path", index("%2e%2e%2fm.safetensors"), plain),
        case("a zero byte", index("m\\u0000.safetensors"), plain),
        case("text that turns", index("\\u202em.safetensors"), "names of files must not have"),
        case("another file", index("config.json"), "expected a file that ends in .safetensors"),
        case("a tensor that is not there", index("m.safetensors").replace("norm", "nrom"), "found none"),
        case("no files", "{\"weight_map\": {}}", "expected 1 to 10000 files, found 0"),
    ]);
    cases
}

pub(super) fn generation_config() -> Vec<Case> {
    let healthy = r#"{"bos_token_id": 0, "eos_token_id": [1, 2], "do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1}"#;
    let mut cases = any_json(healthy);
    cases.extend([
        case("an id past the vocabulary", healthy.replace("[1, 2]", "4294967295"), ""),
        case("an id past 32 bits", healthy.replace("[1, 2]", "4294967296"), "eos_token_id: expected an id"),
        case("cold", healthy.replace("0.6", "-1"), "temperature: expected 0 or more, found -1"),
        case("hot", healthy.replace("0.6", "1e300"), "temperature: expected 0 or more, found inf"),
        case("a sum of 0", healthy.replace("0.9", "0"), "top_p: expected above 0, at most 1, found 0"),
        case("a sum of 2", healthy.replace("0.9", "2"), "top_p: expected above 0, at most 1, found 2"),
        case("no penalty", healthy.replace("1.1", "0"), "repetition_penalty: expected above 0, found 0"),
        case(
            "ids without end",
            healthy.replace("[1, 2]", &format!("[{}1]", "1,".repeat(2000))),
            "eos_token_id: expected at most 1024 ids, found 2001",
        ),
        case("a share of a token", healthy.replace("50", "0.5"), "top_k: expected a whole number, found 0.5"),
    ]);
    cases
}

pub(super) fn tokenizer_config() -> Vec<Case> {
    vec![
        case(
            "healthy",
            r#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "default", "template": "x"}]}"#,
            "",
        ),
        case("nothing", "", "tokenizer_config.json is damaged: EOF"),
        case("a number", r#"{"bos_token": 7}"#, "tokenizer_config.json is damaged"),
        case("no default", r#"{"chat_template": [{"name": "rag", "template": "x"}]}"#, "no default"),
        case("depth", "[".repeat(10_000), "tokenizer_config.json is damaged"),
        case("text that turns", r#"{"add_bos_token": "\u202e\u0007"}"#, "tokenizer_config.json is damaged"),
        case(
            "a long word",
            format!("{{\"add_bos_token\": \"{}\"}}", "x".repeat(5000)),
            "tokenizer_config.json is damaged",
        ),
    ]
}

pub(super) fn chat_template_json() -> Vec<Case> {
    let mut cases = any_json(r#"{"chat_template": "{{ messages }}"}"#);
    cases.push(case("a number", r#"{"chat_template": 5}"#, "chat_template: expected a string, found 5"));
    cases
}

pub(super) fn mlc_config() -> Vec<Case> {
    let healthy = r#"{"model_type": "llama", "quantization": "q4f16_1", "model_config": {"hidden_size": 64,
        "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "vocab_size": 40, "rms_norm_eps": 1e-5, "tie_word_embeddings": true}}"#;
    let mut cases = any_json(healthy);
    cases.extend([
        case(
            "another quantization",
            healthy.replace("q4f16_1", "q3f16_1"),
            "Quantization \"q3f16_1\" is not supported",
        ),
        case(
            "several devices",
            healthy.replace("\"hidden", "\"tensor_parallel_shards\": 2, \"hidden"),
            "tensor_parallel_shards: expected 1",
        ),
        case("another shape", healthy.replace("96", "128"), "of shape"),
    ]);
    cases
}

pub(super) fn mlc_cache() -> Vec<Case> {
    let cache = |name: &str, shape: &str, nbytes: u64, offset: u64| {
        format!(
            "{{\"records\": [{{\"dataPath\": \"{name}\", \"format\": \"raw-shard\", \"nbytes\": 80, \"records\": [\
             {{\"name\": \"a\", \"shape\": [{shape}], \"dtype\": \"uint32\", \"nbytes\": {nbytes}, \"byteOffset\": {offset}}}]}}]}}"
        )
    };
    let mut cases = any_json(&readers::healthy_mlc_cache());
    cases.extend([
        case("a folder above", cache("../p.bin", "2, 8", 64, 0), "expected the plain name of a file"),
        case("past the end", cache("p.bin", "2, 8", 64, 17), "expected bytes between 0 and 80"),
        case("an offset that wraps", cache("p.bin", "2, 8", 64, u64::MAX), "expected bytes between 0 and 80"),
        case("another length", cache("p.bin", "2, 8", 63, 0), "as many as the shape [2, 8] takes"),
        case("a shape past 2^64", cache("p.bin", "4294967296, 4294967296", 0, 0), "as many as the shape"),
    ]);
    cases
}

pub(super) fn meta_params() -> Vec<Case> {
    let healthy = r#"{"dim": 32, "n_layers": 1, "n_heads": 1, "vocab_size": 10, "multiple_of": 48,
        "ffn_dim_multiplier": 1.1, "norm_eps": 1e-5, "use_scaled_rope": true}"#;
    let mut cases = any_json(healthy);
    cases.extend([
        case("no multiple", healthy.replace("48", "0"), "multiple_of: expected 1 or more, found 0"),
        case("a multiple of everything", healthy.replace("48", "4294967295"), "intermediate_size"),
        case(
            "a factor below 0",
            healthy.replace("1.1", "-1.1"),
            "ffn_dim_multiplier: expected above 0, at most 100",
        ),
        case(
            "a huge factor",
            healthy.replace("1.1", "1e300"),
            "ffn_dim_multiplier: expected above 0, at most 100, found 1e300",
        ),
        case(
            "no heads",
            healthy.replace("heads\": 1", "heads\": 0"),
            "num_attention_heads: expected 1 to 1024",
        ),
        case("experts", healthy.replace("{", "{\"moe\": {}, "), "A Llama with moe is not supported"),
        case("more parts", healthy.replace("48", "192"), "This model has 2 of the files"),
    ]);
    cases
}

pub(super) fn manifest() -> Vec<Case> {
    let zeros = "0".repeat(64);
    let sealed = |files: &str, tensors: &str| {
        format!(
            "{{\n  \"format\": \"pronk model\", \"version\": 1, \"files\": [{files}], \"tensors\": [{tensors}],\n  \"sha256\": \"{zeros}\"\n}}\n"
        )
    };
    let file = |name: &str, size: u64| {
        format!("{{\"name\": \"{name}\", \"size\": {size}, \"sha256\": \"{zeros}\"}}")
    };
    let config = file("config.json", 9);
    let tensor = |rows: u64, words: u64| {
        format!(
            "{{\"name\": \"model.norm.weight\", \"type\": \"F32\", \"shape\": [{rows}, 64], \"parts\": [{{\"file\": \"a.safetensors\", \"rows\": 1, \"words\": {words}}}]}}"
        )
    };
    let weights = file("a.safetensors", 300);
    vec![
        case("healthy", readers::healthy_manifest(), ""),
        case("no tensors", sealed(&config, ""), "is missing"),
        case("a tensor", sealed(&weights, &tensor(1, 0)), "is missing"),
        case(
            "another version",
            sealed(&config, "").replace("version\": 1", "version\": 2"),
            "version: expected 1; convert the model again",
        ),
        case(
            "no seal",
            sealed(&config, "").replace('\n', " "),
            "the hash of all before it, at the end, found none",
        ),
        case(
            "another seal",
            sealed(&config, "").replace("0000000000000000\"\n", "0000000000000001\"\n"),
            "found another",
        ),
        case("a folder above", sealed(&file("../config.json", 9), ""), "expected the plain name of a file"),
        case("itself", sealed(&file("manifest.json", 9), ""), "expected the name of another file"),
        case("a file twice", sealed(&format!("{config}, {config}"), ""), "expected the name of another file"),
        case(
            "a size without its hashes",
            sealed(&file("a.safetensors", u64::MAX), ""),
            "pieces: expected 1099511627776 hashes",
        ),
        case(
            "a tensor past its file",
            sealed(&weights, &tensor(1, u64::MAX - 3)),
            "model.norm.weight ends at byte 18446744073709551615",
        ),
        case("a tensor of a million rows", sealed(&weights, &tensor(4_000_000_000, 0)), "expected"),
        case("a file that is not listed", sealed(&config, &tensor(1, 0)), "file: expected one of files"),
    ]
}
