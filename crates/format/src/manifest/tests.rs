use super::*;
use crate::layout::WeightType;
use crate::{Checkpoint, FormatError, Part, Stored, TokenizerFile};

/// Not SHA-256, which is another crate's; it depends on every byte and its place.
fn hash(bytes: &[u8]) -> Hash {
    let mix =
        |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix).to_le_bytes();
    std::array::from_fn(|at| sum[at % 8] ^ at as u8)
}

const CONFIG: &str = r#"{"model_type": "llama", "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 64, "vocab_size": 10, "tie_word_embeddings": true}"#;

const WEIGHTS: &str = "model-00001-of-00001.safetensors";

/// A whole folder of a model with a layer: matrices in Q4, two parts of embeddings, their scales before their words.
fn manifest() -> Manifest {
    let mut at = 8u64;
    let mut place = |bytes: u64| {
        at += bytes;
        at - bytes
    };
    let mut tensors = Vec::new();
    let mut add = |name: &str, shape: [usize; 2], parts: &[usize]| {
        let dtype = if shape[0] == 1 { WeightType::F32 } else { WeightType::Q4 };
        let parts = parts.iter().map(|rows| match dtype {
            WeightType::F32 => LaidPart { file: 2, rows: 1, scales: None, words: place(4 * shape[1] as u64) },
            _ => {
                let scales = place(4 * rows.div_ceil(4) as u64 * dtype.tile_scale_words(shape[1]) as u64);
                let words = place(4 * *rows as u64 * dtype.row_words(shape[1]) as u64);
                LaidPart { file: 2, rows: *rows, scales: Some(scales), words }
            }
        });
        let (name, dtype, parts) = (name.to_owned(), dtype.name().to_owned(), parts.collect());
        tensors.push(ManifestTensor { name, dtype, shape, parts });
    };
    add("model.embed_tokens.weight", [10, 32], &[8, 2]);
    add("model.norm.weight", [1, 32], &[1]);
    for (part, shape) in [
        ("input_layernorm", [1, 32]),
        ("post_attention_layernorm", [1, 32]),
        ("self_attn.q_proj", [32, 32]),
        ("self_attn.k_proj", [32, 32]),
        ("self_attn.v_proj", [32, 32]),
        ("self_attn.o_proj", [32, 32]),
        ("mlp.gate_proj", [64, 32]),
        ("mlp.up_proj", [64, 32]),
        ("mlp.down_proj", [32, 64]),
    ] {
        add(&format!("model.layers.0.{part}.weight"), shape, &[shape[0]]);
    }
    let file = |name: &str, bytes: &[u8]| ManifestFile::of(name, bytes, hash);
    let weights = ManifestFile { size: at, ..file(WEIGHTS, b"weights") };
    let files = vec![file("NOTICE", b"notice"), file("config.json", CONFIG.as_bytes()), weights];
    let name = Some("tiny \"é\"\n".to_owned());
    let licence = Some("apache-2.0".to_owned());
    Manifest { name, licence, built_with_llama: true, source: "a, b".into(), files, tensors }
}

fn checkpoint(manifest: Manifest) -> Result<Checkpoint, FormatError> {
    // What is read is what was written.
    let bytes = manifest.to_bytes(hash);
    Checkpoint::from_manifest(ManifestFiles {
        manifest: Manifest::parse(&bytes, hash)?,
        config: CONFIG.into(),
        generation_config: None,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        chat_template: None,
    })
}

#[test]
fn comes_back_from_its_bytes() {
    let manifest = manifest();
    let bytes = manifest.to_bytes(hash);
    assert!(Manifest::is_ours(&bytes));
    assert_eq!(Manifest::parse(&bytes, hash), Ok(manifest.clone()));
    let checkpoint = checkpoint(manifest).unwrap();
    let embeddings = checkpoint.tensor(crate::TensorName::EmbedTokens).unwrap();
    let Stored::Laid(laid) = &embeddings.stored else { unreachable!("{embeddings:?}") };
    assert_eq!((laid.part_rows.as_slice(), laid.spans.len()), ([8, 2].as_slice(), 4));
    assert!(checkpoint.in_one_pass() && checkpoint.built_with_llama());
}

/// One bit anywhere, and nothing is read.
#[test]
fn every_changed_bit_is_noticed() {
    let bytes = manifest().to_bytes(hash);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 7);
        assert!(Manifest::is_ours(&changed), "byte {at}: another program's is passed over, ours is not");
        assert!(Manifest::parse(&changed, hash).is_err(), "byte {at}");
        assert!(Manifest::parse(&bytes[..at], hash).is_err(), "cut at {at}");
    }
    assert!(!Manifest::is_ours(b"{\"name\": \"an app\", \"icons\": []}"));
}

/// Manifests that are sealed as they should be and claim what can't be: what a hostile host would give.
#[test]
fn wrong_claims_are_refused() {
    type Change = fn(&mut Manifest);
    let embed = "model.embed_tokens.weight";
    let rows: [(&str, Change); 27] = [
        (
            "files[2].name: expected the plain name of a file in the same folder, found \"../a.safetensors\" which leads to another folder",
            |m| m.files[2].name = "../a.safetensors".into(),
        ),
        ("found \"C:a\"", |m| m.files[0].name = "C:a".into()),
        ("found \"a%2fb\"", |m| m.files[0].name = "a%2fb".into()),
        ("files[1].name: expected the name of another file, found \"NOTICE\" again", |m| {
            m.files[1].name = "NOTICE".into()
        }),
        ("files[1].name: expected the name of another file, found \"Manifest.json\" again", |m| {
            m.files[1].name = "Manifest.json".into()
        }),
        ("files[2].pieces: expected 2 hashes", |m| m.files[2].size = (16 << 20) + 1),
        ("files[2].pieces: expected 1099511627776 hashes", |m| m.files[2].size = u64::MAX),
        ("tensors[0].shape: expected less than 2^32, found 4294967296", |m| m.tensors[0].shape[0] = 1 << 32),
        ("model.embed_tokens.weight: expected shape [10, 32], found shape [32, 10]", |m| {
            m.tensors[0].shape = [32, 10]
        }),
        ("expected a type of this version, found \"Q9\"", |m| m.tensors[0].dtype = "Q9".into()),
        ("expected a multiple of 256 columns for Q6, found 32", |m| m.tensors[0].dtype = "Q6".into()),
        ("expected scales where F16 has them", |m| m.tensors[0].dtype = "F16".into()),
        ("expected scales where Q4 has them", |m| m.tensors[0].parts[1].scales = None),
        ("expected parts of whole tiles of 4 rows, 10 in all, found a part of 6", |m| {
            m.tensors[0].parts[0].rows = 6
        }),
        ("found a part of 0", |m| m.tensors[0].parts[0].rows = 0),
        ("found a part of 4294967292", |m| m.tensors[0].parts[0].rows = u32::MAX as usize - 3),
        ("model.embed_tokens.weight: expected 10 rows, found 8", |m| m.tensors[0].parts.truncate(1)),
        ("model.embed_tokens.weight: expected 10 rows, found 0", |m| m.tensors[0].parts.clear()),
        ("model.norm.weight: expected one row of F32 in one part, found F16", |m| {
            m.tensors[1].dtype = "F16".into()
        }),
        ("model.norm.weight: expected one row of F32 in one part, found F32", |m| {
            m.tensors[1].parts = m.tensors[0].parts.clone()
        }),
        ("model.embed_tokens.weight: expected a part in a .safetensors file, found another file", |m| {
            m.tensors[0].parts[0].file = 0
        }),
        ("model.embed_tokens.weight ends at byte 18446744073709551615", |m| {
            m.tensors[0].parts[0].words = u64::MAX - 7
        }),
        ("model.embed_tokens.weight ends at byte 10000", |m| m.tensors[0].parts[0].words = 10_000 - 128),
        ("expected bytes of its own from", |m| m.tensors[0].parts[1].words -= 4),
        ("tensors: expected tensors of this model, found \"model.layers.1.mlp.up_proj.weight\"", |m| {
            m.tensors[9].name = "model.layers.1.mlp.up_proj.weight".into()
        }),
        ("model.layers.0.mlp.down_proj.weight is missing", |m| drop(m.tensors.pop())),
        ("NOTICE, which a Llama's licence wants beside it, is missing", |m| m.files[0].name = "NOTE".into()),
    ];
    for (expected, change) in rows {
        let mut changed = manifest();
        change(&mut changed);
        let error = checkpoint(changed).unwrap_err().to_string();
        assert!(
            error.starts_with("manifest.json: ") && error.contains(expected),
            "\n     got: {error}\nexpected: {expected}"
        );
    }
    let mut twice = manifest();
    let norm = twice.tensors[1].clone();
    twice.tensors.push(norm);
    assert!(checkpoint(twice).is_err());
    let mut other = manifest();
    other.tensors[0].name = "lm_head.weight".into();
    assert!(
        checkpoint(other).unwrap_err().to_string().contains("\"lm_head.weight\""),
        "{embed} serves as output"
    );
}

/// What can't be written by us: other kinds of values under the right hash.
#[test]
fn other_kinds_of_values_are_refused() {
    let text = String::from_utf8(manifest().to_bytes(hash)).unwrap();
    let body = text.rsplit_once("\n  \"sha256\"").unwrap().0;
    for (from, to, expected) in [
        ("\"version\": 1", "\"version\": 2", "version: expected 1; convert the model again"),
        ("pronk model", "other model", "format: expected \"pronk model\""),
        ("\"files\": [", "\"files\": [7,", "files[0]: expected an object, found 7"),
        ("\"rows\":8", "\"rows\":-8", "tensors[0].parts[0].rows: expected a whole number"),
        ("\"rows\":8", "\"rows\":8.5", "tensors[0].parts[0].rows: expected a whole number"),
        ("\"shape\":[10,32]", "\"shape\":[10,32,1]", "tensors[0].shape: expected rows and columns"),
        ("\"shape\":[10,32]", "\"shape\":[\"10\",32]", "tensors[0].shape: expected rows and columns"),
        (
            "\"file\":\"model-00001-of-00001.safetensors\"",
            "\"file\":\"x\"",
            "tensors[0].parts[0].file: expected one of files",
        ),
        ("\"sha256\":\"", "\"sha256\":\"x", "files[0].sha256: expected 64 hexadecimal digits"),
    ] {
        let mut changed = body.replacen(from, to, 1);
        assert_ne!(changed, body, "{from}");
        changed += parse::SEAL;
        let seal: String = hash(changed.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        changed += &(seal + parse::SEAL_END);
        let error = Manifest::parse(changed.as_bytes(), hash).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: {expected}", Part::Manifest)), "{error}");
    }
}
