//! Meta's folders, whole and in several parts.

use std::collections::HashMap;

use format::{
    Checkpoint, Config, FormatError, MetaFiles, Pth, RopeScaling, RowReader, TensorName, TokenizerFile,
    dequantize,
};
use serde_json::{Value, json};

use crate::read;
use crate::writer::*;

/// Every part's tensors by name, with shape and values.
type Part = Vec<(String, Vec<usize>, Vec<f32>)>;

/// One layer, four heads of 32 over two key/value heads, 10 tokens.
fn params() -> Value {
    json!({
        "dim": 128, "n_layers": 1, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 10, "multiple_of": 64,
        "ffn_dim_multiplier": 1.3, "norm_eps": 1e-5, "rope_theta": 500000.0, "use_scaled_rope": true,
    })
}

/// `8 128 / 3 = 341`, by 1.3 443, up to 448.
const FFN: usize = 448;

fn shapes() -> [(&'static str, Vec<usize>); 12] {
    [
        ("tok_embeddings", vec![10, 128]),
        ("layers.0.attention.wq", vec![128, 128]),
        ("layers.0.attention.wk", vec![64, 128]),
        ("layers.0.attention.wv", vec![64, 128]),
        ("layers.0.attention.wo", vec![128, 128]),
        ("layers.0.feed_forward.w1", vec![FFN, 128]),
        ("layers.0.feed_forward.w2", vec![128, FFN]),
        ("layers.0.feed_forward.w3", vec![FFN, 128]),
        ("layers.0.attention_norm", vec![128]),
        ("layers.0.ffn_norm", vec![128]),
        ("norm", vec![128]),
        ("output", vec![10, 128]),
    ]
}

fn whole() -> Part {
    let tensor = |(index, (name, shape)): (usize, (&str, Vec<usize>))| {
        let values = (0..shape.iter().product()).map(|i: usize| index as f32 * 1e6 + i as f32);
        (format!("{name}.weight"), shape, values.collect())
    };
    shapes().into_iter().enumerate().map(tensor).collect()
}

/// The share of one of `count` parts: columns of wo and w2, rows of the other matrices.
fn share(part: usize, count: usize) -> Part {
    let mut shares = whole();
    for (name, shape, values) in &mut shares {
        let [rows, columns] = shape[..] else { continue };
        let by_columns = name.contains("wo.") || name.contains("w2.");
        let (some_rows, some_columns) =
            if by_columns { (rows, columns / count) } else { (rows / count, columns) };
        let (row, column) = if by_columns { (0, part * some_columns) } else { (part * some_rows, 0) };
        let of_row = |r: usize| values[(row + r) * columns + column..][..some_columns].to_vec();
        *values = (0..some_rows).flat_map(of_row).collect();
        *shape = vec![some_rows, some_columns];
    }
    shares
}

/// The file, in `F32`.
fn pth_file(part: &Part) -> Vec<u8> {
    let tensors: Vec<Tensor> = part
        .iter()
        .enumerate()
        .map(|(key, (name, shape, _))| Tensor::new(name, "FloatStorage", key, shape))
        .collect();
    let mut entries = vec![entry("consolidated/data.pkl", pickle(&tensors))];
    entries.extend(part.iter().enumerate().map(|(key, (_, _, values))| {
        entry(
            &format!("consolidated/data/{key}"),
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }));
    Archive { entries, ..Archive::default() }.bytes()
}

fn checkpoint(params: &Value, parts: &[Part]) -> Result<(Checkpoint, Vec<Vec<u8>>), FormatError> {
    let files: Vec<Vec<u8>> = parts.iter().map(pth_file).collect();
    let parts: Vec<Pth> = files.iter().map(|file| read(file).unwrap()).collect();
    let params = params.to_string().into_bytes();
    let tokenizer = TokenizerFile::Tiktoken { model: b"IQ== 0".into(), config: Default::default() };
    Checkpoint::from_meta(MetaFiles { params, parts, tokenizer, name: None })
        .map(|checkpoint| (checkpoint, files))
}

fn weights(checkpoint: &Checkpoint, files: &[Vec<u8>], piece_len: usize) -> HashMap<TensorName, Vec<f32>> {
    let mut values: HashMap<TensorName, Vec<f32>> = HashMap::new();
    let mut reader = RowReader::new(checkpoint);
    while let Some(span) = reader.wants() {
        let file = &files[span.file][span.offset as usize..];
        let piece = &file[..file.len().min(piece_len)];
        reader
            .push::<FormatError>(span.file, span.offset, piece, &mut |rows| {
                let values = values.entry(rows.tensor.name).or_default();
                assert_eq!(values.len(), rows.first_row * rows.tensor.columns);
                dequantize(rows.tensor.dtype, rows.bytes, values)
            })
            .unwrap();
    }
    reader.finish().unwrap();
    values
}

#[test]
fn one_part_two_and_five() {
    let expected = whole();
    let (one, files) = checkpoint(&params(), &[whole()]).unwrap();
    let config = Config {
        hidden_size: 128,
        intermediate_size: FFN,
        num_hidden_layers: 1,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 32,
        vocab_size: 10,
        max_position_embeddings: 131_072,
        rms_norm_eps: 1e-5,
        rope_theta: 500_000.0,
        rope_scaling: Some(RopeScaling::LLAMA_3_1),
        tie_word_embeddings: false,
    };
    assert_eq!((one.config, one.in_one_pass()), (config, true));
    let of_one = weights(&one, &files, 1000);
    assert_eq!(of_one.len(), 12);
    let get = |weights: &HashMap<TensorName, Vec<f32>>, name: &str| {
        weights.iter().find(|(n, _)| n.to_string() == name).unwrap().1.clone()
    };
    for (name, of_meta) in [
        ("model.embed_tokens.weight", 0),
        ("model.layers.0.self_attn.q_proj.weight", 1),
        ("model.layers.0.self_attn.k_proj.weight", 2),
        ("model.layers.0.self_attn.v_proj.weight", 3),
        ("model.layers.0.self_attn.o_proj.weight", 4),
        ("model.layers.0.mlp.gate_proj.weight", 5),
        ("model.layers.0.mlp.down_proj.weight", 6),
        ("model.layers.0.mlp.up_proj.weight", 7),
        ("model.layers.0.input_layernorm.weight", 8),
        ("model.layers.0.post_attention_layernorm.weight", 9),
        ("model.norm.weight", 10),
        ("lm_head.weight", 11),
    ] {
        assert!(get(&of_one, name) == expected[of_meta].2, "{name}");
    }
    let (two, files) = checkpoint(&params(), &[share(0, 2), share(1, 2)]).unwrap();
    assert_eq!((two.config, two.in_one_pass()), (config, false));
    for piece_len in [999, 1 << 20] {
        assert!(weights(&two, &files, piece_len) == of_one, "{piece_len}");
    }
    assert_eq!(two.parameters(), one.parameters());
}

/// Two rows of the embeddings in each part, so that four rows come from two files.
#[test]
fn groups_of_rows_across_files() {
    let mut params = params();
    for (key, value) in [("n_heads", 5), ("n_kv_heads", 5), ("dim", 160), ("multiple_of", 160)] {
        params[key] = json!(value);
    }
    params["ffn_dim_multiplier"] = json!(null);
    // 8 160 / 3 = 426, up to 480.
    let resize = |n: usize| match n {
        128 | 64 => 160,
        448 => 480,
        n => n,
    };
    let widened: Part = shapes()
        .into_iter()
        .map(|(name, shape)| {
            let shape: Vec<usize> = shape.into_iter().map(resize).collect();
            let values = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
            (format!("{name}.weight"), shape, values)
        })
        .collect();
    let part = |no: usize| -> Part {
        widened
            .iter()
            .map(|(name, shape, values)| match shape[..] {
                [rows, columns] if name.contains("wo.") || name.contains("w2.") => {
                    let some = columns / 5;
                    let values =
                        (0..rows).flat_map(|r| values[r * columns + no * some..][..some].to_vec()).collect();
                    (name.clone(), vec![rows, some], values)
                }
                [rows, columns] => {
                    let some = rows / 5;
                    (
                        name.clone(),
                        vec![some, columns],
                        values[no * some * columns..][..some * columns].to_vec(),
                    )
                }
                _ => (name.clone(), shape.clone(), values.clone()),
            })
            .collect()
    };
    let (one, one_file) = checkpoint(&params, std::slice::from_ref(&widened)).unwrap();
    let (five, files) = checkpoint(&params, &[0, 1, 2, 3, 4].map(part)).unwrap();
    assert!(weights(&five, &files, 777) == weights(&one, &one_file, 1 << 20));
}

#[test]
fn params_of_llama_3_1_8b() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/config/params.json"
    ));
    let mut params: Value = serde_json::from_str(&text.unwrap()).unwrap();
    // The shapes of its first file, without its bytes.
    let shape = |name: &str, shape: &[u64]| format::PthTensor {
        name: name.into(),
        dtype: format::GgmlType::BF16,
        shape: shape.into(),
        offset: 0,
        len: 0,
    };
    let first = Pth { tensors: vec![shape("layers.0.feed_forward.w1.weight", &[14336, 4096])], file_size: 0 };
    let parts_of = |params: &Value, first: &Pth| MetaFiles::parts_of(params.to_string().as_bytes(), first);
    assert_eq!(parts_of(&params, &first), Ok(1));
    // 70B is shared among eight: 28672 rows.
    for (key, value) in [("dim", 8192), ("n_heads", 64), ("n_layers", 80), ("multiple_of", 4096)] {
        params[key] = json!(value);
    }
    let first = Pth { tensors: vec![shape("layers.0.feed_forward.w1.weight", &[3584, 8192])], file_size: 0 };
    assert_eq!(parts_of(&params, &first), Ok(8));
}

#[test]
fn what_params_leave_open() {
    let read = |change: fn(&mut Value), parts: &[Part]| {
        let mut params = params();
        change(&mut params);
        checkpoint(&params, parts).unwrap().0
    };
    let parts = [share(0, 2), share(1, 2)];
    assert_eq!(read(|params| params["vocab_size"] = json!(-1), &[whole()]).config.vocab_size, 10);
    assert_eq!(read(|params| params["vocab_size"] = json!(-1), &parts).config.vocab_size, 10);
    let unscaled = read(|params| params["use_scaled_rope"] = json!(null), &[whole()]);
    assert_eq!((unscaled.config.rope_scaling, unscaled.config.max_position_embeddings), (None, 8192));
    assert_eq!(read(|params| params["rope_theta"] = json!(null), &[whole()]).config.rope_theta, 10_000.0);
    let mut tied = whole();
    tied.retain(|(name, ..)| name != "output.weight");
    tied.push(("rope.freqs".into(), vec![16], vec![0.0; 16]));
    assert!(checkpoint(&params(), &[tied]).unwrap().0.config.tie_word_embeddings);
}

#[test]
fn what_does_not_fit() {
    type Change = fn(&mut Value, &mut Vec<Part>);
    fn tensor<'a>(part: &'a mut Part, name: &str) -> &'a mut (String, Vec<usize>, Vec<f32>) {
        part.iter_mut().find(|(known, ..)| known.contains(name)).unwrap()
    }
    let rows: [(&str, Change); 16] = [
        ("params.json: dim is missing.", |params, _| params["dim"] = json!(null)),
        ("params.json: norm_eps is missing.", |params, _| params["norm_eps"] = json!(null)),
        ("params.json: n_heads: expected a whole number, found 4.5.", |params, _| {
            params["n_heads"] = json!(4.5)
        }),
        ("model config: num_attention_heads: expected 1 to 1024, found 0.", |params, _| {
            params["n_heads"] = json!(0)
        }),
        ("params.json: multiple_of: expected 1 or more, found 0.", |params, _| {
            params["multiple_of"] = json!(0)
        }),
        ("params.json: ffn_dim_multiplier: expected above 0, at most 100, found 1e300.", |params, _| {
            params["ffn_dim_multiplier"] = json!(1e300)
        }),
        ("params.json: ffn_dim_multiplier: expected above 0, at most 100, found -1.0.", |params, _| {
            params["ffn_dim_multiplier"] = json!(-1.0)
        }),
        ("A Llama with moe is not supported; Pronk runs those without.", |params, _| {
            params["moe"] = json!({})
        }),
        ("A Llama with vision_chunk_size is not supported", |params, _| {
            params["vision_chunk_size"] = json!(560)
        }),
        (
            "This model has 2 of the files consolidated.00.pth, .01 and so on, and 1 came: open just those together.",
            |_, parts| *parts = vec![share(0, 2)],
        ),
        ("This model has 1 of the files", |_, parts| parts.push(whole())),
        ("data.pkl: consolidated.00.pth is missing.", |_, parts| parts.clear()),
        ("data.pkl: layers.0.attention.wk.weight of consolidated.00.pth is missing.", |_, parts| {
            parts[0].retain(|(name, ..)| !name.contains("wk."))
        }),
        (
            "data.pkl: layers.1.attention.wq.weight: expected a tensor of this Llama's, found another.",
            |_, parts| parts[0].push(("layers.1.attention.wq.weight".into(), vec![1], vec![0.0])),
        ),
        (
            "data.pkl: layers.0.attention.wq.weight: expected shape [128, 128], found shape [64, 256].",
            |_, parts| tensor(&mut parts[0], "wq.").1 = vec![64, 256],
        ),
        (
            "data.pkl: layers.0.attention.wk.weight: expected F32 of shape [32, 128] in all parts, found F32 of [128, 32].",
            |_, parts| {
                *parts = vec![share(0, 2), share(1, 2)];
                tensor(&mut parts[1], "wk.").1 = vec![128, 32];
            },
        ),
    ];
    for (expected, change) in rows {
        let (mut params, mut parts) = (params(), vec![whole()]);
        change(&mut params, &mut parts);
        let error = checkpoint(&params, &parts).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}
